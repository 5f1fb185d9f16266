#include "base/reader.h"
#include "core/record.h"

int sg_lost_unpack(sg_lost *l, sg_slice packed)
{
    l->count = 0;
    if (packed.n == 0) return SG_OK;
    sg_reader r = sg_reader_of(packed);
    int64_t seq = 0;
    while (r.left != 0 && r.err == SG_OK) {
        uint64_t delta = sg_read_varint(&r);
        if (delta > (uint64_t)(INT64_MAX - seq) || l->count == SG_LOST_MAX) return SG_CORRUPT;
        seq += (int64_t)delta;
        l->seq[l->count++] = seq;
    }
    return r.err;
}

void sg_lost_pack(const sg_lost *l, sg_buf *out)
{
    int64_t before = 0;
    for (size_t i = 0; i < l->count; i++) {
        sg_buf_varint(out, (uint64_t)(l->seq[i] - before));
        before = l->seq[i];
    }
}

static void drop_first(sg_lost *l, size_t count)
{
    l->count -= count;
    memmove(l->seq, l->seq + count, l->count * sizeof *l->seq);
}

void sg_lost_add(sg_lost *l, int64_t seq)
{
    if (sg_lost_has(l, seq)) return;
    if (l->count == SG_LOST_MAX) {
        if (seq < l->seq[0]) return;
        drop_first(l, 1);
    }
    size_t i = l->count++;
    for (; i > 0 && l->seq[i - 1] > seq; i--)
        l->seq[i] = l->seq[i - 1];
    l->seq[i] = seq;
}

bool sg_lost_has(const sg_lost *l, int64_t seq)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->seq[i] == seq) return true;
    return false;
}

void sg_lost_trim(sg_lost *l, int64_t floor_seq)
{
    size_t gone = 0;
    while (gone < l->count && l->seq[gone] <= floor_seq)
        gone++;
    if (gone != 0) drop_first(l, gone);
}
