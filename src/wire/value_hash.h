/*
 * The hash of a value, equal for what SQLite may make of one value in columns of different types.
 *
 * A replica keeps what the server sends in columns of its own: there 1, 1.0, "1" and true may become
 * one another, a list its text, and a double the 15 digits that a TEXT column keeps of it. None of
 * that is a difference between two databases. Equal are therefore
 *
 *   numbers    of one value, whatever their spelling: integers within int64 exactly, all others by
 *              their first 15 digits
 *   booleans   and 1 and 0
 *   texts      that SQLite reads as a number, and that number: " 7", "7.0", "007" and 7
 *   texts      that are a JSON array or object, and that array or object: members in any order,
 *              whatever their white space and escapes
 *
 * and nothing else but what is the same. What it cannot see follows from that. A difference it is where
 * a column has rounded an integer of more than 15 digits: to a double in a REAL column beyond 2^53, to
 * 15 digits where a REAL comes into a TEXT column. And of an object that has a key twice all members
 * count, of which a JSON reader may take the last alone.
 *
 * Threads: any; nothing is shared but the caller's scratch.
 */
#ifndef SG_VALUE_HASH_H
#define SG_VALUE_HASH_H

#include "wire/value.h"

/* Bytes of a text that is read as a number; longer ones are texts. */
#define SG_NUMBER_TEXT_MAX 400u

/* Of a value of SQLite's. Scratch is used for texts with escapes, and left as it was; an error (out of
 * memory, its cap) latches there, and the hash means nothing then. */
uint64_t sg_value_hash(const sg_value *v, sg_buf *scratch);
/* Of a valid JSON value, as a column that is not for JSON takes it. What such a column cannot take
 * (a damaged tagged form) has the hash of its bytes. */
uint64_t sg_value_hash_json(sg_slice json, sg_buf *scratch);

#endif
