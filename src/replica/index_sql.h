/*
 * The text of a CREATE INDEX statement, taken apart: SQLite tells the names of plain columns by its
 * pragmas, but expressions and the WHERE of a partial index only here.
 */
#ifndef SG_INDEX_SQL_H
#define SG_INDEX_SQL_H

#include "base/slice.h"

/* Term i of the index (from 0), without ASC or DESC; empty if there is none. Slices into sql. */
sg_slice sg_index_term(sg_slice sql, size_t i);
/* The condition of a partial index; empty if it is none. */
sg_slice sg_index_where(sg_slice sql);

#endif
