#include "server/audit.h"

#include "base/mem.h"
#include "core/change.h"
#include "wire/value_hash.h"

typedef struct audit {
    const sg_store *store;
    sg_view *view;
    sg_feed *feeds;
    size_t feed_count;
    uint32_t *tables; /* of the feed at hand … */
    sg_audited *sums; /* … and their sums */
    size_t count;
    sg_record record;
    sg_buf scratch;
    int err;
} audit;

static sg_slice text(audit *a, enum sg_text_kind kind, uint32_t id)
{
    return a->store->ops->text(a->view, kind, id, &a->err);
}

static sg_slice name_text(void *ctx, uint32_t id)
{
    return text(ctx, SG_TEXT_OF_NAME, id);
}

static sg_slice client_text(void *ctx, uint32_t id)
{
    return text(ctx, SG_TEXT_OF_CLIENT, id);
}

static uint64_t value_hash(void *ctx, sg_slice json)
{
    return sg_value_hash_json(json, &((audit *)ctx)->scratch);
}

static void note_feed(void *ctx, sg_feed feed)
{
    audit *a = ctx;
    sg_feed *feeds = sg_realloc(a->feeds, (a->feed_count + 1) * sizeof *feeds);
    if (feeds == NULL) {
        a->err = SG_NOMEM;
        return;
    }
    a->feeds = feeds;
    a->feeds[a->feed_count++] = feed;
}

static sg_audited *table_of(audit *a, uint32_t table)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->tables[i] == table) return &a->sums[i];
    uint32_t *tables = sg_realloc(a->tables, (a->count + 1) * sizeof *tables);
    if (tables != NULL) a->tables = tables;
    sg_audited *sums = sg_realloc(a->sums, (a->count + 1) * sizeof *sums);
    if (sums != NULL) a->sums = sums;
    if (tables == NULL || sums == NULL) {
        a->err = SG_NOMEM;
        return NULL;
    }
    tables[a->count] = table;
    sums[a->count] = (sg_audited){0};
    return &sums[a->count++];
}

static void note_kept(void *ctx, uint32_t table, const sg_sum *sum)
{
    sg_audited *t = table_of(ctx, table);
    if (t != NULL) t->kept = *sum;
}

static bool add_record(void *ctx, const sg_ref *ref, const sg_stored *stored)
{
    audit *a = ctx;
    const sg_summer summer = {a, name_text, client_text, value_hash};
    sg_audited *t = table_of(a, ref->table);
    if (t == NULL) return false;
    sg_record_clear(&a->record);
    int err = sg_record_unpack(&a->record, stored->data);
    if (err == SG_CORRUPT) {
        t->damaged++;
        return true;
    }
    sg_buf_clear(&a->scratch);
    uint64_t start = sg_sum_start(text(a, SG_TEXT_OF_TABLE, ref->table), ref->key);
    if (err == SG_OK) sg_sum_change(&t->found, &summer, start, NULL, &a->record);
    if (err == SG_OK) err = a->scratch.err;
    if (a->err == SG_OK) a->err = err;
    return a->err == SG_OK;
}

static void look_at_feed(audit *a, sg_feed feed, sg_audit_fn *fn, void *ctx)
{
    a->count = 0;
    const sg_delta all = {.feed = feed, .since = -1, .limit = SIZE_MAX >> 2};
    bool more;
    int err = a->store->ops->sums(a->view, feed, note_kept, a);
    if (err == SG_OK && a->err == SG_OK)
        err = a->store->ops->delta(a->view, &all, add_record, a, &more);
    if (a->err == SG_OK) a->err = err;
    for (size_t i = 0; i < a->count && a->err == SG_OK; i++) {
        a->sums[i].feed = feed;
        a->sums[i].number = a->tables[i];
        a->sums[i].scope = text(a, SG_TEXT_OF_SCOPE, feed.scope);
        a->sums[i].app = text(a, SG_TEXT_OF_APP, feed.app);
        a->sums[i].table = text(a, SG_TEXT_OF_TABLE, a->tables[i]);
        if (a->err == SG_OK) fn(ctx, &a->sums[i]);
    }
}

int sg_audit(const sg_store *store, sg_view *view, sg_audit_fn *fn, void *ctx)
{
    audit a = {.store = store, .view = view};
    int64_t newest;
    sg_record_init(&a.record);
    sg_buf_init(&a.scratch, 4 * SG_VALUE_MAX);
    a.err = store->ops->view_begin(view, &newest);
    int err = a.err == SG_OK ? store->ops->feeds(view, note_feed, &a) : SG_OK;
    if (a.err == SG_OK) a.err = err;
    for (size_t i = 0; i < a.feed_count && a.err == SG_OK; i++)
        look_at_feed(&a, a.feeds[i], fn, ctx);
    store->ops->view_end(view);
    sg_free(a.feeds);
    sg_free(a.tables);
    sg_free(a.sums);
    sg_record_deinit(&a.record);
    sg_buf_deinit(&a.scratch);
    return a.err;
}
