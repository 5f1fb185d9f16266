/*
 * The ledger of a simulated household: every edit, when each device saw it, and what became of it.
 *
 * It knows what people typed and which sync came through, and nothing of marks, bases or lists. From
 * that it says what each device must show, and which values were lost without their loser's having
 * been seen: the conflicts that are due (spec/merge.md L5), no more and no less.
 */
#ifndef SG_YEAR_LEDGER_H
#define SG_YEAR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#define YEAR_DEVICES 4
#define YEAR_FIELDS 6 /* columns a table has at most, beside its key */
#define YEAR_NOBODY (-1)

typedef struct year_edit {
    int device, record;
    char op;                        /* 'i', 'u', 'd' */
    bool person;                    /* not an agent */
    int64_t at_us;                  /* when it was typed, by the true time */
    int64_t seen;                   /* edits the server had, and this device had heard of */
    int64_t place;                  /* in the order of the server's commits, from 1; 0: not there */
    bool refused;                   /* the server had forgotten the record */
    unsigned has;                   /* a bit a field */
    unsigned known;                 /* fields its own device wrote over while it showed them */
    const char *value[YEAR_FIELDS]; /* SQL literals */
} year_edit;

/* What a field shows: the number of an edit, or YEAR_NOBODY. */
typedef struct year_cell {
    int by;
    bool judged; /* its first winner has come */
} year_cell;

typedef struct year_state {
    int life; /* the insert or delete that decides; YEAR_NOBODY: none */
    year_cell cells[YEAR_FIELDS];
} year_state;

typedef struct year_record {
    int table;
    year_state server, view[YEAR_DEVICES];
    int64_t dead_us;                   /* when the server took its delete; 0: alive */
    int purged;                        /* how often the server has forgotten it */
    bool gone;                         /* forgotten now */
    int64_t typed_us[YEAR_FIELDS + 1]; /* when each field, or its life, was last typed, */
    int typed_on[YEAR_FIELDS + 1];     /* and where */
} year_record;

/* A value lost unseen: a conflict, at the device that wrote it. */
typedef struct year_loss {
    int edit, field;
    int64_t id;       /* of the conflict raised for it; 0: none yet */
    int64_t heard_us; /* when its device had caught up with it; 0: not yet */
    bool deleted;     /* with its record */
    bool settled; /* restored, dismissed, expired, or come back and overwritten by its own writer */
    bool claimed; /* found in the list that is being compared */
} year_loss;

typedef struct year_ledger {
    year_edit *edits;
    year_record *records;
    int edit_count, edit_cap, record_count, record_cap;
    int *queue[YEAR_DEVICES]; /* its edits in order: the n-th is its change n */
    int queue_count[YEAR_DEVICES], queue_cap[YEAR_DEVICES];
    int *log; /* edits in the order of the server's commits */
    int log_count, log_cap;
    int64_t known[YEAR_DEVICES]; /* how much of the log each has heard of */
    year_loss *losses[YEAR_DEVICES];
    int loss_count[YEAR_DEVICES], loss_cap[YEAR_DEVICES];
    int64_t refused[YEAR_DEVICES];
    int64_t overwritten_seen; /* a person's value replaced by who had seen it: no conflict */
    int64_t agent_lost;       /* an agent's value lost: no conflict */
    int64_t own_hand;         /* lost unseen, but its writer had replaced it himself */
} year_ledger;

void year_ledger_init(year_ledger *l);
void year_ledger_deinit(year_ledger *l);
/* A new record, of which nothing is known anywhere; its number. */
int year_ledger_record(year_ledger *l, int table);
/* Somebody typed it, and the device's program has committed it. Values are borrowed for good. */
void year_ledger_write(year_ledger *l, const year_edit *e);
/* The server has taken the device's n-th edit; NULL, or what cannot be. */
const char *year_ledger_commit(year_ledger *l, int device, int64_t n, int64_t place,
                               int64_t now_us);
const char *year_ledger_refuse(year_ledger *l, int device, int64_t n);
/* The server forgets what was deleted before. */
void year_ledger_purge(year_ledger *l, int64_t before_us);
/* A sync came through to its end: the device has all that the server has. */
void year_ledger_caught_up(year_ledger *l, int device);

bool year_alive(const year_ledger *l, const year_state *s);
/* The literal a field shows; "NULL" if nothing. */
const char *year_value(const year_ledger *l, const year_state *s, int field);
/* Must the loss be shown at its device, which has caught up? */
bool year_loss_due(const year_ledger *l, const year_loss *x);

#endif
