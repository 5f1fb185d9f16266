/*
 * Pages: what changed since a cursor, as JSON (spec/protocol.md, "pull" and the answer of a push).
 *
 * A writer turns stored records into one of the two dialects. The reader takes whatever carries a
 * version 2 page: the answer of a pull or a push, or the data of a stream's event.
 *
 * Threads: one owner at a time.
 */
#ifndef SG_PAGE_JSON_H
#define SG_PAGE_JSON_H

#include "base/arena.h"
#include "core/actor.h"
#include "core/record.h"
#include "core/sum.h"
#include "wire/index_map.h"
#include "wire/json.h"

/* ---- writing ---- */

/* How to get the texts of interned ids; a slice is borrowed until the page is finished. An id that
 * is unknown gives an empty slice, and the page SG_CORRUPT. */
typedef struct sg_texts {
    void *ctx;
    sg_slice (*name)(void *ctx, uint32_t id);
    sg_slice (*client)(void *ctx, uint32_t id);
    sg_slice (*actor)(void *ctx, uint32_t id);
} sg_texts;

typedef struct sg_page_writer {
    sg_jsonw *w; /* errors latch in its buffer */
    const sg_texts *texts;
    int64_t since;  /* what changed at or before this seq is known to the reader */
    uint32_t self;  /* the reading client, interned; 0: not known */
    int version;    /* 1 or 2: spec/protocol.md, "dialects" */
    sg_slice space; /* of the record being written; empty: the reader's own */
    sg_index_map clients;
    sg_index_map actors;
    struct sg_page_marks *marks; /* of the record being written */
} sg_page_writer;

/* Is the whole record news to the reader, its own writes too (core/record.h, again_seq)? */
static inline bool sg_page_again(const sg_page_writer *p, const sg_record *r)
{
    return r->again_seq > p->since;
}

/* The records go where w stands: inside the array of serverChanges (version 1: changes). */
void sg_page_writer_init(sg_page_writer *p, sg_jsonw *w, const sg_texts *texts);
void sg_page_writer_deinit(sg_page_writer *p);
/* What of the record its reader does not know yet. False: nothing, and nothing was written. */
bool sg_page_put(sg_page_writer *p, sg_slice table, sg_slice id, const sg_record *record);
/* Version 2: after the array, inside the page's object: the tables `clients` and `actors`. */
void sg_page_put_tables(sg_page_writer *p);

/* ---- reading ---- */

#define SG_PAGE_ACKS_MAX 100000u    /* entries of acks, rejected and restamped in one answer */
#define SG_PAGE_SUMS_MAX 100000u    /* entries of sums */
#define SG_SUM_TEXT 16              /* hex digits of one sum */
#define SG_PAGE_LEFT_MAX 10000u     /* spaces in `left` */
#define SG_PAGE_CLIENTS_MAX 100000u /* texts in `clients`, objects in `actors` */

/* The numbers n … n + count - 1 were committed as seq … seq + count - 1. */
typedef struct sg_ack {
    int64_t n;
    int64_t seq;
    int64_t count;
} sg_ack;

typedef struct sg_rejection {
    int64_t n;     /* 0: the change had no number, and table and id say which */
    int code;      /* enum sg_err; SG_INTERNAL if this version does not know it */
    sg_slice text; /* the code as it was sent */
    sg_slice message;
    sg_slice table;
    sg_slice id;
} sg_rejection;

/* The server's sums over a table's records at the page's cursor (core/sum.h). */
typedef struct sg_page_sum {
    sg_slice table;
    sg_sum sum;
} sg_page_sum;

typedef struct sg_restamp {
    int64_t n;
    int64_t at_us;
} sg_restamp;

/* A page, borrowed from the text it was read from and from its arena. Members that the text lacks
 * are empty, 0 or false. */
typedef struct sg_page {
    int64_t server_us; /* serverTime; 0 if missing */
    sg_slice epoch;
    sg_slice synced_until; /* cursor */
    int64_t synced_seq;
    int64_t floor_seq;    /* deletes up to here may be forgotten at the server; 0: none */
    const sg_slice *left; /* spaces that are not read any more */
    size_t left_count;
    bool has_more;
    int64_t staged; /* numbers up to this one are kept until the rest of their transaction comes */
    const sg_ack *acks;
    size_t ack_count;
    const sg_rejection *rejected;
    size_t rejected_count;
    const sg_restamp *restamped;
    size_t restamped_count;
    bool summed; /* it has sums: all tables that are not among them are empty */
    const sg_page_sum *sums;
    size_t sum_count;
    const sg_slice *clients; /* texts */
    size_t client_count;
    const sg_slice *actors; /* JSON objects */
    size_t actor_count;
    sg_json text;    /* the whole page: what stands behind the records is read after them */
    sg_json records; /* the array of records, read apart if it stands before what it needs */
    bool inside;     /* text stands inside the array of records */
    bool done;
    sg_arena *arena;
} sg_page;

typedef struct sg_page_mark {
    int64_t at_us;
    int64_t n;
    int64_t seq;
    uint32_t client_index; /* into page->clients: for memos of what was interned already */
    uint32_t actor_index;
    sg_slice client;
    sg_slice actor;
    enum sg_origin origin;
    bool restamped;
} sg_page_mark;

typedef struct sg_page_field {
    sg_slice name;
    sg_slice value; /* JSON, the bytes its writer sent */
    const sg_page_mark *mark;
    const sg_lost *lost; /* never NULL */
} sg_page_field;

typedef struct sg_page_record {
    sg_slice table;
    sg_slice id;
    sg_slice space; /* empty: the reader's own */
    bool dead;
    const sg_page_mark *life; /* NULL: the record's life has not changed */
    /* Of a dead record: those that have lost writes, value null, under the life's mark. */
    const sg_page_field *fields;
    size_t count;
} sg_page_record;

/*
 * Read all of a page that stands before its records, which is everything if a server of ours wrote
 * it
 * (`serverChanges` last). SG_BADJSON, SG_BADREQUEST (not a page), SG_LIMIT, SG_NOMEM. The text and
 * the arena must live as long as the page. Only after sg_page_next has said that there are no more
 * records is the whole text known to be good: apply in a transaction that can be rolled back.
 *
 *     sg_page page;
 *     err = sg_page_open(&page, body, &arena);
 *     bool got = err == SG_OK;
 *     for (sg_page_record rec; got && err == SG_OK;) {
 *         err = sg_page_next(&page, &rec, &one, &got);
 *         if (err == SG_OK && got) apply(&rec);
 *         sg_arena_reset(&one);
 *     }
 */
int sg_page_open(sg_page *p, sg_slice json, sg_arena *arena);
/* The next record, in commit order, its parts in `arena`, which may be reset between records if it
 * is not the page's own. *got = false: there are no more. Errors as above. */
int sg_page_next(sg_page *p, sg_page_record *record, sg_arena *arena, bool *got);

#endif
