/* Pages of a pull or stream: held until the last one, then applied together (L1). */
#include "replica/fold.h"
#include "replica/hydrate.h"
#include "replica/repair.h"
#include "replica/resync.h"
#include "replica/session.h"

#include "base/reader.h"

void sg_session_hold_from(sigla_session *s)
{
    s->held.from_seq = sg_app_stands(&s->place);
    s->held.resync = s->resync;
}

/* Pages go on top of what they were asked for, or there would be a gap below them (L7): since then the
 * database may have been told to ask for everything anew. Of a resync one's own pages are all there is;
 * others, which bring less, must not end it. */
static bool is_passed(const sg_app *now, const sg_held *held)
{
    return sg_app_stands(now) < held->from_seq || (now->resync && !held->resync);
}

static int apply_pages(sg_apply *a, sg_slice pages)
{
    int err = SG_OK;
    if (!a->app.hydrated) return sg_hydrate(a, pages);
    for (sg_reader in = sg_reader_of(pages); err == SG_OK && in.left != 0;)
        err = sg_apply_page(a, sg_read_lenslice(&in));
    return err;
}

/* The last of them is `page`. */
static void apply_held(sigla_session *s, sg_held *held, uint32_t app, const sg_page *page,
                       int64_t asked_us, int *err)
{
    sg_replica *r = s->r;
    *err = sg_replica_begin(r);
    if (*err != SG_OK) return;
    sg_fold(r, err);
    if (asked_us != 0) sg_session_learn_time(s, page, asked_us, err);
    sg_apply a;
    int rc = *err == SG_OK ? sg_apply_open(&a, r, app) : *err;
    bool opened = *err == SG_OK;
    held->passed = rc == SG_OK && is_passed(&a.app, held);
    if (rc == SG_OK && sg_resync_is_due(&a, page->floor_seq, &rc)) {
        held->passed = true; /* what it is to take away is known to those that follow */
        sg_resync_begin(r, &a.app, false, &rc);
    }
    if (rc == SG_OK && !held->passed) rc = apply_pages(&a, sg_buf_view(&held->pages));
    if (opened) rc = sg_apply_close(&a, !page->has_more && !held->passed, rc);
    *err = sg_replica_end(r, rc);
    sg_buf_clear(&held->pages);
    if (*err != SG_OK) return;
    s->progress.pulled += a.count.records;
    s->progress.applied += a.count.fields;
    s->progress.conflicts += a.count.conflicts;
    s->progress.parked += a.count.parked;
}

/* A page that is held for the others says what time it is all the same. */
static void hold(sigla_session *s, const sg_page *page, int64_t asked_us, int *err)
{
    if (asked_us == 0) return;
    *err = sg_replica_begin(s->r);
    if (*err != SG_OK) return;
    sg_session_learn_time(s, page, asked_us, err);
    *err = sg_replica_end(s->r, *err);
}

void sg_session_page(sigla_session *s, sg_held *held, uint32_t app, const sg_page *page,
                     sg_slice json, int64_t asked_us, int *err)
{
    if (*err != SG_OK) return;
    sg_app place;
    held->passed = false;
    sg_app_load(s->r, app, &place, err);
    sg_buf_lenslice(&held->pages, json);
    if (*err == SG_OK) *err = held->pages.err;
    if (*err != SG_OK) return;
    size_t most = place.hydrated ? SG_CATCHUP_BYTES_MAX : SG_HYDRATE_BYTES;
    if (!page->has_more || held->pages.n > most)
        apply_held(s, held, app, page, asked_us, err);
    else
        hold(s, page, asked_us, err);
}

static void forget_pages(sigla_session *s)
{
    sg_buf_clear(&s->held.pages);
    s->pull_cursor[0] = '\0';
}

void sg_session_repair(sigla_session *s, uint32_t app, int *err)
{
    if (*err == SG_OK) *err = sg_replica_begin(s->r);
    if (*err != SG_OK) return;
    sg_repair_begin(s->r, app, err);
    *err = sg_replica_end(s->r, *err);
    s->resync = *err == SG_OK;
    forget_pages(s);
}

void sg_session_resync(sigla_session *s, uint32_t app, bool restored, int *err)
{
    *err = sg_replica_begin(s->r);
    if (*err != SG_OK) return;
    sg_app place;
    sg_app_load(s->r, app, &place, err);
    sg_resync_begin(s->r, &place, restored, err);
    *err = sg_replica_end(s->r, *err);
    s->resync = *err == SG_OK;
    forget_pages(s);
}
