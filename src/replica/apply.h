/*
 * Applying: what a page brings is merged into the shadows and written into the user's rows.
 *
 * One apply is one transaction over one or more pages. Each record is merged by the same decision
 * as on the server (core/merge.h); a row that this database's constraints do not take is parked
 * with its reason and the rest goes on (L9).
 */
#ifndef SG_APPLY_H
#define SG_APPLY_H

#include "replica/app.h"
#include "replica/rec.h"
#include "replica/row.h"
#include "wire/page_json.h"

typedef struct sg_apply_count {
    int64_t records; /* looked at */
    int64_t fields;  /* taken */
    int64_t conflicts;
    int64_t parked;
    int64_t skipped; /* records of tables that are not tracked here */
} sg_apply_count;

/* What a page's clients and actors are interned as; 0: not looked up yet. Lives in the page's arena. */
typedef struct sg_apply_ids {
    uint32_t *clients, *actors;
} sg_apply_ids;

typedef struct sg_apply {
    sg_replica *r;
    sg_app app;
    char new_epoch[SG_EPOCH_MAX + 1]; /* of the pages applied */
    sg_counters counters;
    sg_apply_count count;
    bool journal;   /* there are entries to keep up */
    int64_t proved; /* a server put back: its history is ours at least up to this seq */
    bool foreign_keys;
    struct {
        bool here;
        uint64_t hash[SG_COLUMNS_MAX];
    } shown; /* by the row at hand, while its table is repaired */
    sg_rec rec;
    sg_arena one; /* of the record being applied */
    sg_buf key, scratch, image;
    sg_apply_ids ids; /* of the page whose record is being applied */
} sg_apply;

/* Inside a transaction that the caller began, with everything folded. */
int sg_apply_open(sg_apply *a, sg_replica *r, uint32_t app);
/* Apply one page's records and take its cursor. */
int sg_apply_page(sg_apply *a, sg_slice json);
/* Settle foreign keys, retry what is parked, store cursor and clock. Frees in any case. `last`: the
 * app is now level with the server. */
int sg_apply_close(sg_apply *a, bool last, int err);

/* ---- the parts of applying a page, for hydrate.c ---- */

int sg_apply_ids_init(sg_apply_ids *ids, const sg_page *page);
sg_mark sg_apply_mark(sg_apply *a, const sg_page_mark *m, int *err);
/* Column of a field's name, or -1; pages mostly send fields in one order, so begin at *hint. */
int sg_apply_column(const sg_table *t, sg_slice name, size_t *hint);
/* The clock follows a stamp that was applied (L14). */
void sg_apply_follow(sg_apply *a, int64_t at_us);
int sg_apply_record(sg_apply *a, const sg_page_record *in);
int sg_apply_cursor(sg_apply *a, const sg_page *page);

#endif
