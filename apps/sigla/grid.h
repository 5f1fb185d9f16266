/*
 * Tables that fit the terminal: columns shrink from the widest, cut cells end with …, and where
 * even that does not fit, each record is written down the page instead of across.
 *
 *     sg_grid g;
 *     sg_grid_init(&g, columns, n, width, colour, write, ctx);
 *     sg_grid_cell(&g, text);              // n times a row
 *     err = sg_grid_end(&g);
 *
 * The first SG_GRID_SAMPLE rows decide the widths; those after them are written as they come, so
 * that memory stays bounded however long the table is. Without a width (no terminal) nothing is
 * cut.
 */
#ifndef SG_GRID_H
#define SG_GRID_H

#include <stdbool.h>

#include "base/buf.h"

#define SG_GRID_SAMPLE 500                     /* rows that are measured, at most */
#define SG_GRID_SAMPLE_BYTES ((size_t)1 << 20) /* of them, roughly */
#define SG_GRID_BYTES ((size_t)64 << 20)       /* of one row */
#define SG_GRID_PAD_MAX 60                     /* widest padding where nothing is cut */
#define SG_GRID_GAP 2                          /* blanks between columns */

enum sg_style { SG_PLAIN, SG_BOLD, SG_DIM, SG_RED, SG_GREEN, SG_YELLOW, SG_CYAN };

typedef struct sg_grid_column {
    const char *title;
    bool right; /* aligned, for numbers */
    bool keep;  /* cut last: times, ids */
    enum sg_style style;
} sg_grid_column;

typedef void sg_grid_write(void *ctx, sg_slice text);

typedef struct sg_grid {
    const sg_grid_column *columns; /* borrowed until the end */
    size_t n;                      /* columns */
    size_t width;                  /* of the terminal; 0: nothing is cut */
    bool colour;
    sg_grid_write *write;
    void *ctx;

    sg_buf cells;   /* clean text of the rows not written yet, one after the other */
    size_t *ends;   /* where each of those cells ends in `cells` */
    size_t ends_n;  /* cells held */
    size_t *widths; /* [n] columns on the terminal, valid once decided */
    size_t rows;    /* written or held */
    bool decided;   /* the widths are */
    bool down;      /* records are written down the page */
    sg_buf line;
    int err; /* latched enum sg_err */
} sg_grid;

void sg_grid_init(sg_grid *g, const sg_grid_column *columns, size_t n, size_t width, bool colour,
                  sg_grid_write *write, void *ctx);
/* The next cell, left to right. Any text: it is cleaned here. */
void sg_grid_cell(sg_grid *g, sg_slice text);
/* Write what is left and free everything; the latched error. */
int sg_grid_end(sg_grid *g);

/* The escape sequence that begins a style; "" for SG_PLAIN. */
const char *sg_style_on(enum sg_style style);
#define SG_STYLE_OFF "\x1b[0m"

#endif
