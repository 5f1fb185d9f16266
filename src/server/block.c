#include "server/block.h"

#include <stdint.h>

#include "base/buf.h"
#include "base/mem.h"

static sg_block *alloc_block(size_t n)
{
    if (n > SIZE_MAX - sizeof(sg_block)) return NULL;
    sg_block *b = sg_alloc(sizeof *b + n);
    if (b == NULL) return NULL;
    atomic_init(&b->refs, 1);
    b->n = n;
    return b;
}

sg_block *sg_block_new(sg_slice bytes)
{
    sg_block *b = alloc_block(bytes.n);
    if (b != NULL && bytes.n != 0) memcpy(b->bytes, bytes.p, bytes.n);
    return b;
}

/* Where the line at p ends: at CR, LF or the end; *next is behind the line break. */
static const char *line_end(const char *p, const char *end, const char **next)
{
    const char *q = p;
    while (q < end && *q != '\n' && *q != '\r')
        q++;
    *next = q;
    if (q < end) *next += *q == '\r' && q + 1 < end && q[1] == '\n' ? 2 : 1;
    return q;
}

/* A line break inside the data would end the field, so every line gets its own. */
static void put_data(sg_buf *out, sg_slice data)
{
    const char *p = data.n != 0 ? data.p : "";
    const char *end = p + data.n;
    for (;;) {
        const char *next;
        const char *stop = line_end(p, end, &next);
        sg_buf_str(out, "data: ");
        sg_buf_put(out, p, (size_t)(stop - p));
        sg_buf_byte(out, '\n');
        if (stop == end) return;
        p = next;
    }
}

sg_block *sg_block_event(const char *event, sg_slice id, sg_slice data)
{
    /* The text is written behind the block's own head, so that it needs no second copy. */
    sg_buf out;
    sg_buf_init(&out, SIZE_MAX / 2);
    sg_buf_extend(&out, sizeof(sg_block));
    sg_buf_str(&out, "event: ");
    sg_buf_str(&out, event);
    sg_buf_byte(&out, '\n');
    if (id.n != 0) {
        sg_buf_str(&out, "id: ");
        sg_buf_slice(&out, id);
        sg_buf_byte(&out, '\n');
    }
    put_data(&out, data);
    sg_buf_byte(&out, '\n');
    size_t n;
    char *p = sg_buf_take(&out, &n);
    if (p == NULL) {
        sg_buf_deinit(&out);
        return NULL;
    }
    sg_block *b = (sg_block *)(void *)p;
    atomic_init(&b->refs, 1);
    b->n = n - sizeof(sg_block);
    return b;
}

sg_block *sg_block_ref(sg_block *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void sg_block_unref(sg_block *b)
{
    if (b == NULL) return;
    /* The last holder must see the writes of all who gave theirs back before. */
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) sg_free(b);
}
