/* A borrowed run of bytes. It owns nothing; whoever hands one out says until when it is valid. */
#ifndef SG_SLICE_H
#define SG_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct sg_slice {
    const char *p; /* may be NULL when n is 0 */
    size_t n;      /* bytes */
} sg_slice;

#define SG_LIT(text) ((sg_slice){(text), sizeof(text) - 1})

static inline sg_slice sg_slice_of(const char *p, size_t n)
{
    return (sg_slice){p, n};
}

static inline sg_slice sg_slice_str(const char *s)
{
    return (sg_slice){s, s != NULL ? strlen(s) : 0};
}

static inline bool sg_slice_eq(sg_slice a, sg_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* memcmp order, the shorter first when one is a prefix of the other. */
static inline int sg_slice_cmp(sg_slice a, sg_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n != 0 ? memcmp(a.p, b.p, n) : 0;
    if (c != 0) return c;
    return (a.n > b.n) - (a.n < b.n);
}

#endif
