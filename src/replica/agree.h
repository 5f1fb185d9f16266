/*
 * Does this replica hold what the server holds? (spec/storage.md, "Sums")
 *
 * The last page of an answer tells the server's sums at its cursor. They are compared with the kept
 * ones at once, and with what the rows and marks really are by a scan (scan.h). A table that differs is
 * pulled anew (repair.h), then compared again:
 *
 *              +---- told sums are the same --------------------+
 *              v                                                |
 *   UNKNOWN -> EQUAL --differs--> DIFFERS --resync--> REPAIRING --differs still--> FAILED
 *                                    ^                                                |
 *                                    +---- another difference, or a day later --------+
 *
 * Invariants: a difference that a repair has not taken away is not repaired again before a day has
 * passed, and sums tell it from a new one, since they subtract; what cannot be compared now keeps its
 * state, and its reason says why.
 */
#ifndef SG_AGREE_H
#define SG_AGREE_H

#include "replica/apply.h"

#define SG_AGREE_AGAIN_US (INT64_C(86400) * 1000000) /* before a repair in vain is tried again */

/* Stored: values are never given another meaning. */
enum sg_agree_state {
    SG_AGREE_UNKNOWN = 0,
    SG_AGREE_EQUAL = 1,
    SG_AGREE_DIFFERS = 2,
    SG_AGREE_REPAIRING = 3,
    SG_AGREE_FAILED = 4
};

/* What differed, a bit each; stored as well. */
#define SG_DIFFERS_MARKS 1
#define SG_DIFFERS_VALUES 2
#define SG_DIFFERS_KEPT 4   /* the kept sums were not those of the marks */
#define SG_DIFFERS_ROWS 8   /* rows without marks were there */
#define SG_DIFFERS_ASKED 16 /* nobody knows: somebody asked for a repair */

/* Why a table is not compared. X(name, sentence) */
#define SG_UNCOMPARED(X)                                                                           \
    X(NOTHING, "")                                                                                 \
    X(UNTOLD, "the server has not said yet what it holds")                                         \
    X(PENDING, "changes made here wait to be sent")                                                \
    X(REFUSED, "changes were refused by the server")                                               \
    X(PARKED, "records are kept out by this database's rules")                                     \
    X(PULLING, "everything is being pulled")                                                       \
    X(DROPPED, "a column whose values the server holds was dropped or renamed here")

#define SG_UNCOMPARED_ENUM(name, text) SG_UNCOMPARED_##name,
enum sg_uncompared { SG_UNCOMPARED(SG_UNCOMPARED_ENUM) SG_UNCOMPARED_COUNT };
#undef SG_UNCOMPARED_ENUM

/* One table's row of sigla_sum. */
typedef struct sg_agree {
    uint32_t table;
    int64_t changes;  /* records saved ever */
    sg_sum kept;      /* rolling; values are not kept */
    bool recount;     /* they are not to be trusted */
    sg_sum told;      /* by the server … */
    int64_t told_seq; /* … at this seq; -1: never */
    int state;        /* enum sg_agree_state */
    int what;         /* bits of the last difference */
    int reason;       /* enum sg_uncompared */
    int64_t scanned_us;
    int64_t scanned_changes;
    int64_t found_seq, found_us;    /* of the last difference; 0: none ever */
    int64_t mended_us;              /* 0: not */
    uint64_t off_marks, off_values; /* told less found, as a repair has left it */
} sg_agree;

void sg_agree_load(sg_replica *r, uint32_t table, sg_agree *a, int *err);
/* All but `changes`, which rolls by itself. */
void sg_agree_save(sg_replica *r, const sg_agree *a, int *err);
const char *sg_uncompared_text(int reason);

/* The page is applied, and the cursor stands at its end: what it tells of each table. */
void sg_agree_told(sg_apply *a, const sg_page *page, int *err);
/* The app is level with the server: compare the kept sums of its tables. */
void sg_agree_compare(sg_apply *a, int *err);

/* Why this table cannot be compared now. */
enum sg_uncompared sg_agree_obstacle(sg_replica *r, const sg_app *app, const sg_table *t,
                                     const sg_agree *a, int *err);
/* Were changes of that table refused, and are not settled? */
bool sg_agree_refused(sg_replica *r, const sg_table *t, int *err);
/* A difference is found, now. */
void sg_agree_note(sg_replica *r, sg_agree *a, int what);
/* Judge by what is really there. */
void sg_agree_judge(sg_replica *r, sg_agree *a, const sg_sum *found);
/* The first table of the app that is to be repaired; 0: none. */
uint32_t sg_agree_differing(sg_replica *r, uint32_t app, int *err);

#endif
