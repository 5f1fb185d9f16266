/*
 * Keys: the values of a record's key columns, packed for Sigla's tables, and as the text that
 * travels as the record's id.
 *
 * The id of a key of one column is the value's text: an INTEGER's digits in a column of numeric
 * affinity, and any TEXT as it is. What would be taken for something else begins with '~':
 *
 *   ~i<digits>   INTEGER in a column of other affinity
 *   ~r<JSON>     REAL that is not an integer (value.h)
 *   ~b<base64>   BLOB
 *   ~x<base64>   TEXT that is not valid UTF-8
 *   ~t<text>     TEXT that is empty, begins with '~', or looks like an INTEGER in a numeric column
 *
 * The id of a key of several columns is the JSON array of their values (value.h).
 */
#ifndef SG_KEY_H
#define SG_KEY_H

#include "replica/table.h"

/* Append one value of a key. NULL is SG_BADVALUE: such a row has no identity. A lower-case UUID
 * takes 17 bytes, a REAL that is an integer is the INTEGER it equals. */
int sg_key_put(sg_buf *out, const sg_value *v);
/* Bind a packed key's values from parameter `first` on. Text and blobs borrow from key, but for
 * UUIDs, which SQLite copies. */
int sg_key_bind(sqlite3_stmt *stmt, int first, sg_slice key);
/* Packed -> the id on the wire, appended. */
int sg_key_to_id(const sg_table *t, sg_slice key, sg_buf *out);
/* The id on the wire -> packed, appended. SG_BADVALUE if it cannot be a key of this table. */
int sg_key_from_id(const sg_table *t, sg_slice id, sg_buf *out);
/* Key given as SQL arguments: one value a column, or one JSON array for all. SG_BADVALUE with a
 * message if it is neither. */
int sg_key_from_args(sg_replica *r, const sg_table *t, int argc, sqlite3_value **argv, sg_buf *out);
/* The order in which a tree of such keys keeps them, as nearly as packed keys tell it: integers by
 * value, UUIDs by their text, anything else so that equal keys stand together. */
int sg_key_cmp(sg_slice a, sg_slice b);
/* The value of a key of one column; false if there are several. Borrows from key or uuid. */
bool sg_key_single(sg_slice key, sg_value *v, char uuid[36]);
/* For people and answers: one value as its JSON, several as a JSON array. */
int sg_key_to_json(sg_slice key, sg_buf *out);

#endif
