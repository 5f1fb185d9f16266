/*
 * Any bytes as a compressed body, and as a list of codings.
 *
 * The first byte chooses the coding, the second the cap. Checked: what comes out is never more than
 * the cap, nor does anything else grow past it; bytes that were compressed come back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static void decode(enum sg_coding coding, sg_slice bytes, size_t max)
{
    char *out = NULL;
    size_t n = 0;
    int err = sg_decode(coding, bytes, max, &out, &n);
    require(err == SG_OK || err == SG_LIMIT || err == SG_BADREQUEST || err == SG_NOMEM,
            "a body is taken or refused");
    if (err == SG_OK) require(out != NULL && n <= max, "a body keeps its bound");
    if (err == SG_OK) sg_free(out);
}

static void there_and_back(unsigned accepted, sg_slice bytes)
{
    enum sg_coding coding;
    char *packed, *out;
    size_t packed_n, n;
    if (!sg_encode(accepted, bytes, &coding, &packed, &packed_n)) return;
    require((coding & accepted) != 0 && packed_n < bytes.n, "a coding gains something");
    sg_slice body = sg_slice_of(packed, packed_n);
    require(sg_decode(coding, body, bytes.n, &out, &n) == SG_OK, "a body can be decoded");
    require(n == bytes.n && memcmp(out, bytes.p, n) == 0, "a body comes back");
    sg_free(out);
    require(sg_decode(coding, body, bytes.n - 1, &out, &n) == SG_LIMIT, "a cap is kept");
    sg_free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t max = (size_t)1 << (data[1] % 22);
    sg_slice bytes = sg_slice_of((const char *)data + 2, size - 2);
    static const enum sg_coding codings[] = {SG_CODING_ZSTD, SG_CODING_GZIP, SG_CODING_COLUMNS};
    decode(codings[data[0] % 3], bytes, max);
    there_and_back(SG_CODING_GZIP, bytes);
    there_and_back(SG_CODING_ZSTD, bytes);
    there_and_back(SG_CODING_COLUMNS, bytes);
    unsigned accepted = sg_coding_accepted(bytes);
    unsigned ours = SG_CODING_GZIP | SG_CODING_ZSTD | SG_CODING_COLUMNS;
    require((accepted & ~ours) == 0, "codings we have");
    require(sg_coding_of(bytes) <= SG_CODING_UNKNOWN, "a coding is one");
    return 0;
}
