/* After a commit: wake the feeds it touched, and tell WebSockets. */
#include "server/hub_feed.h"
#include "wire/json.h"

#define NOTICE_MAX ((size_t)64 * 1024)

/* What a group of pushes did in one scope of one app. */
typedef struct notice {
    const sg_push *first;
    sg_slice scope;
    bool alone; /* all of it was written by the first one's client */
    sg_slice tables[SG_TABLES_MAX];
    size_t count;
} notice;

static void add_table(notice *n, sg_slice table)
{
    for (size_t i = 0; i < n->count; i++)
        if (sg_slice_eq(n->tables[i], table)) return;
    if (n->count < SG_TABLES_MAX) n->tables[n->count++] = table;
}

static const sg_push_touched *touched_of(const sg_push *p, sg_slice scope, sg_slice app)
{
    const sg_push_touched *t = sg_slice_eq(p->app, app) ? p->touched : NULL;
    while (t != NULL && !sg_slice_eq(t->scope, scope))
        t = t->next;
    return t;
}

static void gather(notice *n, sg_push *const *pushes, size_t count, size_t from)
{
    for (size_t i = from; i < count; i++) {
        const sg_push *p = pushes[i];
        const sg_push_touched *t = touched_of(p, n->scope, n->first->app);
        if (t == NULL) continue;
        if (!sg_slice_eq(p->client, n->first->client)) n->alone = false;
        for (size_t k = 0; k < t->count; k++)
            add_table(n, t->tables[k]);
    }
}

static sg_block *notice_block(const notice *n)
{
    sg_buf text;
    sg_jsonw w;
    sg_buf_init(&text, NOTICE_MAX);
    sg_jsonw_init(&w, &text);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "type", SG_LIT("sync-available"));
    sg_jsonw_kstr(&w, "appId", n->first->app);
    sg_jsonw_k(&w, "tables");
    sg_jsonw_array(&w);
    for (size_t i = 0; i < n->count; i++)
        sg_jsonw_string(&w, n->tables[i]);
    sg_jsonw_array_end(&w);
    sg_jsonw_object_end(&w);
    sg_block *b = text.err == SG_OK ? sg_block_new(sg_buf_view(&text)) : NULL;
    sg_buf_deinit(&text);
    return b;
}

static void tell_sockets(const sg_hub_feed *f, const notice *n)
{
    sg_block *b = f != NULL && f->sockets != NULL ? notice_block(n) : NULL;
    for (const sg_hub_sub *s = b != NULL ? f->sockets : NULL; s != NULL; s = s->next) {
        bool own = n->alone && s->client.n != 0 && sg_slice_eq(s->client, n->first->client);
        if (own) continue;
        sg_http_send(s->http, s->id, b);
        s->hub->stats.events++;
    }
    sg_block_unref(b);
}

static bool told_before(sg_push *const *pushes, size_t i, sg_slice scope)
{
    for (size_t k = 0; k < i; k++)
        if (touched_of(pushes[k], scope, pushes[i]->app) != NULL) return true;
    return false;
}

static void tell_feed(sg_hub_feed *f, const notice *n)
{
    if (f == NULL) return;
    tell_sockets(f, n);
    if (f->streams != NULL && f->app.n != 0) sg_hub_schedule(f);
}

static bool reads(const sg_hub_feed *f, sg_slice space)
{
    for (size_t i = 0; i < f->space_count; i++)
        if (sg_slice_eq(f->spaces[i], space)) return true;
    return false;
}

/* A space's members are looked for in all feeds: that is a comparison of a few texts for each. */
static void tell_members(sg_hub *h, const notice *n)
{
    for (size_t i = 0; i < SG_HUB_BUCKETS; i++)
        for (sg_hub_feed *f = h->buckets[i]; f != NULL; f = f->next)
            if ((f->app.n == 0 || sg_slice_eq(f->app, n->first->app)) && reads(f, n->scope))
                tell_feed(f, n);
}

void sg_hub_committed(sg_hub *h, sg_push *const *pushes, size_t n)
{
    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < n; i++) {
        const sg_push *p = pushes[i];
        for (const sg_push_touched *t = p->touched; t != NULL; t = t->next) {
            if (told_before(pushes, i, t->scope)) continue;
            notice what = {.first = p, .scope = t->scope, .alone = true};
            gather(&what, pushes, n, i);
            if (sg_slice_eq(t->scope, p->scope)) {
                tell_feed(sg_hub_find(h, p->scope, p->app), &what);
                tell_feed(sg_hub_find(h, p->scope, SG_LIT("")), &what);
            } else {
                tell_members(h, &what);
            }
        }
    }
    (void)pthread_mutex_unlock(&h->lock);
}

void sg_hub_moved(sg_hub *h, sg_slice scope)
{
    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < SG_HUB_BUCKETS; i++)
        for (sg_hub_feed *f = h->buckets[i]; f != NULL; f = f->next)
            if (sg_slice_eq(f->scope, scope) || reads(f, scope)) sg_hub_schedule(f);
    (void)pthread_mutex_unlock(&h->lock);
}
