/*
 * JSON (RFC 8259): a strict pull reader over borrowed bytes, and a writer onto an sg_buf.
 *
 * The reader never copies: strings come as raw slices between their quotes, numbers keep their
 * digits, and sg_json_skip gives any whole value as the bytes it was sent as. Errors latch: after
 * the first one every call returns false/empty, `err` is SG_BADJSON (or SG_LIMIT when nested deeper
 * than SG_JSON_MAX_DEPTH) and `at` is the byte position.
 * Strict means: UTF-8 must be valid (no overlongs, no encoded surrogates), escapes valid, \u
 * surrogates paired, no control characters in strings, no leading zeros, one value per document.
 *
 *     sg_json j;
 *     sg_json_init(&j, body);
 *     sg_json_object(&j);
 *     for (sg_slice key; sg_json_next_key(&j, &key);) {
 *         if (sg_slice_eq(key, SG_LIT("since"))) since = sg_json_string(&j, &scratch);
 *         else sg_json_skip(&j);
 *     }
 *     if (!sg_json_end(&j)) report(j.err, j.at);
 *
 * Threads: one owner at a time. Nothing is allocated by the reader.
 */
#ifndef SG_JSON_H
#define SG_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define SG_JSON_MAX_DEPTH 64

enum sg_json_type {
    SG_JSON_NONE, /* nothing left, or an error */
    SG_JSON_NULL,
    SG_JSON_FALSE,
    SG_JSON_TRUE,
    SG_JSON_NUMBER,
    SG_JSON_STRING,
    SG_JSON_ARRAY,
    SG_JSON_OBJECT
};

typedef struct sg_json {
    const char *start;
    const char *p;
    const char *end;
    int err;        /* latched enum sg_err */
    size_t at;      /* byte position of the error */
    int depth;      /* containers open */
    uint64_t first; /* bit d-1: the container at depth d has not yielded an element yet */
} sg_json;

void sg_json_init(sg_json *j, sg_slice text);
/* Type of the value that comes next, without taking it. */
enum sg_json_type sg_json_peek(sg_json *j);
/* Enter the object or array that comes next; false (and an error) if it is something else. */
bool sg_json_object(sg_json *j);
bool sg_json_array(sg_json *j);
/* Next member: true with its key (raw, as between the quotes, escapes not undone: compare with
 * sg_json_key_eq when a key may hold escapes); false when the object has ended (it is left). */
bool sg_json_next_key(sg_json *j, sg_slice *raw_key);
/* Next element of an array: true if there is one to read; false when the array has ended (it is
 * left). */
bool sg_json_next(sg_json *j);
/* Take any value whole, validated: the exact bytes without surrounding white space. */
sg_slice sg_json_skip(sg_json *j);
/* Take a string, raw between the quotes. */
sg_slice sg_json_raw_string(sg_json *j);
/* Take a string with its escapes undone: borrowed from the text when there are none, else appended
 * to scratch and borrowed from there until scratch changes (so copy or use before the next call).
 */
sg_slice sg_json_string(sg_json *j, sg_buf *scratch);
/* Take a number as its digits. */
sg_slice sg_json_number(sg_json *j);
/* Take an integer that fits int64 (no fraction, no exponent); anything else is SG_BADJSON. */
int64_t sg_json_int(sg_json *j);
bool sg_json_bool(sg_json *j);
void sg_json_null(sg_json *j);
/* True if the document is complete and without error; trailing bytes other than white space are
 * one. */
bool sg_json_end(sg_json *j);
/* Latch an error of the caller's own at the present position. */
void sg_json_fail(sg_json *j, int err);

/* Undo the escapes of a raw string (which the reader has validated) onto out. */
void sg_json_unescape(sg_slice raw, sg_buf *out);
/* True if the raw string has no escapes. */
bool sg_json_plain(sg_slice raw);
/* True if the raw string, its escapes undone, is this text. */
bool sg_json_key_eq(sg_slice raw, sg_slice text);
/* True if two valid JSON values are equal as values: object members in any order, escapes undone,
 * numbers by value: 1 and 1.0 and 1e0 are equal; two integers of any length are compared exactly;
 * a number with '.' or an exponent is the double it denotes, as is an integer beyond int64 next to
 * one. Of members with the same key the last counts. Takes memory for objects: false when there is
 * none, so that a difference is never overlooked. */
bool sg_json_equal(sg_slice a, sg_slice b);

/* --- writer ------------------------------------------------------------------------------------
 * Appends to a buffer the caller owns; commas are put where they belong. Errors latch in the
 * buffer. */
typedef struct sg_jsonw {
    sg_buf *out;
    int depth;
    uint64_t first; /* bit d-1: nothing written yet at depth d */
    bool after_key;
} sg_jsonw;

void sg_jsonw_init(sg_jsonw *w, sg_buf *out);
void sg_jsonw_object(sg_jsonw *w);
void sg_jsonw_object_end(sg_jsonw *w);
void sg_jsonw_array(sg_jsonw *w);
void sg_jsonw_array_end(sg_jsonw *w);
/* Keys and strings are plain text, escaped here; SG_BADVALUE latches if it is not valid UTF-8. */
void sg_jsonw_key(sg_jsonw *w, sg_slice key);
void sg_jsonw_string(sg_jsonw *w, sg_slice text);
void sg_jsonw_int(sg_jsonw *w, int64_t v);
void sg_jsonw_bool(sg_jsonw *w, bool v);
void sg_jsonw_null(sg_jsonw *w);
void sg_jsonw_raw(sg_jsonw *w, sg_slice json); /* a complete JSON value, written as it is */
/* Shorthands for members with a literal key: key is a C string of plain ASCII. */
void sg_jsonw_kstr(sg_jsonw *w, const char *key, sg_slice text);
void sg_jsonw_kint(sg_jsonw *w, const char *key, int64_t v);
void sg_jsonw_kbool(sg_jsonw *w, const char *key, bool v);
void sg_jsonw_kraw(sg_jsonw *w, const char *key, sg_slice json);
void sg_jsonw_k(sg_jsonw *w, const char *key); /* just the key */

/* The text, quoted and escaped (the short escapes, \u00xx for other controls), onto out;
 * SG_BADVALUE latches if it is not valid UTF-8. */
void sg_json_quote(sg_buf *out, sg_slice text);
/* True if the bytes are valid UTF-8 (RFC 3629). */
bool sg_utf8_valid(sg_slice text);

#endif
