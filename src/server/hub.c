#include "base/mem.h"
#include "server/hub_feed.h"

int sg_hub_new(sg_pool *pool, sg_epoch epoch, sg_hub **out)
{
    sg_hub *h = sg_zalloc(sizeof *h);
    if (h == NULL) return SG_NOMEM;
    if (pthread_mutex_init(&h->lock, NULL) != 0) {
        sg_free(h);
        return SG_NOMEM;
    }
    h->pool = pool;
    h->epoch = epoch;
    *out = h;
    return SG_OK;
}

void sg_hub_free(sg_hub *h)
{
    if (h == NULL) return;
    (void)pthread_mutex_destroy(&h->lock);
    sg_free(h);
}

void sg_hub_stats_get(sg_hub *h, sg_hub_stats *out)
{
    (void)pthread_mutex_lock(&h->lock);
    *out = h->stats;
    (void)pthread_mutex_unlock(&h->lock);
}

/* ---- feeds ---- */

static sg_hub_feed **bucket_of(sg_hub *h, sg_slice scope, sg_slice app)
{
    size_t hash = 1469598103u;
    for (size_t i = 0; i < scope.n; i++)
        hash = (hash ^ (unsigned char)scope.p[i]) * 16777619u;
    for (size_t i = 0; i < app.n; i++)
        hash = (hash ^ (unsigned char)app.p[i]) * 16777619u;
    return &h->buckets[hash % SG_HUB_BUCKETS];
}

sg_hub_feed *sg_hub_find(sg_hub *h, sg_slice scope, sg_slice app)
{
    sg_hub_feed *f = *bucket_of(h, scope, app);
    while (f != NULL && !(sg_slice_eq(f->scope, scope) && sg_slice_eq(f->app, app)))
        f = f->next;
    return f;
}

/* A copy behind the block's own head; moves *at on. */
static sg_slice keep(char **at, sg_slice s)
{
    sg_slice kept = sg_slice_of(*at, s.n);
    if (s.n != 0) memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

static sg_hub_feed *feed_at(sg_hub *h, sg_slice scope, sg_slice app)
{
    sg_hub_feed *f = sg_hub_find(h, scope, app);
    if (f != NULL) return f;
    f = sg_zalloc(sizeof *f + scope.n + app.n);
    if (f == NULL) return NULL;
    char *at = (char *)(f + 1);
    f->hub = h;
    f->scope = keep(&at, scope);
    f->app = keep(&at, app);
    f->job.run = sg_hub_run;
    sg_arena_init(&f->arena);
    sg_hub_feed **bucket = bucket_of(h, scope, app);
    f->next = *bucket;
    *bucket = f;
    return f;
}

void sg_hub_tidy(sg_hub_feed *f)
{
    if (f->streams != NULL || f->sockets != NULL || f->scheduled) return;
    sg_hub_feed **at = bucket_of(f->hub, f->scope, f->app);
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    sg_arena_deinit(&f->arena);
    sg_free(f);
}

void sg_hub_schedule(sg_hub_feed *f)
{
    f->dirty = true;
    if (f->scheduled) return;
    f->scheduled = true;
    /* Bounded by the number of feeds, and never refused: a commit that nobody was told of is lost.
     */
    (void)sg_pool_submit(f->hub->pool, &f->job, true);
}

/* ---- kinds ---- */

static bool kind_is(const sg_hub_kind *k, const sg_delta_spec *spec)
{
    if (k->version != spec->version || k->table_count != spec->table_count) return false;
    for (size_t i = 0; i < k->table_count; i++)
        if (!sg_slice_eq(k->tables[i], spec->tables[i])) return false;
    return true;
}

static void kind_free(sg_hub_kind *k)
{
    sg_arena_deinit(&k->arena);
    sg_free(k);
}

static sg_hub_kind *kind_at(sg_hub_feed *f, const sg_delta_spec *spec)
{
    for (sg_hub_kind *k = f->kinds; k != NULL; k = k->next)
        if (kind_is(k, spec)) return k;
    sg_hub_kind *k = sg_zalloc(sizeof *k);
    if (k == NULL) return NULL;
    int err = SG_OK;
    sg_arena_init(&k->arena);
    k->version = spec->version;
    k->table_count = spec->table_count;
    k->tables = sg_arena_alloc(&k->arena, (spec->table_count + 1) * sizeof *k->tables);
    if (k->tables == NULL) err = SG_NOMEM;
    for (size_t i = 0; i < spec->table_count && err == SG_OK; i++)
        k->tables[i] = sg_arena_copy(&k->arena, spec->tables[i], &err);
    if (err != SG_OK) {
        kind_free(k);
        return NULL;
    }
    k->next = f->kinds;
    f->kinds = k;
    return k;
}

static void kind_leave(sg_hub_feed *f, sg_hub_kind *kind)
{
    if (--kind->members != 0) return;
    sg_hub_kind **at = &f->kinds;
    while (*at != kind)
        at = &(*at)->next;
    *at = kind->next;
    kind_free(kind);
}

/* ---- subscribers ---- */

static sg_hub_sub *sub_new(sg_hub *h, const sg_http *http, uint64_t id, sg_slice client)
{
    sg_hub_sub *sub = sg_zalloc(sizeof *sub + client.n);
    if (sub == NULL) return NULL;
    char *at = (char *)(sub + 1);
    sub->hub = h;
    sub->http = http;
    sub->id = id;
    sub->refs = 1;
    sub->client = keep(&at, client);
    return sub;
}

static void enter(sg_hub_sub *sub, sg_hub_feed *f, sg_hub_sub **list)
{
    sub->feed = f;
    sub->next = *list;
    sub->at = list;
    if (sub->next != NULL) sub->next->at = &sub->next;
    *list = sub;
}

void sg_hub_unref(sg_hub_sub *sub)
{
    if (--sub->refs == 0) sg_free(sub);
}

/* Out of its feed; a job that is at it keeps the memory a little longer. */
static void leave(sg_hub_sub *sub)
{
    sg_hub_feed *f = sub->feed;
    *sub->at = sub->next;
    if (sub->next != NULL) sub->next->at = sub->at;
    if (sub->kind != NULL) {
        kind_leave(f, sub->kind);
        sub->hub->stats.streams--;
    } else {
        sub->hub->stats.sockets--;
    }
    sub->gone = true;
    sg_hub_unref(sub);
    sg_hub_tidy(f);
}

void sg_hub_leave(sg_hub_sub *sub)
{
    sg_hub *h = sub->hub;
    (void)pthread_mutex_lock(&h->lock);
    leave(sub);
    (void)pthread_mutex_unlock(&h->lock);
}

static void stream_drained(void *user, uint64_t id)
{
    (void)id;
    sg_hub_sub *sub = user;
    sg_hub *h = sub->hub;
    (void)pthread_mutex_lock(&h->lock);
    if (!sub->live && !sub->ready) {
        sub->ready = true;
        sg_hub_schedule(sub->feed);
    }
    (void)pthread_mutex_unlock(&h->lock);
}

static void stream_closed(void *user, uint64_t id, int why)
{
    (void)id;
    (void)why;
    sg_hub_leave(user);
}

static int add_stream(sg_hub *h, sg_hub_sub *sub, const sg_delta_spec *spec)
{
    sg_hub_feed *f = feed_at(h, spec->scope, spec->app);
    if (f == NULL) return SG_NOMEM;
    sub->kind = kind_at(f, spec);
    if (sub->kind == NULL) {
        sg_hub_tidy(f);
        return SG_NOMEM;
    }
    sub->kind->members++;
    sub->cursor = spec->since;
    sub->ready = true;
    enter(sub, f, &f->streams);
    h->stats.streams++;
    sg_hub_schedule(f);
    return SG_OK;
}

int sg_hub_stream(sg_hub *h, const sg_http *http, uint64_t id, const sg_delta_spec *spec)
{
    sg_hub_sub *sub = sub_new(h, http, id, spec->self);
    if (sub == NULL) return SG_NOMEM;
    const sg_stream_spec stream = {.user = sub,
                                   .drained = stream_drained,
                                   .closed = stream_closed,
                                   .backlog_max = SG_STREAM_BACKLOG};
    /* The lock keeps the feed's job away until the stream is open: what it sends must come after.
     */
    (void)pthread_mutex_lock(&h->lock);
    int err = add_stream(h, sub, spec);
    bool entered = err == SG_OK;
    if (entered) err = sg_http_open_stream(http, id, &stream);
    if (entered && err != SG_OK) leave(sub);
    (void)pthread_mutex_unlock(&h->lock);
    if (!entered) sg_free(sub);
    return err;
}

sg_hub_sub *sg_hub_socket(sg_hub *h, const sg_http *http, uint64_t id, sg_slice scope, sg_slice app,
                          sg_slice client)
{
    sg_hub_sub *sub = sub_new(h, http, id, client);
    if (sub == NULL) return NULL;
    (void)pthread_mutex_lock(&h->lock);
    sg_hub_feed *f = feed_at(h, scope, app);
    if (f != NULL) {
        enter(sub, f, &f->sockets);
        h->stats.sockets++;
        sg_hub_schedule(f); /* to know which spaces it hears of */
    }
    (void)pthread_mutex_unlock(&h->lock);
    if (f != NULL) return sub;
    sg_free(sub);
    return NULL;
}
