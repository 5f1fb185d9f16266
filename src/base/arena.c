#include "base/arena.h"

#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"

#define CHUNK_BYTES ((size_t)16 * 1024)

struct sg_arena_chunk {
    struct sg_arena_chunk *next;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

void sg_arena_init(sg_arena *a)
{
    a->head = NULL;
}

static void free_from(struct sg_arena_chunk *c)
{
    while (c != NULL) {
        struct sg_arena_chunk *next = c->next;
        sg_free(c);
        c = next;
    }
}

void sg_arena_deinit(sg_arena *a)
{
    free_from(a->head);
    a->head = NULL;
}

void sg_arena_reset(sg_arena *a)
{
    if (a->head == NULL) return;
    free_from(a->head->next);
    a->head->next = NULL;
    a->head->used = 0;
}

static struct sg_arena_chunk *chunk_new(sg_arena *a, size_t bytes)
{
    size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    struct sg_arena_chunk *c = sg_alloc(sizeof *c + size);
    if (c == NULL) return NULL;
    c->next = a->head;
    c->used = 0;
    c->size = size;
    a->head = c;
    return c;
}

void *sg_arena_alloc(sg_arena *a, size_t bytes)
{
    const size_t align = _Alignof(max_align_t);
    if (bytes > (size_t)-1 / 2) return NULL;
    bytes = (bytes + align - 1) / align * align;
    struct sg_arena_chunk *c = a->head;
    if (c == NULL || bytes > c->size - c->used) c = chunk_new(a, bytes);
    if (c == NULL) return NULL;
    void *p = c->bytes + c->used;
    c->used += bytes;
    return p;
}

sg_slice sg_arena_copy(sg_arena *a, sg_slice s, int *err)
{
    if (s.n == 0) return sg_slice_of(NULL, 0);
    char *p = sg_arena_alloc(a, s.n);
    if (p == NULL) {
        *err = SG_NOMEM;
        return sg_slice_of(NULL, 0);
    }
    memcpy(p, s.p, s.n);
    return sg_slice_of(p, s.n);
}
