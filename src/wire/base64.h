/* Base64 decoded over itself; the appending forms are in wire/value.h. */
#ifndef SG_BASE64_H
#define SG_BASE64_H

#include "wire/value.h"

/* Decode strict, padded base64 of *n characters in place; *n becomes the number of bytes.
 * SG_BADVALUE, and text spoilt, when it is not base64. */
int sg_base64_decode_in_place(char *text, size_t *n);

#endif
