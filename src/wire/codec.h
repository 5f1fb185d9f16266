/*
 * Content codings: gzip, zstd, and zstd of JSON by columns (wire/columns.h; of answers only), whole
 * bodies at a time, with a cap on what comes out.
 * Threads: any; nothing is shared.
 */
#ifndef SG_CODEC_H
#define SG_CODEC_H

#include "base/err.h"
#include "base/slice.h"

/* Bits, because a client accepts several. */
enum sg_coding {
    SG_CODING_NONE = 0,
    SG_CODING_GZIP = 1,
    SG_CODING_ZSTD = 2,
    SG_CODING_COLUMNS = 4, /* "sigla-columns" */
    SG_CODING_UNKNOWN = 8  /* of a request: one that we don't take, or several */
};

/* The coding of a request body named by a Content-Encoding value. */
enum sg_coding sg_coding_of(sg_slice content_encoding);
/* The codings an Accept-Encoding value allows (those with q=0 are refused). */
unsigned sg_coding_accepted(sg_slice accept_encoding);
/* "gzip", "zstd", "sigla-columns" */
const char *sg_coding_name(enum sg_coding coding);

/* The body as a heap block of the caller's (sg_free); zstd is looked into for columns if the coding
 * is SG_CODING_COLUMNS. SG_LIMIT when it is larger than max bytes,
 * SG_BADREQUEST when it is damaged, cut short, or followed by something else, SG_NOMEM. */
int sg_decode(enum sg_coding coding, sg_slice in, size_t max, char **out, size_t *n);
/* The body in the best of the accepted codings, if that makes it smaller: true, and a heap block of
 * the caller's. False, and nothing to free, otherwise. */
bool sg_encode(unsigned accepted, sg_slice in, enum sg_coding *coding, char **out, size_t *n);

#endif
