/*
 * A request that asks the directory, or changes it: from its JSON body to its JSON answer.
 *
 * A route describes what it takes and does; the rest is the same for all of them. The texts and
 * numbers of the body are read and checked on the loop's thread. What needs a password's hash goes
 * to a thread that has time for it first. Then `run` reads on a thread of the pool, or changes as a
 * task of the writer, and what it has written is answered once it is committed.
 *
 *     static const sg_call_field fields[] = {{.name = "name", .max = SG_TITLE_MAX, .needed = true},
 *                                            {0}};
 *     static int run(sg_call *c, sg_directory *d)
 *     {
 *         int err = sg_space_change(d, c->claims.user, c->params[0], SG_LIT(""), c->texts[0]);
 *         ... write c->json ...
 *         return err;
 *     }
 *     static const sg_call_spec rename = {.fields = fields, .writes = true, .run = run};
 *     void sg_route_rename(void *ctx, const sg_http *http, const sg_http_req *req)
 *     {
 *         sg_call_start(ctx, http, req, &rename);
 *     }
 */
#ifndef SG_CALL_H
#define SG_CALL_H

#include "server/directory.h"
#include "server/server.h"
#include "wire/json.h"

#define SG_CALL_BODY_MAX ((size_t)16 << 10) /* bytes of a body; over it 413 */
#define SG_CALL_ANSWER_MAX ((size_t)4 << 20)
#define SG_CALL_FIELDS 6u  /* members of a body that a route may take */
#define SG_CALL_PARAMS 2u  /* ids in a path */
#define SG_HASHES_MAX 256u /* passwords waiting to be hashed; over it 503 busy */
#define SG_HASHERS 2u      /* of them at work, each with SG_PASSWORD_BYTES */

/* A member of the body: a text if max is not 0, else a number from low to high. */
typedef struct sg_call_field {
    const char *name;
    size_t max; /* bytes */
    int64_t low, high;
    bool needed;
    bool secret; /* may hold any characters */
} sg_call_field;

typedef struct sg_call sg_call;

typedef struct sg_call_spec {
    const sg_call_field *fields; /* ends with a zero; NULL: there is no body */
    bool open;                   /* needs no token */
    bool agents;                 /* an agent's token will do */
    bool writes;                 /* changes something */
    bool secret;                 /* the answer holds secrets */
    int status;                  /* of the answer; 0: 200 */
    /* What the fields alone cannot say, on the loop's thread. May be NULL. */
    int (*check)(sg_call *c);
    /* Where passwords are hashed, before run. First whose: find the person, for c->found. Then the
     * hashing, which takes long, and holds no snapshot. Both or neither. */
    int (*look)(sg_call *c, sg_directory *d);
    int (*prepare)(sg_call *c);
    /* On an error nothing of it is done; c->detail, a literal, may say more. May be run again after
     * its group has failed. */
    int (*run)(sg_call *c, sg_directory *d);
} sg_call_spec;

struct sg_call {
    sg_task task; /* while the writer has it */
    sg_job job;   /* while a pool has it */
    const sg_call_spec *spec;
    sg_server *server;
    uint64_t id;    /* of the request */
    sg_arena arena; /* holds what follows */
    sg_claims claims;
    sg_slice peer;
    sg_slice params[SG_CALL_PARAMS];
    sg_slice texts[SG_CALL_FIELDS]; /* in the order of the fields; p is NULL where one is missing */
    int64_t numbers[SG_CALL_FIELDS];
    sg_person found;   /* by look; an empty id: nobody */
    sg_slice new_hash; /* made by prepare */

    /* What run says. */
    sg_buf out;
    sg_jsonw json; /* onto out */
    const char *detail;
    int verdict;     /* an error to answer with although what was done stays done */
    sg_slice *ended; /* sessions whose tokens are not to be taken any more */
    size_t ended_count;
    char moved[SG_ID_TEXT + 3]; /* a person's or a space's scope that others read now, or do not */
};

void sg_call_start(sg_server *s, const sg_http *http, const sg_http_req *req,
                   const sg_call_spec *spec);
/* An error, and what to say of it. */
static inline int sg_call_refuse(sg_call *c, int err, const char *detail)
{
    c->detail = detail;
    return err;
}
/* Who reads what has changed, by a person ("u:") or of a space ("s:"): streams and sockets are told once
 * it is committed. */
void sg_call_moved(sg_call *c, const char *prefix, sg_slice id);
/* "key": an ISO time; null for 0. */
void sg_call_time(sg_call *c, const char *key, int64_t at_us);

#endif
