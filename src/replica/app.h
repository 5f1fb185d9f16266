/* One app's place in the server's history (table sigla_app). */
#ifndef SG_APP_H
#define SG_APP_H

#include "replica/state.h"

#define SG_CURSOR_MAX 128
#define SG_EPOCH_MAX 64

typedef struct sg_app {
    uint32_t id;
    char name[SG_NAME_MAX + 1];
    char cursor[SG_CURSOR_MAX + 1]; /* opaque; empty: from the start */
    int64_t seq;                    /* of the cursor: the base of writes made now */
    char epoch[SG_EPOCH_MAX + 1];
    bool hydrated;   /* has been level with the server once */
    bool resync;     /* pulling everything anew (resync.h) */
    int64_t reached; /* while that goes on: the seq that had been reached before, or … */
    int64_t settled; /* changes up to this number are acknowledged or refused */
} sg_app;

/* … this: the server was put back from a copy, or is an empty one. */
#define SG_REACHED_ELSEWHERE (INT64_MAX - 1)
static inline bool sg_app_restored(const sg_app *app)
{
    return app->resync && app->reached == SG_REACHED_ELSEWHERE;
}

/* The seq it stands at; -1: at the very start, where it is to ask for everything. */
static inline int64_t sg_app_stands(const sg_app *app)
{
    return app->cursor[0] != '\0' ? app->seq : -1;
}

void sg_app_load(sg_replica *r, uint32_t id, sg_app *app, int *err);
void sg_app_save(sg_replica *r, const sg_app *app, int *err);
/* The app with the least id above `after` that has a tracked table; 0 if there is none. */
uint32_t sg_app_after(sg_replica *r, uint32_t after, int *err);
/* The id of a name, made if it is new. */
uint32_t sg_app_named(sg_replica *r, sg_slice name, int *err);
bool sg_app_pending(sg_replica *r, uint32_t id, int *err);

/* The newest acknowledgement, if the cursor does not reach as far: what the server must know. */
bool sg_app_known(sg_replica *r, const sg_app *app, int64_t *n, int64_t *seq, int *err);

/* Changes of all apps that are neither acknowledged nor refused. */
int64_t sg_app_count_pending(sg_replica *r, int *err);

#endif
