#include "wire/columns.h"

#include "base/mem.h"
#include "base/reader.h"

#define MAGIC 0x03u
#define STRING                                                                                     \
    '\x01' /* in a skeleton; control characters are no part of JSON, but for white space */
#define OTHER '\x02'
#define SLOTS (2 * SG_COLUMNS_MAX)
#define HASH_SEED UINT64_C(0xcbf29ce484222325)
#define HASH_PRIME UINT64_C(0x100000001b3)
#define OBJECT_IN_ARRAY 0xffu

/* ---- places ---- */

typedef struct level {
    uint64_t place;  /* of the object or array */
    uint64_t member; /* object: place of the value whose key came last */
    uint32_t position;
    bool is_array;
    bool wants_key;
} level;

typedef struct places {
    level levels[SG_COLUMNS_DEPTH];
    size_t depth;
    uint64_t place[SLOTS]; /* 0: the slot is free */
    uint16_t column[SLOTS];
    size_t count;
} places;

static uint64_t mix(uint64_t place, uint64_t step)
{
    return (place ^ step) * HASH_PRIME;
}

/* Never 0. */
static uint64_t value_place(const places *p)
{
    if (p->depth == 0) return HASH_SEED;
    const level *l = &p->levels[p->depth - 1];
    if (!l->is_array) return l->member | 1;
    uint32_t at = l->position < SG_COLUMNS_POSITIONS ? l->position : SG_COLUMNS_POSITIONS;
    return mix(l->place, at) | 1;
}

static bool open_level(places *p, bool is_array)
{
    if (p->depth == SG_COLUMNS_DEPTH) return false;
    uint64_t place = value_place(p);
    const level *around = p->depth != 0 ? &p->levels[p->depth - 1] : NULL;
    if (around != NULL && around->is_array && !is_array)
        place = mix(around->place, OBJECT_IN_ARRAY);
    p->levels[p->depth++] =
        (level){.place = place, .member = place, .is_array = is_array, .wants_key = !is_array};
    return true;
}

static bool close_level(places *p)
{
    if (p->depth == 0) return false;
    p->depth--;
    return true;
}

static void next_position(places *p)
{
    if (p->depth == 0) return;
    level *l = &p->levels[p->depth - 1];
    l->position++;
    l->wants_key = !l->is_array;
}

static bool wants_key(const places *p)
{
    return p->depth != 0 && p->levels[p->depth - 1].wants_key;
}

/* Braces, brackets and commas change the place; anything else does not. */
static bool take_mark(places *p, char c)
{
    if (c == '{' || c == '[') return open_level(p, c == '[');
    if (c == '}' || c == ']') return close_level(p);
    if (c == ',') next_position(p);
    return true;
}

static void take_key(places *p, sg_slice key)
{
    level *l = &p->levels[p->depth - 1];
    uint64_t place = l->place;
    for (size_t i = 0; i < key.n; i++)
        place = mix(place, (unsigned char)key.p[i]);
    l->member = place;
    l->wants_key = false;
}

/* The column of the value that stands here. */
static size_t column_here(places *p)
{
    uint64_t place = value_place(p);
    size_t slot = (size_t)(place >> 20) % SLOTS;
    while (p->place[slot] != 0 && p->place[slot] != place)
        slot = (slot + 1) % SLOTS;
    if (p->place[slot] == place) return p->column[slot];
    if (p->count == SG_COLUMNS_MAX) return SG_COLUMNS_MAX - 1;
    p->place[slot] = place;
    p->column[slot] = (uint16_t)p->count;
    return p->count++;
}

/* Behind the closing quote of the string that begins at p; NULL if it does not end. */
static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p == '\\' && ++p < end && (unsigned char)*p < 0x20) return NULL;
    }
    return p < end ? p + 1 : NULL;
}

static sg_slice inside_quotes(const char *from, const char *end)
{
    return sg_slice_of(from + 1, (size_t)(end - from) - 2);
}

/* ---- packing ---- */

typedef struct packer {
    places places;
    sg_buf skeleton;
    sg_buf columns[SG_COLUMNS_MAX];
} packer;

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

static bool is_mark(char c)
{
    switch (c) {
    case '{':
    case '}':
    case '[':
    case ']':
    case ',':
    case ':':
    case ' ':
    case '\t':
    case '\n':
    case '\r':
        return true;
    default:
        return false;
    }
}

static void put_value(packer *k, sg_slice frame, char kind, sg_slice value)
{
    sg_buf *column = &k->columns[column_here(&k->places)];
    sg_buf_slice(column, value);
    sg_buf_byte(column, '\n');
    sg_buf_slice(&k->skeleton, frame);
    sg_buf_byte(&k->skeleton, (uint8_t)kind);
}

/* Behind a number, true, false or null; NULL if there is none. */
static const char *plain_end(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && is_plain(*p))
        p++;
    return p != from ? p : NULL;
}

static bool pack_text(packer *k, sg_slice json)
{
    const char *p = json.p, *end = p + json.n, *frame = p; /* what is not in the skeleton yet */
    while (p < end) {
        if (is_mark(*p)) {
            if (!take_mark(&k->places, *p++)) return false;
            continue;
        }
        bool quoted = *p == '"';
        const char *stop = quoted ? string_end(p, end) : plain_end(p, end);
        if (stop == NULL) return false;
        if (quoted && wants_key(&k->places)) {
            take_key(&k->places, inside_quotes(p, stop));
        } else {
            sg_slice value = quoted ? inside_quotes(p, stop) : sg_slice_of(p, (size_t)(stop - p));
            put_value(k, sg_slice_of(frame, (size_t)(p - frame)), quoted ? STRING : OTHER, value);
            frame = stop;
        }
        p = stop;
    }
    sg_buf_put(&k->skeleton, frame, (size_t)(end - frame));
    return true;
}

static void put_packed(packer *k, sg_buf *out)
{
    sg_buf_byte(out, MAGIC);
    sg_buf_lenslice(out, sg_buf_view(&k->skeleton));
    if (out->err == SG_OK) out->err = k->skeleton.err;
    for (size_t i = 0; i < k->places.count; i++) {
        sg_buf_lenslice(out, sg_buf_view(&k->columns[i]));
        if (out->err == SG_OK) out->err = k->columns[i].err;
    }
}

bool sg_columns_pack(sg_slice json, sg_buf *out)
{
    packer *k = json.n != 0 ? sg_zalloc(sizeof *k) : NULL;
    if (k == NULL) return false;
    sg_buf_init(&k->skeleton, out->max);
    for (size_t i = 0; i < SG_COLUMNS_MAX; i++)
        sg_buf_init(&k->columns[i], out->max);
    bool ok = pack_text(k, json);
    if (ok) put_packed(k, out);
    sg_buf_deinit(&k->skeleton);
    for (size_t i = 0; i < SG_COLUMNS_MAX; i++)
        sg_buf_deinit(&k->columns[i]);
    sg_free(k);
    return ok && out->err == SG_OK;
}

/* ---- unpacking ---- */

typedef struct unpacker {
    places places;
    sg_slice columns[SG_COLUMNS_MAX]; /* what is left of each */
    size_t count;
    sg_buf *out;
} unpacker;

bool sg_columns_is(sg_slice packed)
{
    return packed.n != 0 && packed.p[0] == (char)MAGIC;
}

static int read_columns(unpacker *u, sg_reader *r)
{
    while (r->left != 0 && r->err == SG_OK) {
        if (u->count == SG_COLUMNS_MAX) return SG_BADREQUEST;
        u->columns[u->count++] = sg_read_lenslice(r);
    }
    return r->err == SG_OK ? SG_OK : SG_BADREQUEST;
}

static bool unpack_value(unpacker *u, char kind)
{
    size_t i = column_here(&u->places);
    if (i >= u->count || u->columns[i].n == 0) return false;
    sg_slice *column = &u->columns[i];
    const char *end = memchr(column->p, '\n', column->n);
    if (end == NULL) return false;
    sg_slice value = sg_slice_of(column->p, (size_t)(end - column->p));
    *column = sg_slice_of(end + 1, column->n - value.n - 1);
    if (kind == STRING) sg_buf_byte(u->out, '"');
    sg_buf_slice(u->out, value);
    if (kind == STRING) sg_buf_byte(u->out, '"');
    return u->out->err == SG_OK;
}

/* One key or mark; gives its end. */
static const char *unpack_frame(unpacker *u, const char *p, const char *end)
{
    const char *stop = p + 1;
    if (*p == '"') {
        stop = wants_key(&u->places) ? string_end(p, end) : NULL;
        if (stop == NULL) return NULL;
        take_key(&u->places, inside_quotes(p, stop));
    } else if (!is_mark(*p) || !take_mark(&u->places, *p)) {
        return NULL;
    }
    sg_buf_put(u->out, p, (size_t)(stop - p));
    return u->out->err == SG_OK ? stop : NULL;
}

static bool unpack_text(unpacker *u, sg_slice skeleton)
{
    const char *p = skeleton.p, *end = p + skeleton.n;
    while (p != NULL && p < end) {
        if (*p == STRING || *p == OTHER)
            p = unpack_value(u, *p) ? p + 1 : NULL;
        else
            p = unpack_frame(u, p, end);
    }
    for (size_t i = 0; i < u->count; i++)
        if (u->columns[i].n != 0) return false;
    return p != NULL;
}

int sg_columns_unpack(sg_slice packed, sg_buf *out)
{
    if (!sg_columns_is(packed)) return SG_BADREQUEST;
    unpacker *u = sg_zalloc(sizeof *u);
    if (u == NULL) return SG_NOMEM;
    sg_reader r = sg_reader_of(sg_slice_of(packed.p + 1, packed.n - 1));
    sg_slice skeleton = sg_read_lenslice(&r);
    u->out = out;
    int err = r.err == SG_OK ? read_columns(u, &r) : SG_BADREQUEST;
    if (err == SG_OK && (skeleton.n == 0 || !unpack_text(u, skeleton)))
        err = out->err != SG_OK ? out->err : SG_BADREQUEST;
    sg_free(u);
    return err;
}
