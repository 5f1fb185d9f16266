#include "store/text_cache.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define FIRST_SLOTS ((size_t)256)

void sg_text_cache_init(sg_text_cache *c)
{
    *c = (sg_text_cache){0};
    sg_arena_init(&c->arena);
}

void sg_text_cache_deinit(sg_text_cache *c)
{
    sg_arena_deinit(&c->arena);
    sg_free(c->entries);
    sg_free(c->by_text);
    sg_free(c->by_id);
    sg_text_cache_init(c);
}

void sg_text_cache_clear(sg_text_cache *c)
{
    sg_arena_reset(&c->arena);
    c->count = 0;
    c->bytes = 0;
    if (c->slots == 0) return;
    memset(c->by_text, 0, c->slots * sizeof *c->by_text);
    memset(c->by_id, 0, c->slots * sizeof *c->by_id);
}

void sg_text_cache_trim(sg_text_cache *c)
{
    if (c->bytes > SG_TEXT_CACHE_BYTES) sg_text_cache_deinit(c);
}

static size_t hash_text(uint32_t kind, sg_slice text)
{
    uint64_t h = UINT64_C(1469598103934665603) ^ kind;
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (unsigned char)text.p[i]) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 32);
}

static size_t hash_id(uint32_t kind, uint32_t id)
{
    uint64_t h = ((uint64_t)kind << 32 | id) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 20);
}

static uint32_t *slot_of_text(const sg_text_cache *c, uint32_t kind, sg_slice text)
{
    size_t i = hash_text(kind, text) & (c->slots - 1);
    for (; c->by_text[i] != 0; i = (i + 1) & (c->slots - 1)) {
        const sg_text_entry *e = &c->entries[c->by_text[i] - 1];
        if (e->kind == kind && sg_slice_eq(e->text, text)) break;
    }
    return &c->by_text[i];
}

static uint32_t *slot_of_id(const sg_text_cache *c, uint32_t kind, uint32_t id)
{
    size_t i = hash_id(kind, id) & (c->slots - 1);
    for (; c->by_id[i] != 0; i = (i + 1) & (c->slots - 1)) {
        const sg_text_entry *e = &c->entries[c->by_id[i] - 1];
        if (e->kind == kind && e->id == id) break;
    }
    return &c->by_id[i];
}

uint32_t sg_text_cache_id(const sg_text_cache *c, uint32_t kind, sg_slice text)
{
    uint32_t i = c->slots != 0 ? *slot_of_text(c, kind, text) : 0;
    return i != 0 ? c->entries[i - 1].id : 0;
}

sg_slice sg_text_cache_text(const sg_text_cache *c, uint32_t kind, uint32_t id)
{
    uint32_t i = c->slots != 0 ? *slot_of_id(c, kind, id) : 0;
    return i != 0 ? c->entries[i - 1].text : sg_slice_of(NULL, 0);
}

static int grow(sg_text_cache *c)
{
    size_t slots = c->slots != 0 ? c->slots * 2 : FIRST_SLOTS;
    uint32_t *by_text = sg_zalloc(slots * sizeof *by_text);
    uint32_t *by_id = sg_zalloc(slots * sizeof *by_id);
    sg_text_entry *entries = sg_realloc(c->entries, slots / 2 * sizeof *entries);
    if (entries != NULL) c->entries = entries;
    if (by_text == NULL || by_id == NULL || entries == NULL) {
        sg_free(by_text);
        sg_free(by_id);
        return SG_NOMEM;
    }
    sg_free(c->by_text);
    sg_free(c->by_id);
    c->by_text = by_text;
    c->by_id = by_id;
    c->slots = slots;
    for (size_t i = 0; i < c->count; i++) {
        const sg_text_entry *e = &entries[i];
        *slot_of_text(c, e->kind, e->text) = (uint32_t)i + 1;
        *slot_of_id(c, e->kind, e->id) = (uint32_t)i + 1;
    }
    return SG_OK;
}

sg_slice sg_text_cache_put(sg_text_cache *c, uint32_t kind, uint32_t id, sg_slice text)
{
    const sg_slice none = {NULL, 0};
    if (c->count * 2 == c->slots && grow(c) != SG_OK) return none;
    int err = SG_OK;
    sg_slice copy = text.n != 0 ? sg_arena_copy(&c->arena, text, &err) : SG_LIT("");
    if (err != SG_OK) return none;
    c->entries[c->count++] = (sg_text_entry){kind, id, copy};
    *slot_of_text(c, kind, copy) = (uint32_t)c->count;
    *slot_of_id(c, kind, id) = (uint32_t)c->count;
    c->bytes += text.n + sizeof(sg_text_entry) + 4 * sizeof(uint32_t);
    return copy;
}
