/* A feed's job: one snapshot, a page for everybody who lacks something. */
#include "base/mem.h"
#include "server/answer.h"
#include "server/hub_feed.h"
#include "server/log.h"
#include "server/now.h"

#define EVENT_BYTES_MAX (2 * SG_PAGE_BYTES_MAX)
#define SEND_BATCH 256u

/* ---- events ---- */

static sg_block *event_of(sg_buf *data, sg_slice id)
{
    return data->err == SG_OK ? sg_block_event("changes", id, sg_buf_view(data)) : NULL;
}

static sg_block *event_v2(const sg_delta_page *page, sg_epoch epoch)
{
    sg_buf data;
    char id[SG_CURSOR_TEXT];
    sg_buf_init(&data, EVENT_BYTES_MAX);
    sg_answer_page(page, epoch, sg_now_us(), &data);
    size_t n = sg_cursor_format(page->until, epoch, id);
    sg_block *b = event_of(&data, sg_slice_of(id, n));
    sg_buf_deinit(&data);
    return b;
}

/* One table of a page. All but the last carry the cursor before the page: whoever stops between
 * them must not have skipped a table. */
static sg_block *event_v1(const sg_delta_page *page, size_t i, sg_epoch epoch)
{
    bool last = i + 1 == page->part_count;
    char cursor[SG_CURSOR_TEXT];
    sg_buf data;
    sg_jsonw w;
    size_t n = sg_cursor_format(last ? page->until : page->since, epoch, cursor);
    sg_slice id = sg_slice_of(cursor, n);
    sg_buf_init(&data, EVENT_BYTES_MAX);
    sg_jsonw_init(&w, &data);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "table", page->parts[i].table);
    sg_jsonw_kraw(&w, "changes", sg_buf_view(&page->parts[i].records));
    sg_jsonw_kstr(&w, "syncedUntil", id);
    sg_jsonw_kbool(&w, "hasMore", !last || page->more);
    sg_jsonw_object_end(&w);
    sg_block *b = event_of(&data, last ? id : SG_LIT(""));
    sg_buf_deinit(&data);
    return b;
}

/* ---- sending ---- */

/* Blocks of one page; freed by free_blocks. */
typedef struct blocks {
    sg_block **all;
    size_t count;
} blocks;

static void free_blocks(blocks *b)
{
    for (size_t i = 0; i < b->count; i++)
        sg_block_unref(b->all[i]);
    *b = (blocks){0};
}

static int make_blocks(const sg_delta_page *page, const sg_delta_spec *spec, sg_epoch epoch,
                       sg_arena *arena, blocks *b)
{
    *b = (blocks){0};
    if (page->count == 0) return SG_OK;
    size_t n = spec->version >= 2 ? 1 : page->part_count;
    b->all = sg_arena_alloc(arena, n * sizeof(sg_block *));
    if (b->all == NULL) return SG_NOMEM;
    for (size_t i = 0; i < n; i++) {
        sg_block *one = spec->version >= 2 ? event_v2(page, epoch) : event_v1(page, i, epoch);
        if (one == NULL) {
            free_blocks(b);
            return SG_NOMEM;
        }
        b->all[b->count++] = one;
    }
    return SG_OK;
}

static void send_blocks(const sg_http *http, const uint64_t *ids, size_t n, const blocks *b)
{
    for (size_t i = 0; i < b->count && n != 0; i++)
        sg_http_send_all(http, ids, n, b->all[i]);
}

/* Tell a stream to begin anew, and end it. */
static void send_resync(const sg_hub_sub *sub)
{
    sg_block *b = sg_block_event("resync", SG_LIT(""), SG_LIT("{}"));
    if (b != NULL) sg_http_send(sub->http, sub->id, b);
    sg_block_unref(b);
    sg_http_close(sub->http, sub->id, 1000);
}

/* ---- the run ---- */

typedef struct run {
    sg_hub *hub;
    sg_hub_feed *feed;
    sg_worker *worker;
    int64_t newest; /* of the snapshot */
    bool again;     /* somebody behind is ready for more */
} run;

static int read_page(run *r, const sg_hub_kind *kind, sg_cursor since, sg_slice self,
                     sg_delta_spec *spec, sg_delta_page *page, blocks *b)
{
    sg_arena *arena = &r->worker->arena;
    *spec = (sg_delta_spec){.scope = r->feed->scope,
                            .app = r->feed->app,
                            .since = since,
                            .limit = SG_PAGE_RECORDS_MAX,
                            .bytes = SG_STREAM_PAGE_BYTES,
                            .version = kind->version,
                            .self = self,
                            .tables = kind->tables,
                            .table_count = kind->table_count,
                            .by_table = kind->version < 2};
    int err = sg_delta_read(r->worker->store, r->worker->view, r->newest, spec, arena, page);
    if (err == SG_OK)
        err = make_blocks(page, spec, r->hub->epoch, arena, b);
    else
        *b = (blocks){0};
    return err;
}

/* Everybody live of one kind gets the page; with more behind it they all go behind, and are sent
 * the rest as they take it. With the lock held. */
static void send_kind(run *r, const sg_hub_kind *kind, int err, const sg_delta_page *page,
                      const blocks *b)
{
    uint64_t ids[SEND_BATCH];
    size_t n = 0;
    const sg_http *http = NULL;
    for (sg_hub_sub *s = r->feed->streams; s != NULL; s = s->next) {
        if (s->kind != kind || !s->live) continue;
        http = s->http;
        if (err != SG_OK || page->more) {
            s->live = false;
            s->cursor = err == SG_OK ? page->until : sg_cursor_at(r->feed->head);
            /* drained comes after what is sent now; nothing is sent to the writer, or on an error.
             */
            s->ready = err != SG_OK || b->count == 0;
            r->again |= s->ready;
        }
        if (err != SG_OK) continue;
        bool own = page->alone && s->client.n != 0 && sg_slice_eq(page->writer, s->client);
        if (own && page->more) s->ready = r->again = true;
        if (own) continue;
        ids[n++] = s->id;
        if (n == SEND_BATCH) {
            send_blocks(http, ids, n, b);
            n = 0;
        }
        r->hub->stats.events += b->count;
    }
    send_blocks(http, ids, n, b);
}

static bool has_live(const sg_hub_feed *f, const sg_hub_kind *kind)
{
    for (const sg_hub_sub *s = f->streams; s != NULL; s = s->next)
        if (s->kind == kind && s->live) return true;
    return false;
}

/* All kinds there are now, kept alive while the lock is not held: the list may change then. */
static size_t borrow_kinds(run *r, sg_hub_kind ***kinds)
{
    size_t n = 0;
    for (sg_hub_kind *k = r->feed->kinds; k != NULL; k = k->next)
        n++;
    *kinds = n != 0 ? sg_arena_alloc(&r->worker->arena, n * sizeof **kinds) : NULL;
    if (*kinds == NULL) {
        r->again = n != 0;
        return 0;
    }
    n = 0;
    for (sg_hub_kind *k = r->feed->kinds; k != NULL; k = k->next) {
        k->members++;
        (*kinds)[n++] = k;
    }
    return n;
}

static void give_back(run *r, sg_hub_kind *kind)
{
    sg_hub_kind **at = &r->feed->kinds;
    if (--kind->members != 0) return;
    while (*at != kind)
        at = &(*at)->next;
    *at = kind->next;
    sg_arena_deinit(&kind->arena);
    sg_free(kind);
}

static void advance_kind(run *r, sg_hub_kind *kind)
{
    sg_delta_spec spec;
    sg_delta_page page;
    blocks b;
    int64_t head = r->feed->head;
    if (!has_live(r->feed, kind) || r->newest <= head) return;
    (void)pthread_mutex_unlock(&r->hub->lock);
    int err = read_page(r, kind, sg_cursor_at(head), SG_LIT(""), &spec, &page, &b);
    (void)pthread_mutex_lock(&r->hub->lock);
    send_kind(r, kind, err, &page, &b);
    free_blocks(&b);
    sg_delta_deinit(&page);
}

/* With the lock held, but not while reading. */
static void advance_live(run *r)
{
    sg_hub_kind **kinds;
    size_t n = borrow_kinds(r, &kinds);
    if (r->again) return;
    for (size_t i = 0; i < n; i++) {
        advance_kind(r, kinds[i]);
        give_back(r, kinds[i]);
    }
    if (r->newest > r->feed->head) r->feed->head = r->newest;
}

static void advance_one(run *r, sg_hub_sub *sub)
{
    sg_delta_spec spec;
    sg_delta_page page;
    blocks b;
    sg_hub_kind *kind = sub->kind;
    sg_cursor since = sub->cursor;
    sub->refs++;
    kind->members++;
    (void)pthread_mutex_unlock(&r->hub->lock);
    int err = read_page(r, kind, since, sub->client, &spec, &page, &b);
    (void)pthread_mutex_lock(&r->hub->lock);
    if (!sub->gone && (err == SG_RESYNC || err == SG_RESTORED)) {
        sub->ready = false;
        send_resync(sub);
    } else if (!sub->gone && err != SG_OK) {
        sg_log_error("stream_failed", err);
        sub->ready = false;
        sg_http_close(sub->http, sub->id, 1011);
    } else if (!sub->gone) {
        sub->cursor = page.until;
        sub->live = !page.more;
        sub->ready = page.more && b.count == 0;
        r->again |= sub->ready;
        r->hub->stats.events += b.count;
        send_blocks(sub->http, &sub->id, 1, &b);
    }
    free_blocks(&b);
    sg_delta_deinit(&page);
    give_back(r, kind);
    sg_hub_unref(sub);
}

/* Up to that many who are behind and take a page; kept alive while the lock is not held. */
static size_t borrow_behind(run *r, sg_hub_sub *subs[SG_HUB_BEHIND_MAX])
{
    size_t n = 0;
    for (sg_hub_sub *s = r->feed->streams; s != NULL; s = s->next) {
        if (s->live || !s->ready) continue;
        if (n == SG_HUB_BEHIND_MAX) {
            r->again = true;
            break;
        }
        s->refs++;
        subs[n++] = s;
    }
    return n;
}

/* Only a head that stands at the snapshot can take in who has caught up with it. */
static void advance_behind(run *r)
{
    sg_hub_sub *subs[SG_HUB_BEHIND_MAX];
    if (r->feed->head != r->newest) return;
    size_t n = borrow_behind(r, subs);
    for (size_t i = 0; i < n; i++) {
        if (!subs[i]->gone) advance_one(r, subs[i]);
        sg_hub_unref(subs[i]);
    }
}

/* Which spaces' commits it is to hear of. With the lock held. */
static int read_spaces(run *r)
{
    sg_hub_feed *f = r->feed;
    sg_reach reach;
    (void)pthread_mutex_unlock(&r->hub->lock);
    int err = sg_reach_read(r->worker->store, r->worker->view, f->scope, &r->worker->arena, &reach);
    (void)pthread_mutex_lock(&r->hub->lock);
    f->space_count = 0;
    if (err != SG_OK) return err;
    sg_arena_reset(&f->arena);
    f->spaces = sg_arena_alloc(&f->arena, reach.count * sizeof *f->spaces);
    if (f->spaces == NULL) return SG_NOMEM;
    for (size_t i = 1; i < reach.count && err == SG_OK; i++)
        f->spaces[f->space_count++] = sg_arena_copy(&f->arena, reach.in[i].text, &err);
    return err;
}

void sg_hub_run(sg_job *job, sg_worker *worker)
{
    sg_hub_feed *f = (sg_hub_feed *)(void *)job;
    run r = {.hub = f->hub, .feed = f, .worker = worker};
    const sg_store_ops *ops = worker->store->ops;
    (void)pthread_mutex_lock(&r.hub->lock);
    f->dirty = false;
    r.hub->stats.runs++;
    (void)pthread_mutex_unlock(&r.hub->lock);
    int err = ops->view_begin(worker->view, &r.newest);
    if (err != SG_OK) sg_log_error("stream_read_failed", err);
    (void)pthread_mutex_lock(&r.hub->lock);
    if (err == SG_OK) {
        int unknown = read_spaces(&r);
        advance_live(&r);
        advance_behind(&r);
        if (unknown != SG_OK) r.again = true;
        ops->view_end(worker->view);
    }
    f->scheduled = false;
    if (f->dirty || r.again)
        sg_hub_schedule(f);
    else
        sg_hub_tidy(f);
    (void)pthread_mutex_unlock(&r.hub->lock);
}
