#include "wire/change_json.h"

/* A string member, its escapes undone in the arena; false if it is something else. */
static bool member_text(sg_json *j, sg_arena *arena, sg_slice *text, int *err)
{
    if (sg_json_peek(j) != SG_JSON_STRING) {
        (void)sg_json_skip(j);
        return false;
    }
    sg_slice raw = sg_json_raw_string(j);
    *text = raw;
    if (sg_json_plain(raw)) return true;
    sg_buf out;
    sg_buf_init(&out, raw.n);
    sg_json_unescape(raw, &out);
    *err = out.err;
    if (*err == SG_OK) *text = sg_arena_copy(arena, sg_buf_view(&out), err);
    sg_buf_deinit(&out);
    return *err == SG_OK;
}

int sg_actor_from_json(sg_slice json, sg_arena *arena, sg_actor_info *who, const char **problem)
{
    *who = (sg_actor_info){.json = json};
    *problem = "is longer than 4096 bytes";
    if (json.n > SG_ACTOR_TEXT_MAX) return SG_LIMIT;
    sg_json j;
    sg_json_init(&j, json);
    *problem = "is not an object";
    if (!sg_json_object(&j)) return SG_BADCHANGE;
    bool has_kind = false, has_principal = false;
    int err = SG_OK;
    for (sg_slice key, text; err == SG_OK && sg_json_next_key(&j, &key);) {
        if (sg_slice_eq(key, SG_LIT("kind")))
            has_kind = member_text(&j, arena, &text, &err) && sg_actor_kind_parse(text, &who->kind);
        else if (sg_slice_eq(key, SG_LIT("principalId")))
            has_principal = member_text(&j, arena, &who->principal, &err);
        else
            (void)sg_json_skip(&j);
    }
    if (err != SG_OK) return err;
    *problem = "has no kind user, ai or system";
    if (!sg_json_end(&j) || !has_kind) return SG_BADCHANGE;
    *problem = "has no principalId of 1 to 256 bytes";
    if (!has_principal || who->principal.n == 0 || who->principal.n > SG_PRINCIPAL_MAX)
        return SG_BADCHANGE;
    return SG_OK;
}
