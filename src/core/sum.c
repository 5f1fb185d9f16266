#include "core/sum.h"

/* What a hash is of, so that none is taken for another. */
enum { OF_RECORD = 1, OF_MARK = 2, OF_LIFE = 3, OF_VALUE = 4 };

/* The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators",
 * 2014; constants: Stafford, "Better Bit Mixing", 2011, mix 13). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t sg_hash_word(uint64_t h, uint64_t word)
{
    return mix(h + 0x9e3779b97f4a7c15u + word * 0xd1342543de82ef95u);
}

/* The same on every machine. */
static uint64_t load(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

uint64_t sg_hash_bytes(uint64_t h, sg_slice bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t left = bytes.n;
    h ^= (uint64_t)bytes.n * 0x9e3779b97f4a7c15u;
    for (; left >= 8; left -= 8, p += 8) {
        h = (h ^ load(p, 8)) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 29;
    }
    return sg_hash_word(h, left != 0 ? load(p, left) : 0);
}

uint64_t sg_sum_start(sg_slice table, sg_slice id)
{
    return sg_hash_bytes(sg_hash_bytes(OF_RECORD, table), id);
}

static uint64_t of_value(uint64_t field, uint64_t value)
{
    return sg_hash_word(field ^ OF_VALUE, value);
}

uint64_t sg_sum_value(uint64_t start, sg_slice field, uint64_t value)
{
    return of_value(sg_hash_bytes(start, field), value);
}

/* One pass over two records. Neighbours mostly share their mark, and its hash. */
typedef struct passing {
    sg_sum *sum;
    const sg_summer *s;
    uint64_t start;
    bool any; /* what follows is known */
    sg_mark mark;
    uint64_t client_hash, mark_hash;
} passing;

static bool same_mark(const sg_mark *a, const sg_mark *b)
{
    return a->at_us == b->at_us && a->n == b->n && a->client == b->client;
}

static uint64_t mark_hash(passing *p, const sg_mark *m)
{
    if (p->any && same_mark(&p->mark, m)) return p->mark_hash;
    if (!p->any || p->mark.client != m->client)
        p->client_hash = sg_hash_bytes(0, p->s->client(p->s->ctx, m->client));
    p->any = true;
    p->mark = *m;
    p->mark_hash = sg_hash_word(sg_hash_word(p->client_hash, (uint64_t)m->at_us), (uint64_t)m->n);
    return p->mark_hash;
}

static void put_field(passing *p, const sg_field *f, uint64_t sign)
{
    uint64_t field = sg_hash_bytes(p->start, p->s->name(p->s->ctx, f->name));
    p->sum->marks += sign * sg_hash_word(field ^ OF_MARK, mark_hash(p, &f->mark));
    if (p->s->value != NULL)
        p->sum->values += sign * of_value(field, p->s->value(p->s->ctx, f->value));
}

static bool same_field(const passing *p, const sg_field *a, const sg_field *b)
{
    if (!same_mark(&a->mark, &b->mark)) return false;
    return p->s->value == NULL || a->value.p == b->value.p || sg_slice_eq(a->value, b->value);
}

static void put_life(passing *p, const sg_record *r, uint64_t sign)
{
    p->sum->records += (int64_t)sign;
    if (r->has_life)
        p->sum->marks += sign * sg_hash_word(p->start ^ OF_LIFE, mark_hash(p, &r->life));
}

static void put_all(passing *p, const sg_record *r, uint64_t sign)
{
    put_life(p, r, sign);
    for (size_t i = 0; i < r->count; i++)
        put_field(p, &r->fields[i], sign);
}

/* Both are alive. Fields are in the order of their names in both. */
static void put_difference(passing *p, const sg_record *before, const sg_record *after)
{
    size_t i = 0, k = 0;
    if (before->has_life != after->has_life || !same_mark(&before->life, &after->life)) {
        put_life(p, before, (uint64_t)-1);
        put_life(p, after, 1);
    }
    while (i < before->count || k < after->count) {
        const sg_field *old = i < before->count ? &before->fields[i] : NULL;
        const sg_field *new = k < after->count ? &after->fields[k] : NULL;
        if (old != NULL && new != NULL && old->name == new->name &&same_field(p, old, new)) {
            i++, k++;
            continue;
        }
        bool first = new == NULL || (old != NULL && old->name <= new->name);
        if (first)
            put_field(p, old, (uint64_t)-1), i++;
        else
            put_field(p, new, 1), k++;
    }
}

static bool is_live(const sg_record *r)
{
    return r != NULL && !r->dead;
}

void sg_sum_change(sg_sum *sum, const sg_summer *s, uint64_t start, const sg_record *before,
                   const sg_record *after)
{
    passing p = {.sum = sum, .s = s, .start = start};
    if (is_live(before) && is_live(after)) {
        put_difference(&p, before, after);
        return;
    }
    if (is_live(before)) put_all(&p, before, (uint64_t)-1);
    if (is_live(after)) put_all(&p, after, 1);
}
