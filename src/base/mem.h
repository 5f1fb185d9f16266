/*
 * The allocator everything in Sigla goes through, so that tests can make allocation N fail.
 *
 * Threads: the functions may be called from any thread. Ownership: what sg_alloc gives, sg_free
 * takes. sg_mem_fail_at is for tests only; it is one counter for the whole process.
 */
#ifndef SG_MEM_H
#define SG_MEM_H

#include <stddef.h>

void *sg_alloc(size_t bytes);                /* NULL when memory ran out; never for 0 bytes */
void *sg_zalloc(size_t bytes);               /* the same, zeroed */
void *sg_realloc(void *p, size_t bytes);     /* p stays valid when NULL comes back */
void sg_free(void *p);                       /* NULL is allowed */
char *sg_strndup(const char *s, size_t len); /* NUL-terminated copy */

/* Make the n-th allocation from now fail (1 = the next), and all after it if `sticky`.
 * n = 0 turns it off. Returns how many allocations have been made since the last call; none are
 * counted while it is off. */
size_t sg_mem_fail_at(size_t n, int sticky);

#endif
