#include "wire/value.h"

#include <math.h>

#include "wire/base64.h"
#include "wire/json_scan.h"
#include "wire/real.h"

#define TAG_REAL SG_LIT("$real")
#define TAG_TEXT SG_LIT("$text")
#define TAG_BLOB SG_LIT("$blob")
#define TAG_JSON SG_LIT("$json")

/* ---- to JSON ---- */

static void put_tagged(sg_buf *out, sg_slice tag, sg_slice json)
{
    sg_buf_put(out, "{\"", 2);
    sg_buf_slice(out, tag);
    sg_buf_put(out, "\":", 2);
    sg_buf_slice(out, json);
    sg_buf_byte(out, '}');
}

static void put_base64(sg_buf *out, sg_slice tag, sg_slice bytes)
{
    sg_buf_put(out, "{\"", 2);
    sg_buf_slice(out, tag);
    sg_buf_put(out, "\":\"", 3);
    sg_base64_encode(out, bytes);
    sg_buf_put(out, "\"}", 2);
}

static void put_real(sg_buf *out, double r)
{
    if (isnan(r))
        sg_buf_put(out, "null", 4); /* what SQLite stores for it */
    else if (isinf(r))
        put_tagged(out, TAG_REAL, r < 0 ? SG_LIT("\"-Infinity\"") : SG_LIT("\"Infinity\""));
    else
        sg_real_put(out, r);
}

static void put_text(sg_buf *out, sg_slice text)
{
    if (sg_utf8_valid(text))
        sg_json_quote(out, text);
    else
        put_base64(out, TAG_TEXT, text);
}

/* True if a reader of a whole message will give exactly these bytes as one value. */
static bool travels_as_json(sg_slice text)
{
    sg_json j;
    sg_json_init(&j, text);
    j.depth = SG_JSON_MAX_DEPTH - SG_VALUE_JSON_DEPTH; /* as if that deep in a message */
    return text.n != 0 && sg_json_skip(&j).n == text.n;
}

/* True for valid JSON that would be taken for something else if it were sent as it is. */
static bool must_be_wrapped(sg_slice json)
{
    if (sg_slice_eq(json, SG_LIT("null"))) return true;
    if (*json.p != '{') return false;
    sg_json j;
    sg_slice key;
    sg_json_init(&j, json);
    sg_json_object(&j);
    if (!sg_json_next_key(&j, &key) || key.n == 0) return false;
    return key.p[0] == '$' || (key.n >= 6 && memcmp(key.p, "\\u0024", 6) == 0);
}

static void put_json_text(sg_buf *out, sg_slice text)
{
    if (!travels_as_json(text))
        put_base64(out, TAG_TEXT, text);
    else if (must_be_wrapped(text))
        put_tagged(out, TAG_JSON, text);
    else
        sg_buf_slice(out, text);
}

void sg_value_to_json(sg_buf *out, const sg_value *v, bool is_json_column)
{
    switch (v->type) {
    case SG_NULL:
        sg_buf_put(out, "null", 4);
        break;
    case SG_INT:
        sg_buf_int(out, v->i);
        break;
    case SG_REAL:
        put_real(out, v->r);
        break;
    case SG_TEXT:
        if (is_json_column)
            put_json_text(out, v->bytes);
        else
            put_text(out, v->bytes);
        break;
    case SG_BLOB:
        put_base64(out, TAG_BLOB, v->bytes);
        break;
    }
}

/* ---- from JSON ---- */

/* Bytes that may be empty, but then still are a value: SQLite binds a NULL pointer as NULL. */
static void set_bytes(sg_value *v, enum sg_value_type type, sg_slice bytes)
{
    v->type = type;
    v->bytes = bytes.n != 0 ? bytes : SG_LIT("");
}

static void read_number(sg_value *v, sg_slice digits)
{
    if (sg_json_to_int(digits, &v->i)) {
        v->type = SG_INT;
    } else {
        v->type = SG_REAL;
        v->r = sg_real_parse(digits);
    }
}

/* Strings are unescaped onto scratch first and decoded there in place: any writer may escape '/'.
 */
static int read_base64(sg_value *v, enum sg_value_type type, sg_json *j, sg_buf *scratch)
{
    sg_slice raw = sg_json_raw_string(j);
    if (j->err != SG_OK) return SG_BADVALUE;
    size_t from = scratch->n;
    sg_json_unescape(raw, scratch);
    if (scratch->err != SG_OK) return scratch->err;
    if (scratch->n == from) {
        set_bytes(v, type, SG_LIT(""));
        return SG_OK;
    }
    size_t n = scratch->n - from;
    int err = sg_base64_decode_in_place(scratch->p + from, &n);
    sg_buf_truncate(scratch, from + n);
    if (err == SG_OK) set_bytes(v, type, sg_slice_of(scratch->p + from, n));
    return err;
}

static int read_infinity(sg_value *v, sg_json *j)
{
    sg_slice raw = sg_json_raw_string(j);
    bool negative = sg_json_key_eq(raw, SG_LIT("-Infinity"));
    if (!negative && !sg_json_key_eq(raw, SG_LIT("Infinity"))) return SG_BADVALUE;
    v->type = SG_REAL;
    v->r = negative ? -INFINITY : INFINITY;
    return SG_OK;
}

static int read_tagged(sg_value *v, sg_slice tag, sg_json *j, sg_buf *scratch)
{
    if (sg_json_key_eq(tag, TAG_BLOB)) return read_base64(v, SG_BLOB, j, scratch);
    if (sg_json_key_eq(tag, TAG_TEXT)) return read_base64(v, SG_TEXT, j, scratch);
    if (sg_json_key_eq(tag, TAG_REAL)) return read_infinity(v, j);
    set_bytes(v, SG_TEXT, sg_json_skip(j));
    return SG_OK;
}

static bool is_tag(sg_slice key)
{
    return sg_json_key_eq(key, TAG_BLOB) || sg_json_key_eq(key, TAG_TEXT) ||
           sg_json_key_eq(key, TAG_REAL) || sg_json_key_eq(key, TAG_JSON);
}

/* An object whose first key is a tag is a tagged form, and then has no other member. */
static int read_object(sg_value *v, sg_slice json, sg_buf *scratch)
{
    sg_json j;
    sg_slice key;
    sg_json_init(&j, json);
    sg_json_object(&j);
    if (!sg_json_next_key(&j, &key) || !is_tag(key)) {
        set_bytes(v, SG_TEXT, json);
        return SG_OK;
    }
    int err = read_tagged(v, key, &j, scratch);
    if (err != SG_OK) return err;
    return !sg_json_next_key(&j, &key) && j.err == SG_OK ? SG_OK : SG_BADVALUE;
}

/* Any value but null and objects, in a column that is not for JSON. Errors stay in j. */
static void read_plain(sg_value *v, enum sg_json_type type, sg_json *j, sg_buf *scratch)
{
    switch (type) {
    case SG_JSON_FALSE:
    case SG_JSON_TRUE:
        v->type = SG_INT;
        v->i = type == SG_JSON_TRUE;
        break;
    case SG_JSON_NUMBER:
        read_number(v, sg_json_number(j));
        break;
    case SG_JSON_STRING:
        set_bytes(v, SG_TEXT, sg_json_string(j, scratch));
        break;
    default:
        set_bytes(v, SG_TEXT, sg_json_skip(j));
        break;
    }
}

int sg_value_from_json(sg_value *v, sg_slice json, bool is_json_column, sg_buf *scratch)
{
    *v = (sg_value){.type = SG_NULL};
    if (scratch->err != SG_OK) return scratch->err;
    sg_json j;
    sg_json_init(&j, json);
    enum sg_json_type type = sg_json_peek(&j);
    if (type == SG_JSON_NONE) return SG_BADVALUE;
    if (type == SG_JSON_NULL) return SG_OK;
    int err = SG_OK;
    if (type == SG_JSON_OBJECT)
        err = read_object(v, json, scratch);
    else if (is_json_column)
        set_bytes(v, SG_TEXT, json);
    else
        read_plain(v, type, &j, scratch);
    if (err == SG_OK) err = j.err;
    if (err != SG_OK) *v = (sg_value){.type = SG_NULL};
    return err;
}

bool sg_value_same(const sg_value *a, const sg_value *b)
{
    if (a->type != b->type) return false;
    switch (a->type) {
    case SG_NULL:
        return true;
    case SG_INT:
        return a->i == b->i;
    case SG_REAL:
        return memcmp(&a->r, &b->r, sizeof a->r) == 0;
    case SG_TEXT:
    case SG_BLOB:
        break;
    }
    return sg_slice_eq(a->bytes, b->bytes);
}
