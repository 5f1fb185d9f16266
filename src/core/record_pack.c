/*
 * Packed records.
 *
 *   record  := header [nmarks] mark{nmarks} revived? again? space? values? lists?
 *   header  := bits below
 *   mark    := byte(which of these differ from the previous mark's | count of runs << 3)
 *              zigzag(at - previous at) zigzag(n - previous n) [zigzag(seq - previous seq)]
 *              [varint(client)] [varint(actor << 4 | origin << 1 | restamped)] runs
 *   runs    := [varint(count - 31), if the byte says 31], then per run
 *              varint(first name - end of the run before) varint(length - 1)
 *   revived := zigzag(seq of the life - revived_seq) (only if REVIVED)
 *   again   := varint(again_seq) (only if AGAIN)
 *   space   := varint(space) (only if SPACE)
 *   values  := for each field by ascending name: 0, or length + 1 and the bytes (only if VALUES)
 *   lists   := count, then per list: field's index, length, bytes (only if LISTS)
 *
 * The first mark's runs are of all fields; those of the others take some of them away from it. So an
 * edit in the middle of a record does not cut the first one's run in two. The life's mark, if there
 * is one, is always the first. The first mark's `at` is relative to 2020,
 * which saves a byte in every record there is.
 */
#include "base/mem.h"
#include "base/reader.h"
#include "core/actor.h"
#include "core/clock.h"
#include "core/record.h"

#define AT_EPOCH_US INT64_C(1577836800000000)

enum {
    DEAD = 1,
    HAS_LIFE = 2,
    VALUES = 4,
    LISTS = 8,
    ONE_MARK = 16, /* nmarks is 1 and left out */
    REVIVED = 32,
    AGAIN = 64,
    SPACE = 128
};

/* The first byte of a mark. */
enum { SEQ_DIFFERS = 1, CLIENT_DIFFERS = 2, WHO_DIFFERS = 4, RUNS_SHIFT = 3, RUNS_MANY = 31 };

static bool mark_eq(const sg_mark *a, const sg_mark *b)
{
    return a->at_us == b->at_us && a->n == b->n && a->seq == b->seq && a->client == b->client &&
           a->actor == b->actor && a->origin == b->origin && a->restamped == b->restamped;
}

/* The distinct marks of a record in order of first use, and which one each field has. */
typedef struct mark_set {
    const sg_mark **marks;
    uint16_t *of_field;
    size_t count;
} mark_set;

/* Fields of a record whose set of marks needs no memory of its own. */
#define SMALL_FIELDS 64

static size_t mark_index(mark_set *set, const sg_mark *m)
{
    for (size_t i = set->count; i-- > 0;)
        if (mark_eq(set->marks[i], m)) return i;
    set->marks[set->count] = m;
    return set->count++;
}

/* Count the runs that are written with a mark, and write them if out is not NULL. */
static size_t put_runs(const sg_record *r, const mark_set *set, size_t mark, sg_buf *out)
{
    uint32_t end = 0;
    size_t runs = 0;
    for (size_t i = 0; i < r->count;) {
        if (mark != 0 && set->of_field[i] != mark) {
            i++;
            continue;
        }
        size_t j = i + 1;
        while (j < r->count && (mark == 0 || set->of_field[j] == mark) &&
               r->fields[j].name == r->fields[j - 1].name + 1)
            j++;
        runs++;
        if (out != NULL) {
            sg_buf_varint(out, r->fields[i].name - end);
            sg_buf_varint(out, j - i - 1);
            end = r->fields[j - 1].name + 1;
        }
        i = j;
    }
    return runs;
}

static uint64_t who_of(const sg_mark *m)
{
    return ((uint64_t)m->actor << 4) | ((uint64_t)m->origin << 1) | m->restamped;
}

static void put_mark(const sg_mark *m, const sg_mark *before, size_t runs, sg_buf *out)
{
    unsigned differs = 0;
    if (m->seq != before->seq) differs |= SEQ_DIFFERS;
    if (m->client != before->client) differs |= CLIENT_DIFFERS;
    if (who_of(m) != who_of(before)) differs |= WHO_DIFFERS;
    size_t said = runs < RUNS_MANY ? runs : RUNS_MANY;
    sg_buf_byte(out, (uint8_t)(differs | said << RUNS_SHIFT));
    sg_buf_zigzag(out, m->at_us - before->at_us);
    sg_buf_zigzag(out, m->n - before->n);
    if (differs & SEQ_DIFFERS) sg_buf_zigzag(out, m->seq - before->seq);
    if (differs & CLIENT_DIFFERS) sg_buf_varint(out, m->client);
    if (differs & WHO_DIFFERS) sg_buf_varint(out, who_of(m));
    if (said == RUNS_MANY) sg_buf_varint(out, runs - RUNS_MANY);
}

static uint8_t header_of(const sg_record *r, const mark_set *set)
{
    unsigned h = 0;
    if (r->dead) h |= DEAD;
    if (r->has_life) h |= HAS_LIFE;
    if (set->count == 1) h |= ONE_MARK;
    if (r->revived_seq != 0) h |= REVIVED;
    if (r->again_seq != 0) h |= AGAIN;
    if (r->space != 0) h |= SPACE;
    for (size_t i = 0; i < r->count; i++) {
        if (r->fields[i].has_value) h |= VALUES;
        if (r->fields[i].lost.n != 0) h |= LISTS;
    }
    return (uint8_t)h;
}

static void put_values(const sg_record *r, sg_buf *out)
{
    for (size_t i = 0; i < r->count; i++) {
        const sg_field *f = &r->fields[i];
        sg_buf_varint(out, f->has_value ? f->value.n + 1 : 0);
        if (f->has_value) sg_buf_slice(out, f->value);
    }
}

static void put_lists(const sg_record *r, sg_buf *out)
{
    size_t lists = 0;
    for (size_t i = 0; i < r->count; i++)
        lists += r->fields[i].lost.n != 0;
    sg_buf_varint(out, lists);
    for (size_t i = 0; i < r->count; i++) {
        if (r->fields[i].lost.n == 0) continue;
        sg_buf_varint(out, i);
        sg_buf_lenslice(out, r->fields[i].lost);
    }
}

static void pack(const sg_record *r, mark_set *set, sg_buf *out)
{
    if (r->has_life) (void)mark_index(set, &r->life);
    for (size_t i = 0; i < r->count; i++)
        set->of_field[i] = (uint16_t)mark_index(set, &r->fields[i].mark);
    uint8_t header = header_of(r, set);
    sg_buf_byte(out, header);
    if (!(header & ONE_MARK)) sg_buf_varint(out, set->count);
    const sg_mark zero = {.at_us = AT_EPOCH_US};
    for (size_t i = 0; i < set->count; i++) {
        put_mark(set->marks[i], i == 0 ? &zero : set->marks[i - 1], put_runs(r, set, i, NULL), out);
        (void)put_runs(r, set, i, out);
    }
    if (header & REVIVED) sg_buf_zigzag(out, r->life.seq - r->revived_seq);
    if (header & AGAIN) sg_buf_varint(out, (uint64_t)r->again_seq);
    if (header & SPACE) sg_buf_varint(out, r->space);
    if (header & VALUES) put_values(r, out);
    if (header & LISTS) put_lists(r, out);
}

void sg_record_pack(const sg_record *r, sg_buf *out)
{
    const sg_mark *marks[SMALL_FIELDS + 1];
    uint16_t of_field[SMALL_FIELDS];
    mark_set set = {marks, of_field, 0};
    if (r->count <= SMALL_FIELDS) {
        pack(r, &set, out);
        return;
    }
    set.marks = sg_alloc((r->count + 1) * sizeof *set.marks);
    set.of_field = sg_alloc(r->count * sizeof *set.of_field);
    if (set.marks != NULL && set.of_field != NULL)
        pack(r, &set, out);
    else
        out->err = SG_NOMEM;
    sg_free(set.marks);
    sg_free(set.of_field);
}

static void get_who(sg_reader *in, sg_mark *m)
{
    uint64_t who = sg_read_varint(in);
    if (who >> 4 > UINT32_MAX || (who >> 1 & 7) > SG_ORIGIN_SERVER_REPLAY) in->err = SG_CORRUPT;
    m->actor = (uint32_t)(who >> 4);
    m->origin = (uint8_t)(who >> 1 & 7);
    m->restamped = who & 1;
}

/* From the mark before it to the next; the count of its runs. */
static uint64_t get_mark(sg_reader *in, sg_mark *m)
{
    uint8_t first = sg_read_byte(in);
    /* Unsigned sums: damaged bytes must not overflow a signed one. */
    m->at_us = (int64_t)((uint64_t)m->at_us + (uint64_t)sg_read_zigzag(in));
    m->n = (int64_t)((uint64_t)m->n + (uint64_t)sg_read_zigzag(in));
    if (first & SEQ_DIFFERS) m->seq = (int64_t)((uint64_t)m->seq + (uint64_t)sg_read_zigzag(in));
    uint64_t client = first & CLIENT_DIFFERS ? sg_read_varint(in) : m->client;
    if (first & WHO_DIFFERS) get_who(in, m);
    if (m->at_us < 0 || m->at_us > SG_AT_MAX_US || m->n < 0 || m->seq < 0) in->err = SG_CORRUPT;
    if (client > UINT32_MAX) in->err = SG_CORRUPT;
    m->client = (uint32_t)client;
    uint64_t runs = first >> RUNS_SHIFT, more = runs == RUNS_MANY ? sg_read_varint(in) : 0;
    if (more > SG_RECORD_FIELDS_MAX) in->err = SG_CORRUPT;
    return runs + more;
}

static void add_field(sg_reader *in, sg_record *r, uint32_t name, const sg_mark *m)
{
    bool room = r->count < SG_RECORD_FIELDS_MAX, known = sg_record_find(r, name) != NULL;
    sg_field *f = known ? NULL : sg_record_at(r, name);
    if (f == NULL)
        in->err = room && !known ? SG_NOMEM : SG_CORRUPT;
    else
        f->mark = *m;
}

/* What the first mark has, a later one may take from it. */
static void take_field(sg_reader *in, sg_record *r, uint32_t name, const sg_mark *m,
                       const sg_mark *first)
{
    sg_field *f = sg_record_find(r, name);
    if (f == NULL || !mark_eq(&f->mark, first))
        in->err = SG_CORRUPT;
    else
        f->mark = *m;
}

/* first: NULL for the first mark's own. */
static void get_runs(sg_reader *in, sg_record *r, uint64_t runs, const sg_mark *m,
                     const sg_mark *first)
{
    uint64_t name = 0;
    for (uint64_t i = 0; i < runs && in->err == SG_OK; i++) {
        uint64_t skip = sg_read_varint(in), length = sg_read_varint(in);
        if (skip > UINT32_MAX || length >= SG_RECORD_FIELDS_MAX) in->err = SG_CORRUPT;
        name += skip;
        for (uint64_t k = 0; k <= length && in->err == SG_OK; k++, name++) {
            if (name > UINT32_MAX)
                in->err = SG_CORRUPT;
            else if (first == NULL)
                add_field(in, r, (uint32_t)name, m);
            else
                take_field(in, r, (uint32_t)name, m, first);
        }
    }
}

static void get_values(sg_reader *in, sg_record *r)
{
    for (size_t i = 0; i < r->count && in->err == SG_OK; i++) {
        uint64_t n = sg_read_varint(in);
        if (n == 0) continue;
        if (n - 1 > in->left) {
            in->err = SG_CORRUPT;
            return;
        }
        r->fields[i].has_value = true;
        r->fields[i].value = sg_read_bytes(in, (size_t)(n - 1));
    }
}

static void get_lists(sg_reader *in, sg_record *r)
{
    uint64_t lists = sg_read_varint(in);
    for (uint64_t k = 0; k < lists && in->err == SG_OK; k++) {
        uint64_t i = sg_read_varint(in);
        sg_slice list = sg_read_lenslice(in);
        if (i >= r->count)
            in->err = SG_CORRUPT;
        else
            r->fields[i].lost = list;
    }
}

static void get_marks(sg_reader *in, sg_record *r, uint8_t header)
{
    uint64_t marks = header & ONE_MARK ? 1 : sg_read_varint(in);
    sg_mark m = {.at_us = AT_EPOCH_US};
    if (marks == 0 && header & HAS_LIFE) in->err = SG_CORRUPT;
    sg_mark first = m;
    for (uint64_t i = 0; i < marks && in->err == SG_OK; i++) {
        uint64_t runs = get_mark(in, &m);
        if (i == 0) first = m;
        if (i == 0 && header & HAS_LIFE) r->life = m;
        get_runs(in, r, runs, &m, i == 0 ? NULL : &first);
    }
}

static void get_revived(sg_reader *in, sg_record *r)
{
    r->revived_seq = (int64_t)((uint64_t)r->life.seq - (uint64_t)sg_read_zigzag(in));
    if (r->revived_seq <= 0) in->err = SG_CORRUPT;
}

static void get_again(sg_reader *in, sg_record *r)
{
    uint64_t seq = sg_read_varint(in);
    if (seq == 0 || seq > INT64_MAX) in->err = SG_CORRUPT;
    r->again_seq = (int64_t)seq;
}

static void get_space(sg_reader *in, sg_record *r)
{
    uint64_t space = sg_read_varint(in);
    if (space == 0 || space > UINT32_MAX) in->err = SG_CORRUPT;
    r->space = (uint32_t)space;
}

int sg_record_unpack(sg_record *r, sg_slice packed)
{
    sg_record_clear(r);
    sg_reader in = sg_reader_of(packed);
    uint8_t header = sg_read_byte(&in);
    bool is_lifeless = !(header & HAS_LIFE) && header & (DEAD | REVIVED);
    if (is_lifeless) in.err = SG_CORRUPT;
    r->dead = header & DEAD;
    r->has_life = header & HAS_LIFE;
    get_marks(&in, r, header);
    if (header & REVIVED) get_revived(&in, r);
    if (header & AGAIN) get_again(&in, r);
    if (header & SPACE) get_space(&in, r);
    if (header & VALUES) get_values(&in, r);
    if (header & LISTS) get_lists(&in, r);
    if (in.err == SG_OK && in.left != 0) in.err = SG_CORRUPT;
    return in.err;
}
