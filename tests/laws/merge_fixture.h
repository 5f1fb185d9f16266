/*
 * A server's record that changes arrive at, in the words of a test, and that record as text.
 *
 * An act is a change of one of four clients, named "a" … "d" so that their order is plain. Acts are
 * merged by the code under test alone; what should have come out each test works out for itself.
 */
#ifndef SG_TESTS_MERGE_FIXTURE_H
#define SG_TESTS_MERGE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/merge.h"

#define ACT_CLIENTS 4u
#define ACT_FIELDS 4u
#define ACT_TEXT_MAX ((size_t)1 << 16)

typedef struct act {
    enum sg_op op;
    unsigned client;
    int64_t n;
    int64_t at_us; /* of the life, and of fields whose own is 0 */
    int64_t base;
    enum sg_origin origin;
    unsigned mask; /* field i is written if bit i is set */
    sg_slice value[ACT_FIELDS];
    int64_t field_at_us[ACT_FIELDS];
} act;

static inline int64_t act_field_at(const act *a, unsigned field)
{
    return a->field_at_us[field] != 0 ? a->field_at_us[field] : a->at_us;
}

typedef struct server {
    sg_record record;
    sg_arena arena;
    sg_buf stored; /* the packed record that `record` borrows from */
    int64_t seq;   /* of the last arrival */
    bool reversed; /* interned clients are numbered against their order as texts */
} server;

static inline void server_init(server *s, bool reversed)
{
    *s = (server){.reversed = reversed};
    sg_record_init(&s->record);
    sg_arena_init(&s->arena);
    sg_buf_init(&s->stored, (size_t)1 << 26);
}

static inline void server_deinit(server *s)
{
    sg_record_deinit(&s->record);
    sg_arena_deinit(&s->arena);
    sg_buf_deinit(&s->stored);
}

static inline void server_empty(server *s, bool reversed)
{
    sg_record_clear(&s->record);
    sg_arena_reset(&s->arena);
    s->seq = 0;
    s->reversed = reversed;
}

static inline uint32_t server_client(const server *s, unsigned client)
{
    return s->reversed ? ACT_CLIENTS - client : client + 1;
}

static inline sg_slice client_text(unsigned client)
{
    return sg_slice_of(&"abcd"[client], 1);
}

static inline sg_slice server_client_text(void *ctx, uint32_t id)
{
    const server *s = ctx;
    return client_text(s->reversed ? ACT_CLIENTS - id : id - 1);
}

/* Field i's interned name; there are gaps between some. */
static inline uint32_t field_name(unsigned field)
{
    static const uint32_t names[ACT_FIELDS] = {3, 4, 9, 4000000000u};
    return names[field];
}

static inline sg_slice server_value(const server *s, unsigned field)
{
    const sg_field *f = sg_record_find(&s->record, field_name(field));
    return f != NULL && f->has_value ? f->value : SG_LIT("(none)");
}

/* The act arrives; its seq is s->seq afterwards. */
static inline int server_try(server *s, const act *a, sg_merge_count *count)
{
    sg_change_field fields[ACT_FIELDS];
    uint32_t names[ACT_FIELDS];
    sg_change c = {.n = a->n,
                   .tx_last = a->n,
                   .base = a->base,
                   .at_us = a->at_us,
                   .op = a->op,
                   .origin = a->origin,
                   .fields = fields};
    for (unsigned i = 0; i < ACT_FIELDS; i++) {
        if (!(a->mask & 1u << i)) continue;
        names[c.field_count] = field_name(i);
        fields[c.field_count++] =
            (sg_change_field){.value = a->value[i], .at_us = act_field_at(a, i)};
    }
    const sg_clients clients = {s, server_client_text};
    const sg_arrival in = {.change = &c,
                           .names = names,
                           .client_text = client_text(a->client),
                           .client = server_client(s, a->client),
                           .actor = a->client + 100,
                           .base = a->base,
                           .seq = ++s->seq};
    return sg_merge_arrival(&s->record, &in, &clients, &s->arena, count);
}

static inline sg_merge_count server_take(server *s, const act *a)
{
    sg_merge_count count;
    assert_int_equal(server_try(s, a, &count), SG_OK);
    return count;
}

/* Save the record and load it, as between two batches; nothing of the past is left in memory. */
static inline void server_store(server *s)
{
    sg_buf packed;
    sg_buf_init(&packed, s->stored.max);
    sg_record_pack(&s->record, &packed);
    assert_int_equal(packed.err, SG_OK);
    sg_buf_deinit(&s->stored);
    sg_arena_reset(&s->arena);
    s->stored = packed;
    assert_int_equal(sg_record_unpack(&s->record, sg_buf_view(&s->stored)), SG_OK);
}

/* The list of lost writes of a field. */
static inline sg_lost server_lost(const server *s, unsigned field)
{
    sg_lost l = {.count = 0};
    const sg_field *f = sg_record_find(&s->record, field_name(field));
    if (f != NULL) assert_int_equal(sg_lost_unpack(&l, f->lost), SG_OK);
    return l;
}

/* ---- the record as text: all that must not depend on the order of arrival ---- */

static inline void put_mark_text(sg_buf *out, int64_t at_us, sg_slice client, int64_t n,
                                 uint32_t actor, unsigned origin)
{
    sg_buf_str(out, " at ");
    sg_buf_int(out, at_us);
    sg_buf_str(out, " by ");
    sg_buf_slice(out, client);
    sg_buf_byte(out, '#');
    sg_buf_int(out, n);
    sg_buf_byte(out, ' ');
    sg_buf_int(out, actor);
    sg_buf_byte(out, ' ');
    sg_buf_str(out, sg_origin_name((enum sg_origin)origin));
}

static inline void put_mark_of(server *s, sg_buf *out, const sg_mark *m)
{
    put_mark_text(out, m->at_us, server_client_text(s, m->client), m->n, m->actor, m->origin);
}

static inline void server_text(server *s, sg_buf *out)
{
    const sg_record *r = &s->record;
    sg_buf_clear(out);
    if (r->has_life) {
        sg_buf_str(out, r->dead ? "dead" : "alive");
        put_mark_of(s, out, &r->life);
    }
    for (size_t i = 0; i < r->count; i++) {
        sg_buf_str(out, "; ");
        sg_buf_int(out, r->fields[i].name);
        sg_buf_str(out, r->fields[i].has_value ? "=" : "?");
        sg_buf_slice(out, r->fields[i].value);
        put_mark_of(s, out, &r->fields[i].mark);
    }
}

#endif
