/* Doubles as decimal digits and back, bit for bit, whatever the process's locale is. */
#ifndef SG_REAL_H
#define SG_REAL_H

#include "base/buf.h"
#include "base/slice.h"

/* The nearest double to a valid JSON number; infinite when it is beyond the greatest. */
double sg_real_parse(sg_slice number);
/* Append the shortest digits that read back as the same double, always with '.' or 'e' so that it
 * is not taken for an integer. r is finite. */
void sg_real_put(sg_buf *out, double r);

#endif
