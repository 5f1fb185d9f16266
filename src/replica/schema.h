/* The tables Sigla keeps inside the user's database (spec/storage.md). */
#ifndef SG_SCHEMA_H
#define SG_SCHEMA_H

/* Creates them all; run once, inside a transaction. */
extern const char sg_schema_sql[];

#endif
