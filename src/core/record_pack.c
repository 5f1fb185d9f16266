/*
 * Packed records.
 *
 *   record  := header [nmarks] mark{nmarks} revived? again? values? lists?
 *   header  := bits below
 *   mark    := zigzag(at - previous at) zigzag(n - previous n) zigzag(seq - previous seq)
 *              varint(client) varint(actor << 4 | origin << 1 | restamped) runs
 *   runs    := 0 for a mark of the life alone, else count of runs, then per run
 *              varint(first name - end of the run before) varint(length - 1)
 *   revived := zigzag(seq of the life - revived_seq) (only if REVIVED)
 *   again   := varint(again_seq) (only if AGAIN)
 *   values  := for each field by ascending name: 0, or length + 1 and the bytes (only if VALUES)
 *   lists   := count, then per list: field's index, length, bytes (only if LISTS)
 *
 * The life's mark, if there is one, is always the first. The first mark's `at` is relative to 2020,
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
    HEADER_BITS = 127
};

static bool mark_eq(const sg_mark *a, const sg_mark *b)
{
    return a->at_us == b->at_us && a->n == b->n && a->seq == b->seq && a->client == b->client &&
           a->actor == b->actor && a->origin == b->origin && a->restamped == b->restamped;
}

/* The distinct marks of a record in order of first use, and which one each field has. */
typedef struct mark_set {
    const sg_mark *marks[SG_RECORD_FIELDS_MAX + 1];
    uint16_t of_field[SG_RECORD_FIELDS_MAX];
    size_t count;
} mark_set;

static size_t mark_index(mark_set *set, const sg_mark *m)
{
    for (size_t i = set->count; i-- > 0;)
        if (mark_eq(set->marks[i], m)) return i;
    set->marks[set->count] = m;
    return set->count++;
}

static void put_runs(const sg_record *r, const mark_set *set, size_t mark, sg_buf *out)
{
    uint32_t end = 0;
    size_t runs = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->count;) {
            if (set->of_field[i] != mark) {
                i++;
                continue;
            }
            size_t j = i + 1;
            while (j < r->count && set->of_field[j] == mark &&
                   r->fields[j].name == r->fields[j - 1].name + 1)
                j++;
            if (pass == 0) {
                runs++;
            } else {
                sg_buf_varint(out, r->fields[i].name - end);
                sg_buf_varint(out, j - i - 1);
                end = r->fields[j - 1].name + 1;
            }
            i = j;
        }
        if (pass == 0) sg_buf_varint(out, runs);
    }
}

static void put_mark(const sg_mark *m, const sg_mark *before, sg_buf *out)
{
    sg_buf_zigzag(out, m->at_us - before->at_us);
    sg_buf_zigzag(out, m->n - before->n);
    sg_buf_zigzag(out, m->seq - before->seq);
    sg_buf_varint(out, m->client);
    sg_buf_varint(out, ((uint64_t)m->actor << 4) | ((uint64_t)m->origin << 1) | m->restamped);
}

static uint8_t header_of(const sg_record *r, const mark_set *set)
{
    unsigned h = 0;
    if (r->dead) h |= DEAD;
    if (r->has_life) h |= HAS_LIFE;
    if (set->count == 1) h |= ONE_MARK;
    if (r->revived_seq != 0) h |= REVIVED;
    if (r->again_seq != 0) h |= AGAIN;
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

void sg_record_pack(const sg_record *r, sg_buf *out)
{
    mark_set *set = sg_alloc(sizeof *set);
    if (set == NULL) {
        out->err = SG_NOMEM;
        return;
    }
    set->count = 0;
    if (r->has_life) (void)mark_index(set, &r->life);
    for (size_t i = 0; i < r->count; i++)
        set->of_field[i] = (uint16_t)mark_index(set, &r->fields[i].mark);
    uint8_t header = header_of(r, set);
    sg_buf_byte(out, header);
    if (!(header & ONE_MARK)) sg_buf_varint(out, set->count);
    const sg_mark zero = {.at_us = AT_EPOCH_US};
    for (size_t i = 0; i < set->count; i++) {
        put_mark(set->marks[i], i == 0 ? &zero : set->marks[i - 1], out);
        put_runs(r, set, i, out);
    }
    if (header & REVIVED) sg_buf_zigzag(out, r->life.seq - r->revived_seq);
    if (header & AGAIN) sg_buf_varint(out, (uint64_t)r->again_seq);
    if (header & VALUES) put_values(r, out);
    if (header & LISTS) put_lists(r, out);
    sg_free(set);
}

static void get_mark(sg_reader *in, sg_mark *m)
{
    /* Unsigned sums: damaged bytes must not overflow a signed one. */
    m->at_us = (int64_t)((uint64_t)m->at_us + (uint64_t)sg_read_zigzag(in));
    m->n = (int64_t)((uint64_t)m->n + (uint64_t)sg_read_zigzag(in));
    m->seq = (int64_t)((uint64_t)m->seq + (uint64_t)sg_read_zigzag(in));
    uint64_t client = sg_read_varint(in), who = sg_read_varint(in);
    if (client > UINT32_MAX || who >> 4 > UINT32_MAX || (who >> 1 & 7) > SG_ORIGIN_SERVER_REPLAY)
        in->err = SG_CORRUPT;
    if (m->at_us < 0 || m->at_us > SG_AT_MAX_US || m->n < 0 || m->seq < 0) in->err = SG_CORRUPT;
    m->client = (uint32_t)client;
    m->actor = (uint32_t)(who >> 4);
    m->origin = (uint8_t)(who >> 1 & 7);
    m->restamped = who & 1;
}

static void get_runs(sg_reader *in, sg_record *r, const sg_mark *m)
{
    uint64_t runs = sg_read_varint(in), name = 0;
    for (uint64_t i = 0; i < runs && in->err == SG_OK; i++) {
        uint64_t skip = sg_read_varint(in), length = sg_read_varint(in);
        if (skip > UINT32_MAX || length >= SG_RECORD_FIELDS_MAX) in->err = SG_CORRUPT;
        name += skip;
        for (uint64_t k = 0; k <= length && in->err == SG_OK; k++, name++) {
            if (name > UINT32_MAX || sg_record_find(r, (uint32_t)name) != NULL) {
                in->err = SG_CORRUPT;
                break;
            }
            bool room = r->count < SG_RECORD_FIELDS_MAX;
            sg_field *f = sg_record_at(r, (uint32_t)name);
            if (f == NULL)
                in->err = room ? SG_NOMEM : SG_CORRUPT;
            else
                f->mark = *m;
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
    for (uint64_t i = 0; i < marks && in->err == SG_OK; i++) {
        get_mark(in, &m);
        if (i == 0 && header & HAS_LIFE) r->life = m;
        get_runs(in, r, &m);
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

int sg_record_unpack(sg_record *r, sg_slice packed)
{
    sg_record_clear(r);
    sg_reader in = sg_reader_of(packed);
    uint8_t header = sg_read_byte(&in);
    bool is_lifeless = !(header & HAS_LIFE) && header & (DEAD | REVIVED);
    if (header & ~HEADER_BITS || is_lifeless) in.err = SG_CORRUPT;
    r->dead = header & DEAD;
    r->has_life = header & HAS_LIFE;
    get_marks(&in, r, header);
    if (header & REVIVED) get_revived(&in, r);
    if (header & AGAIN) get_again(&in, r);
    if (header & VALUES) get_values(&in, r);
    if (header & LISTS) get_lists(&in, r);
    if (in.err == SG_OK && in.left != 0) in.err = SG_CORRUPT;
    return in.err;
}
