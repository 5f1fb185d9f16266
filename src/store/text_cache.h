/*
 * Interned texts that one connection has met: number to text and text to number.
 *
 * Bounded: the owner calls sg_text_cache_trim at moments when no slice of it is in use; then it is
 * emptied if it has grown past SG_TEXT_CACHE_BYTES. Threads: one owner at a time.
 */
#ifndef SG_TEXT_CACHE_H
#define SG_TEXT_CACHE_H

#include <stdint.h>

#include "base/arena.h"

#define SG_TEXT_CACHE_BYTES ((size_t)4 << 20)

typedef struct sg_text_entry {
    uint32_t kind;
    uint32_t id;
    sg_slice text;
} sg_text_entry;

typedef struct sg_text_cache {
    sg_arena arena;
    sg_text_entry *entries;
    uint32_t *by_text; /* open addressing: index + 1, or 0 */
    uint32_t *by_id;
    size_t count;
    size_t slots; /* a power of two, or 0; at most half full */
    size_t bytes;
} sg_text_cache;

void sg_text_cache_init(sg_text_cache *c);
void sg_text_cache_deinit(sg_text_cache *c);
void sg_text_cache_clear(sg_text_cache *c);
void sg_text_cache_trim(sg_text_cache *c);
/* 0 if it is not known here. */
uint32_t sg_text_cache_id(const sg_text_cache *c, uint32_t kind, sg_slice text);
/* p is NULL if it is not known here. Valid until clear or trim. */
sg_slice sg_text_cache_text(const sg_text_cache *c, uint32_t kind, uint32_t id);
/* Remember; the text is copied. Gives the copy, or p = NULL when memory ran out. */
sg_slice sg_text_cache_put(sg_text_cache *c, uint32_t kind, uint32_t id, sg_slice text);

#endif
