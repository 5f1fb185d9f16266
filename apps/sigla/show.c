#include "show.h"

#include <string.h>
#include <time.h>

#include "core/time.h"
#include "wire/json.h"

#define BLANKS_MAX 20 /* bytes of a formatted time */

bool sg_show_member(sg_slice object, const char *key, sg_slice *value)
{
    sg_json j;
    bool found = false;
    sg_json_init(&j, object);
    if (sg_json_peek(&j) != SG_JSON_OBJECT || !sg_json_object(&j)) return false;
    for (sg_slice name; sg_json_next_key(&j, &name);) {
        sg_slice v = sg_json_skip(&j);
        if (j.err != SG_OK || !sg_json_key_eq(name, sg_slice_str(key))) continue;
        *value = v;
        found = true;
    }
    return found && j.err == SG_OK;
}

/* The text of a JSON string or number; nothing for anything else. */
static bool put_scalar(sg_buf *out, sg_slice json)
{
    if (json.n == 0) return false;
    if (json.p[0] == '"') {
        sg_json_unescape(sg_slice_of(json.p + 1, json.n - 2), out);
        return true;
    }
    bool number = json.p[0] == '-' || (json.p[0] >= '0' && json.p[0] <= '9');
    if (number) sg_buf_slice(out, json);
    return number;
}

bool sg_show_member_text(sg_slice object, const char *key, sg_buf *out)
{
    sg_slice v;
    return sg_show_member(object, key, &v) && put_scalar(out, v);
}

int64_t sg_show_member_int(sg_slice object, const char *key)
{
    sg_slice v;
    sg_json j;
    if (!sg_show_member(object, key, &v)) return 0;
    sg_json_init(&j, v);
    int64_t n = sg_json_int(&j);
    return sg_json_end(&j) ? n : 0;
}

/* True if a bare string would read as another JSON value. */
static bool looks_like_json(sg_slice text)
{
    sg_json j;
    sg_json_init(&j, text);
    (void)sg_json_skip(&j);
    return sg_json_end(&j);
}

void sg_show_value(sg_buf *out, sg_slice json)
{
    if (json.n < 2 || json.p[0] != '"') {
        sg_buf_slice(out, json);
        return;
    }
    size_t at = out->n;
    sg_json_unescape(sg_slice_of(json.p + 1, json.n - 2), out);
    size_t n = out->n - at;
    if (out->err != SG_OK || (n != 0 && !looks_like_json(sg_slice_of(out->p + at, n)))) return;
    sg_buf_truncate(out, at);
    sg_buf_slice(out, json);
}

static void show_names(sg_buf *out, sg_json *j)
{
    bool first = true;
    sg_json_array(j);
    for (; sg_json_next(j); first = false) {
        if (!first) sg_buf_str(out, ", ");
        sg_show_value(out, sg_json_skip(j));
    }
}

static void show_pairs(sg_buf *out, sg_json *j)
{
    bool first = true;
    sg_json_object(j);
    for (sg_slice name; sg_json_next_key(j, &name); first = false) {
        if (!first) sg_buf_byte(out, ' ');
        sg_json_unescape(name, out);
        sg_buf_byte(out, '=');
        sg_show_value(out, sg_json_skip(j));
    }
}

void sg_show_fields(sg_buf *out, sg_slice json)
{
    sg_json j;
    sg_json_init(&j, json);
    switch (sg_json_peek(&j)) {
    case SG_JSON_OBJECT:
        show_pairs(out, &j);
        break;
    case SG_JSON_ARRAY:
        show_names(out, &j);
        break;
    default:
        sg_show_value(out, json);
    }
}

void sg_show_actor(sg_buf *out, sg_slice json)
{
    sg_slice kind = {0};
    (void)sg_show_member(json, "kind", &kind);
    if (!sg_show_member_text(json, "displayName", out) &&
        !sg_show_member_text(json, "principalId", out))
        sg_show_value(out, json);
    if (sg_slice_eq(kind, SG_LIT("\"ai\""))) sg_buf_str(out, " (agent)");
}

void sg_show_time(sg_buf *out, sg_slice iso)
{
    int64_t at_us;
    struct tm local;
    char text[BLANKS_MAX + 1];
    if (!sg_time_parse(iso, &at_us)) {
        sg_buf_slice(out, iso);
        return;
    }
    if (at_us == 0) {
        sg_buf_str(out, "default");
        return;
    }
    time_t seconds = (time_t)(at_us / 1000000);
    if (localtime_r(&seconds, &local) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) == 0) {
        sg_buf_slice(out, iso);
        return;
    }
    sg_buf_str(out, text);
}
