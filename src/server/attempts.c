#include "server/attempts.h"

#include <pthread.h>

#include "base/mem.h"
#include "server/rate.h"

struct sg_attempts {
    pthread_mutex_t lock;
    sg_rate *by_pair; /* a login and an address */
    sg_rate *by_login;
    sg_rate *by_peer;
    sg_rate *sign_ups; /* NULL: no limit */
};

/* What a bucket takes for a second is a minute. */
static uint64_t slowed(int64_t now_ms)
{
    return (uint64_t)now_ms / 60;
}

sg_attempts *sg_attempts_new(uint32_t sign_ups)
{
    sg_attempts *a = sg_zalloc(sizeof *a);
    if (a == NULL) return NULL;
    (void)pthread_mutex_init(&a->lock, NULL);
    a->by_pair = sg_rate_new(1, SG_ATTEMPTS_PAIR);
    a->by_login = sg_rate_new(SG_ATTEMPTS_LOGIN_A_MINUTE, SG_ATTEMPTS_LOGIN);
    a->by_peer = sg_rate_new(SG_ATTEMPTS_PEER_A_MINUTE, SG_ATTEMPTS_PEER);
    if (sign_ups != 0) a->sign_ups = sg_rate_new(sign_ups, 0);
    bool good = a->by_pair != NULL && a->by_login != NULL && a->by_peer != NULL &&
                (sign_ups == 0 || a->sign_ups != NULL);
    if (good) return a;
    sg_attempts_free(a);
    return NULL;
}

void sg_attempts_free(sg_attempts *a)
{
    if (a == NULL) return;
    sg_rate_free(a->by_pair);
    sg_rate_free(a->by_login);
    sg_rate_free(a->by_peer);
    sg_rate_free(a->sign_ups);
    (void)pthread_mutex_destroy(&a->lock);
    sg_free(a);
}

static uint64_t pair_key(sg_slice login, sg_slice peer)
{
    return sg_rate_key(login) * 31 ^ sg_rate_key(peer);
}

bool sg_attempts_begin(sg_attempts *a, sg_slice login, sg_slice peer, int64_t now_ms)
{
    uint64_t now = slowed(now_ms);
    (void)pthread_mutex_lock(&a->lock);
    /* What an address may not even try counts against no login. */
    bool good = sg_rate_take(a->by_peer, sg_rate_key(peer), now) &&
                sg_rate_take(a->by_pair, pair_key(login, peer), now) &&
                sg_rate_take(a->by_login, sg_rate_key(login), now);
    (void)pthread_mutex_unlock(&a->lock);
    return good;
}

void sg_attempts_good(sg_attempts *a, sg_slice login, sg_slice peer, int64_t now_ms)
{
    uint64_t now = slowed(now_ms);
    (void)pthread_mutex_lock(&a->lock);
    sg_rate_give(a->by_peer, sg_rate_key(peer), now);
    sg_rate_give(a->by_pair, pair_key(login, peer), now);
    sg_rate_give(a->by_login, sg_rate_key(login), now);
    (void)pthread_mutex_unlock(&a->lock);
}

bool sg_attempts_sign_up(sg_attempts *a, sg_slice peer, int64_t now_ms)
{
    if (a->sign_ups == NULL) return true;
    (void)pthread_mutex_lock(&a->lock);
    bool good = sg_rate_take(a->sign_ups, sg_rate_key(peer), slowed(now_ms));
    (void)pthread_mutex_unlock(&a->lock);
    return good;
}
