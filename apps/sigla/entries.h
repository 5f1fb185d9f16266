/*
 * Entries of a record's history, one after the other, as a table or as a JSON array.
 */
#ifndef SG_ENTRIES_H
#define SG_ENTRIES_H

#include "grid.h"

typedef struct sg_entries {
    bool json;
    int64_t count; /* put so far */
    sg_grid grid;
    int err; /* latched enum sg_err */
} sg_entries;

void sg_entries_begin(sg_entries *o, bool json);
/* entry: JSON as the server's history has it: seq, at, op, actor, origin, clientId, n and fields.
 * Of a pending change the fields are bare values, else {"value":…,"outcome":…}. */
void sg_entries_put(sg_entries *o, sg_slice entry, bool pending);
/* Write what is left and free everything; the latched error. An empty array is written only if the
 * log is complete: it says that there is nothing. */
int sg_entries_end(sg_entries *o, bool complete);

#endif
