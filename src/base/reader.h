/*
 * A cursor over foreign or stored bytes with a latched error.
 *
 * After the first bad read every further read gives 0 or an empty slice, so a decoder is a list
 * of reads and one check of `err`. Slices point into the caller's bytes.
 */
#ifndef SG_READER_H
#define SG_READER_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

typedef struct sg_reader {
    const char *p;
    size_t left; /* bytes */
    int err;     /* latched: SG_CORRUPT */
} sg_reader;

static inline sg_reader sg_reader_of(sg_slice s)
{
    return (sg_reader){s.p, s.n, SG_OK};
}

uint8_t sg_read_byte(sg_reader *r);
uint64_t sg_read_varint(sg_reader *r);
int64_t sg_read_zigzag(sg_reader *r);
sg_slice sg_read_bytes(sg_reader *r, size_t n);
sg_slice sg_read_lenslice(sg_reader *r);

#endif
