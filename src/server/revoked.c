#include "server/revoked.h"

#include <pthread.h>

#include "base/mem.h"
#include "server/directory.h"
#include "server/rate.h"

struct ended {
    char session[SG_ID_TEXT];
    int64_t until_s; /* forgotten then; 0: unused */
};

struct bucket {
    int64_t before_s; /* what was issued up to here is refused */
    struct ended ways[SG_REVOKED_WAYS];
};

struct sg_revoked {
    pthread_mutex_t lock;
    struct bucket buckets[SG_REVOKED_BUCKETS];
};

sg_revoked *sg_revoked_new(void)
{
    sg_revoked *r = sg_zalloc(sizeof *r);
    if (r != NULL) (void)pthread_mutex_init(&r->lock, NULL);
    return r;
}

void sg_revoked_free(sg_revoked *r)
{
    if (r == NULL) return;
    (void)pthread_mutex_destroy(&r->lock);
    sg_free(r);
}

static struct bucket *bucket_of(sg_revoked *r, sg_slice session)
{
    return &r->buckets[sg_rate_key(session) % SG_REVOKED_BUCKETS];
}

static struct ended *find_room(struct bucket *b, int64_t now_s)
{
    for (size_t i = 0; i < SG_REVOKED_WAYS; i++)
        if (b->ways[i].until_s <= now_s) return &b->ways[i];
    return NULL;
}

void sg_revoked_add(sg_revoked *r, sg_slice session, int64_t now_s, int64_t until_s)
{
    if (session.n != SG_ID_TEXT) return; /* no token names it */
    (void)pthread_mutex_lock(&r->lock);
    struct bucket *b = bucket_of(r, session);
    struct ended *e = find_room(b, now_s);
    if (e != NULL) {
        memcpy(e->session, session.p, SG_ID_TEXT);
        e->until_s = until_s;
    } else {
        b->before_s = now_s;
    }
    (void)pthread_mutex_unlock(&r->lock);
}

bool sg_revoked_has(sg_revoked *r, sg_slice session, int64_t issued_s, int64_t now_s)
{
    (void)pthread_mutex_lock(&r->lock);
    const struct bucket *b = bucket_of(r, session);
    bool has = issued_s <= b->before_s;
    for (size_t i = 0; i < SG_REVOKED_WAYS && !has; i++)
        has = b->ways[i].until_s > now_s &&
              sg_slice_eq(session, sg_slice_of(b->ways[i].session, SG_ID_TEXT));
    (void)pthread_mutex_unlock(&r->lock);
    return has;
}
