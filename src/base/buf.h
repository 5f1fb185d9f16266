/*
 * A growing byte buffer with a hard cap and a latched error.
 *
 * An encoder is a list of appends and one check of `err` at the end: after the first failure
 * (SG_NOMEM, or SG_LIMIT when the cap would be exceeded) every further append does nothing.
 * Threads: one owner at a time. Ownership: sg_buf_deinit frees; sg_buf_take hands the bytes over.
 */
#ifndef SG_BUF_H
#define SG_BUF_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

typedef struct sg_buf {
    char *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
    size_t max; /* hard cap in bytes */
    int err;    /* latched enum sg_err */
} sg_buf;

void sg_buf_init(sg_buf *b, size_t max_bytes);
void sg_buf_deinit(sg_buf *b);
/* Empty it and clear the error; the memory stays for reuse. */
void sg_buf_clear(sg_buf *b);
/* Forget everything after the first n bytes. */
void sg_buf_truncate(sg_buf *b, size_t n);
/* The same by way of memory and the cap. */
char *sg_buf_extend_slowly(sg_buf *b, size_t n);
/* Room for n more bytes, counted as used; NULL after an error. Valid until the next append. */
static inline char *sg_buf_extend(sg_buf *b, size_t n)
{
    if (b->err != SG_OK || b->p == NULL || n > b->cap - b->n) return sg_buf_extend_slowly(b, n);
    char *at = b->p + b->n;
    b->n += n;
    return at;
}
static inline void sg_buf_put(sg_buf *b, const void *bytes, size_t n)
{
    if (n == 0) return;
    char *at = sg_buf_extend(b, n);
    if (at != NULL) memcpy(at, bytes, n);
}
static inline void sg_buf_byte(sg_buf *b, uint8_t byte)
{
    char *at = sg_buf_extend(b, 1);
    if (at != NULL) *at = (char)byte;
}
void sg_buf_str(sg_buf *b, const char *text);
void sg_buf_slice(sg_buf *b, sg_slice s);
/* What another buffer holds. An error latched there is latched here, so that text put together from
 * parts needs its one check only. */
void sg_buf_append(sg_buf *b, const sg_buf *from);
void sg_buf_int(sg_buf *b, int64_t v); /* decimal digits */
/* Unsigned LEB128, 1..10 bytes (as in DWARF and protocol buffers). */
void sg_buf_varint(sg_buf *b, uint64_t v);
/* Signed integers zigzag-coded, so that small negatives stay short. */
void sg_buf_zigzag(sg_buf *b, int64_t v);
/* A varint length, then the bytes. */
void sg_buf_lenslice(sg_buf *b, sg_slice s);
/* NUL-terminated view of the content (the NUL is not counted); NULL after an error. */
const char *sg_buf_cstr(sg_buf *b);
static inline sg_slice sg_buf_view(const sg_buf *b)
{
    return sg_slice_of(b->p, b->n);
}
/* The content as a heap block of the caller's (sg_free), the buffer empty again. NULL on error. */
char *sg_buf_take(sg_buf *b, size_t *n);

#endif
