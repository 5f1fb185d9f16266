/*
 * What a table really holds: its rows and marks read and summed up, a bounded number at a time.
 *
 * The rolling sums (sums.h) say what this replica believes to hold. What was changed behind its back,
 * by a program without Sigla or by a bad disk, only reading tells.
 */
#ifndef SG_SCAN_H
#define SG_SCAN_H

#include "core/sum.h"
#include "replica/table.h"

typedef struct sg_scan {
    sg_replica *r;
    sg_table *table;
    uint32_t table_id;
    bool marks_only;
    sg_sum sum;
    int64_t rows;      /* records looked at by the last call */
    int64_t missing;   /* live records without a row */
    int64_t undead;    /* rows of dead records */
    int64_t damaged;   /* records whose marks cannot be read */
    int64_t valueless; /* fields whose value this database does not have: their column is gone */
    sg_buf key;        /* where it stands */
    sg_record record;
    sg_buf scratch, json, id;
} sg_scan;

void sg_scan_begin(sg_scan *s, sg_replica *r, sg_table *t);
void sg_scan_end(sg_scan *s);
/* Go on for at most so many records; true: that was all. Between two calls nothing of the table may
 * have changed, and s->table is to be found again. */
bool sg_scan_some(sg_scan *s, int64_t most, int *err);
/* After all of it: rows of the table that no record was found for. */
int64_t sg_scan_unmarked(sg_scan *s, int *err);

#endif
