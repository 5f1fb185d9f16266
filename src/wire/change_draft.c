#include "wire/change_draft.h"

#include "core/time.h"
#include "wire/utf8.h"

/* A foreign name, cut between characters. */
static void put_name(sg_buf *b, sg_slice name)
{
    size_t n = 0;
    while (n < name.n && n < SG_MESSAGE_NAME_MAX) {
        size_t step = sg_utf8_step(name.p + n, name.p + name.n);
        if (step == 0) break;
        n += step;
    }
    sg_buf_put(b, name.p, n);
}

/* "changes[3].fields.title.at is not a time"; the first refusal stays. */
void sg_draft_refuse(sg_change_draft *d, int err, sg_slice field, const char *member,
                     const char *problem)
{
    if (d->out->err != SG_OK || d->j->err != SG_OK) return;
    sg_buf *b = &d->r->scratch;
    sg_buf_clear(b);
    sg_buf_str(b, "changes[");
    sg_buf_int(b, (int64_t)d->r->index);
    sg_buf_str(b, "]");
    if (field.n != 0) {
        sg_buf_str(b, ".fields.");
        put_name(b, field);
    }
    if (member != NULL) {
        sg_buf_str(b, ".");
        sg_buf_str(b, member);
    }
    sg_buf_str(b, " ");
    sg_buf_str(b, problem);
    int failed = b->err;
    d->out->message = sg_arena_copy(d->r->arena, sg_buf_view(b), &failed);
    d->out->err = err;
    if (failed != SG_OK) sg_json_fail(d->j, failed);
}

/* Takes a null, or a value of another type than wanted, which is then refused. */
bool sg_draft_wanted(sg_change_draft *d, enum sg_json_type type, sg_slice field, const char *member,
                     const char *problem)
{
    enum sg_json_type got = sg_json_peek(d->j);
    if (got == type) return true;
    (void)sg_json_skip(d->j);
    if (got != SG_JSON_NULL) sg_draft_refuse(d, SG_BADCHANGE, field, member, problem);
    return false;
}

/* The raw text of a string, escapes undone. */
sg_slice sg_draft_unescape(sg_change_draft *d, sg_slice raw)
{
    if (sg_json_plain(raw)) return raw;
    sg_buf *b = &d->r->scratch;
    sg_buf_clear(b);
    sg_json_unescape(raw, b);
    int err = b->err;
    sg_slice text = sg_arena_copy(d->r->arena, sg_buf_view(b), &err);
    if (err != SG_OK) sg_json_fail(d->j, err);
    return text;
}

int64_t sg_draft_time(sg_change_draft *d, sg_slice field, const char *member)
{
    if (!sg_draft_wanted(d, SG_JSON_STRING, field, member, "is not a time"))
        return SG_DRAFT_NO_TIME;
    int64_t at_us = SG_DRAFT_NO_TIME;
    if (!sg_time_parse(sg_json_raw_string(d->j), &at_us)) {
        sg_draft_refuse(d, SG_BADCHANGE, field, member, "is not a time");
        return SG_DRAFT_NO_TIME;
    }
    return at_us;
}
