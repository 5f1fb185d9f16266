/*
 * JSON by columns: values are sorted by where they stand in a text, so that what is compressed has
 * like beside like. A page of a thousand records becomes about a quarter smaller than the same page
 * compressed as it is. Nothing is lost: unpacking gives the same bytes.
 *
 *     packed   = %x03 length skeleton *( length column )         length: a varint
 *     skeleton = the text; instead of each value that is neither object nor array one byte,
 *                %x01 for a string, %x02 for a number, true, false or null
 *     column   = *( value LF )                                   strings without their quotes
 *
 * Columns follow in the order in which the skeleton first needs them. Which one a value is in
 * follows from its place: a hash of the keys and positions that lead to it. Objects of one array
 * share a place, and so do the positions from SG_COLUMNS_POSITIONS on; places beyond
 * SG_COLUMNS_MAX share the last column.
 *
 * Threads: any; nothing is shared.
 */
#ifndef SG_COLUMNS_H
#define SG_COLUMNS_H

#include "base/buf.h"

#define SG_COLUMNS_MAX 256u     /* columns of a text */
#define SG_COLUMNS_POSITIONS 8u /* positions of an array told apart */
#define SG_COLUMNS_DEPTH 128u   /* nesting of a text */

/* The text by columns onto out. False: it can't be had so (it is no JSON, it is too deep, memory
 * ran out), and what out holds means nothing. */
bool sg_columns_pack(sg_slice json, sg_buf *out);
/* No JSON text begins like this. */
bool sg_columns_is(sg_slice packed);
/* The text onto out, whose cap bounds it. SG_BADREQUEST when it is damaged, SG_LIMIT, SG_NOMEM.
 * What comes out of a damaged one may be anything but JSON. */
int sg_columns_unpack(sg_slice packed, sg_buf *out);

#endif
