/*
 * sigla_check(): what tables really hold, beside what is kept and what the server has said.
 */
#ifndef SG_EXAMINE_H
#define SG_EXAMINE_H

#include "replica/table.h"

/* Append a JSON array with an object for each tracked table, or for the one named:
 * {"table", "app", "records", "serverRecords" (null: it has not said), "kept": are the kept sums those
 * of the marks, "marks" and "values": are they the server's (null: not compared), "notCompared": why,
 * "missingRows", "damagedMarks", "unmarkedRows"}. Reads all of them. */
int sg_examine(sg_replica *r, sg_slice table, sg_buf *out);

#endif
