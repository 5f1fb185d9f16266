/*
 * SQLite values as JSON and back, without loss (spec/protocol.md, "Values").
 *
 *   INTEGER   a number without '.', 'e' or 'E'          9007199254740993
 *   REAL      a number with one of them                 1.0  -0.0  5e-324
 *             (the shortest digits that round-trip)
 *             infinities                                {"$real":"Infinity"} {"$real":"-Infinity"}
 *   TEXT      a string; bytes that are not valid UTF-8  {"$text":"<base64>"}
 *   BLOB                                                {"$blob":"<base64>"}
 *   NULL      null
 *   JSON      any JSON value, for columns declared as JSON: the column's text travels as it is. An
 *             object whose first key starts with '$', and the text null, are wrapped:
 *             {"$json":{…}} {"$json":null}. Text in such a column that would not come back byte for
 *             byte (it is not valid JSON, has white space around it, or is nested deeper than
 *             SG_VALUE_JSON_DEPTH) travels in {"$text":"<base64>"} form.
 * Read back: true and false become 1 and 0; an integer outside int64 becomes REAL, and a number too
 * great for a double an infinity; an array or object (not one of the tagged forms) becomes TEXT
 * holding that JSON; for a JSON column every value except null and the tagged forms becomes TEXT
 * holding that JSON (and {"$json":x} the text of x). The tagged forms mean the same in both kinds
 * of column. So a NULL, a TEXT, a BLOB and an infinity in a JSON column come back as they were, and
 * an INTEGER or other REAL there as the TEXT of its digits.
 */
#ifndef SG_VALUE_H
#define SG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* JSON text nested deeper than this travels as text: embedded in a message it must still be within
 * the reader's SG_JSON_MAX_DEPTH, or one value would make its whole batch unreadable. */
#define SG_VALUE_JSON_DEPTH 48

enum sg_value_type { SG_NULL, SG_INT, SG_REAL, SG_TEXT, SG_BLOB };

typedef struct sg_value {
    enum sg_value_type type;
    int64_t i;      /* SG_INT */
    double r;       /* SG_REAL; never NaN (SQLite stores NaN as NULL) */
    sg_slice bytes; /* SG_TEXT, SG_BLOB: borrowed */
} sg_value;

/* Append the JSON of v. is_json_column selects the JSON form above. Errors latch in out. */
void sg_value_to_json(sg_buf *out, const sg_value *v, bool is_json_column);
/* Read a complete, valid JSON value (as sg_json_skip gave it). Text and blob bytes are borrowed
 * from json where possible, else from scratch (which is appended to, and must not change while the
 * value is used); bytes.p is not NULL even when they are empty. SG_BADVALUE when a tagged form is
 * malformed, SG_NOMEM or SG_LIMIT when scratch cannot hold the bytes. */
int sg_value_from_json(sg_value *v, sg_slice json, bool is_json_column, sg_buf *scratch);

void sg_base64_encode(sg_buf *out, sg_slice bytes);
/* Strict RFC 4648 with padding and no other spelling of the same bytes; SG_BADVALUE otherwise, with
 * nothing appended. */
int sg_base64_decode(sg_buf *out, sg_slice text);
/* base64url without padding (RFC 7515), for tokens. */
void sg_base64url_encode(sg_buf *out, sg_slice bytes);
int sg_base64url_decode(sg_buf *out, sg_slice text);

/* Same storage class and same bits; -0.0 and 0.0 differ. */
bool sg_value_same(const sg_value *a, const sg_value *b);

#endif
