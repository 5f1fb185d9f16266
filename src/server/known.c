#include "server/known.h"

#include "store/history.h"

static int check_copied(const sg_store_ops *ops, sg_view *view, const sg_known *known)
{
    sg_feed feed = {0, 0};
    uint32_t client = 0;
    int64_t n = 0;
    if (known->sent < 0 || known->client.n == 0) return SG_OK;
    int err = ops->find_text(view, SG_TEXT_OF_SCOPE, known->scope, &feed.scope);
    if (err == SG_OK) err = ops->find_text(view, SG_TEXT_OF_APP, known->app, &feed.app);
    if (err == SG_OK) err = ops->find_text(view, SG_TEXT_OF_CLIENT, known->client, &client);
    if (err == SG_OK) err = ops->max_number(view, feed, client, &n);
    return err == SG_OK && n > known->sent ? SG_CLIENTCOPIED : err;
}

static int check_told(const sg_store *store, sg_view *view, int64_t newest, const sg_known *known)
{
    sg_history_row row;
    sg_history h;
    bool found = false;
    if (known->n == 0) return SG_OK;
    if (known->seq > newest) return SG_RESTORED;
    int err = store->ops->get_history(view, known->seq, &row, &found);
    if (err != SG_OK || !found) return err;
    sg_arena arena;
    sg_arena_init(&arena);
    err = sg_history_unpack(&h, row.data, &arena);
    sg_arena_deinit(&arena);
    sg_slice client = store->ops->text(view, SG_TEXT_OF_CLIENT, h.client, &err);
    if (err != SG_OK) return err;
    return h.n == known->n && sg_slice_eq(client, known->client) ? SG_OK : SG_RESTORED;
}

int sg_known_check(const sg_store *store, sg_view *view, int64_t newest, const sg_known *known)
{
    int err = check_copied(store->ops, view, known);
    return err == SG_OK ? check_told(store, view, newest, known) : err;
}
