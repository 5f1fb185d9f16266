/*
 * The hub between a real store and a pretended HTTP layer: what happens while a feed's job is at
 * work.
 */
#include "../lib/http_fixture.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/hub.h"
#include "server/ingest.h"
#include "server/now.h"

#define STREAM_ID 7

typedef struct world {
    char dir[64];
    sg_store real, store;
    sg_pool *pool;
    sg_hub *hub;
    sg_ingest *ingest;
    sg_http http;
    pthread_mutex_t lock;
    int done;  /* pushes */
    int sends; /* blocks */
    bool closed_by_us;
    sg_buf heard;
    sg_stream_spec spec;
    const char *during; /* a record to commit right after the next snapshot has been taken */
    bool leave_during;  /* or the stream's client goes */
} world;

static world w;

/* ---- HTTP, pretended ---- */

static int open_stream(void *impl, uint64_t id, const sg_stream_spec *spec)
{
    (void)impl;
    assert_int_equal(id, STREAM_ID);
    w.spec = *spec;
    return SG_OK;
}

static void send_block(void *impl, const uint64_t *ids, size_t n, sg_block *block)
{
    (void)impl;
    pthread_mutex_lock(&w.lock);
    for (size_t i = 0; i < n; i++)
        if (ids[i] == STREAM_ID) sg_buf_slice(&w.heard, sg_block_view(block));
    w.sends++;
    pthread_mutex_unlock(&w.lock);
}

static void close_stream(void *impl, uint64_t id, int code)
{
    (void)impl;
    (void)id;
    (void)code;
    w.closed_by_us = true;
}

static const sg_http_ops http_ops = {
    .open_stream = open_stream, .send = send_block, .close = close_stream};

static int count(const char *text)
{
    int n = 0;
    pthread_mutex_lock(&w.lock);
    for (const char *p = w.heard.n != 0 ? sg_buf_cstr(&w.heard) : ""; (p = strstr(p, text)) != NULL;
         p++)
        n++;
    pthread_mutex_unlock(&w.lock);
    return n;
}

/* ---- commits ---- */

static void push_done(void *ctx, sg_push *p)
{
    (void)ctx;
    assert_int_equal(p->result.err, SG_OK);
    sg_push_free(p);
    pthread_mutex_lock(&w.lock);
    w.done++;
    pthread_mutex_unlock(&w.lock);
}

static void pushes_committed(void *ctx, sg_push *const *pushes, size_t n)
{
    (void)ctx;
    sg_hub_committed(w.hub, pushes, n);
}

static int pushes_done(void)
{
    pthread_mutex_lock(&w.lock);
    int n = w.done;
    pthread_mutex_unlock(&w.lock);
    return n;
}

static void push_record(const char *id, size_t bytes)
{
    char *body = NULL, *value = malloc(bytes + 1);
    memset(value, 'v', bytes);
    value[bytes] = '\0';
    assert_true(
        asprintf(
            &body,
            "{\"clientId\":\"c1\",\"changes\":[{\"table\":\"t\",\"id\":\"%s\",\"op\":\"insert\","
            "\"fields\":{\"x\":{\"value\":\"%s\"}}}]}",
            id, value) > 0);
    sg_push *p = sg_push_new();
    p->body_len = strlen(body);
    p->body = sg_strndup(body, p->body_len);
    p->claims.user = SG_LIT("ann");
    p->scope = SG_LIT("u:ann");
    p->app = SG_LIT("todo");
    assert_true(sg_push_read(p, (sg_epoch){1}, sg_now_us()));
    int before = pushes_done();
    assert_int_equal(sg_ingest_submit(w.ingest, p), SG_OK);
    http_wait_for(pushes_done() > before);
    free(body);
    free(value);
}

/* ---- a store that lets things happen behind a snapshot ---- */

static int view_begin(sg_view *v, int64_t *newest)
{
    int err = w.real.ops->view_begin(v, newest);
    const char *during = w.during;
    w.during = NULL;
    if (during != NULL) push_record(during, 1);
    if (w.leave_during) w.spec.closed(w.spec.user, STREAM_ID, SG_OK);
    w.leave_during = false;
    return err;
}

static sg_store_ops store_ops;

static int set_up(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char path[80];
    (void)state;
    w = (world){.http = {&http_ops, NULL}};
    pthread_mutex_init(&w.lock, NULL);
    sg_buf_init(&w.heard, SIZE_MAX / 2);
    snprintf(w.dir, sizeof w.dir, "%s/hub-XXXXXX",
             tmp != NULL && strlen(tmp) < sizeof w.dir - 12 ? tmp : "/tmp");
    if (mkdtemp(w.dir) == NULL) return 1;
    snprintf(path, sizeof path, "%s/db", w.dir);
    if (sg_store_sqlite_open(path, &w.real) != SG_OK) return 1;
    store_ops = *w.real.ops;
    store_ops.view_begin = view_begin;
    w.store = (sg_store){&store_ops, w.real.impl};
    const sg_ingest_config config = {
        .store = &w.store, .done = push_done, .committed = pushes_committed};
    return sg_pool_new(&w.store, 2, &w.pool) != SG_OK ||
           sg_hub_new(w.pool, (sg_epoch){1}, &w.hub) != SG_OK ||
           sg_ingest_new(&config, &w.ingest) != SG_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    sg_ingest_free(w.ingest);
    sg_pool_free(w.pool);
    sg_hub_free(w.hub);
    sg_store_close(&w.real);
    sg_buf_deinit(&w.heard);
    pthread_mutex_destroy(&w.lock);
    return nftw(w.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void subscribe(void)
{
    const sg_delta_spec spec = {.scope = SG_LIT("u:ann"), .app = SG_LIT("todo"), .version = 2};
    assert_int_equal(sg_hub_stream(w.hub, &w.http, STREAM_ID, &spec), SG_OK);
}

static uint64_t streams(void)
{
    sg_hub_stats stats;
    sg_hub_stats_get(w.hub, &stats);
    return stats.streams;
}

static void unsubscribe(void)
{
    w.spec.closed(w.spec.user, STREAM_ID, SG_OK);
    assert_int_equal(streams(), 0);
}

/* ---- the tests ---- */

static void L7_a_commit_behind_a_jobs_snapshot_is_not_forgotten(void **state)
{
    (void)state;
    push_record("first", 1);
    w.during = "second"; /* is committed after the job has looked, before it has ended */
    subscribe();
    http_wait_for(count("\"second\"") == 1);
    assert_int_equal(count("\"first\""), 1);
    w.during = "fourth";
    push_record("third", 1);
    http_wait_for(count("\"fourth\"") == 1);
    assert_int_equal(count("\"third\""), 1);
    assert_int_equal(count("\"second\""), 1);
    unsubscribe();
}

static void a_reader_behind_gets_its_next_page_when_it_has_taken_the_last(void **state)
{
    (void)state;
    enum { EACH = 600 * 1024 };
    const char *names[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        push_record(names[i], EACH);
    subscribe();
    http_wait_for(count("event: changes") == 1);
    assert_int_equal(count("\"hasMore\":true"), 1);
    push_record("later", 1); /* a commit does not hurry it */
    http_wait_for(streams() == 1);
    assert_int_equal(count("event: changes"), 1);
    while (count("\"hasMore\":false") == 0) {
        int before = count("event: changes");
        w.spec.drained(w.spec.user, STREAM_ID);
        http_wait_for(count("event: changes") == before + 1);
    }
    assert_int_equal(count("\"id\":\"a\""), 1);
    assert_int_equal(count("\"id\":\"d\""), 1);
    assert_int_equal(count("\"id\":\"later\""), 1);
    unsubscribe();
}

static void a_reader_that_leaves_while_its_page_is_read_leaves_nothing(void **state)
{
    (void)state;
    push_record("first", 1);
    w.leave_during = true;
    subscribe();
    http_wait_for(streams() == 0);
    push_record("second", 1);
    assert_int_equal(count("second"), 0);
}

static void a_reader_that_has_all_there_is_is_sent_nothing(void **state)
{
    (void)state;
    push_record("first", 1);
    const sg_delta_spec spec = {
        .scope = SG_LIT("u:ann"), .app = SG_LIT("todo"), .version = 2, .since = sg_cursor_at(1)};
    assert_int_equal(sg_hub_stream(w.hub, &w.http, STREAM_ID, &spec), SG_OK);
    push_record("second", 1);
    http_wait_for(count("\"second\"") == 1);
    assert_int_equal(count("\"first\""), 0);
    assert_int_equal(count("event: changes"), 1);
    unsubscribe();
}

#define WITH_HUB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HUB(L7_a_commit_behind_a_jobs_snapshot_is_not_forgotten),
        WITH_HUB(a_reader_behind_gets_its_next_page_when_it_has_taken_the_last),
        WITH_HUB(a_reader_that_leaves_while_its_page_is_read_leaves_nothing),
        WITH_HUB(a_reader_that_has_all_there_is_is_sent_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
