/*
 * Any bytes as the small packed things that are stored: history entries, lists of lost writes,
 * keys; as an id that travels; as a time; as the text of an index.
 *
 * The first byte chooses. Checked: damage is said; what is read is within bounds and, written again,
 * is the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/record.h"
#include "core/time.h"
#include "replica/index_sql.h"
#include "replica/key.h"
#include "store/history.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAX ((size_t)1 << 26)

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static bool is_inside(sg_slice part, sg_slice whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void as_history(sg_slice bytes, sg_buf *out)
{
    sg_arena arena;
    sg_history h, back;
    sg_arena_init(&arena);
    int err = sg_history_unpack(&h, bytes, &arena);
    require(err == SG_OK || err == SG_CORRUPT, "bytes are an entry or damage");
    if (err == SG_OK) {
        require(h.op <= SG_OP_DELETE && h.origin <= SG_ORIGIN_SERVER_REPLAY, "an entry can be");
        for (size_t i = 0; i < h.count; i++)
            require(is_inside(h.fields[i].value, bytes), "a value lies inside its entry");
        sg_history_pack(&h, out);
        require(out->err == SG_OK, "an entry can be written");
        err = sg_history_unpack(&back, sg_buf_view(out), &arena);
        require(err == SG_OK && back.n == h.n && back.at_us == h.at_us && back.base == h.base &&
                    back.count == h.count && back.client == h.client && back.actor == h.actor,
                "what was written can be read");
    }
    sg_arena_deinit(&arena);
}

static void as_lost(sg_slice bytes, sg_buf *out)
{
    sg_lost l, back;
    int err = sg_lost_unpack(&l, bytes);
    if (err != SG_OK) return;
    require(l.count <= SG_LOST_MAX, "a list is bounded");
    sg_lost_pack(&l, out);
    require(sg_lost_unpack(&back, sg_buf_view(out)) == SG_OK && back.count == l.count,
            "what was written can be read");
    sg_lost_add(&l, 7);
    sg_lost_trim(&l, 9);
    for (size_t i = 0; i < l.count; i++)
        require(l.seq[i] > 9, "what is trimmed is gone");
}

/* Key columns of each affinity, alone and together. */
static void as_key(sg_slice bytes, sg_buf *out)
{
    static const char affinities[] = "ITBRN";
    sg_value v;
    char uuid[36];
    (void)sg_key_single(bytes, &v, uuid);
    if (sg_key_to_json(bytes, out) == SG_OK) {
        sg_json j;
        sg_json_init(&j, sg_buf_view(out));
        (void)sg_json_skip(&j);
        require(out->err != SG_OK || sg_json_end(&j), "a key's JSON is JSON");
    }
    for (size_t i = 0; i < 2 * (sizeof affinities - 1); i++) {
        sg_column columns[2] = {{.affinity = affinities[i / 2]}, {.affinity = 'B'}};
        sg_table t = {.columns = columns, .column_count = 2, .key_count = 1 + i % 2};
        t.key[1] = 1;
        sg_buf again, id;
        sg_buf_init(&again, BYTES_MAX);
        sg_buf_init(&id, BYTES_MAX);
        /* As an id that came, and as a key that was stored. */
        if (sg_key_from_id(&t, bytes, &again) == SG_OK) {
            int err = sg_key_to_id(&t, sg_buf_view(&again), &id);
            require(err == SG_OK, "a key has an id");
            size_t n = again.n;
            require(sg_key_from_id(&t, sg_buf_view(&id), &again) == SG_OK && again.n == 2 * n &&
                        memcmp(again.p, again.p + n, n) == 0,
                    "an id leads back to its key");
        }
        sg_buf_clear(&id);
        (void)sg_key_to_id(&t, bytes, &id);
        sg_buf_deinit(&again);
        sg_buf_deinit(&id);
    }
}

static void as_time(sg_slice text)
{
    int64_t at_us, back;
    char out[SG_TIME_TEXT_MAX];
    if (!sg_time_parse(text, &at_us)) return;
    size_t n = sg_time_format(at_us, out);
    require(sg_time_parse(sg_slice_of(out, n), &back) && back == at_us, "a time comes back");
}

static void as_index(sg_slice sql)
{
    for (size_t i = 0; i < 20; i++)
        require(is_inside(sg_index_term(sql, i), sql), "a term lies inside its text");
    require(is_inside(sg_index_where(sql), sql), "a condition lies inside its text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    sg_slice bytes = sg_slice_of((const char *)data + 1, size - 1);
    sg_buf out;
    sg_buf_init(&out, BYTES_MAX);
    if (*data == 'h') as_history(bytes, &out);
    if (*data == 'l') as_lost(bytes, &out);
    if (*data == 'k') as_key(bytes, &out);
    if (*data == 't') as_time(bytes);
    if (*data == 'i') as_index(bytes);
    sg_buf_deinit(&out);
    return 0;
}
