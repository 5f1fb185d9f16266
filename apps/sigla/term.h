/* What standard output and standard error are: terminals, how wide, with colours or without. */
#ifndef SG_TERM_H
#define SG_TERM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sg_term {
    bool out_colour, err_colour; /* terminals, unless NO_COLOR is set or TERM is dumb */
    bool err_live;               /* standard error can redraw a line */
    size_t out_width;            /* columns; 0 when standard output is no terminal */
    size_t err_width;
} sg_term;

/* Looked up at the first call. */
const sg_term *sg_term_get(void);

#endif
