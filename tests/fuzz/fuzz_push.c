/*
 * Any bytes as the body of a push, and as a cursor.
 *
 * Checked: a body is refused as a whole or read; every change of it is refused with a message or is
 * one that survives being written and read again; nothing of another user's is let through.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/push.h"

#define TEXT_MAX ((size_t)64 << 20)
#define NOW_US INT64_C(1767323045678000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static bool same_change(const sg_change *a, const sg_change *b)
{
    if (a->n != b->n || a->tx_last != b->tx_last || a->base != b->base || a->at_us != b->at_us ||
        a->op != b->op || a->origin != b->origin || a->field_count != b->field_count ||
        !sg_slice_eq(a->table, b->table) || !sg_slice_eq(a->id, b->id) ||
        !sg_slice_eq(a->actor, b->actor))
        return false;
    for (size_t i = 0; i < a->field_count; i++)
        if (a->fields[i].at_us != b->fields[i].at_us ||
            !sg_slice_eq(a->fields[i].name, b->fields[i].name) ||
            !sg_slice_eq(a->fields[i].value, b->fields[i].value))
            return false;
    return true;
}

static void round_trip(const sg_change *c)
{
    sg_buf text;
    sg_jsonw w;
    sg_json j;
    sg_arena arena;
    sg_change_reader r;
    sg_change_in back;
    sg_arena_init(&arena);
    sg_buf_init(&text, TEXT_MAX);
    sg_jsonw_init(&w, &text);
    sg_change_to_json(&w, c);
    require(text.err == SG_OK, "a change that was read can be written");
    sg_json_init(&j, sg_buf_view(&text));
    sg_change_reader_init(&r, &arena, 0);
    require(sg_change_read(&r, &j, &back) && back.err == SG_OK, "what was written can be read");
    require(same_change(c, &back.c), "a change is the same when it comes back");
    sg_change_reader_deinit(&r);
    sg_buf_deinit(&text);
    sg_arena_deinit(&arena);
}

static void check_changes(const sg_push *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const sg_change_in *in = &p->changes[i];
        if (in->err != SG_OK) {
            require(in->message.n != 0 && sg_utf8_valid(in->message), "a refusal says why");
            continue;
        }
        require(in->c.table.n != 0 && in->c.id.n != 0 && in->c.actor.n != 0,
                "a change is complete");
        require(in->c.origin != SG_ORIGIN_SERVER_REPLAY, "nobody writes a replay");
        round_trip(&in->c);
    }
}

static void as_push(const char *bytes, size_t size)
{
    sg_push *p = sg_push_new();
    if (p == NULL) abort();
    p->body = sg_strndup(bytes, size);
    p->body_len = size;
    p->claims.user = SG_LIT("ann");
    if (p->body == NULL) abort();
    if (sg_push_read(p, (sg_epoch){7}, NOW_US))
        check_changes(p);
    else
        require(p->result.err != SG_OK, "a refused push says why");
    sg_push_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_cursor cursor;
    const char *bytes = (const char *)data;
    as_push(bytes, size);
    if (sg_cursor_parse(sg_slice_of(bytes, size), (sg_epoch){7}, &cursor) == SG_OK)
        require(cursor.from >= 0 && cursor.seq >= cursor.from,
                "a cursor is a place in the commit order");
    return 0;
}
