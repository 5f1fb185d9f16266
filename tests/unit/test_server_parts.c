/* Small parts of the server: cursors, spans of time, metrics, the readers' queue, tokens. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/cursor.h"
#include "server/duration.h"
#include "server/metrics.h"
#include "server/pool.h"
#include "server/token.h"

/* ---- cursors ---- */

#define EPOCH ((sg_epoch){0x1234})

static void check_cursor(const char *text, int expected)
{
    sg_cursor c;
    int err = sg_cursor_parse(sg_slice_str(text), EPOCH, &c);
    if (err != expected)
        fail_msg("%s gives %s, not %s", text, sg_err_code(err), sg_err_code(expected));
    if (err != SG_OK) assert_true(c.seq == 0 && c.from == 0);
}

static void L7_cursors_come_back_and_sort_by_seq(void **state)
{
    (void)state;
    const sg_cursor cursors[] = {{1, 1, 0, 0, 0},
                                 {2, 0, 1, 0, 0},
                                 {15, 15, 2, 0, 0},
                                 {16, 3, 3, 0, 0},
                                 {INT64_MAX, INT64_MAX, UINT32_MAX, 0, 0}};
    char before[SG_CURSOR_TEXT + 1] = "1970-01-01T00:00:00.000Z", text[SG_CURSOR_TEXT + 1] = "";
    for (size_t i = 0; i < sizeof cursors / sizeof *cursors; i++) {
        sg_cursor c;
        size_t n = sg_cursor_format(cursors[i], EPOCH, text);
        text[n] = '\0';
        assert_int_equal(sg_cursor_parse(sg_slice_of(text, n), EPOCH, &c), SG_OK);
        assert_int_equal(c.seq, cursors[i].seq);
        assert_int_equal(c.from, cursors[i].from);
        assert_true(strcmp(before, text) < 0);
        strcpy(before, text);
    }
}

static void cursors_of_others_are_refused(void **state)
{
    (void)state;
    check_cursor("", SG_OK);
    check_cursor("1970-01-01T00:00:00.000Z", SG_OK);
    check_cursor("1970-01-01T00:00:00.001Z", SG_BADCURSOR);
    check_cursor("c0000000000000001-0000000000001234-00000007", SG_OK);
    check_cursor("c0000000000000001-0000000000001235-00000007", SG_RESTORED);
    check_cursor("c000000000000000A-0000000000001234-00000007", SG_BADCURSOR);
    check_cursor("c8000000000000000-0000000000001234-00000007", SG_BADCURSOR);
    check_cursor("d0000000000000001-0000000000001234-00000007", SG_BADCURSOR);
    check_cursor("c0000000000000001+0000000000001234-00000007", SG_BADCURSOR);
    check_cursor("c0000000000000001-0000000000001234-00000007-", SG_BADCURSOR);
    check_cursor("c0000000000000001-0000000000001234-00000007-0000000000000000", SG_OK);
    check_cursor("c0000000000000001-0000000000001234-00000007-0000000000000002", SG_BADCURSOR);
    check_cursor("c0000000000000001-0000000000001234-00000007+0000000000000000", SG_BADCURSOR);
}

/* ---- spans of time ---- */

static void spans_of_time_are_read_as_people_write_them(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } cases[] = {{"0", 0},
                 {"500ms", 500000},
                 {"2s", 2000000},
                 {"15m", INT64_C(900000000)},
                 {"0d", 0},
                 {"90d", INT64_C(90) * 86400 * 1000000},
                 {"36500d", INT64_C(36500) * 86400 * 1000000},
                 {"36501d", -1},
                 {"99999999999999999999s", -1},
                 {"", -1},
                 {"s", -1},
                 {"5", -1},
                 {"-5s", -1},
                 {"5 s", -1},
                 {"1.5h", -1},
                 {"5weeks", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = -2;
        bool good = sg_duration_parse(cases[i].text, &us);
        if (good != (cases[i].us >= 0) || (good && us != cases[i].us))
            fail_msg("'%s' gives %d, %lld", cases[i].text, good, (long long)us);
    }
}

/* ---- metrics ---- */

static void L20_metrics_keep_a_bounded_number_of_series(void **state)
{
    (void)state;
    sg_metrics *m = sg_metrics_new();
    sg_buf text;
    sg_buf_init(&text, 1 << 20);
    for (int status = 0; status < 2 * (int)SG_METRICS_SERIES_MAX; status++)
        sg_metrics_request(m, SG_HTTP_GET, "/a", status, 700);
    sg_metrics_write(m, NULL, 0, &text);
    const char *all = sg_buf_cstr(&text);
    assert_non_null(all);
    size_t lines = 0;
    for (const char *p = all; (p = strstr(p, "sigla_http_requests_total{")) != NULL; p++)
        lines++;
    assert_int_equal(lines, SG_METRICS_SERIES_MAX);
    assert_non_null(strstr(all, "route=\"other\",status=\"0\"} 257\n"));
    assert_non_null(strstr(all, "sigla_http_request_seconds_bucket{le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(all, "sigla_http_request_seconds_bucket{le=\"0.001\"} 512\n"));
    assert_non_null(strstr(all, "sigla_http_request_seconds_bucket{le=\"+Inf\"} 512\n"));
    assert_non_null(strstr(all, "sigla_http_request_seconds_sum 0.358400\n"));
    sg_buf_deinit(&text);
    sg_metrics_free(m);
}

/* ---- the readers' queue ---- */

static int no_view(void *impl, sg_view **view)
{
    (void)impl;
    *view = NULL;
    return SG_OK;
}

static void free_no_view(sg_view *view)
{
    (void)view;
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int ran;

static void run_job(sg_job *job, sg_worker *worker)
{
    (void)job;
    (void)worker;
    pthread_mutex_lock(&gate);
    ran++;
    pthread_mutex_unlock(&gate);
}

static void L20_the_readers_queue_is_bounded_except_for_promises(void **state)
{
    (void)state;
    const sg_store_ops ops = {.view_new = no_view, .view_free = free_no_view};
    const sg_store store = {&ops, NULL};
    sg_pool *pool = NULL;
    sg_job *jobs = calloc(SG_POOL_QUEUE_MAX + 3, sizeof *jobs);
    for (size_t i = 0; i < SG_POOL_QUEUE_MAX + 3; i++)
        jobs[i].run = run_job;
    ran = 0;
    assert_int_equal(sg_pool_new(&store, 1, &pool), SG_OK);
    pthread_mutex_lock(&gate);
    assert_int_equal(sg_pool_submit(pool, &jobs[0], false), SG_OK);
    while (sg_pool_waiting(pool) != 0) /* the one thread has it, and waits at the gate */
        usleep(100);
    size_t i = 1;
    for (; i <= SG_POOL_QUEUE_MAX; i++)
        assert_int_equal(sg_pool_submit(pool, &jobs[i], false), SG_OK);
    assert_int_equal(sg_pool_submit(pool, &jobs[i], false), SG_BUSY);
    assert_int_equal(sg_pool_submit(pool, &jobs[i], true), SG_OK);
    pthread_mutex_unlock(&gate);
    sg_pool_free(pool); /* runs what waits */
    assert_int_equal(ran, SG_POOL_QUEUE_MAX + 2);
    free(jobs);
}

/* ---- tokens ---- */

static void tokens_read_back_or_memory_ran_out(void **state)
{
    (void)state;
    char path[] = "/tmp/sigla-key-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    unlink(path);
    sg_key *key = NULL;
    assert_int_equal(sg_key_open(path, &key), SG_OK);
    const sg_claims made = {.user = SG_LIT("an\"n\xc3\xa9"),
                            .agent = SG_LIT("planner"),
                            .agent_name = SG_LIT("The Planner"),
                            .expires_s = 2000,
                            .dev = true};
    bool good = false;
    for (size_t n = 1; !good; n++) {
        sg_buf token;
        sg_arena arena;
        sg_claims claims = {0};
        const char *why = NULL;
        assert_true(n < 100);
        sg_arena_init(&arena);
        sg_buf_init(&token, SG_TOKEN_MAX);
        (void)sg_mem_fail_at(n, 1);
        int err = sg_token_make(key, &made, 1000, &token);
        if (err == SG_OK)
            err = sg_token_read(key, sg_buf_view(&token), 1001, &arena, &claims, &why);
        (void)sg_mem_fail_at(0, 0);
        good = err == SG_OK;
        if (!good) assert_int_equal(err, SG_NOMEM);
        if (good) {
            assert_true(sg_slice_eq(claims.user, made.user));
            assert_true(sg_slice_eq(claims.agent, made.agent));
            assert_true(sg_slice_eq(claims.agent_name, made.agent_name));
            assert_int_equal(claims.expires_s, 2000);
            assert_true(claims.dev);
        }
        sg_buf_deinit(&token);
        sg_arena_deinit(&arena);
    }
    sg_buf out;
    sg_buf_init(&out, SG_TOKEN_MAX);
    assert_int_equal(sg_token_make(key, &(sg_claims){.user = SG_LIT("")}, 1, &out), SG_LIMIT);
    assert_int_equal(sg_token_make(key, &(sg_claims){.user = SG_LIT("\xff")}, 1, &out),
                     SG_BADVALUE);
    sg_buf_deinit(&out);
    sg_key_free(key);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L7_cursors_come_back_and_sort_by_seq),
        cmocka_unit_test(cursors_of_others_are_refused),
        cmocka_unit_test(spans_of_time_are_read_as_people_write_them),
        cmocka_unit_test(L20_metrics_keep_a_bounded_number_of_series),
        cmocka_unit_test(L20_the_readers_queue_is_bounded_except_for_promises),
        cmocka_unit_test(tokens_read_back_or_memory_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
