/* After a commit: wake the feeds it touched, and tell WebSockets. */
#include "server/hub_feed.h"
#include "wire/json.h"

#define NOTICE_MAX ((size_t)64 * 1024)

/* What a group of pushes did in one feed. */
typedef struct notice {
    const sg_push *first;
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

static bool same_feed(const sg_push *a, const sg_push *b)
{
    return sg_slice_eq(a->scope, b->scope) && sg_slice_eq(a->app, b->app);
}

static void gather(notice *n, sg_push *const *pushes, size_t count, size_t from)
{
    *n = (notice){.first = pushes[from], .alone = true};
    for (size_t i = from; i < count; i++) {
        const sg_push *p = pushes[i];
        if (p->table_count == 0 || !same_feed(p, n->first)) continue;
        if (!sg_slice_eq(p->client, n->first->client)) n->alone = false;
        for (size_t k = 0; k < p->table_count; k++)
            add_table(n, p->tables[k]);
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

static bool told_before(sg_push *const *pushes, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (pushes[k]->table_count != 0 && same_feed(pushes[k], pushes[i])) return true;
    return false;
}

void sg_hub_committed(sg_hub *h, sg_push *const *pushes, size_t n)
{
    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < n; i++) {
        const sg_push *p = pushes[i];
        if (p->table_count == 0) continue;
        sg_hub_feed *one = sg_hub_find(h, p->scope, p->app);
        sg_hub_feed *all = sg_hub_find(h, p->scope, SG_LIT(""));
        if ((one == NULL && all == NULL) || told_before(pushes, i)) continue;
        notice what;
        gather(&what, pushes, n, i);
        tell_sockets(one, &what);
        tell_sockets(all, &what);
        if (one != NULL && one->streams != NULL) sg_hub_schedule(one);
    }
    (void)pthread_mutex_unlock(&h->lock);
}
