/* The checks of sigla doctor: each looks at one thing and adds what it found. */
#ifndef SG_CHECKS_H
#define SG_CHECKS_H

#include <sqlite3.h>

#include "findings.h"

/* SQLite's own consistency check of the whole file. */
void sg_check_integrity(sqlite3 *db, sg_findings *f);
/* Every table of Sigla's own is there. */
void sg_check_own(sqlite3 *db, sg_findings *f);
/* Every change that waits to be pushed can be read. */
void sg_check_outbox(sqlite3 *db, sg_findings *f);
/* Tables are tracked, exist, and their triggers are there and know every column. */
void sg_check_tables(sqlite3 *db, sg_findings *f);
void sg_check_triggers(sqlite3 *db, sg_findings *f);
/* Keys that two devices may hand out at the same time. */
void sg_check_keys(sqlite3 *db, sg_findings *f);
/* Sigla's own record of each row can be read. */
void sg_check_marks(sqlite3 *db, sg_findings *f);
/* What waits: pending, refused, parked, conflicts. */
void sg_check_queues(sqlite3 *db, sg_findings *f);
/* Every table holds what the server said at the last sync that it should. */
void sg_check_sums(sqlite3 *db, sg_findings *f);
/* Have the next sync put every table right. */
void sg_check_repair(sqlite3 *db, sg_findings *f);
/* A server's data: are its sums those of its records? Puts them right if asked to. */
void sg_check_data(const char *dir, bool repair, sg_findings *f);
/* How far the clock was from the server's at the last sync. */
void sg_check_clock(sqlite3 *db, sg_findings *f);
/* The stored token: whose, until when. */
void sg_check_token(sqlite3 *db, sg_findings *f);
/* The server answers and takes the token; its clock, now. */
void sg_check_server(sqlite3 *db, sg_findings *f);

#endif
