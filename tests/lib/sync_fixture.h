/*
 * A whole server in a directory of its own, and short ways to speak to it: bodies are written with
 * single quotes for double ones, members of answers are named by path ("acks.0.seq").
 *
 * All functions fail the running cmocka test when something goes wrong that is not the point.
 */
#ifndef SG_TESTS_SYNC_FIXTURE_H
#define SG_TESTS_SYNC_FIXTURE_H

#include "http_fixture.h"

#include <jansson.h>

#include "server/server.h"

typedef struct sync_world {
    char dir[64];
    char listen_dir[80]; /* the data directory in it */
    sg_server_config config;
    sg_server *server;
    http_fixture http;
    char *ann; /* tokens */
    char *bob;
    char *robot; /* ann's agent `planner` */
} sync_world;

/* Defaults: --dev, nothing is ever purged. */
void sync_config(sync_world *w);
/* For cmocka: a server with those defaults for each test. */
int sync_setup(void **state);
int sync_teardown(void **state);
/* Make the directory and start; sync_config first. */
void sync_start(sync_world *w);
/* Stop and start on the same data. */
void sync_restart(sync_world *w);
void sync_halt(sync_world *w);
void sync_resume(sync_world *w);
/* Stop and delete everything. */
void sync_stop(sync_world *w);

/* Freed by the caller. agent may be NULL. */
char *sync_token(const sync_world *w, const char *user, const char *agent);

/* One request on a connection of its own; the answer has to have this status. Freed with
 * json_decref. */
json_t *sync_get(const sync_world *w, const char *token, int status, const char *path, ...)
    __attribute__((format(printf, 4, 5)));
json_t *sync_post(const sync_world *w, const char *token, int status, const char *path,
                  const char *body, ...) __attribute__((format(printf, 5, 6)));
json_t *sync_post_bytes(const sync_world *w, const char *token, int status, const char *path,
                        const char *bytes, size_t n);
/* The same with any method, and with no body where it is NULL. */
json_t *sync_ask(const sync_world *w, const char *method, const char *token, int status,
                 const char *path, const char *body, ...) __attribute__((format(printf, 6, 7)));

/* Somebody with an account and a session. */
typedef struct sync_person {
    char id[40];
    char session[40];
    char *token; /* access */
    char *refresh;
} sync_person;

/* Sign up with this login and the password "correct horse"; freed with sync_person_free. */
sync_person sync_sign_up(const sync_world *w, const char *login);
/* Take over the tokens of an answer. */
void sync_person_take(sync_person *p, const json_t *answer);
void sync_person_free(sync_person *p);

/* A connection that has sent the request for a stream and read its head. */
http_client sync_stream(const sync_world *w, const char *token, const char *path, ...)
    __attribute__((format(printf, 3, 4)));
/* The next event, comments passed over. *name and *id are freed by the caller and may be NULL. The
 * stream's end is an event named "end". */
json_t *sync_event(http_client *c, char **name, char **id);

/* Fail with the whole answer printed. */
const json_t *sync_at(const json_t *root, const char *path);
int64_t sync_int(const json_t *root, const char *path);
const char *sync_text(const json_t *root, const char *path);
size_t sync_count(const json_t *root, const char *path);
void sync_assert_int(const json_t *root, const char *path, int64_t expected);
void sync_assert_text(const json_t *root, const char *path, const char *expected);
/* The member's compact JSON, single quotes for double ones in expected. */
void sync_assert_json(const json_t *root, const char *path, const char *expected);
void sync_assert_count(const json_t *root, const char *path, size_t expected);

/* A copy with ' turned to "; freed by the caller. */
char *sync_quotes(const char *text);

#endif
