#include "net/outq.h"

#include "base/mem.h"

enum kind { STATIC, CHUNK, HEAP, BLOCK };

typedef struct sg_out_item {
    const char *p; /* the first byte not sent */
    size_t n;      /* bytes left */
    void *owner;   /* by kind: nothing, char *, char *, sg_block * */
    uint32_t room; /* CHUNK: bytes free behind p + n */
    enum kind kind;
} item;

static void release(item *it)
{
    if (it->kind == BLOCK)
        sg_block_unref(it->owner);
    else
        sg_free(it->owner);
}

static void clear_from(sg_outq *q, uint32_t keep)
{
    while (q->count > keep) {
        item *it = &q->v[q->head + --q->count];
        q->bytes -= it->n;
        release(it);
    }
}

void sg_outq_deinit(sg_outq *q)
{
    clear_from(q, 0);
    sg_free(q->v);
    *q = (sg_outq){.err = q->err};
}

/* Room for one more item: first at the front, where sent ones were, then by growing. */
static item *push(sg_outq *q)
{
    if (q->head + q->count == q->cap && q->head > q->cap / 2) {
        memmove(q->v, q->v + q->head, q->count * sizeof *q->v);
        q->head = 0;
    }
    if (q->head + q->count == q->cap) {
        uint32_t cap = q->cap != 0 ? q->cap * 2 : 4;
        item *v = sg_realloc(q->v, cap * sizeof *v);
        if (v == NULL) {
            q->err = SG_NOMEM;
            return NULL;
        }
        q->v = v;
        q->cap = cap;
    }
    return &q->v[q->head + q->count];
}

static void append(sg_outq *q, item it)
{
    item *at = q->err == SG_OK && it.n != 0 ? push(q) : NULL;
    if (at == NULL) {
        release(&it);
        return;
    }
    *at = it;
    q->count++;
    q->bytes += it.n;
}

/* Put what fits into the free end of the last chunk; returns how many bytes. */
static size_t fill_last(sg_outq *q, sg_slice bytes)
{
    if (q->count == 0) return 0;
    item *last = &q->v[q->head + q->count - 1];
    if (last->kind != CHUNK) return 0;
    size_t n = bytes.n < last->room ? bytes.n : last->room;
    memcpy((char *)last->owner + (last->p - (char *)last->owner) + last->n, bytes.p, n);
    last->n += n;
    last->room -= (uint32_t)n;
    q->bytes += n;
    return n;
}

void sg_outq_copy(sg_outq *q, sg_slice bytes)
{
    if (bytes.n == 0 || q->err != SG_OK) return;
    size_t n = fill_last(q, bytes);
    if (n == bytes.n) return;
    size_t left = bytes.n - n;
    size_t cap = left > SG_OUTQ_CHUNK ? left : SG_OUTQ_CHUNK;
    char *p = sg_alloc(cap);
    if (p == NULL) {
        q->err = SG_NOMEM;
        return;
    }
    memcpy(p, bytes.p + n, left);
    uint32_t room = (uint32_t)(cap - left); /* never more than a chunk */
    append(q, (item){.p = p, .n = left, .owner = p, .room = room, .kind = CHUNK});
}

void sg_outq_static(sg_outq *q, sg_slice bytes)
{
    append(q, (item){.p = bytes.p, .n = bytes.n, .kind = STATIC});
}

void sg_outq_heap(sg_outq *q, char *p, size_t n)
{
    append(q, (item){.p = p, .n = n, .owner = p, .kind = HEAP});
}

void sg_outq_block(sg_outq *q, sg_block *block)
{
    append(q,
           (item){.p = block->bytes, .n = block->n, .owner = sg_block_ref(block), .kind = BLOCK});
}

int sg_outq_runs(const sg_outq *q, struct iovec *v, int max)
{
    int n = 0;
    for (uint32_t i = 0; i < q->count && n < max; i++, n++) {
        const item *it = &q->v[q->head + i];
        v[n] = (struct iovec){.iov_base = (void *)(uintptr_t)it->p, .iov_len = it->n};
    }
    return n;
}

void sg_outq_advance(sg_outq *q, size_t n)
{
    while (n != 0 && q->count != 0) {
        item *it = &q->v[q->head];
        size_t part = n < it->n ? n : it->n;
        it->p += part;
        it->n -= part;
        q->bytes -= part;
        n -= part;
        q->begun = it->n != 0;
        if (q->begun) return;
        release(it);
        q->head++;
        q->count--;
    }
    if (q->count == 0) sg_outq_deinit(q);
}

size_t sg_outq_waiting(const sg_outq *q)
{
    return q->count != 0 ? q->bytes - q->v[q->head].n : 0;
}

void sg_outq_drop_waiting(sg_outq *q)
{
    clear_from(q, q->begun ? 1 : 0);
}
