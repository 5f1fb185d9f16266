/*
 * A whole Sigla in one process: the real store, ingest and delta of the server, real replicas, a
 * virtual clock, and a network that does what the test says. Nothing runs by itself; one seed gives
 * one run.
 */
#ifndef SG_TEST_WORLD_H
#define SG_TEST_WORLD_H

#include <sqlite3.h>

#include "server/apply.h"
#include "server/delta.h"
#include "sigla.h"

#define WORLD_DEVICES_MAX 8

/* The table that most tests do with, and all there is to see of it. */
#define WORLD_SCHEMA                                                                               \
    "CREATE TABLE t(id TEXT PRIMARY KEY, a, b);"                                                   \
    "SELECT sigla_track('t')"
#define WORLD_ROWS "SELECT * FROM t ORDER BY id"
#define WORLD_MARKS                                                                                \
    "SELECT t.id,m.field,m.value,m.at,m.actor,m.client,m.n,m.seq FROM t, sigla_marks('t',t.id) m " \
    "ORDER BY 1,2"

typedef struct world world;

typedef struct device {
    world *w;
    int index;
    char path[300];
    sqlite3 *db;
    sigla_session *session;
    const char *user;
    int64_t skew_us; /* its clock minus the true time */
} device;

struct world {
    char dir[256];
    int64_t now_us; /* the true time, which is the server's */
    sg_store store;
    sg_writer *writer;
    sg_view *view;
    sg_applier *applier;
    sg_epoch epoch;
    const char *user; /* whose the next device is, and the next request; "ann" at first */
    device *devices[WORLD_DEVICES_MAX];
    int device_count;
    int64_t kept_us; /* the time of what world_keep has kept */
};

/* What the network does with one request. */
enum fate {
    FATE_FINE,
    FATE_LOST,        /* never arrives */
    FATE_ANSWER_LOST, /* is carried out, but nobody hears of it */
    FATE_TWICE,       /* arrives twice; the second answer is the one that is heard */
    FATE_BUSY         /* refused with 503 */
};

void world_open(world *w);
void world_close(world *w);
/* A device of w->user with the schema and tables of `sql`, tracked by `track`. */
device *world_device(world *w, const char *sql);
/* Close and open the database again, as after a restart. */
void device_restart(device *d);
/* Run SQL; fails the test on an error. */
void device_exec(device *d, const char *sql);
/* Run SQL that may fail; SQLite's code. */
int device_try(device *d, const char *sql);
/* First column of the first row as text (sqlite3_free), or NULL. */
char *device_text(device *d, const char *sql);
int64_t device_int(device *d, const char *sql);
/* All rows as lines of columns joined by '|' (sqlite3_free). */
char *device_rows(device *d, const char *sql);
/* Make one step of the device's session under that fate. False when there is nothing to do. */
bool device_step(device *d, enum fate fate);
/* Sync to the end over a perfect network. */
void device_sync(device *d);
/* A device whose database is a copy of that one's file as it is now. */
device *world_copy(world *w, const device *from);
/* The same file once more: another program at that database. */
device *world_again(world *w, const device *of);
/* Keep a copy of the server's data; put it in the data's place. */
void world_backup(world *w);
void world_put_back(world *w);
/* Keep a copy of everybody's data; begin again from there, as after a restart of all. */
void world_keep(world *w);
void world_return(world *w);
/* Forget deletes, history and answers that are older than now. */
void world_purge(world *w);
/* The same, which may fail. */
int world_try_purge(world *w);
/* SQL of the server's directory, committed under a seq of its own, as the routes would do it. */
void world_directory(world *w, const char *sql);
/* Stop the server, as if it had died; open what it left. An error leaves it stopped. */
void world_halt(world *w);
int world_serve(world *w);
/* Carry out a request on the server; the answer's body in out. Returns the HTTP status. */
int world_request(world *w, const char *method, const char *url, sg_slice body, sg_buf *out);

/* For cmocka: a world for each test. */
int world_setup(void **state);
int world_teardown(void **state);
void assert_rows(device *d, const char *sql, const char *want);
/* Both give the same rows. */
void assert_same(device *a, device *b, const char *sql);

#endif
