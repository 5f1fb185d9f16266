#include "base/buf.h"

#include "base/mem.h"

void sg_buf_init(sg_buf *b, size_t max_bytes)
{
    *b = (sg_buf){.max = max_bytes};
}

void sg_buf_deinit(sg_buf *b)
{
    sg_free(b->p);
    *b = (sg_buf){.max = b->max};
}

void sg_buf_clear(sg_buf *b)
{
    b->n = 0;
    b->err = SG_OK;
}

void sg_buf_truncate(sg_buf *b, size_t n)
{
    if (n < b->n) b->n = n;
}

/* Doubling growth, never past the cap. */
static int grow(sg_buf *b, size_t need)
{
    size_t cap = b->cap != 0 ? b->cap : 64;
    while (cap < need)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max) cap = b->max;
    char *p = sg_realloc(b->p, cap);
    if (p == NULL) return SG_NOMEM;
    b->p = p;
    b->cap = cap;
    return SG_OK;
}

char *sg_buf_extend_slowly(sg_buf *b, size_t n)
{
    if (b->err != SG_OK) return NULL;
    if (n > b->max - b->n) {
        b->err = SG_LIMIT;
        return NULL;
    }
    if (n > b->cap - b->n || b->p == NULL) {
        b->err = grow(b, b->n + n);
        if (b->err != SG_OK) return NULL;
    }
    char *at = b->p + b->n;
    b->n += n;
    return at;
}

void sg_buf_str(sg_buf *b, const char *text)
{
    sg_buf_put(b, text, strlen(text));
}

void sg_buf_slice(sg_buf *b, sg_slice s)
{
    sg_buf_put(b, s.p, s.n);
}

void sg_buf_append(sg_buf *b, const sg_buf *from)
{
    if (b->err == SG_OK) b->err = from->err;
    sg_buf_put(b, from->p, from->n);
}

void sg_buf_int(sg_buf *b, int64_t v)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (v < 0) sg_buf_byte(b, '-');
    sg_buf_put(b, digits + at, sizeof digits - at);
}

void sg_buf_varint(sg_buf *b, uint64_t v)
{
    if (v < 0x80) {
        sg_buf_byte(b, (uint8_t)v);
        return;
    }
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    sg_buf_put(b, bytes, n);
}

void sg_buf_zigzag(sg_buf *b, int64_t v)
{
    sg_buf_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v < 0 ? -1 : 0));
}

void sg_buf_lenslice(sg_buf *b, sg_slice s)
{
    sg_buf_varint(b, s.n);
    sg_buf_slice(b, s);
}

const char *sg_buf_cstr(sg_buf *b)
{
    sg_buf_byte(b, 0);
    if (b->err != SG_OK) return NULL;
    b->n--;
    return b->p;
}

char *sg_buf_take(sg_buf *b, size_t *n)
{
    if (sg_buf_cstr(b) == NULL) return NULL;
    char *p = b->p;
    *n = b->n;
    *b = (sg_buf){.max = b->max};
    return p;
}
