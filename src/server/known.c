#include "server/known.h"

#include "store/history.h"

int sg_known_check(const sg_store *store, sg_view *view, int64_t newest, const sg_known *known)
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
    if (err != SG_OK) return err;
    sg_slice client = store->ops->text(view, SG_TEXT_OF_CLIENT, h.client);
    return h.n == known->n && sg_slice_eq(client, known->client) ? SG_OK : SG_RESTORED;
}
