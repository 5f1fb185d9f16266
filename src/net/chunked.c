#include "net/chunked.h"

#define SIZE_DIGITS 15u /* so that a size never overflows */

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Field text and extensions: visible, space, tab, and bytes from 128 on. */
static bool is_text(char ch)
{
    return (unsigned char)ch >= 0x20 ? ch != 0x7f : ch == '\t';
}

static enum sg_chunk_state in_size(sg_chunked *c, char ch)
{
    int digit = hex(ch);
    if (digit >= 0) {
        if (c->digits++ == SIZE_DIGITS) return SG_CHUNK_BAD;
        c->left = c->left * 16 + (unsigned)digit;
        return SG_CHUNK_SIZE;
    }
    if (c->digits == 0) return SG_CHUNK_BAD;
    if (ch == '\r') return SG_CHUNK_SIZE_LF;
    return ch == ';' || ch == ' ' || ch == '\t' ? SG_CHUNK_EXT : SG_CHUNK_BAD;
}

static enum sg_chunk_state after_size(sg_chunked *c)
{
    c->line = 0;
    c->digits = 0;
    return c->left != 0 ? SG_CHUNK_DATA : SG_CHUNK_TRAILER;
}

/* The transition for one byte that is not data. */
static enum sg_chunk_state step(sg_chunked *c, char ch)
{
    switch (c->state) {
    case SG_CHUNK_SIZE:
        return ++c->line > SG_CHUNK_LINE_MAX ? SG_CHUNK_BAD : in_size(c, ch);
    case SG_CHUNK_EXT:
        if (++c->line > SG_CHUNK_LINE_MAX) return SG_CHUNK_BAD;
        if (ch == '\r') return SG_CHUNK_SIZE_LF;
        return is_text(ch) ? SG_CHUNK_EXT : SG_CHUNK_BAD;
    case SG_CHUNK_SIZE_LF:
        return ch == '\n' ? after_size(c) : SG_CHUNK_BAD;
    case SG_CHUNK_DATA_CR:
        return ch == '\r' ? SG_CHUNK_DATA_LF : SG_CHUNK_BAD;
    case SG_CHUNK_DATA_LF:
        return ch == '\n' ? SG_CHUNK_SIZE : SG_CHUNK_BAD;
    case SG_CHUNK_TRAILER:
        if (ch == '\r') return SG_CHUNK_END_LF;
        if (ch == ' ' || ch == '\t') return SG_CHUNK_BAD; /* a folded line */
        /* fall through */
    case SG_CHUNK_FIELD:
        if (++c->line > SG_CHUNK_TRAILER_MAX) return SG_CHUNK_BAD;
        if (ch == '\r') return SG_CHUNK_FIELD_LF;
        return is_text(ch) ? SG_CHUNK_FIELD : SG_CHUNK_BAD;
    case SG_CHUNK_FIELD_LF:
        c->line++;
        return ch == '\n' ? SG_CHUNK_TRAILER : SG_CHUNK_BAD;
    case SG_CHUNK_END_LF:
        return ch == '\n' ? SG_CHUNK_DONE : SG_CHUNK_BAD;
    default:
        return SG_CHUNK_BAD;
    }
}

size_t sg_chunked_read(sg_chunked *c, sg_slice in, sg_slice *data)
{
    *data = (sg_slice){NULL, 0};
    size_t at = 0;
    while (at < in.n && c->state != SG_CHUNK_DONE && c->state != SG_CHUNK_BAD) {
        if (c->state == SG_CHUNK_DATA) {
            size_t n = in.n - at < c->left ? in.n - at : (size_t)c->left;
            *data = sg_slice_of(in.p + at, n);
            c->left -= n;
            if (c->left == 0) c->state = SG_CHUNK_DATA_CR;
            return at + n;
        }
        c->state = step(c, in.p[at++]);
    }
    return at;
}
