/*
 * The chunked transfer coding (RFC 9112, section 7.1), read strictly.
 *
 * Our own because http_parser as Debian builds it takes any byte for the line feeds around a chunk,
 * which is how requests are smuggled past a proxy that reads them differently. Here a line ends
 * with CR LF and nothing else, sizes are at most 15 hex digits, extensions and trailers are read
 * over within SG_CHUNK_LINE_MAX bytes a line and SG_CHUNK_TRAILER_MAX bytes in all.
 */
#ifndef SG_NET_CHUNKED_H
#define SG_NET_CHUNKED_H

#include <stdint.h>

#include "base/slice.h"

#define SG_CHUNK_LINE_MAX 256u     /* bytes of a size line with its extensions */
#define SG_CHUNK_TRAILER_MAX 8192u /* bytes of all trailer fields */

enum sg_chunk_state {
    SG_CHUNK_SIZE,     /* in the hex digits */
    SG_CHUNK_EXT,      /* behind them, before the CR */
    SG_CHUNK_SIZE_LF,  /* LF must come; then DATA, or TRAILER if the size was 0 */
    SG_CHUNK_DATA,     /* `left` bytes of data */
    SG_CHUNK_DATA_CR,  /* CR must come */
    SG_CHUNK_DATA_LF,  /* LF must come; then SIZE */
    SG_CHUNK_TRAILER,  /* at the start of a trailer line */
    SG_CHUNK_FIELD,    /* inside one */
    SG_CHUNK_FIELD_LF, /* LF must come; then TRAILER */
    SG_CHUNK_END_LF,   /* LF must come; then DONE */
    SG_CHUNK_DONE,     /* final */
    SG_CHUNK_BAD       /* final: not the chunked coding, or a limit of it exceeded */
};

typedef struct sg_chunked {
    enum sg_chunk_state state;
    uint64_t left;   /* bytes of this chunk */
    unsigned digits; /* of the size so far */
    unsigned line;   /* bytes of this size line, or of the trailer */
} sg_chunked;

/* Read from in. Stops at the first run of data, at DONE, at BAD, or when the input is used up:
 * *data is that run (borrowed from in), possibly empty. Returns the bytes used, data included. */
size_t sg_chunked_read(sg_chunked *c, sg_slice in, sg_slice *data);

#endif
