/* The user's own rows: writing merged values into them, restoring and deleting. */
#ifndef SG_ROW_H
#define SG_ROW_H

#include "replica/table.h"

typedef struct sg_row_value {
    int column; /* index into table->columns, ascending in a list */
    sg_value value;
} sg_row_value;

/* INSERT or UPDATE of those columns (never the key's). SG_CONFLICT: a constraint of this database
 * does not take it, r->message says which. *changed: rows written. */
int sg_row_put(sg_replica *r, sg_table *t, sg_slice key, const sg_row_value *values, size_t count,
               bool insert, bool *changed);
/* No trigger fires on this connection until sg_triggers_back is given what came back. All its
 * statements are prepared anew when they are next used, each time. */
int sg_triggers_off(sg_replica *r);
void sg_triggers_back(sg_replica *r, int on);
int sg_row_delete(sg_replica *r, sg_table *t, sg_slice key);
/* Write one field's JSON value back as a plain edit; if the row is gone insert it again with the
 * columns of the snapshot (a JSON object). */
int sg_row_restore(sg_replica *r, sg_table *t, sg_slice key, sg_slice snapshot, uint32_t field,
                   sg_slice value);
/* The row as a JSON object of its non-key columns; empty if there is no such row. */
int sg_row_to_json(sg_replica *r, sg_table *t, sg_slice key, sg_buf *out);

#endif
