#include "replica/key.h"

#include <math.h>

#include "base/reader.h"
#include "wire/json.h"

enum { TAG_INT = 1, TAG_UUID = 2, TAG_TEXT = 3, TAG_BLOB = 4, TAG_REAL = 5 };

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static bool uuid_pack(sg_slice s, uint8_t out[16])
{
    if (s.n != 36) return false;
    size_t at = 0;
    for (size_t i = 0; i < 36;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.p[i++] != '-') return false;
            continue;
        }
        int high = hex(s.p[i]), low = hex(s.p[i + 1]);
        if (high < 0 || low < 0) return false;
        out[at++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return true;
}

static void uuid_text(sg_slice bytes, char out[36])
{
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
        out[at++] = "0123456789abcdef"[(uint8_t)bytes.p[i] >> 4];
        out[at++] = "0123456789abcdef"[bytes.p[i] & 15];
    }
}

static void put_text(sg_buf *out, sg_slice text)
{
    uint8_t uuid[16];
    if (uuid_pack(text, uuid)) {
        sg_buf_byte(out, TAG_UUID);
        sg_buf_put(out, uuid, sizeof uuid);
        return;
    }
    sg_buf_byte(out, TAG_TEXT);
    sg_buf_lenslice(out, text);
}

static void put_real(sg_buf *out, double v)
{
    if (v >= -0x1p63 && v < 0x1p63 && v == floor(v)) {
        sg_buf_byte(out, TAG_INT);
        sg_buf_zigzag(out, (int64_t)v);
        return;
    }
    sg_buf_byte(out, TAG_REAL);
    sg_buf_put(out, &v, sizeof v);
}

int sg_key_put(sg_buf *out, const sg_value *v)
{
    switch (v->type) {
    case SG_NULL:
        return SG_BADVALUE;
    case SG_INT:
        sg_buf_byte(out, TAG_INT);
        sg_buf_zigzag(out, v->i);
        break;
    case SG_REAL:
        put_real(out, v->r);
        break;
    case SG_TEXT:
        put_text(out, v->bytes);
        break;
    case SG_BLOB:
        sg_buf_byte(out, TAG_BLOB);
        sg_buf_lenslice(out, v->bytes);
        break;
    }
    return out->err;
}

/* The next value; a UUID's text is put into uuid. */
static sg_value next_value(sg_reader *in, char uuid[36])
{
    sg_value v = {.type = SG_NULL};
    switch (sg_read_byte(in)) {
    case TAG_INT:
        v.type = SG_INT;
        v.i = sg_read_zigzag(in);
        break;
    case TAG_UUID: {
        sg_slice bytes = sg_read_bytes(in, 16);
        if (in->err != SG_OK) break;
        uuid_text(bytes, uuid);
        v.type = SG_TEXT;
        v.bytes = sg_slice_of(uuid, 36);
        break;
    }
    case TAG_TEXT:
        v.type = SG_TEXT;
        v.bytes = sg_read_lenslice(in);
        break;
    case TAG_BLOB:
        v.type = SG_BLOB;
        v.bytes = sg_read_lenslice(in);
        break;
    case TAG_REAL: {
        sg_slice bytes = sg_read_bytes(in, sizeof(double));
        if (in->err != SG_OK) break;
        v.type = SG_REAL;
        memcpy(&v.r, bytes.p, sizeof v.r);
        break;
    }
    default:
        in->err = SG_CORRUPT;
    }
    return v;
}

int sg_key_bind(sqlite3_stmt *stmt, int first, sg_slice key)
{
    sg_reader in = sg_reader_of(key);
    while (in.left != 0 && in.err == SG_OK) {
        char uuid[36];
        sg_value v = next_value(&in, uuid);
        if (v.bytes.p == uuid)
            sqlite3_bind_text(stmt, first++, uuid, 36, SQLITE_TRANSIENT);
        else
            sg_sql_bind_value(stmt, first++, &v);
    }
    return in.err;
}

static bool numeric(const sg_table *t, size_t part)
{
    char a = t->columns[t->key[part]].affinity;
    return a == 'I' || a == 'N' || a == 'R';
}

/* The digits of an int64 exactly as sg_buf_int writes them. */
static bool canonical_int(sg_slice s, int64_t *v)
{
    if (s.n == 0 || s.n > 20 || s.p[s.n - 1] < '0' || s.p[s.n - 1] > '9') return false;
    if (s.p[0] != '-' && (s.p[0] < '0' || s.p[0] > '9')) return false;
    sg_json j;
    sg_json_init(&j, s);
    *v = sg_json_int(&j);
    return sg_json_end(&j) && !sg_slice_eq(s, SG_LIT("-0"));
}

static void single_to_id(const sg_table *t, const sg_value *v, sg_buf *out)
{
    int64_t ignored;
    switch (v->type) {
    case SG_INT:
        if (!numeric(t, 0)) sg_buf_str(out, "~i");
        sg_buf_int(out, v->i);
        break;
    case SG_REAL:
        sg_buf_str(out, "~r");
        sg_value_to_json(out, v, false);
        break;
    case SG_BLOB:
        sg_buf_str(out, "~b");
        sg_base64_encode(out, v->bytes);
        break;
    default:
        if (!sg_utf8_valid(v->bytes)) {
            sg_buf_str(out, "~x");
            sg_base64_encode(out, v->bytes);
            break;
        }
        if (v->bytes.n == 0 || v->bytes.p[0] == '~' ||
            (numeric(t, 0) && canonical_int(v->bytes, &ignored)))
            sg_buf_str(out, "~t");
        sg_buf_slice(out, v->bytes);
    }
}

int sg_key_to_json(sg_slice key, sg_buf *out)
{
    sg_reader in = sg_reader_of(key);
    sg_buf values;
    sg_buf_init(&values, SG_TX_BYTES_MAX);
    size_t count = 0;
    while (in.left != 0 && in.err == SG_OK) {
        char uuid[36];
        sg_value v = next_value(&in, uuid);
        if (count++ != 0) sg_buf_byte(&values, ',');
        sg_value_to_json(&values, &v, false);
    }
    if (count != 1) sg_buf_byte(out, '[');
    sg_buf_append(out, &values);
    if (count != 1) sg_buf_byte(out, ']');
    int err = in.err != SG_OK ? in.err : out->err;
    sg_buf_deinit(&values);
    return err;
}

int sg_key_to_id(const sg_table *t, sg_slice key, sg_buf *out)
{
    if (t->key_count != 1) return sg_key_to_json(key, out);
    sg_reader in = sg_reader_of(key);
    char uuid[36];
    sg_value v = next_value(&in, uuid);
    if (in.err != SG_OK) return in.err;
    single_to_id(t, &v, out);
    return out->err;
}

static int from_base64(uint8_t tag, sg_slice text, sg_buf *out)
{
    sg_buf bytes;
    sg_buf_init(&bytes, SG_TX_BYTES_MAX);
    int err = sg_base64_decode(&bytes, text);
    if (err == SG_OK) {
        sg_value v = {.type = tag == 'b' ? SG_BLOB : SG_TEXT, .bytes = sg_buf_view(&bytes)};
        err = sg_key_put(out, &v);
    }
    sg_buf_deinit(&bytes);
    return err;
}

static int real_from_json(sg_slice json, sg_buf *out)
{
    sg_json j;
    sg_json_init(&j, json);
    sg_slice value = sg_json_skip(&j);
    sg_buf scratch;
    sg_buf_init(&scratch, SG_KEY_MAX);
    sg_value v;
    int err = SG_BADVALUE;
    if (sg_json_end(&j) && value.n == json.n) err = sg_value_from_json(&v, value, false, &scratch);
    if (err == SG_OK)
        err = v.type == SG_REAL || v.type == SG_INT ? sg_key_put(out, &v) : SG_BADVALUE;
    sg_buf_deinit(&scratch);
    return err;
}

static int escaped_from_id(sg_slice id, sg_buf *out)
{
    sg_slice rest = sg_slice_of(id.p + 2, id.n - 2);
    sg_value v = {.type = SG_TEXT, .bytes = rest};
    switch (id.p[1]) {
    case 'b':
    case 'x':
        return from_base64((uint8_t)id.p[1], rest, out);
    case 't':
        return sg_key_put(out, &v);
    case 'i':
        v.type = SG_INT;
        if (!canonical_int(rest, &v.i)) return SG_BADVALUE;
        return sg_key_put(out, &v);
    case 'r':
        return real_from_json(rest, out);
    default:
        return SG_BADVALUE;
    }
}

/* A JSON array with one value a column. */
static int composite_from_id(const sg_table *t, sg_slice id, sg_buf *out)
{
    sg_json j;
    sg_json_init(&j, id);
    if (!sg_json_array(&j)) return SG_BADVALUE;
    size_t count = 0;
    int err = SG_OK;
    sg_buf scratch;
    sg_buf_init(&scratch, SG_TX_BYTES_MAX);
    while (err == SG_OK && sg_json_next(&j)) {
        sg_slice json = sg_json_skip(&j);
        sg_value v;
        sg_buf_clear(&scratch);
        if (j.err != SG_OK || ++count > t->key_count)
            err = SG_BADVALUE;
        else
            err = sg_value_from_json(&v, json, false, &scratch);
        if (err == SG_OK) err = sg_key_put(out, &v);
    }
    if (err == SG_OK && (!sg_json_end(&j) || count != t->key_count)) err = SG_BADVALUE;
    sg_buf_deinit(&scratch);
    return err;
}

int sg_key_from_id(const sg_table *t, sg_slice id, sg_buf *out)
{
    if (t->key_count != 1) return composite_from_id(t, id, out);
    if (id.n >= 2 && id.p[0] == '~') return escaped_from_id(id, out);
    sg_value v = {.type = SG_TEXT, .bytes = id};
    if (numeric(t, 0) && canonical_int(id, &v.i)) v.type = SG_INT;
    return sg_key_put(out, &v);
}

/* As SQLite would compare it with the column: '7' is the key 7 of a number's column, and 7 the key
 * '7' of a text's. */
static sg_value as_stored(const sg_table *t, size_t part, sqlite3_value *given)
{
    if (numeric(t, part)) (void)sqlite3_value_numeric_type(given);
    sg_value v = sg_sql_value(given);
    if (t->columns[t->key[part]].affinity != 'T' || (v.type != SG_INT && v.type != SG_REAL))
        return v;
    const char *text = (const char *)sqlite3_value_text(given);
    if (text == NULL) return v;
    return (sg_value){.type = SG_TEXT,
                      .bytes = sg_slice_of(text, (size_t)sqlite3_value_bytes(given))};
}

static int from_args(const sg_table *t, int argc, sqlite3_value **argv, sg_buf *out)
{
    sg_value v = argc > 0 ? sg_sql_value(argv[0]) : (sg_value){.type = SG_NULL};
    if (argc == 1 && t->key_count > 1 && v.type == SG_TEXT)
        return composite_from_id(t, v.bytes, out);
    if ((size_t)argc != t->key_count) return SG_BADVALUE;
    for (size_t i = 0; i < t->key_count; i++) {
        v = as_stored(t, i, argv[i]);
        int err = sg_key_put(out, &v);
        if (err != SG_OK) return err;
    }
    return SG_OK;
}

int sg_key_from_args(sg_replica *r, const sg_table *t, int argc, sqlite3_value **argv, sg_buf *out)
{
    int err = from_args(t, argc, argv, out);
    if (err != SG_BADVALUE) return err;
    return sg_replica_fail(r, err,
                           "the key of \"%s\" has %zu column(s): give as many values, or one JSON "
                           "array",
                           t->name, t->key_count);
}

static bool leading_int(sg_slice key, int64_t *v)
{
    sg_reader in = sg_reader_of(key);
    if (sg_read_byte(&in) != TAG_INT) return false;
    *v = sg_read_zigzag(&in);
    return in.err == SG_OK;
}

int sg_key_cmp(sg_slice a, sg_slice b)
{
    int64_t x, y;
    if (leading_int(a, &x) && leading_int(b, &y) && x != y) return x < y ? -1 : 1;
    return sg_slice_cmp(a, b);
}

bool sg_key_single(sg_slice key, sg_value *v, char uuid[36])
{
    sg_reader in = sg_reader_of(key);
    *v = next_value(&in, uuid);
    return in.err == SG_OK && in.left == 0;
}
