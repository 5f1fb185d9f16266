#include "wire/json_scan.h"

static const sg_slice nothing = {NULL, 0};

void sg_json_init(sg_json *j, sg_slice text)
{
    const char *p = text.n != 0 ? text.p : "";
    *j = (sg_json){.start = p, .p = p, .end = p + text.n};
}

void sg_json_fail(sg_json *j, int err)
{
    sg_json_fail_at(j, j->p, err);
}

/* The bit of the innermost open container; there must be one. */
static uint64_t here(const sg_json *j)
{
    return (uint64_t)1 << (j->depth - 1);
}

/* True once the document's one value has been taken, or is being read. */
static bool begun(const sg_json *j)
{
    return j->depth > 0 || sg_json_ws(j->start, j->p) != j->p;
}

/* Go to the first byte of the value that comes next; false (and an error) if there is none. */
static bool at_value(sg_json *j)
{
    if (j->err != SG_OK) return false;
    bool second = j->depth == 0 && begun(j);
    j->p = sg_json_ws(j->p, j->end);
    if (second || j->p == j->end) sg_json_fail(j, SG_BADJSON);
    return j->err == SG_OK;
}

static enum sg_json_type type_of(char c)
{
    switch (c) {
    case 'n':
        return SG_JSON_NULL;
    case 'f':
        return SG_JSON_FALSE;
    case 't':
        return SG_JSON_TRUE;
    case '"':
        return SG_JSON_STRING;
    case '[':
        return SG_JSON_ARRAY;
    case '{':
        return SG_JSON_OBJECT;
    default:
        return c == '-' || (c >= '0' && c <= '9') ? SG_JSON_NUMBER : SG_JSON_NONE;
    }
}

enum sg_json_type sg_json_peek(sg_json *j)
{
    bool done = j->depth == 0 && begun(j);
    if (j->err == SG_OK && done && sg_json_ws(j->p, j->end) == j->end) return SG_JSON_NONE;
    if (!at_value(j)) return SG_JSON_NONE;
    enum sg_json_type type = type_of(*j->p);
    if (type == SG_JSON_NONE) sg_json_fail(j, SG_BADJSON);
    return type;
}

/* At a value of this type; an error otherwise. */
static bool expect(sg_json *j, enum sg_json_type type)
{
    if (!at_value(j)) return false;
    if (type_of(*j->p) != type) sg_json_fail(j, SG_BADJSON);
    return j->err == SG_OK;
}

/* ---- containers ---- */

static bool enter(sg_json *j, enum sg_json_type type)
{
    if (!expect(j, type)) return false;
    if (j->depth >= SG_JSON_MAX_DEPTH) {
        sg_json_fail(j, SG_LIMIT);
        return false;
    }
    j->p++;
    j->depth++;
    j->first |= here(j);
    return true;
}

bool sg_json_object(sg_json *j)
{
    return enter(j, SG_JSON_OBJECT);
}

bool sg_json_array(sg_json *j)
{
    return enter(j, SG_JSON_ARRAY);
}

/* Go to the next element or key; false when the container has ended (and is left) or on an error.
 */
static bool element(sg_json *j, char close)
{
    if (j->err != SG_OK || j->depth == 0) return false;
    j->p = sg_json_ws(j->p, j->end);
    if (j->p < j->end && *j->p == close) {
        j->p++;
        j->depth--;
        return false;
    }
    if ((j->first & here(j)) == 0) {
        if (j->p == j->end || *j->p != ',') {
            sg_json_fail(j, SG_BADJSON);
            return false;
        }
        j->p = sg_json_ws(j->p + 1, j->end);
    }
    j->first &= ~here(j);
    return true;
}

bool sg_json_next(sg_json *j)
{
    return element(j, ']') && sg_json_peek(j) != SG_JSON_NONE;
}

bool sg_json_next_key(sg_json *j, sg_slice *raw_key)
{
    *raw_key = nothing;
    if (!element(j, '}')) return false;
    sg_slice key = sg_json_raw_string(j);
    j->p = sg_json_ws(j->p, j->end);
    if (j->err == SG_OK && (j->p == j->end || *j->p != ':')) sg_json_fail(j, SG_BADJSON);
    if (j->err != SG_OK) return false;
    j->p++;
    *raw_key = key;
    return true;
}

/* ---- values ---- */

/* The bytes up to behind, which become the present position; nothing after an error. */
static sg_slice taken(sg_json *j, const char *behind)
{
    if (behind == NULL) return nothing;
    sg_slice s = sg_slice_of(j->p, (size_t)(behind - j->p));
    j->p = behind;
    return s;
}

sg_slice sg_json_skip(sg_json *j)
{
    return at_value(j) ? taken(j, sg_json_scan_value(j, j->p)) : nothing;
}

sg_slice sg_json_raw_string(sg_json *j)
{
    if (!expect(j, SG_JSON_STRING)) return nothing;
    const char *quote = sg_json_scan_string(j, j->p + 1);
    if (quote == NULL) return nothing;
    sg_slice quoted = taken(j, quote + 1);
    return sg_slice_of(quoted.p + 1, quoted.n - 2);
}

sg_slice sg_json_string(sg_json *j, sg_buf *scratch)
{
    sg_slice raw = sg_json_raw_string(j);
    if (sg_json_plain(raw)) return raw;
    size_t from = scratch->n;
    sg_json_unescape(raw, scratch);
    if (scratch->err != SG_OK) {
        sg_json_fail(j, scratch->err);
        return nothing;
    }
    return sg_slice_of(scratch->p + from, scratch->n - from);
}

sg_slice sg_json_number(sg_json *j)
{
    return expect(j, SG_JSON_NUMBER) ? taken(j, sg_json_scan_number(j, j->p)) : nothing;
}

int64_t sg_json_int(sg_json *j)
{
    int64_t v = 0;
    sg_slice digits = sg_json_number(j);
    if (j->err == SG_OK && !sg_json_to_int(digits, &v)) sg_json_fail_at(j, digits.p, SG_BADJSON);
    return v;
}

bool sg_json_bool(sg_json *j)
{
    bool yes = sg_json_peek(j) == SG_JSON_TRUE;
    if (expect(j, yes ? SG_JSON_TRUE : SG_JSON_FALSE)) taken(j, sg_json_scan_word(j, j->p));
    return yes && j->err == SG_OK;
}

void sg_json_null(sg_json *j)
{
    if (expect(j, SG_JSON_NULL)) taken(j, sg_json_scan_word(j, j->p));
}

bool sg_json_end(sg_json *j)
{
    if (j->err != SG_OK) return false;
    bool complete = j->depth == 0 && begun(j);
    j->p = sg_json_ws(j->p, j->end);
    if (!complete || j->p != j->end) sg_json_fail(j, SG_BADJSON);
    return j->err == SG_OK;
}
