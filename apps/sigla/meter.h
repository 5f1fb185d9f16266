/*
 * Progress of long work: one line on standard error, rewritten in place, and only if that is a
 * terminal. Short work shows nothing.
 */
#ifndef SG_METER_H
#define SG_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct sg_meter {
    int64_t began_ms; /* monotonic */
    int64_t drawn_ms; /* 0: nothing is on the line */
    const char *doing;
    int64_t from, from_ms; /* what was done, and when, as this doing began */
} sg_meter;

/* Monotonic milliseconds, never 0. */
int64_t sg_meter_now_ms(void);

void sg_meter_begin(sg_meter *m);
/* doing: static; a rate and what is left are those since it last changed. total 0: not known, so no share and no time left are shown. */
void sg_meter_show(sg_meter *m, const char *doing, int64_t done, int64_t total);
/* A line of text instead, at once. */
void sg_meter_note(sg_meter *m, const char *text);
/* Before anything else is printed, and at the end. */
void sg_meter_clear(sg_meter *m);

/* "7 s", "16 min 39 s", "2 h 46 min", "3 days" */
void sg_meter_duration(sg_buf *out, int64_t seconds);
/* "pushing  1,200 of 5,000 (24 %)  3,400/s  2 s left"; of done, `lately` in elapsed_ms. */
void sg_meter_line(sg_buf *out, const char *doing, int64_t done, int64_t total, int64_t lately,
                   int64_t elapsed_ms);

#endif
