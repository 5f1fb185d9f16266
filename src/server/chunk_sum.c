/* What a chunk's records add to the sums of their tables (core/sum.h). */
#include "server/apply.h"
#include "wire/value_hash.h"

static sg_slice name_text(void *ctx, uint32_t id)
{
    sg_applier *a = ctx;
    const sg_store_ops *ops = a->store->ops;
    return ops->text(ops->writer_view(a->writer), SG_TEXT_OF_NAME, id, &a->text_err);
}

static sg_slice client_text(void *ctx, uint32_t id)
{
    sg_applier *a = ctx;
    const sg_store_ops *ops = a->store->ops;
    return ops->text(ops->writer_view(a->writer), SG_TEXT_OF_CLIENT, id, &a->text_err);
}

static uint64_t value_hash(void *ctx, sg_slice json)
{
    return sg_value_hash_json(json, &((sg_applier *)ctx)->scratch);
}

int sg_chunk_sum_save(sg_applier *a)
{
    int err = SG_OK;
    for (size_t i = 0; i < a->sum_count && err == SG_OK; i++) {
        const sg_sum *sum = &a->sums[i].sum;
        if (sum->marks == 0 && sum->values == 0 && sum->records == 0) continue;
        err = a->store->ops->add_sum(a->writer, a->target.feed, a->sums[i].table, sum);
    }
    a->sum_count = 0;
    return err;
}

static sg_sum *sum_of(sg_applier *a, uint32_t table, int *err)
{
    for (size_t i = 0; i < a->sum_count; i++)
        if (a->sums[i].table == table) return &a->sums[i].sum;
    if (a->sum_count == SG_CHUNK_SUMS) *err = sg_chunk_sum_save(a);
    a->sums[a->sum_count] = (sg_chunk_sums){.table = table};
    return &a->sums[a->sum_count++].sum;
}

int sg_chunk_sum(sg_applier *a, sg_chunk_slot *slot)
{
    const sg_summer summer = {a, name_text, client_text, value_hash};
    const sg_store_ops *ops = a->store->ops;
    int err = SG_OK;
    sg_sum *sum = sum_of(a, slot->ref.table, &err);
    bool old = slot->stored.row != 0;
    sg_record_clear(&a->before);
    if (err == SG_OK && old) err = sg_record_unpack(&a->before, slot->stored.data);
    if (err != SG_OK) return err;
    sg_slice table =
        ops->text(ops->writer_view(a->writer), SG_TEXT_OF_TABLE, slot->ref.table, &a->text_err);
    sg_buf_clear(&a->scratch);
    sg_sum_change(sum, &summer, sg_sum_start(table, slot->ref.key), old ? &a->before : NULL,
                  &slot->record);
    return a->text_err != SG_OK ? a->text_err : a->scratch.err;
}
