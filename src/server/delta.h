/*
 * What changed since a cursor, as pages: hydration, catch-up, push answers and streams are this one
 * code path (spec/protocol.md, "pull").
 *
 * Threads: whoever owns the view.
 */
#ifndef SG_DELTA_H
#define SG_DELTA_H

#include "server/cursor.h"
#include "server/reach.h"
#include "store/store.h"
#include "wire/page_json.h"

#define SG_PAGE_RECORDS_MAX 1000u            /* records of a page */
#define SG_PAGE_BYTES ((size_t)4 << 20)      /* after which a page takes no further record */
#define SG_PAGE_BYTES_MAX ((size_t)64 << 20) /* with the one record that passes it */
#define SG_PAGE_SCAN_MAX 20000u /* records looked at for a page that has few of them to show */
#define SG_COLLECTIONS_MAX 64u  /* tables one may ask for at once */

typedef struct sg_delta_spec {
    sg_slice scope; /* the reader's own; the spaces that are read along with it follow from it */
    sg_slice app;
    sg_cursor since;
    size_t limit;           /* records; 1 … SG_PAGE_RECORDS_MAX */
    size_t bytes;           /* after which no further record is taken; 0: SG_PAGE_BYTES */
    int version;            /* dialect: 1 or 2 */
    sg_slice self;          /* the reading client; empty: not known */
    const sg_slice *tables; /* only these; none: all */
    size_t table_count;
    bool by_table; /* version 1's streams: records sorted into one part for each table */
} sg_delta_spec;

typedef struct sg_delta_part {
    sg_slice table; /* empty unless by_table */
    sg_buf records; /* a JSON array */
    size_t count;
    sg_jsonw w; /* inside that array */
} sg_delta_part;

typedef struct sg_delta_page {
    sg_delta_part *parts;
    size_t part_count;
    sg_buf names;    /* version 2: an object of `clients` and `actors` */
    size_t count;    /* records that have something to show */
    sg_cursor since; /* the cursor before this page, proved */
    sg_cursor until; /* the cursor behind this page, proved */
    bool more;
    int64_t floor_seq;         /* deletes up to here may be forgotten; 0: none */
    const sg_reach_left *left; /* spaces left since the cursor; in the arena */
    size_t left_count;
    sg_buf sums;     /* of the last page, version 2: an array; empty otherwise */
    bool alone;      /* all that is new comes from one client … */
    sg_slice writer; /* … this one; in the arena */
} sg_delta_page;

/* Read a page inside view_begin … view_end. SG_RESYNC: the cursor lies below the purge floor;
 * SG_RESTORED: it was issued in another history. The page is to be deinit even after an error. */
int sg_delta_read(const sg_store *store, sg_view *view, int64_t newest, const sg_delta_spec *spec,
                  sg_arena *arena, sg_delta_page *page);
void sg_delta_deinit(sg_delta_page *page);

/* The members every page has, inside an object: syncedUntil, syncedSeq, hasMore, the tables and
 * serverChanges, in the order that a reader likes best. */
void sg_delta_put(sg_jsonw *w, const sg_delta_page *page, sg_epoch epoch);
/* serverTime and epoch. */
void sg_delta_put_head(sg_jsonw *w, sg_epoch epoch, int64_t now_us);

#endif
