/* The shadow of one record: its packed marks in sigla_rec. */
#ifndef SG_REC_H
#define SG_REC_H

#include "replica/table.h"

#define SG_NOT_INDEXED INT64_C(-1)

/* A loaded shadow: the record's slices borrow from `packed`, so one rec is used at a time. */
typedef struct sg_rec {
    sg_record record;
    sg_buf packed;
    sg_buf scratch;
    sg_slice stored;  /* the packed form that is in sigla_rec; empty: none */
    sg_record before; /* the same, unpacked: its marks only */
    sg_buf id;
    bool exists;        /* there was a row */
    int64_t updated_at; /* as the index has it; SG_NOT_INDEXED if it is not there */
} sg_rec;

void sg_rec_init(sg_rec *rec);
void sg_rec_deinit(sg_rec *rec);
/* Load (an empty record if there is none). */
void sg_rec_load(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err);
/* The same of a record that is about to be put right: one that cannot be read is an empty one, which
 * exists. */
void sg_rec_load_anyhow(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err);
/* Begin an empty record that is not known to be stored. */
void sg_rec_clear(sg_rec *rec);
/* Save it if there is none; false: there is one, or an error. */
bool sg_rec_add(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err);
void sg_rec_save(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err);
void sg_rec_delete(sg_replica *r, sg_rec *rec, const sg_table *t, sg_slice key, int *err);

/* A run of one's own numbers that the server acknowledged: n … got seq …; count 0: there is none. */
typedef struct sg_ack_run {
    int64_t n, count, seq;
} sg_ack_run;
/* The last run that begins at or below n. */
sg_ack_run sg_ack_run_at(sg_replica *r, uint32_t client, int64_t n, int *err);
/* The seq under which the server acknowledged change n of that client; 0 if it has not. */
int64_t sg_ack_seq(sg_replica *r, uint32_t client, int64_t n, int *err);

#endif
