/*
 * A record as both sides keep it: its life (alive or deleted) and its fields, each with a mark.
 *
 * Names, clients and actors are interned: the database that holds the record gives them small
 * ids. The server keeps values in the record; a replica keeps them in the user's own row, and only
 * those of fields its schema does not know (L19) here.
 *
 * The packed form is one blob (spec/storage.md): the distinct marks, delta-coded, each followed by
 * the runs of fields it holds for, then values and lists of lost writes where there are any.
 */
#ifndef SG_RECORD_H
#define SG_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Most entries kept in one list of lost writes (L20); beyond it the oldest are dropped. */
#define SG_LOST_MAX 64
#define SG_RECORD_FIELDS_MAX 4000

typedef struct sg_mark {
    int64_t at_us;
    int64_t n;
    int64_t seq; /* server's commit order; 0 while not acknowledged (a replica's own: see acks) */
    uint32_t client; /* interned */
    uint32_t actor;  /* interned */
    uint8_t origin;  /* enum sg_origin */
    bool restamped;  /* the server gave the change another time than its writer (L14) */
} sg_mark;

/* Seqs of people's writes of one field that were overwritten, or deleted with their record, unseen
 * (L5), ascending. */
typedef struct sg_lost {
    int64_t seq[SG_LOST_MAX];
    size_t count;
} sg_lost;

typedef struct sg_field {
    uint32_t name; /* interned */
    sg_mark mark;
    bool has_value;
    sg_slice value; /* JSON; borrowed */
    sg_slice lost;  /* packed sg_lost; borrowed; empty if none */
} sg_field;

typedef struct sg_record {
    bool dead;
    bool has_life; /* false: only fields have been heard of so far */
    sg_mark life;  /* mark of the insert or delete that decides */
    /* Seq of the last change that brought the record back from the dead, 0 if none: all older
     * writes were judged when a tombstone covered them (L5). */
    int64_t revived_seq;
    /* Seq of the last change whose writer shows something else than is here, 0 if none: what lost to
     * what it had applied, or came to a record it may have seen dead. To who has not got so far
     * the whole record is news (L2). */
    int64_t again_seq;
    /* Whose it is, interned; 0: one's own. Of a replica: at the server the feed says it. */
    uint32_t space;
    sg_field *fields; /* ascending by name */
    size_t count;
    size_t cap;
} sg_record;

void sg_record_init(sg_record *r);
void sg_record_deinit(sg_record *r);
/* Empty it, keep the memory. */
void sg_record_clear(sg_record *r);
/* The field of that name, or NULL. */
sg_field *sg_record_find(const sg_record *r, uint32_t name);
/* The field of that name, made if it is missing (then its mark is all zero); NULL: out of memory or
 * SG_RECORD_FIELDS_MAX reached. Valid until the next call. */
sg_field *sg_record_at(sg_record *r, uint32_t name);
/* Remove all fields. */
void sg_record_drop_fields(sg_record *r);
/* Greatest `at` of the fields, or of the life when there are none (L15). */
int64_t sg_record_updated_at(const sg_record *r);

/* Append the packed form. */
void sg_record_pack(const sg_record *r, sg_buf *out);
/* Read it; slices borrow from `packed`. SG_CORRUPT, SG_NOMEM. */
int sg_record_unpack(sg_record *r, sg_slice packed);

/* Lists of lost writes: packed form and set operations. */
int sg_lost_unpack(sg_lost *l, sg_slice packed);
void sg_lost_pack(const sg_lost *l, sg_buf *out);
void sg_lost_add(sg_lost *l, int64_t seq);
bool sg_lost_has(const sg_lost *l, int64_t seq);
/* Forget what lies at or below the purge floor. */
void sg_lost_trim(sg_lost *l, int64_t floor_seq);

#endif
