#include "base/reader.h"

static void fail(sg_reader *r)
{
    if (r->err == SG_OK) r->err = SG_CORRUPT; /* a caller may have latched another error */
    r->left = 0;
}

uint8_t sg_read_byte(sg_reader *r)
{
    if (r->left == 0) {
        fail(r);
        return 0;
    }
    r->left--;
    return (uint8_t)*r->p++;
}

uint64_t sg_read_varint(sg_reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = sg_read_byte(r);
        if (r->err != SG_OK) return 0;
        if (shift == 63 && byte > 1) break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return v;
    }
    fail(r);
    return 0;
}

int64_t sg_read_zigzag(sg_reader *r)
{
    uint64_t v = sg_read_varint(r);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

sg_slice sg_read_bytes(sg_reader *r, size_t n)
{
    if (n > r->left) {
        fail(r);
        return sg_slice_of(NULL, 0);
    }
    if (n == 0) return sg_slice_of(r->p, 0); /* nothing may be added to a NULL pointer, even 0 */
    sg_slice s = sg_slice_of(r->p, n);
    r->p += n;
    r->left -= n;
    return s;
}

sg_slice sg_read_lenslice(sg_reader *r)
{
    uint64_t n = sg_read_varint(r);
    if (n > r->left) {
        fail(r);
        return sg_slice_of(NULL, 0);
    }
    return sg_read_bytes(r, (size_t)n);
}
