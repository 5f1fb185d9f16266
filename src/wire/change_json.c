#include "wire/change_json.h"

#include "base/mem.h"
#include "wire/change_draft.h"

#define SCRATCH_MAX (SG_VALUE_MAX + 1024) /* bytes of a decoded value or a message */

void sg_change_reader_init(sg_change_reader *r, sg_arena *arena, int64_t arrival_us)
{
    *r = (sg_change_reader){.arena = arena, .arrival_us = arrival_us};
    sg_buf_init(&r->scratch, SCRATCH_MAX);
}

void sg_change_reader_deinit(sg_change_reader *r)
{
    sg_buf_deinit(&r->scratch);
    sg_free(r->fields);
    r->fields = NULL;
}

static void refuse_member(sg_change_draft *d, int err, const char *member, const char *problem)
{
    sg_draft_refuse(d, err, sg_slice_of(NULL, 0), member, problem);
}

static sg_slice read_text(sg_change_draft *d, const char *member, size_t max)
{
    const sg_slice none = {NULL, 0};
    if (!sg_draft_wanted(d, SG_JSON_STRING, none, member, "is not a string")) return none;
    sg_slice raw = sg_json_raw_string(d->j);
    /* An escape of six bytes makes at least one. */
    sg_slice text = raw.n <= max * 6 ? sg_draft_unescape(d, raw) : raw;
    if (text.n <= max) return text;
    refuse_member(d, SG_LIMIT, member, "is too long");
    return none;
}

static int64_t read_int(sg_change_draft *d, const char *member, int64_t low, int64_t missing)
{
    const sg_slice none = {NULL, 0};
    if (!sg_draft_wanted(d, SG_JSON_NUMBER, none, member, "is not a number")) return missing;
    sg_json digits;
    sg_json_init(&digits, sg_json_number(d->j));
    int64_t v = sg_json_int(&digits);
    if (digits.err == SG_OK && v >= low && v <= SG_NUMBER_MAX) return v;
    refuse_member(d, SG_BADCHANGE, member, "is not an integer in range");
    return missing;
}

static void read_actor(sg_change_draft *d)
{
    const sg_slice none = {NULL, 0};
    if (!sg_draft_wanted(d, SG_JSON_OBJECT, none, "actor", "is not an object")) return;
    sg_slice json = sg_json_skip(d->j);
    if (d->j->err != SG_OK) return;
    sg_actor_info *who = d->r->who;
    if (who == NULL || !sg_slice_eq(who->json, json)) {
        const char *problem;
        who = sg_arena_alloc(d->r->arena, sizeof *who);
        int err = who != NULL ? sg_actor_from_json(json, d->r->arena, who, &problem) : SG_NOMEM;
        if (err == SG_NOMEM)
            sg_json_fail(d->j, err);
        else if (err != SG_OK)
            refuse_member(d, err, "actor", problem);
        if (err != SG_OK) return;
        d->r->who = who;
    }
    d->out->who = who;
    d->out->c.actor = who->json;
}

static void read_op(sg_change_draft *d)
{
    sg_slice text = read_text(d, "op", SG_NAME_MAX);
    if (text.n == 0) return;
    d->has_op = sg_op_parse(text, &d->out->c.op);
    if (!d->has_op) refuse_member(d, SG_BADCHANGE, "op", "is not insert, update or delete");
}

static void read_origin(sg_change_draft *d)
{
    sg_slice text = read_text(d, "origin", SG_NAME_MAX);
    if (text.n == 0) return;
    d->out->has_origin = sg_origin_parse(text, &d->out->c.origin);
    if (!d->out->has_origin) refuse_member(d, SG_BADCHANGE, "origin", "is not known");
}

static void settle_number(sg_change_draft *d)
{
    sg_change *c = &d->out->c;
    if (!d->has_tx) c->tx_last = c->n;
    if (c->tx_last < c->n) refuse_member(d, SG_BADCHANGE, "tx", "is less than n");
    if (c->n == 0 && c->tx_last != 0) refuse_member(d, SG_BADCHANGE, "tx", "is given without n");
}

static void settle(sg_change_draft *d, sg_slice data)
{
    sg_change *c = &d->out->c;
    d->data_from = d->fields;
    if (data.n != 0) sg_draft_read_data(d, data);
    if (c->table.n == 0) refuse_member(d, SG_BADCHANGE, "table", "is missing");
    if (c->id.n == 0) refuse_member(d, SG_BADCHANGE, "id", "is missing");
    if (!d->has_op) refuse_member(d, SG_BADCHANGE, "op", "is missing");
    settle_number(d);
    if (d->out->err == SG_OK) sg_draft_settle_fields(d);
    if (!d->out->has_origin && d->out->who != NULL)
        c->origin = sg_origin_of(d->out->who->kind, d->out->who->principal);
}

static void read_member(sg_change_draft *d, sg_slice key, sg_slice *data)
{
    const sg_slice none = {NULL, 0};
    sg_change *c = &d->out->c;
    if (sg_slice_eq(key, SG_LIT("n")))
        c->n = read_int(d, "n", 1, 0);
    else if (sg_slice_eq(key, SG_LIT("base")))
        c->base = read_int(d, "base", 0, SG_BASE_UNKNOWN);
    else if (sg_slice_eq(key, SG_LIT("table")))
        c->table = read_text(d, "table", SG_NAME_MAX);
    else if (sg_slice_eq(key, SG_LIT("id")))
        c->id = read_text(d, "id", SG_KEY_MAX);
    else if (sg_slice_eq(key, SG_LIT("op")))
        read_op(d);
    else if (sg_slice_eq(key, SG_LIT("at")))
        d->at_us = sg_draft_time(d, none, "at");
    else if (sg_slice_eq(key, SG_LIT("actor")))
        read_actor(d);
    else if (sg_slice_eq(key, SG_LIT("origin")))
        read_origin(d);
    else if (sg_slice_eq(key, SG_LIT("fields")))
        sg_draft_read_fields(d);
    else if (sg_slice_eq(key, SG_LIT("deletedAt")))
        d->deleted_us = sg_draft_time(d, none, "deletedAt");
    else if (sg_slice_eq(key, SG_LIT("spaceId")))
        c->space = read_text(d, "spaceId", SG_NAME_MAX);
    else if (sg_slice_eq(key, SG_LIT("data"))) {
        /* Read last: its names yield to those of `fields`, wherever that stands. */
        if (sg_draft_wanted(d, SG_JSON_OBJECT, none, "data", "is not an object"))
            *data = sg_json_skip(d->j);
    } else if (sg_slice_eq(key, SG_LIT("tx"))) {
        c->tx_last = read_int(d, "tx", 1, 0);
        d->has_tx = c->tx_last != 0;
    } else {
        (void)sg_json_skip(d->j);
    }
}

bool sg_change_read(sg_change_reader *r, sg_json *j, sg_change_in *out)
{
    *out = (sg_change_in){.c = {.base = SG_BASE_UNKNOWN}};
    sg_change_draft d = {
        .r = r, .j = j, .out = out, .at_us = SG_DRAFT_NO_TIME, .deleted_us = SG_DRAFT_NO_TIME};
    const sg_slice none = {NULL, 0};
    sg_slice data = none;
    if (sg_json_peek(j) != SG_JSON_OBJECT) {
        (void)sg_json_skip(j);
        refuse_member(&d, SG_BADCHANGE, NULL, "is not an object");
    } else if (sg_json_object(j)) {
        for (sg_slice key; sg_json_next_key(j, &key);)
            read_member(&d, key, &data);
        if (j->err == SG_OK) settle(&d, data);
    }
    r->index++;
    return j->err == SG_OK;
}
