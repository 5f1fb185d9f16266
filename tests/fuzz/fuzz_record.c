/*
 * Any bytes as a packed record.
 *
 * Checked: they are read as a record that can be, or refused as damage; a record that was read
 * packs to bytes that give the same record and pack to themselves; changes merge into it, or stop
 * at a list that is damaged; what came of that packs and comes back too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../laws/record_equal.h"
#include "core/clock.h"
#include "core/merge.h"

#define PACKED_MAX ((size_t)1 << 26)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static bool is_possible(const sg_mark *m)
{
    return m->at_us >= 0 && m->at_us <= SG_AT_MAX_US && m->n >= 0 && m->seq >= 0 &&
           m->origin <= SG_ORIGIN_SERVER_REPLAY;
}

static void round_trip(const sg_record *r)
{
    require(is_possible(&r->life) && r->revived_seq >= 0 && r->again_seq >= 0, "a life can be");
    for (size_t i = 0; i < r->count; i++)
        require(is_possible(&r->fields[i].mark), "a mark can be");
    sg_buf once, twice;
    sg_record back;
    sg_buf_init(&once, PACKED_MAX);
    sg_buf_init(&twice, PACKED_MAX);
    sg_record_init(&back);
    sg_record_pack(r, &once);
    require(once.err == SG_OK, "a record can be packed");
    int err = sg_record_unpack(&back, sg_buf_view(&once));
    require(err == SG_OK, "what was packed can be read");
    const char *difference = record_difference(r, &back);
    if (difference != NULL) fprintf(stderr, "%s differs\n", difference);
    require(difference == NULL, "a packed record is the same record");
    sg_record_pack(&back, &twice);
    require(sg_slice_eq(sg_buf_view(&once), sg_buf_view(&twice)), "a record has one packed form");
    sg_record_deinit(&back);
    sg_buf_deinit(&once);
    sg_buf_deinit(&twice);
}

/* Clients by number, in an order of texts that is not the order of the numbers. */
static sg_slice client_text(void *ctx, uint32_t client)
{
    (void)ctx;
    return sg_slice_of(&"zyxwvutsrqponmlk"[client % 16], 1);
}

static int arrive(sg_record *r, enum sg_op op, int64_t at_us, sg_arena *arena)
{
    const uint32_t names[] = {1, 7};
    const sg_change_field fields[] = {{{NULL, 0}, SG_LIT("1"), at_us},
                                      {{NULL, 0}, SG_LIT("\"two\""), at_us}};
    const sg_change c = {.n = 5,
                         .at_us = at_us,
                         .op = op,
                         .fields = fields,
                         .field_count = op == SG_OP_DELETE ? 0 : 2};
    const sg_arrival in = {&c, names, SG_LIT("m"), 13, 2, 3, 1000000, false};
    const sg_clients clients = {NULL, client_text};
    sg_merge_count count;
    int err = sg_merge_arrival(r, &in, &clients, arena, &count);
    require(err == SG_OK || err == SG_CORRUPT || err == SG_LIMIT, "a merge says what is wrong");
    if (err == SG_OK)
        require(count.won + count.lost + count.same == c.field_count + (op != SG_OP_UPDATE),
                "each write wins, loses or is there already");
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum sg_op ops[] = {SG_OP_UPDATE, SG_OP_DELETE, SG_OP_UPDATE, SG_OP_INSERT};
    sg_record r;
    sg_arena arena;
    sg_record_init(&r);
    sg_arena_init(&arena);
    int err = sg_record_unpack(&r, sg_slice_of((const char *)data, size));
    require(err == SG_OK || err == SG_CORRUPT, "bytes are a record or damage");
    if (err == SG_OK) {
        round_trip(&r);
        int64_t at_us = sg_record_updated_at(&r);
        for (unsigned i = 0; i < 8 && err == SG_OK; i++) {
            int64_t step = i < 4 ? -1 : 1; /* first late arrivals, then new ones */
            if (at_us + step >= 0 && at_us + step <= SG_AT_MAX_US) at_us += step;
            err = arrive(&r, ops[i % 4], at_us, &arena);
            if (err == SG_OK) round_trip(&r);
        }
    }
    sg_record_deinit(&r);
    sg_arena_deinit(&arena);
    return 0;
}
