#include "wire/json.h"

static void fail(sg_jsonw *w, int err)
{
    if (w->out->err == SG_OK) w->out->err = err;
}

void sg_jsonw_init(sg_jsonw *w, sg_buf *out)
{
    *w = (sg_jsonw){.out = out};
}

/* The comma before a key or an element, unless it is the first of its container. */
static void separate(sg_jsonw *w)
{
    if (w->depth == 0) return;
    uint64_t here = (uint64_t)1 << (w->depth - 1);
    if ((w->first & here) == 0) sg_buf_byte(w->out, ',');
    w->first &= ~here;
}

static void before_value(sg_jsonw *w)
{
    if (!w->after_key) separate(w);
    w->after_key = false;
}

static void open(sg_jsonw *w, char bracket)
{
    before_value(w);
    if (w->depth >= SG_JSON_MAX_DEPTH) {
        fail(w, SG_LIMIT);
        return;
    }
    sg_buf_byte(w->out, (uint8_t)bracket);
    w->depth++;
    w->first |= (uint64_t)1 << (w->depth - 1);
}

/* After a refused open the depth no longer counts every call; the error has latched by then. */
static void close(sg_jsonw *w, char bracket)
{
    if (w->depth == 0 || w->after_key) {
        fail(w, SG_INTERNAL);
        return;
    }
    sg_buf_byte(w->out, (uint8_t)bracket);
    w->depth--;
}

void sg_jsonw_object(sg_jsonw *w)
{
    open(w, '{');
}

void sg_jsonw_object_end(sg_jsonw *w)
{
    close(w, '}');
}

void sg_jsonw_array(sg_jsonw *w)
{
    open(w, '[');
}

void sg_jsonw_array_end(sg_jsonw *w)
{
    close(w, ']');
}

void sg_jsonw_key(sg_jsonw *w, sg_slice key)
{
    separate(w);
    sg_json_quote(w->out, key);
    sg_buf_byte(w->out, ':');
    w->after_key = true;
}

void sg_jsonw_k(sg_jsonw *w, const char *key)
{
    separate(w);
    sg_buf_byte(w->out, '"');
    sg_buf_str(w->out, key);
    sg_buf_put(w->out, "\":", 2);
    w->after_key = true;
}

void sg_jsonw_string(sg_jsonw *w, sg_slice text)
{
    before_value(w);
    sg_json_quote(w->out, text);
}

void sg_jsonw_int(sg_jsonw *w, int64_t v)
{
    before_value(w);
    sg_buf_int(w->out, v);
}

void sg_jsonw_bool(sg_jsonw *w, bool v)
{
    before_value(w);
    sg_buf_str(w->out, v ? "true" : "false");
}

void sg_jsonw_null(sg_jsonw *w)
{
    before_value(w);
    sg_buf_put(w->out, "null", 4);
}

void sg_jsonw_raw(sg_jsonw *w, sg_slice json)
{
    before_value(w);
    /* Nothing is no value: it would make the whole document invalid. */
    if (json.n == 0) fail(w, SG_BADVALUE);
    sg_buf_slice(w->out, json);
}

void sg_jsonw_kstr(sg_jsonw *w, const char *key, sg_slice text)
{
    sg_jsonw_k(w, key);
    sg_jsonw_string(w, text);
}

void sg_jsonw_kint(sg_jsonw *w, const char *key, int64_t v)
{
    sg_jsonw_k(w, key);
    sg_jsonw_int(w, v);
}

void sg_jsonw_kbool(sg_jsonw *w, const char *key, bool v)
{
    sg_jsonw_k(w, key);
    sg_jsonw_bool(w, v);
}

void sg_jsonw_kraw(sg_jsonw *w, const char *key, sg_slice json)
{
    sg_jsonw_k(w, key);
    sg_jsonw_raw(w, json);
}
