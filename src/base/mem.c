#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t calls;
static atomic_size_t fail_at;
static atomic_int fail_sticky;

/* Counts only while a test has asked for it: the counter is shared by all threads. */
static int should_fail(void)
{
    size_t at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    if (at == 0) return 0;
    size_t now = atomic_fetch_add(&calls, 1) + 1;
    return atomic_load(&fail_sticky) ? now >= at : now == at;
}

void *sg_alloc(size_t bytes)
{
    if (should_fail()) return NULL;
    return malloc(bytes != 0 ? bytes : 1);
}

void *sg_zalloc(size_t bytes)
{
    void *p = sg_alloc(bytes);
    if (p != NULL) memset(p, 0, bytes);
    return p;
}

void *sg_realloc(void *p, size_t bytes)
{
    if (should_fail()) return NULL;
    return realloc(p, bytes != 0 ? bytes : 1);
}

void sg_free(void *p)
{
    free(p);
}

char *sg_strndup(const char *s, size_t len)
{
    char *copy = sg_alloc(len + 1);
    if (copy == NULL) return NULL;
    if (len != 0) memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

size_t sg_mem_fail_at(size_t n, int sticky)
{
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, n);
    return atomic_exchange(&calls, 0);
}
