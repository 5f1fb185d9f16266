/* The pieces of the HTTP layer that need no connection. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/chunked.h"
#include "net/head.h"
#include "net/inbox.h"
#include "net/outq.h"
#include "net/router.h"
#include "net/slots.h"
#include "server/http.h"
#include "server/rate.h"

/* ---- chunked ---- */

/* Decode in steps of at most `step` bytes; the data, and how the decoder ended. */
static enum sg_chunk_state decode(const char *text, size_t n, size_t step, sg_buf *out,
                                  size_t *used)
{
    sg_chunked c = {0};
    *used = 0;
    sg_buf_clear(out);
    while (*used < n && c.state != SG_CHUNK_DONE && c.state != SG_CHUNK_BAD) {
        sg_slice data;
        size_t part = n - *used < step ? n - *used : step;
        size_t took = sg_chunked_read(&c, sg_slice_of(text + *used, part), &data);
        assert_true(took != 0 && took <= part);
        sg_buf_slice(out, data);
        *used += took;
    }
    return c.state;
}

static void chunks_decode_the_same_however_they_are_cut(void **state)
{
    (void)state;
    static const char text[] =
        "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nT: 1\r\nU: 2\r\n\r\nnext";
    sg_buf out;
    sg_buf_init(&out, 1000);
    for (size_t step = 1; step < sizeof text; step++) {
        size_t used;
        assert_int_equal(decode(text, sizeof text - 1, step, &out, &used), SG_CHUNK_DONE);
        assert_int_equal(used, sizeof text - 1 - 4);
        assert_int_equal(out.n, 13);
        assert_memory_equal(out.p, "abc0123456789", 13);
    }
    sg_buf_deinit(&out);
}

static void an_incomplete_chunked_body_is_not_done(void **state)
{
    (void)state;
    static const char text[] = "3\r\nabc\r\n0\r\nT: 1\r\n\r\n";
    sg_buf out;
    size_t used;
    sg_buf_init(&out, 1000);
    for (size_t n = 0; n < sizeof text - 1; n++) {
        enum sg_chunk_state end = decode(text, n, 7, &out, &used);
        assert_true(end != SG_CHUNK_DONE && end != SG_CHUNK_BAD);
    }
    assert_int_equal(decode(text, sizeof text - 1, 7, &out, &used), SG_CHUNK_DONE);
    sg_buf_deinit(&out);
}

/* ---- head ---- */

static void a_head_is_found_however_its_bytes_come(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: t\r\n\r\nrest";
    size_t whole = sizeof text - 1 - 4;
    sg_refusal why = {0};
    size_t scan = 0;
    for (size_t n = 1; n < whole; n++)
        assert_int_equal(sg_head_find(&why, sg_slice_of(text, n), &scan), 0);
    assert_int_equal(sg_head_find(&why, sg_slice_of(text, sizeof text - 1), &scan), whole);
    assert_int_equal(why.err, SG_OK);
}

static void a_head_can_move(void **state)
{
    (void)state;
    static const char text[] = "GET /p?q HTTP/1.1\r\nHost: t\r\nOrigin: o\r\nEmpty:\r\n\r\n";
    char copy[sizeof text];
    sg_head *h = sg_zalloc(sizeof *h);
    memcpy(copy, text, sizeof text);
    assert_true(sg_head_parse(h, sg_slice_of(text, sizeof text - 1)));
    sg_head_move(h, text, copy);
    assert_int_equal(h->header_count, 3);
    assert_true(h->path.p == copy + 4 && sg_slice_eq(h->path, SG_LIT("/p")));
    assert_true(sg_slice_eq(h->query, SG_LIT("q")));
    assert_true(h->headers[0].value.p > copy && h->headers[0].value.p < copy + sizeof copy);
    assert_true(sg_slice_eq(h->origin, SG_LIT("o")));
    sg_free(h);
}

/* ---- output queue ---- */

static size_t drain(sg_outq *q, size_t step, sg_buf *out)
{
    size_t rounds = 0;
    while (q->bytes != 0) {
        struct iovec v[3];
        int n = sg_outq_runs(q, v, 3);
        size_t left = step;
        for (int i = 0; i < n && left != 0; i++) {
            size_t part = v[i].iov_len < left ? v[i].iov_len : left;
            sg_buf_put(out, v[i].iov_base, part);
            left -= part;
        }
        sg_outq_advance(q, step - left);
        rounds++;
    }
    return rounds;
}

static void output_keeps_its_order_whatever_is_taken_at_once(void **state)
{
    (void)state;
    static const char expected[] = "copied and more, static, heap, block, block, copied again";
    for (size_t step = 1; step < sizeof expected; step++) {
        sg_outq q = {0};
        sg_buf out;
        sg_buf_init(&out, 1000);
        sg_block *b = sg_block_new(SG_LIT(", block"));
        sg_outq_copy(&q, SG_LIT("copied"));
        sg_outq_copy(&q, SG_LIT(" and more"));
        sg_outq_static(&q, SG_LIT(", static"));
        sg_outq_heap(&q, sg_strndup(", heap", 6), 6);
        sg_outq_block(&q, b);
        sg_outq_block(&q, b);
        sg_outq_copy(&q, SG_LIT(", copied again"));
        assert_int_equal(q.bytes, sizeof expected - 1);
        assert_int_equal(atomic_load(&b->refs), 3);
        drain(&q, step, &out);
        assert_int_equal(out.n, sizeof expected - 1);
        assert_memory_equal(out.p, expected, out.n);
        assert_int_equal(atomic_load(&b->refs), 1);
        assert_null(q.v); /* empty costs nothing */
        sg_block_unref(b);
        sg_buf_deinit(&out);
    }
}

static void what_has_begun_to_be_sent_is_not_dropped(void **state)
{
    (void)state;
    sg_outq q = {0};
    sg_buf out;
    sg_buf_init(&out, 1000);
    sg_outq_static(&q, SG_LIT("first"));
    sg_outq_static(&q, SG_LIT("second"));
    assert_int_equal(sg_outq_waiting(&q), 6);
    sg_outq_advance(&q, 2);
    sg_outq_drop_waiting(&q);
    assert_int_equal(q.bytes, 3);
    sg_outq_static(&q, SG_LIT("!"));
    drain(&q, 100, &out);
    assert_memory_equal(out.p, "rst!", 4);
    sg_outq_static(&q, SG_LIT("first"));
    sg_outq_drop_waiting(&q);
    assert_int_equal(q.bytes, 0);
    sg_outq_deinit(&q);
    sg_buf_deinit(&out);
}

static void output_goes_on_while_more_is_queued(void **state)
{
    (void)state;
    static const char digits[] = "0123456789";
    sg_outq q = {0};
    sg_buf out;
    sg_buf_init(&out, 10000);
    for (size_t i = 0; i < 1000; i++) {
        struct iovec v;
        sg_outq_static(&q, sg_slice_of(digits + i % 10, 1));
        if (i < 2 || sg_outq_runs(&q, &v, 1) == 0) continue;
        sg_buf_put(&out, v.iov_base, v.iov_len);
        sg_outq_advance(&q, v.iov_len);
    }
    assert_true(q.cap <= 8); /* the room of what has gone is used again */
    drain(&q, 1, &out);
    assert_int_equal(out.n, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(out.p[i], digits[i % 10]);
    sg_buf_deinit(&out);
}

static void output_without_memory_latches(void **state)
{
    (void)state;
    sg_outq q = {0};
    sg_mem_fail_at(1, 0);
    sg_outq_copy(&q, SG_LIT("lost"));
    sg_mem_fail_at(0, 0);
    sg_outq_heap(&q, sg_strndup("freed", 5), 5);
    sg_outq_copy(&q, SG_LIT("not taken"));
    assert_int_equal(q.err, SG_NOMEM);
    assert_int_equal(q.bytes, 0);
    sg_outq_deinit(&q);
}

/* ---- slots ---- */

static void an_old_id_names_nothing(void **state)
{
    (void)state;
    sg_slots s;
    struct sg_conn *a = (struct sg_conn *)&s;
    struct sg_conn *b = (struct sg_conn *)&a;
    sg_slots_init(&s);
    uint32_t slot = sg_slots_add(&s, a);
    uint64_t first = sg_slots_renew(&s, slot, 2);
    assert_int_equal(sg_id_accept(first), 2);
    assert_ptr_equal(sg_slots_get(&s, first), a);
    uint64_t second = sg_slots_renew(&s, slot, 0);
    assert_null(sg_slots_get(&s, first));
    assert_ptr_equal(sg_slots_get(&s, second), a);
    sg_slots_remove(&s, slot);
    assert_null(sg_slots_get(&s, second));
    assert_int_equal(sg_slots_add(&s, b), slot); /* used again */
    assert_null(sg_slots_get(&s, second));
    assert_null(sg_slots_get(&s, 0));
    assert_null(sg_slots_get(&s, UINT64_MAX));
    sg_slots_deinit(&s);
}

static void there_are_as_many_slots_as_numbers(void **state)
{
    (void)state;
    sg_slots s;
    struct sg_conn *a = (struct sg_conn *)&s;
    sg_slots_init(&s);
    for (uint32_t i = 0; i < 1u << SG_SLOT_BITS; i++)
        assert_int_equal(sg_slots_add(&s, a), i);
    assert_int_equal(sg_slots_add(&s, a), SG_SLOT_NONE);
    sg_slots_deinit(&s);
}

/* ---- inbox ---- */

static void more_answers_than_requests_are_refused(void **state)
{
    (void)state;
    sg_inbox q;
    assert_int_equal(sg_inbox_init(&q, 1), SG_OK);
    sg_reply r = {.id = 1, .body = sg_strndup("x", 1), .body_len = 1};
    assert_true(sg_inbox_push_reply(&q, &r));
    r.body = sg_strndup("y", 1);
    assert_false(sg_inbox_push_reply(&q, &r)); /* and freed it */
    sg_inbox_batch *b = sg_inbox_take(&q);
    assert_int_equal(b->reply_count, 1);
    sg_inbox_clear(b);
    r.body = sg_strndup("z", 1);
    assert_true(sg_inbox_push_reply(&q, &r));
    sg_inbox_deinit(&q);
}

static void an_overflow_of_events_is_told(void **state)
{
    (void)state;
    sg_inbox q;
    assert_int_equal(sg_inbox_init(&q, 1), SG_OK);
    sg_inbox_event e = {.kind = SG_INBOX_CLOSE, .id = 1, .n = 1};
    for (unsigned i = 0; i < SG_HTTP_MAX_QUEUED; i++)
        sg_inbox_push_event(&q, &e);
    sg_inbox_batch *b = sg_inbox_take(&q);
    assert_int_equal(b->event_count, SG_HTTP_MAX_QUEUED);
    assert_false(b->overflow);
    sg_inbox_clear(b);
    /* By bytes: a block that is queued often counts as often. */
    sg_block *block = sg_block_new(SG_LIT(""));
    block->n = SG_INBOX_MAX_BYTES / 4;
    for (unsigned i = 0; i < 5; i++)
        sg_inbox_push_event(&q, &(sg_inbox_event){.n = 1, .block = sg_block_ref(block)});
    b = sg_inbox_take(&q);
    assert_int_equal(b->event_count, 4);
    assert_true(b->overflow);
    sg_inbox_clear(b);
    assert_int_equal(atomic_load(&block->refs), 1);
    sg_block_unref(block);
    /* And by memory. */
    sg_mem_fail_at(1, 0);
    for (unsigned i = 0; i < 65; i++)
        sg_inbox_push_event(&q, &e);
    sg_mem_fail_at(0, 0);
    b = sg_inbox_take(&q);
    assert_true(b->overflow || b->event_count == 65);
    sg_inbox_deinit(&q);
}

/* ---- routes ---- */

static void nothing_handler(void *ctx, const sg_http *http, const sg_http_req *req)
{
    (void)ctx;
    (void)http;
    (void)req;
}

static void routes_match_in_order(void **state)
{
    (void)state;
    static const sg_http_route rows[] = {
        {SG_HTTP_GET, "/", nothing_handler, NULL, NULL, 0},
        {SG_HTTP_GET, "/a/me", nothing_handler, NULL, NULL, 0},
        {SG_HTTP_GET, "/a/{id}", nothing_handler, NULL, NULL, 0},
        {SG_HTTP_DELETE, "/a/{id}", nothing_handler, NULL, NULL, 0},
        {SG_HTTP_GET, "/a/{id}/b/{other}", nothing_handler, NULL, NULL, 0},
        {SG_HTTP_GET, "/files/{rest*}", nothing_handler, NULL, NULL, 0},
    };
    static const struct {
        enum sg_http_method method;
        const char *path;
        int row; /* -1: none */
        unsigned methods;
        const char *first; /* capture */
    } cases[] = {
        {SG_HTTP_GET, "/", 0, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD, NULL},
        {SG_HTTP_GET, "/a/me", 1, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD, NULL},
        {SG_HTTP_HEAD, "/a/you", 2, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD, "you"},
        {SG_HTTP_DELETE, "/a/me", 3, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD | 1u << SG_HTTP_DELETE,
         "me"},
        {SG_HTTP_PUT, "/a/x", -1, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD | 1u << SG_HTTP_DELETE,
         NULL},
        {SG_HTTP_GET, "/a/x/b/y", 4, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD, "x"},
        {SG_HTTP_GET, "/a/x/c/y", -1, 0, NULL},
        {SG_HTTP_GET, "/a/x/b/", -1, 0, NULL},
        {SG_HTTP_GET, "/a/x/b", -1, 0, NULL},
        {SG_HTTP_GET, "/a/", -1, 0, NULL},
        {SG_HTTP_GET, "/a", -1, 0, NULL},
        {SG_HTTP_GET, "/files/", 5, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD, ""},
        {SG_HTTP_GET, "/files/a/b", 5, 1u << SG_HTTP_GET | 1u << SG_HTTP_HEAD, "a/b"},
        {SG_HTTP_GET, "/files", -1, 0, NULL},
    };
    sg_router r;
    assert_int_equal(sg_router_init(&r, rows, sizeof rows / sizeof *rows), SG_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sg_route_match m;
        sg_router_find(&r, cases[i].method, sg_slice_str(cases[i].path), &m);
        long row = m.route != NULL ? m.route - rows : -1;
        if (row != cases[i].row) fail_msg("%s matched row %ld", cases[i].path, row);
        assert_int_equal(m.methods, cases[i].methods);
        if (cases[i].first != NULL)
            assert_true(sg_slice_eq(m.params[0], sg_slice_str(cases[i].first)));
    }
}

/* ---- rate ---- */

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    (void)state;
    sg_rate *r = sg_rate_new(10, 3);
    uint64_t now = 0;
    for (int i = 0; i < 3; i++)
        assert_true(sg_rate_take(r, 7, now));
    assert_false(sg_rate_take(r, 7, now));
    assert_true(sg_rate_take(r, 8, now)); /* another key */
    assert_false(sg_rate_take(r, 7, now + 99));
    assert_true(sg_rate_take(r, 7, now + 100));
    assert_false(sg_rate_take(r, 7, now + 100));
    /* Not more than the burst, however long it was quiet. */
    now += (uint64_t)1 << 60;
    for (int i = 0; i < 3; i++)
        assert_true(sg_rate_take(r, 7, now));
    assert_false(sg_rate_take(r, 7, now));
    sg_rate_free(r);
}

static void many_keys_forget_the_quiet_ones_first(void **state)
{
    (void)state;
    sg_rate *r = sg_rate_new(1, 1);
    assert_true(sg_rate_take(r, 0, 1000));
    for (uint64_t i = 1; i < SG_RATE_WAYS; i++)
        assert_true(sg_rate_take(r, i * SG_RATE_SETS, 1100));
    assert_false(sg_rate_take(r, 0, 1150)); /* all in one set, all kept */
    assert_true(sg_rate_take(r, SG_RATE_WAYS * SG_RATE_SETS, 1200));
    assert_false(sg_rate_take(r, 0, 1250));
    sg_rate_free(r);
}

/* ---- the handlers' side ---- */

static void events_have_a_data_line_for_each_line(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        const char *text;
    } cases[] = {
        {"", "event: e\nid: 5\ndata: \n\n"},
        {"a", "event: e\nid: 5\ndata: a\n\n"},
        {"a\nb\r\nc\rd", "event: e\nid: 5\ndata: a\ndata: b\ndata: c\ndata: d\n\n"},
        {"\n", "event: e\nid: 5\ndata: \ndata: \n\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sg_block *b = sg_block_event("e", SG_LIT("5"), sg_slice_str(cases[i].data));
        assert_true(sg_slice_eq(sg_block_view(b), sg_slice_str(cases[i].text)));
        sg_block_unref(b);
    }
    sg_mem_fail_at(1, 0);
    assert_null(sg_block_event("e", SG_LIT(""), SG_LIT("")));
    sg_mem_fail_at(0, 0);
}

static void query_parameters_are_found_and_decoded(void **state)
{
    (void)state;
    sg_http_req req = {.query = SG_LIT("a=1&&b=%41+%2b&a=2&%63=x%3D&flag&=empty&d=")};
    sg_buf scratch;
    sg_slice v;
    sg_buf_init(&scratch, 4);
    assert_true(sg_http_query_get(&req, "a", &scratch, &v) && sg_slice_eq(v, SG_LIT("1")));
    assert_ptr_equal(v.p, req.query.p + 2); /* nothing to undo: borrowed */
    assert_true(sg_http_query_get(&req, "b", &scratch, &v) && sg_slice_eq(v, SG_LIT("A +")));
    assert_true(sg_http_query_get(&req, "flag", &scratch, &v) && v.n == 0);
    assert_true(sg_http_query_get(&req, "d", &scratch, &v) && v.n == 0);
    assert_false(sg_http_query_get(&req, "", &scratch, &v) && v.n == 0);
    assert_false(sg_http_query_get(&req, "no", &scratch, &v));
    assert_false(sg_http_query_get(&req, "c", &scratch, &v)); /* scratch is full */
    sg_buf_clear(&scratch);
    assert_true(sg_http_query_get(&req, "c", &scratch, &v) && sg_slice_eq(v, SG_LIT("x=")));
    sg_buf_deinit(&scratch);
}

static void headers_are_found_whatever_their_case(void **state)
{
    (void)state;
    static const sg_http_header headers[] = {{{"X-One", 5}, {"1", 1}}, {{"x-one", 5}, {"2", 1}}};
    sg_http_req req = {.headers = headers, .header_count = 2};
    assert_true(sg_slice_eq(sg_http_header_get(&req, "X-ONE"), SG_LIT("1")));
    assert_null(sg_http_header_get(&req, "x-on").p);
}

static void an_error_body_is_json_whatever_its_detail(void **state)
{
    (void)state;
    static const struct {
        const char *detail;
        const char *json;
    } cases[] = {
        {"a \"b\"", "a \\\"b\\\""}, {"\xff", ""}, /* no UTF-8: left out */
    };
    for (size_t i = 0; i < 2; i++) {
        sg_buf out, expected;
        sg_buf_init(&out, 1000);
        sg_buf_init(&expected, 1000);
        sg_http_error_body(&out, SG_NOTFOUND, sg_slice_str(cases[i].detail));
        sg_buf_str(&expected, "{\"error\":{\"code\":\"not_found\",\"message\":\"");
        sg_buf_str(&expected, sg_err_text(SG_NOTFOUND));
        sg_buf_str(&expected, "\",\"detail\":\"");
        sg_buf_str(&expected, cases[i].json);
        sg_buf_str(&expected, "\"}}");
        assert_string_equal(sg_buf_cstr(&out), sg_buf_cstr(&expected));
        sg_buf_deinit(&out);
        sg_buf_deinit(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_decode_the_same_however_they_are_cut),
        cmocka_unit_test(an_incomplete_chunked_body_is_not_done),
        cmocka_unit_test(a_head_is_found_however_its_bytes_come),
        cmocka_unit_test(a_head_can_move),
        cmocka_unit_test(output_keeps_its_order_whatever_is_taken_at_once),
        cmocka_unit_test(what_has_begun_to_be_sent_is_not_dropped),
        cmocka_unit_test(output_goes_on_while_more_is_queued),
        cmocka_unit_test(output_without_memory_latches),
        cmocka_unit_test(an_old_id_names_nothing),
        cmocka_unit_test(there_are_as_many_slots_as_numbers),
        cmocka_unit_test(more_answers_than_requests_are_refused),
        cmocka_unit_test(an_overflow_of_events_is_told),
        cmocka_unit_test(routes_match_in_order),
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test(many_keys_forget_the_quiet_ones_first),
        cmocka_unit_test(events_have_a_data_line_for_each_line),
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(headers_are_found_whatever_their_case),
        cmocka_unit_test(an_error_body_is_json_whatever_its_detail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
