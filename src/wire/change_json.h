/*
 * Changes as JSON (spec/protocol.md, `changes`) and back.
 *
 * A malformed change is refused alone: as long as the text itself is well-formed JSON, reading goes
 * on behind it (L9). Slices of a change point into the text that is read or into the arena, so
 * both must live as long as the change.
 *
 *     sg_change_reader r;
 *     sg_change_reader_init(&r, &arena, now_us);
 *     sg_json_array(&j);
 *     while (sg_json_next(&j)) {
 *         sg_change_in in;
 *         if (!sg_change_read(&r, &j, &in)) break;        // j.err says why
 *         if (in.err != SG_OK) refuse(in.c.n, in.err, in.message);
 *         else take(&in.c);
 *     }
 *     sg_change_reader_deinit(&r);
 *
 * Threads: one owner at a time.
 */
#ifndef SG_CHANGE_JSON_H
#define SG_CHANGE_JSON_H

#include "base/arena.h"
#include "core/change.h"
#include "wire/json.h"

/* Greatest n: what a double still counts exactly. */
#define SG_NUMBER_MAX INT64_C(9007199254740991)
#define SG_PRINCIPAL_MAX 256   /* bytes of an actor's principalId */
#define SG_MESSAGE_NAME_MAX 64 /* bytes of a foreign name quoted in a message */

/* What an actor's JSON says; all the rest of it is passed on unread. */
typedef struct sg_actor_info {
    sg_slice json; /* the object as it came */
    sg_slice principal;
    enum sg_actor_kind kind;
} sg_actor_info;

/* Reads an actor object. SG_BADCHANGE: not an object with a known kind and a principalId;
 * SG_LIMIT: too long; SG_NOMEM. *problem is a literal that completes "actor …". */
int sg_actor_from_json(sg_slice json, sg_arena *arena, sg_actor_info *who, const char **problem);

typedef struct sg_change_in {
    sg_change c;              /* if refused: n, table and id as far as they could be read */
    const sg_actor_info *who; /* NULL: the change names no actor, and c.actor is empty */
    bool has_origin;          /* the change names an origin; else c.origin follows from the actor */
    int err;                  /* why it is refused alone: SG_BADCHANGE, SG_LIMIT, SG_BADVALUE */
    sg_slice message;         /* "changes[3].fields.title.at is not a time"; empty if not refused */
} sg_change_in;

typedef struct sg_change_reader {
    sg_arena *arena;
    int64_t arrival_us; /* the time of changes that give none */
    size_t index;       /* of the next change in the body */
    sg_actor_info *who; /* of the change before: neighbours mostly share their actor */
    sg_buf scratch;
    sg_change_field *fields; /* of the change being read */
    size_t fields_cap;
} sg_change_reader;

void sg_change_reader_init(sg_change_reader *r, sg_arena *arena, int64_t arrival_us);
void sg_change_reader_deinit(sg_change_reader *r);
/* Read the change that comes next. False: the document is broken or memory ran out (j->err). */
bool sg_change_read(sg_change_reader *r, sg_json *j, sg_change_in *out);

/* Write a change in version 2's shape. Left out: `tx` when it is n, `base` when it is unknown, `n`
 * when 0, a field's `at` when it is the change's, an empty space. Errors latch in w->out. */
void sg_change_to_json(sg_jsonw *w, const sg_change *c);

#endif
