/*
 * A whole Sigla in one process: real replicas and sessions, the server's real ingest, delta and
 * store, on disks in memory, under a clock and a network that do what the seed says. One seed gives
 * one run. spec/simulation.md says what is simulated and what must hold.
 *
 *     plan.c    seed -> a list of steps          device.c  a replica on a disk
 *     step.c    carries out one step             server.c  the server on a disk
 *     model.c   what should come out of it       network.c what is on its way
 *     check.c   compares the two                 main.c    seeds, workers, shrinking
 *     run.c     from the first step to the end   template.c disks to begin with
 *     conflict.c  what L5 says of a device
 */
#ifndef SG_SIM_H
#define SG_SIM_H

#include <setjmp.h>
#include <sqlite3.h>

#include "server/apply.h"
#include "server/delta.h"
#include "sigla.h"
#include "sim/disk.h"

#define SIM_DEVICES_MAX 10 /* with copies */
#define SIM_STEPS_MAX 400
#define SIM_USERS 2
#define SIM_KEYS 3   /* records a user has at most */
#define SIM_FIELDS 5 /* a b c, and d e that come by ALTER TABLE */
#define SIM_WRITES_MAX 3000
#define SIM_MESSAGES_MAX 32
#define SIM_SERVER_DISK 0
#define SIM_AGENT "agent:tidy"

/* ---- the plan ---- */

/* What may go wrong in a run; each seed allows some of it (swarm testing: Groce et al., ISSTA 2012). */
enum sim_trouble {
    TROUBLE_NETWORK = 1 << 0,    /* loss, repetition, delay, partitions, answers that never come */
    TROUBLE_CUT = 1 << 1,        /* half-written requests */
    TROUBLE_RESTART = 1 << 2,    /* programs closed between any two statements */
    TROUBLE_KILL = 1 << 3,       /* processes killed at any write of the disk, both sides */
    TROUBLE_POWER = 1 << 4,      /* power lost: what was not synced is there or not */
    TROUBLE_DISK = 1 << 5,       /* full disks and I/O errors */
    TROUBLE_MEMORY = 1 << 6,     /* allocations that fail */
    TROUBLE_CLOCK = 1 << 7,      /* clocks wrong by minutes */
    TROUBLE_WILD_CLOCK = 1 << 8, /* by years */
    TROUBLE_SCHEMA = 1 << 9,     /* columns added on some devices */
    TROUBLE_COPY = 1 << 10,      /* databases copied, and put back from a backup */
    TROUBLE_SERVER_BACK = 1 << 11, /* the server put back from a backup */
    TROUBLE_PURGE = 1 << 12,       /* deletes and history forgotten while devices sleep */
    TROUBLE_STREAM = 1 << 13,      /* live streams that break anywhere */
    TROUBLE_SETTLE = 1 << 14,      /* conflicts restored and dismissed on the way */
    TROUBLE_REFUSAL = 1 << 15,     /* agents that write what their token does not allow */
    TROUBLE_STILL = 1 << 16,       /* clocks that stand still, so that many stamps are equal */
    TROUBLE_CORRUPT = 1 << 17,     /* rows and marks altered behind a replica's back */
    TROUBLE_COUNT = 18
};

enum sim_kind {
    STEP_EDIT,
    STEP_TALK,    /* a device's session makes one step */
    STEP_DELIVER, /* something that is on its way arrives */
    STEP_GIVE_UP, /* a device stops waiting for its answer */
    STEP_SYNC,    /* to the end, over a perfect network */
    STEP_RESTART,
    STEP_DEVICE_FAULT,
    STEP_SERVER_FAULT,
    STEP_MEMORY_FAULT,
    STEP_SERVER_MEMORY,
    STEP_PARTITION,
    STEP_SKEW,
    STEP_TIME,
    STEP_ALTER,
    STEP_DEFAULTS, /* rows put in while the table was not tracked */
    STEP_COPY,
    STEP_BACKUP,
    STEP_RESTORE,
    STEP_SERVER_BACKUP,
    STEP_SERVER_RESTORE,
    STEP_PURGE,
    STEP_STREAM,
    STEP_SETTLE,
    STEP_CORRUPT,
    STEP_KINDS
};

typedef struct sim_step {
    enum sim_kind kind;
    int device;
    uint64_t r; /* what else is to be decided */
} sim_step;

typedef struct sim_plan {
    uint64_t seed;
    unsigned trouble;
    int devices, users;
    unsigned agents; /* a bit a device */
    int count;
    sim_step steps[SIM_STEPS_MAX];
} sim_plan;

void sim_plan_make(sim_plan *p, uint64_t seed);
const char *sim_kind_name(enum sim_kind kind);
const char *sim_trouble_name(int bit);

/* ---- the model (model.c, check.c) ---- */

/* One change to one record, as its device queued it. */
typedef struct sim_write {
    int device;
    char client[40];
    int64_t n, at, base;
    int64_t seq;     /* 0: the server has not committed it */
    int64_t tx_last; /* number of its transaction's last change */
    int key;         /* user * SIM_KEYS + record */
    char op;         /* 'i', 'u', 'd' */
    bool person;
    bool refused, restamped, undone;
    unsigned has;          /* a bit a field */
    int value[SIM_FIELDS]; /* 0: NULL */
    unsigned superseded;   /* fields its own device wrote over before anything else did */
} sim_write;

typedef struct sim_cell {
    const sim_write *by;
    bool judged; /* a tombstone lay over it: that was its first winner */
} sim_cell;

typedef struct sim_state {
    const sim_write *life[SIM_USERS * SIM_KEYS];
    sim_cell cells[SIM_USERS * SIM_KEYS][SIM_FIELDS];
} sim_state;

/* ---- the parts ---- */

typedef struct sim sim;

typedef struct sim_device {
    sim *s;
    int index, user;
    bool agent;  /* its token is an agent's: all that it writes is */
    sqlite3 *db; /* NULL: switched off */
    sigla_session *session;
    unsigned generation; /* of the session: answers to an earlier one find nobody */
    unsigned request;    /* that it waits for; 0: none */
    int64_t skew_us;
    int64_t asked_us; /* when it made the request it waits for */
    bool timed;       /* it has heard the server's time since its clock was last touched */
    bool writing;     /* what it does now may queue changes */
    bool seeding;     /* … and they are defaults: nobody's */
    int64_t reached;  /* where its cursor stood before it was told to ask for everything again */
    unsigned columns; /* a bit a field its table has */
    unsigned vague;   /* keys of which it is not known which of its own values it wrote over */
    int64_t known_n;  /* changes the model has been told of */
    char client[40];
    bool loose;     /* was copied, put back or lost commits: what is due to it is not predicted */
    bool corrupted; /* its rows or marks were altered */
    bool dying;     /* its disk has been told to fail */
    bool power;     /* … and its power to go with it */
    bool memory;    /* an allocation of the next thing it does fails */
    bool streaming;
    bool offline; /* nothing comes through to it, nor from it */
    sg_cursor stream_at;
    unsigned adopted, checked; /* versions of its database that were taken note of */
    disk_image *backup;
    int64_t backup_n;
    unsigned backup_columns;
    sqlite3_stmt *rows, *marks, *place, *pending, *self;
} sim_device;

typedef struct sim_message {
    bool used, answer, cut;
    int device;
    unsigned generation, request;
    bool post;
    int status;
    char url[600];
    sg_buf body;
} sim_message;

typedef struct sim_server {
    sg_store store;
    sg_writer *writer;
    sg_view *view;
    sg_applier *applier;
    sg_epoch epoch;
    bool up, power;
    bool memory; /* an allocation of its next request fails */
    disk_image *backup;
    int64_t backup_seq;
} sim_server;

typedef struct sim_counters {
    uint64_t kinds[STEP_KINDS]; /* steps that did something */
    uint64_t requests, lost, late, cut, repeated, crashes, power_losses, disk_errors, memory_errors;
    uint64_t conflicts, restamped, refused, resyncs, copies_found, pages, events, commits;
} sim_counters;

/* Who plays another story than a plan's keeps books of his own: he is told instead of the model, and
 * the server's pages are as large as they may be. `loose` leaves out the model's checks. */
typedef struct sim_sent sim_sent;
typedef struct sim_watch {
    void (*committed)(sim_device *d, const sim_sent *what, int64_t seq);
    void (*refused)(sim_device *d, const sim_sent *what, sg_slice why);
    /* Before and after the server's work on a request; status -1: it has crashed. */
    void (*asked)(sim_device *d);
    void (*answered)(sim_device *d, int status, sg_slice request, sg_slice answer);
} sim_watch;

struct sim {
    const sim_plan *plan;
    const sim_watch *watch; /* NULL: the model */
    void *story;            /* the watcher's */
    prng g;                 /* of the step at work */
    int64_t now_us;
    int64_t tick_us; /* that passes with everything that is done */
    sim_server server;
    sim_device devices[SIM_DEVICES_MAX + 1];
    int device_count;
    sim_message messages[SIM_MESSAGES_MAX];
    unsigned requests;
    sim_write *writes;
    int write_count;
    int step;   /* at work; the number of steps at the end */
    bool loose; /* something happened after which only agreement is checked */
    bool purged;
    bool put_back; /* the server was */
    sim_counters *counters;
    jmp_buf failed;
    char message[4000];
};

/* Tell what happens, when somebody looks: a line. */
extern bool sim_tracing;
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* End the run as failed. */
_Noreturn void sim_fail(sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define sim_need(s, what)                                                                          \
    do {                                                                                           \
        if (!(what)) sim_fail(s, "%s:%d: %s does not hold", __FILE__, __LINE__, #what);            \
    } while (0)

/* False: the run failed, s->message says why. Steps that cannot be done are left out. */
bool sim_run(sim *s, const sim_plan *plan, sim_counters *counters);

/* server.c */
void sim_server_start(sim *s);
void sim_server_stop(sim *s);
/* The HTTP status; -1: the server has crashed over it. */
int sim_server_request(sim *s, sim_device *from, bool post, const char *url, sg_slice body,
                       sg_buf *out);
/* The event a stream of d gets next, as bytes; empty: there is nothing new. */
int sim_server_event(sim *s, sim_device *d, sg_buf *out);
int64_t sim_server_newest(sim *s);
void sim_server_purge(sim *s);

/* template.c */
/* The disks of the server and of the plan's devices, as they are after a first sync. */
void sim_template_world(sim *s);
/* The disk of a device that has never synced. */
void sim_template_device(sim_device *d);

/* device.c */
/* One more device, of which nothing is on a disk yet. */
sim_device *sim_device_add(sim *s, int user);
/* Switch it on for the first time. */
void sim_device_start(sim_device *d);
/* One that has never synced, switched on. */
sim_device *sim_device_new(sim *s, int user);
bool sim_device_open(sim_device *d);
void sim_device_close(sim_device *d);
/* Run SQL; SQLite's code. Errors that no fault explains fail the run. */
int sim_device_sql(sim_device *d, const char *sql);
int64_t sim_device_int(sim_device *d, const char *sql);
char *sim_device_rows(sim_device *d, const char *sql);
/* Is the database another one than when *seen was noted? It is then noted. */
bool sim_device_changed(sim_device *d, unsigned *seen);
/* A fault may explain an error; false: none can. */
bool sim_device_excused(const sim_device *d);
/* After a fault: the machine or the program starts anew. */
void sim_device_recover(sim_device *d);
/* Its database was put back to an earlier state. */
void sim_device_forget(sim_device *d);
bool sim_device_session(sim_device *d);
void sim_device_hang_up(sim_device *d);
/* Does its database look for a whole to arrive: a first hydration, or a resync? */
bool sim_device_incomplete(sim_device *d);
/* Keys of which it may rightly hold less than the model says (check.c). */
unsigned sim_device_uncertain(sim_device *d);

/* network.c */
void sim_talk(sim *s, sim_device *d, bool perfect);
bool sim_deliver(sim *s, bool perfect);
void sim_give_up(sim_device *d);
/* To the end, over a perfect network. */
void sim_sync(sim *s, sim_device *d);
void sim_drop_messages(sim *s, int device);
void sim_stream(sim *s, sim_device *d);

/* step.c */
bool sim_do(sim *s, const sim_step *step);

/* model.c */
/* Take note of what the device has queued since. */
void sim_adopt(sim_device *d);
/* What the server has decided about a change that d sent. Its time tells apart two that a device has
 * made under one number, because it lost the first with the power. */
struct sim_sent {
    sg_slice client;
    int64_t n, at;
};
void sim_committed(sim *s, sim_device *d, const sim_sent *what, int64_t seq);
void sim_restamped(sim *s, sim_device *d, const sim_sent *what, int64_t at);
void sim_refused(sim *s, sim_device *d, const sim_sent *what, sg_slice why);
/* What d should hold by its cursor and its own changes, up to `before` of them. */
void sim_view(const sim_device *d, int64_t cursor, const sim_write *before, sim_state *out);
bool sim_wins(const sim_write *a, const sim_write *b);
/* The device's records are now those of another one's database (copied or put back). */
void sim_inherit(sim *s, int from, int to);
/* Merge what is in the set: in(ctx, write). */
typedef bool sim_in(void *ctx, const sim_write *w);
void sim_merge(const sim *s, sim_state *out, sim_in *in, void *ctx);
int sim_key_of(const sim_device *d, const char *key);
int sim_field_of(const char *name);
const char *sim_field_name(int f);
bool sim_is_alive(const sim_state *m, int key);
int sim_value_in(const sim_state *m, int key, int f);

/* check.c */
/* How far its database says it has got. */
typedef struct sim_place {
    int64_t seq, settled;
    bool whole; /* a first hydration or a resync is over, or none was needed */
} sim_place;
sim_place sim_device_place(sim_device *d);
/* The device's rows are what its cursor and its own changes say (L1, L2, L7, L10), and so are the
 * conflicts it has raised (L5). */
void sim_check_device(sim_device *d);
/* Everything has been synced: all agree, and what was due was raised. */
void sim_check_end(sim *s);

/* conflict.c */
/* The device at p, which holds `now`, has raised what is due by then, and nothing that is not (L5). */
void sim_check_conflicts(sim_device *d, const sim_place *p, const sim_state *now);

#endif
