#include "replica/tombstone.h"

#include <stdio.h>

#include "replica/intern.h"
#include "replica/resync.h"

#define FLOOR_KEY_MAX 32

static void floor_key(const sg_apply *a, char out[FLOOR_KEY_MAX])
{
    snprintf(out, FLOOR_KEY_MAX, "floor_%u", a->app.id);
}

/* Is the delete below the floor, and known to the server? */
static bool is_forgotten(sg_apply *a, int64_t floor, int *err)
{
    const sg_record *rec = &a->rec.record;
    if (!rec->dead) return false;
    int64_t seq = rec->life.seq;
    if (seq == 0) seq = sg_ack_seq(a->r, rec->life.client, rec->life.n, err);
    return seq != 0 && seq <= floor;
}

static int forget_in(sg_apply *a, sg_table *t, int64_t floor)
{
    int err = SG_OK;
    sg_buf_clear(&a->key);
    while (sg_resync_next(a->r, t, SG_STMT_REC_NEXT, &a->key, &err)) {
        sg_slice key = sg_buf_view(&a->key);
        sg_rec_load(a->r, &a->rec, t, key, &err);
        if (err == SG_OK && is_forgotten(a, floor, &err))
            sg_rec_delete(a->r, &a->rec, t, key, &err);
    }
    return err;
}

int sg_tombstones_forget(sg_apply *a, int64_t floor)
{
    int err = SG_OK;
    char name[FLOOR_KEY_MAX];
    if (floor == 0) return SG_OK;
    floor_key(a, name);
    if (sg_state_int(a->r, name, 0, &err) >= floor || err != SG_OK) return err;
    for (size_t i = 0; i < a->r->table_count && err == SG_OK; i++)
        if (a->r->tables[i]->app == a->app.id) err = forget_in(a, a->r->tables[i], floor);
    sg_state_set_int(a->r, name, floor, &err);
    return err;
}
