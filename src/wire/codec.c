#include "wire/codec.h"

#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "wire/columns.h"

#define GZIP_WINDOW (15 + 16) /* zlib: 32 KiB of history, gzip head and tail */
#define GZIP_LEVEL 5
#define ZSTD_LEVEL 3
#define COLUMNS_NAME "sigla-columns"
#define ZSTD_WINDOW_LOG_MAX 24    /* history a client may ask us to keep: 16 MiB */
#define DECODE_STEP (64u * 1024u) /* bytes the output grows by */

static bool is(sg_slice s, const char *name)
{
    size_t n = strlen(name);
    return s.n == n && strncasecmp(s.p, name, n) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static sg_slice trim(sg_slice s)
{
    while (s.n != 0 && is_space(s.p[0]))
        s = sg_slice_of(s.p + 1, s.n - 1);
    while (s.n != 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* The text before the separator; *rest is what follows it. */
static sg_slice cut(sg_slice s, char separator, sg_slice *rest)
{
    const char *at = s.n != 0 ? memchr(s.p, separator, s.n) : NULL;
    size_t n = at != NULL ? (size_t)(at - s.p) : s.n;
    size_t skip = at != NULL ? n + 1 : n;
    *rest = sg_slice_of(s.p != NULL ? s.p + skip : NULL, s.n - skip);
    return trim(sg_slice_of(s.p, n));
}

enum sg_coding sg_coding_of(sg_slice name)
{
    name = trim(name);
    if (name.n == 0 || is(name, "identity")) return SG_CODING_NONE;
    if (is(name, "gzip") || is(name, "x-gzip")) return SG_CODING_GZIP;
    if (is(name, "zstd")) return SG_CODING_ZSTD;
    return SG_CODING_UNKNOWN;
}

/* True for "q=0", "q=0.", "q=0.000": not acceptable. */
static bool is_refused(sg_slice parameter)
{
    sg_slice value;
    if (!is(cut(parameter, '=', &value), "q")) return false;
    value = trim(value);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] != '0' && value.p[i] != '.') return false;
    }
    return value.n != 0;
}

unsigned sg_coding_accepted(sg_slice list)
{
    unsigned accepted = 0;
    while (list.n != 0) {
        sg_slice parameter;
        sg_slice name = cut(cut(list, ',', &list), ';', &parameter);
        enum sg_coding coding = name.n != 0 ? sg_coding_of(name) : SG_CODING_NONE;
        if (is(name, COLUMNS_NAME)) coding = SG_CODING_COLUMNS;
        if (coding != SG_CODING_UNKNOWN && !is_refused(parameter)) accepted |= (unsigned)coding;
    }
    return accepted;
}

const char *sg_coding_name(enum sg_coding coding)
{
    switch (coding) {
    case SG_CODING_GZIP:
        return "gzip";
    case SG_CODING_ZSTD:
        return "zstd";
    case SG_CODING_COLUMNS:
        return COLUMNS_NAME;
    default:
        return "identity";
    }
}

/* Room for the next step of output, up to the cap; *room 0 means that the cap is reached. */
static char *next_room(sg_buf *out, size_t *room)
{
    *room = out->max - out->n < DECODE_STEP ? out->max - out->n : DECODE_STEP;
    return *room != 0 ? sg_buf_extend(out, *room) : out->p;
}

static int gunzip(sg_slice in, sg_buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    if (in.n > UINT32_MAX || inflateInit2(&z, GZIP_WINDOW) != Z_OK) return SG_NOMEM;
    int rc = Z_OK;
    int err = SG_OK;
    while (rc == Z_OK && err == SG_OK) {
        size_t room;
        char *at = next_room(out, &room);
        unsigned char probe; /* with no room left: only the end of the stream may follow */
        z.next_out = room != 0 ? (Bytef *)at : &probe;
        z.avail_out = room != 0 ? (uInt)room : 1;
        err = out->err;
        if (err != SG_OK) break;
        rc = inflate(&z, Z_NO_FLUSH);
        if (room == 0 && z.avail_out == 0) err = SG_LIMIT;
        if (room != 0) sg_buf_truncate(out, out->n - z.avail_out);
    }
    if (err == SG_OK) {
        bool whole = rc == Z_STREAM_END && z.avail_in == 0;
        err = whole ? SG_OK : rc == Z_MEM_ERROR ? SG_NOMEM : SG_BADREQUEST;
    }
    inflateEnd(&z);
    return err;
}

/* One step of zstd: SG_OK and *done at the end of the frame. */
static int unzstd_step(ZSTD_DStream *z, ZSTD_inBuffer *from, sg_buf *out, bool *done)
{
    size_t room;
    char *at = next_room(out, &room);
    if (out->err != SG_OK) return out->err;
    char probe; /* as above */
    ZSTD_outBuffer to = {room != 0 ? at : &probe, room != 0 ? room : 1, 0};
    size_t read = from->pos;
    size_t rc = ZSTD_decompressStream(z, &to, from);
    if (ZSTD_isError(rc)) return SG_BADREQUEST;
    if (room == 0 && to.pos != 0) return SG_LIMIT;
    if (room != 0) sg_buf_truncate(out, out->n - (room - to.pos));
    *done = rc == 0;
    /* No progress either way means that the input was cut short. */
    return *done || to.pos != 0 || from->pos != read ? SG_OK : SG_BADREQUEST;
}

static int unzstd(sg_slice in, sg_buf *out)
{
    ZSTD_DStream *z = ZSTD_createDStream();
    if (z == NULL) return SG_NOMEM;
    ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    ZSTD_inBuffer from = {in.p, in.n, 0};
    bool done = false;
    int err = SG_OK;
    while (!done && err == SG_OK)
        err = unzstd_step(z, &from, out, &done);
    if (err == SG_OK && from.pos != from.size) err = SG_BADREQUEST;
    ZSTD_freeDStream(z);
    return err;
}

/* Bytes that columns of a text of n bytes may have. */
static size_t columns_max(size_t n)
{
    return 2 * n + SG_COLUMNS_MAX;
}

/* The text of columns in place of them. */
static int expand(sg_buf *buf, size_t max)
{
    sg_buf text;
    sg_buf_init(&text, max);
    int err = sg_columns_unpack(sg_buf_view(buf), &text);
    sg_buf_deinit(buf);
    *buf = text;
    return err;
}

int sg_decode(enum sg_coding coding, sg_slice in, size_t max, char **out, size_t *n)
{
    sg_buf buf;
    /* Columns may be longer than their text. */
    sg_buf_init(&buf, coding == SG_CODING_COLUMNS ? columns_max(max) : max);
    int err = coding == SG_CODING_GZIP ? gunzip(in, &buf) : unzstd(in, &buf);
    if (err == SG_OK && coding == SG_CODING_COLUMNS && sg_columns_is(sg_buf_view(&buf)))
        err = expand(&buf, max);
    if (err == SG_OK && buf.n > max) err = SG_LIMIT;
    if (err == SG_OK) {
        buf.max = max + 1; /* the NUL that sg_buf_take puts behind is not the client's */
        *out = sg_buf_take(&buf, n);
        if (*out == NULL) err = SG_NOMEM;
    }
    sg_buf_deinit(&buf);
    return err;
}

static size_t gzip(sg_slice in, char *out, size_t room)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)room;
    size_t n = deflate(&z, Z_FINISH) == Z_STREAM_END ? room - z.avail_out : 0;
    deflateEnd(&z);
    return n;
}

/* With a checksum, as gzip has one: what a bad proxy or memory has altered is not taken for data. */
static size_t zstd(sg_slice in, char *out, size_t room)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    if (z == NULL) return 0;
    (void)ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    (void)ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(z, out, room, in.p, in.n);
    ZSTD_freeCCtx(z);
    return ZSTD_isError(n) ? 0 : n;
}

/* 0 also when the text can't be had by columns. */
static size_t columns(sg_slice in, char *out, size_t room)
{
    sg_buf packed;
    sg_buf_init(&packed, columns_max(in.n));
    size_t n = sg_columns_pack(in, &packed) ? zstd(sg_buf_view(&packed), out, room) : 0;
    sg_buf_deinit(&packed);
    return n;
}

/* In the best of the accepted codings that can be had. */
static size_t encode(unsigned accepted, sg_slice in, enum sg_coding *coding, char *out, size_t room)
{
    size_t n = (accepted & SG_CODING_COLUMNS) != 0 ? columns(in, out, room) : 0;
    *coding = SG_CODING_COLUMNS;
    if (n != 0) return n;
    *coding = (accepted & SG_CODING_ZSTD) != 0 ? SG_CODING_ZSTD : SG_CODING_GZIP;
    if ((accepted & *coding) == 0) return 0;
    return *coding == SG_CODING_ZSTD ? zstd(in, out, room) : gzip(in, out, room);
}

bool sg_encode(unsigned accepted, sg_slice in, enum sg_coding *coding, char **out, size_t *n)
{
    if (accepted == 0 || in.n < 2 || in.n > UINT32_MAX) return false;
    size_t room = in.n - 1; /* no gain, no coding */
    char *p = sg_alloc(room);
    if (p == NULL) return false;
    size_t used = encode(accepted, in, coding, p, room);
    if (used == 0) {
        sg_free(p);
        return false;
    }
    char *fit = sg_realloc(p, used);
    *out = fit != NULL ? fit : p;
    *n = used;
    return true;
}
