/* Pages: both dialects' shapes, and that a reader sees what a writer was given. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/page_json.h"

#define TEXT_MAX ((size_t)16 << 20)
#define ME 1u
#define OTHER 2u
#define PERSON "{\"kind\":\"user\",\"principalId\":\"u:ann\"}"
#define ROBOT "{\"kind\":\"ai\",\"principalId\":\"bot\"}"

static sg_slice name_text(void *ctx, uint32_t id)
{
    (void)ctx;
    static const char *const names[] = {"", "title", "done", "note"};
    return id < 4 ? sg_slice_str(names[id]) : SG_LIT("");
}

static sg_slice client_text(void *ctx, uint32_t id)
{
    (void)ctx;
    return id == ME ? SG_LIT("me") : SG_LIT("other");
}

static sg_slice actor_text(void *ctx, uint32_t id)
{
    (void)ctx;
    return id == 1 ? SG_LIT(PERSON) : SG_LIT(ROBOT);
}

static const sg_texts texts = {NULL, name_text, client_text, actor_text};

/* title and done from me (seq 10), note from the other (seq 20) with a list of lost writes. */
static void make_record(sg_record *r, sg_arena *arena)
{
    const sg_mark mine = {.at_us = 5000, .n = 3, .seq = 10, .client = ME, .actor = 1};
    sg_mark theirs = {.at_us = 6001, .n = 9, .seq = 20, .client = OTHER, .actor = 2};
    theirs.origin = SG_ORIGIN_AGENT;
    const char *values[] = {"\"Tea\"", "1.50", "\"hi\""};
    sg_record_init(r);
    r->has_life = true;
    r->life = mine;
    for (uint32_t name = 1; name <= 3; name++) {
        sg_field *f = sg_record_at(r, name);
        assert_non_null(f);
        f->mark = name == 3 ? theirs : mine;
        f->has_value = true;
        f->value = sg_slice_str(values[name - 1]);
    }
    sg_lost lost = {{15, 18}, 2};
    sg_buf packed;
    sg_buf_init(&packed, 100);
    sg_lost_pack(&lost, &packed);
    int err = SG_OK;
    r->fields[2].lost = sg_arena_copy(arena, sg_buf_view(&packed), &err);
    sg_buf_deinit(&packed);
}

typedef struct view {
    int version;
    int64_t since;
    uint32_t self;
} view;

/* A page of one record; *sent says whether there was anything to send. */
static int write_page(sg_buf *out, const sg_record *r, view v, bool *sent)
{
    sg_buf records;
    sg_jsonw w, page;
    sg_page_writer p;
    sg_buf_init(&records, TEXT_MAX);
    sg_jsonw_init(&w, &records);
    sg_page_writer_init(&p, &w, &texts);
    p.version = v.version;
    p.since = v.since;
    p.self = v.self;
    sg_jsonw_array(&w);
    *sent = sg_page_put(&p, SG_LIT("tasks"), SG_LIT("t1"), r);
    sg_jsonw_array_end(&w);
    sg_buf_clear(out);
    sg_jsonw_init(&page, out);
    sg_jsonw_object(&page);
    sg_jsonw_kstr(&page, "syncedUntil", SG_LIT("c1"));
    p.w = &page;
    if (v.version == 2) sg_page_put_tables(&p);
    p.w = &w;
    sg_jsonw_kraw(&page, "serverChanges", sg_buf_view(&records));
    sg_jsonw_object_end(&page);
    int err = records.err != SG_OK ? records.err : out->err;
    sg_page_writer_deinit(&p);
    sg_buf_deinit(&records);
    return err;
}

static void check_page(const sg_record *r, view v, const char *expected)
{
    sg_buf out;
    bool sent;
    sg_buf_init(&out, TEXT_MAX);
    assert_int_equal(write_page(&out, r, v, &sent), SG_OK);
    const char *from = strstr(sg_buf_cstr(&out), "\"serverChanges\":");
    assert_string_equal(from, expected);
    sg_buf_deinit(&out);
}

#define T5 "\"1970-01-01T00:00:00.005Z\""
#define T6 "\"1970-01-01T00:00:00.006001Z\""

static void version_2_sends_each_field_that_is_news(void **state)
{
    (void)state;
    sg_arena arena;
    sg_record r;
    sg_arena_init(&arena);
    make_record(&r, &arena);
    check_page(&r, (view){2, 0, ME},
               "\"serverChanges\":[{\"table\":\"tasks\",\"id\":\"t1\",\"marks\":[[" T5
               ",0,3,0,\"user\",10],[" T6
               ",1,9,1,\"agent\",20]],\"life\":0,\"values\":{\"title\":\"Tea\",\"done\":1.50},"
               "\"fields\":{\"note\":[1,\"hi\",[15,18]]}}]}");
    check_page(&r, (view){2, 10, 0},
               "\"serverChanges\":[{\"table\":\"tasks\",\"id\":\"t1\",\"marks\":[[" T6
               ",0,9,0,\"agent\",20]],\"fields\":{\"note\":[0,\"hi\",[15,18]]}}]}");
    check_page(&r, (view){2, 20, 0}, "\"serverChanges\":[]}");
    r.life.seq = 4;
    check_page(&r, (view){2, 5, ME},
               "\"serverChanges\":[{\"table\":\"tasks\",\"id\":\"t1\",\"marks\":[[" T6
               ",0,9,0,\"agent\",20]],\"fields\":{\"note\":[0,\"hi\",[15,18]]}}]}");
    r.fields[0].mark.restamped = true;
    check_page(
        &r, (view){2, 5, OTHER},
        "\"serverChanges\":[{\"table\":\"tasks\",\"id\":\"t1\",\"marks\":[[" T5
        ",0,3,0,\"user\",10,1],[" T5
        ",0,3,0,\"user\",10]],\"values\":{\"title\":\"Tea\"},\"fields\":{\"done\":[1,1.50]}}]}");
    r.dead = true;
    r.life.seq = 30;
    r.life.client = OTHER;
    check_page(
        &r, (view){2, 20, 0},
        "\"serverChanges\":[{\"table\":\"tasks\",\"id\":\"t1\",\"marks\":[[" T5
        ",0,3,0,\"user\",30]],\"life\":0,\"dead\":true,\"fields\":{\"note\":[0,null,[15,18]]}}]}");
    sg_record_deinit(&r);
    sg_arena_deinit(&arena);
}

static void version_1_sends_whole_rows_by_hand(void **state)
{
    (void)state;
    sg_arena arena;
    sg_record r;
    sg_arena_init(&arena);
    make_record(&r, &arena);
    const char *both =
        "\"serverChanges\":[{\"table\":\"tasks\",\"id\":\"t1\",\"op\":\"update\",\"fields\":{\"title\":{\"value\":\"Tea\",\"at\":" T5
        "},\"done\":{\"value\":1.50,\"at\":" T5 "}},\"actor\":" PERSON
        ",\"origin\":\"user\",\"spaceId\":null},"
        "{\"table\":\"tasks\",\"id\":\"t1\",\"op\":\"update\",\"fields\":{\"note\":{\"value\":\"hi\",\"at\":" T6
        "}},\"actor\":" ROBOT ",\"origin\":\"agent\",\"spaceId\":null}]}";
    check_page(&r, (view){1, 0, 0}, both);
    check_page(&r, (view){1, 15, ME}, both);
    check_page(&r, (view){1, 15, OTHER}, "\"serverChanges\":[]}");
    check_page(&r, (view){1, 20, 0}, "\"serverChanges\":[]}");
    r.dead = true;
    r.life.seq = 30;
    check_page(
        &r, (view){1, 20, 0},
        "\"serverChanges\":[{\"table\":\"tasks\",\"id\":\"t1\",\"op\":\"delete\",\"deletedAt\":" T5
        ",\"fields\":{},\"actor\":" PERSON ",\"origin\":\"user\",\"spaceId\":null}]}");
    sg_record_deinit(&r);
    sg_arena_deinit(&arena);
}

static void check_text(sg_slice got, const char *expected)
{
    if (sg_slice_eq(got, sg_slice_str(expected))) return;
    fail_msg("got '%.*s', expected '%s'", (int)got.n, got.p, expected);
}

/* The record of make_record, as a reader without a cursor sees it. */
static int check_read(sg_slice text)
{
    sg_arena arena;
    sg_page p;
    sg_page_record rec;
    bool got = false;
    sg_arena_init(&arena);
    int err = sg_page_open(&p, text, &arena);
    if (err == SG_OK) err = sg_page_next(&p, &rec, &arena, &got);
    if (err == SG_OK) {
        assert_true(got);
        check_text(rec.table, "tasks");
        check_text(rec.id, "t1");
        assert_false(rec.dead);
        assert_non_null(rec.life);
        assert_int_equal(rec.life->n, 3);
        assert_int_equal(rec.count, 3);
        check_text(rec.fields[1].name, "done");
        check_text(rec.fields[1].value, "1.50");
        check_text(rec.fields[1].mark->client, "me");
        assert_int_equal(rec.fields[1].mark->at_us, 5000);
        check_text(rec.fields[2].name, "note");
        check_text(rec.fields[2].mark->client, "other");
        check_text(rec.fields[2].mark->actor, ROBOT);
        assert_int_equal(rec.fields[2].mark->origin, SG_ORIGIN_AGENT);
        assert_int_equal(rec.fields[2].mark->seq, 20);
        assert_int_equal(rec.fields[2].lost->count, 2);
        assert_int_equal(rec.fields[2].lost->seq[1], 18);
        err = sg_page_next(&p, &rec, &arena, &got);
    }
    if (err == SG_OK) {
        assert_false(got);
        check_text(p.synced_until, "c1");
    }
    sg_arena_deinit(&arena);
    return err;
}

static void a_page_reads_back_whatever_the_order_of_its_members(void **state)
{
    (void)state;
    sg_arena arena;
    sg_record r;
    sg_buf out;
    bool sent;
    sg_arena_init(&arena);
    sg_buf_init(&out, TEXT_MAX);
    make_record(&r, &arena);
    assert_int_equal(write_page(&out, &r, (view){2, 0, 0}, &sent), SG_OK);
    assert_int_equal(check_read(sg_buf_view(&out)), SG_OK);
    assert_int_equal(
        check_read(SG_LIT(
            "{\"serverChanges\":[{\"fields\":{\"d\\u006fne\":[0,1.50]},\"values\":{},\"life\":0,"
            "\"id\":\"t1\",\"marks\":[[" T5
            ",1,3,0,\"user\",10]],\"table\":\"tasks\",\"more\":{}}],"
            "\"clients\":[\"x\",\"me\"],\"actors\":[" PERSON "],\"syncedUntil\":\"c1\"} "
            "x")),
        SG_BADJSON);
    sg_record_deinit(&r);
    sg_buf_deinit(&out);
    sg_arena_deinit(&arena);
}

static void members_may_come_in_any_order(void **state)
{
    (void)state;
    const char *text =
        "{\"serverChanges\":[{\"values\":{\"title\":\"Tea\",\"d\\u006fne\":1.50},\"fields\":{\"note\":[1,\"hi\",[18,15],7]},"
        "\"life\":0,\"id\":\"t1\",\"marks\":[[" T5 ",1,3,0,\"user\",10],[" T6
        ",0,9,1,\"agent\",20,0,0]],"
        "\"table\":\"tasks\",\"more\":{}}],\"clients\":[\"other\",\"me\"],\"actors\":[" PERSON
        "," ROBOT "],"
        "\"syncedUntil\":\"c1\"}";
    assert_int_equal(check_read(sg_slice_str(text)), SG_OK);
}

static void the_answer_of_a_push_is_read(void **state)
{
    (void)state;
    sg_arena arena;
    sg_page p;
    sg_arena_init(&arena);
    assert_int_equal(
        sg_page_open(
            &p,
            SG_LIT(
                "{\"serverTime\":\"1970-01-01T00:00:01.000Z\",\"epoch\":\"00ff\",\"acks\":[{\"n\":1,\"seq\":5},"
                "{\"n\":2,\"seq\":8,\"count\":3}],\"staged\":9,\"rejected\":[{\"n\":6,\"code\":\"bad_change\","
                "\"message\":\"no \\\"x\\\"\"},{\"table\":\"t\",\"id\":\"a\",\"code\":\"novel\"}],"
                "\"restamped\":[{\"n\":2,\"at\":\"1970-01-01T00:00:02.000Z\"}],\"conflicts\":[],"
                "\"syncedUntil\":\"c9\",\"syncedSeq\":10,\"hasMore\":true,\"serverChanges\":null}"),
            &arena),
        SG_OK);
    assert_int_equal(p.server_us, 1000000);
    check_text(p.epoch, "00ff");
    assert_int_equal(p.ack_count, 2);
    assert_int_equal(p.acks[0].count, 1);
    assert_int_equal(p.acks[1].seq, 8);
    assert_int_equal(p.acks[1].count, 3);
    assert_int_equal(p.staged, 9);
    assert_int_equal(p.rejected_count, 2);
    assert_int_equal(p.rejected[0].n, 6);
    assert_int_equal(p.rejected[0].code, SG_BADCHANGE);
    check_text(p.rejected[0].message, "no \"x\"");
    assert_int_equal(p.rejected[1].code, SG_INTERNAL);
    check_text(p.rejected[1].text, "novel");
    check_text(p.rejected[1].table, "t");
    assert_int_equal(p.restamped_count, 1);
    assert_int_equal(p.restamped[0].at_us, 2000000);
    assert_int_equal(p.synced_seq, 10);
    assert_true(p.has_more);
    sg_page_record rec;
    bool got = true;
    assert_int_equal(sg_page_next(&p, &rec, &arena, &got), SG_OK);
    assert_false(got);
    sg_arena_deinit(&arena);
}

#define HEAD "{\"clients\":[\"me\"],\"actors\":[" PERSON "],\"serverChanges\":"
#define MARK "[[" T5 ",0,3,0,\"user\",10]]"

static void hostile_pages_are_errors(void **state)
{
    (void)state;
    const char *pages[] = {
        "",
        "[]",
        "{",
        HEAD "7}",
        HEAD "[7]}",
        HEAD "[{}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":" MARK ",\"life\":1}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":" MARK ",\"life\":-1}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":" MARK ",\"life\":4294967296}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":[[" T5 ",1,3,0,\"user\",10]]}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":[[" T5 ",0,3,0,\"alien\",10]]}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":[[" T5 ",0,3]]}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":[[1,0,3,0,\"user\",10]]}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"values\":{\"x\":1}}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":" MARK ",\"fields\":{\"x\":[1,2]}}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\",\"marks\":" MARK ",\"fields\":{\"x\":[0]}}]}",
        HEAD "[{\"table\":\"t\",\"id\":\"a\"}]",
        HEAD "[{\"table\":\"t\",\"id\":\"a\"}]} 1",
        "{\"actors\":[7]}",
        "{\"serverTime\":\"noon\"}",
        "{\"acks\":[{\"n\":9223372036854775807,\"seq\":1}]}",
    };
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        sg_arena arena;
        sg_page p;
        sg_page_record rec;
        sg_arena_init(&arena);
        int err = sg_page_open(&p, sg_slice_str(pages[i]), &arena);
        for (bool got = true; err == SG_OK && got;)
            err = sg_page_next(&p, &rec, &arena, &got);
        if (err != SG_BADJSON && err != SG_BADREQUEST)
            fail_msg("%s gives %s", pages[i], sg_err_code(err));
        sg_arena_deinit(&arena);
    }
}

static void unknown_ids_make_a_page_corrupt(void **state)
{
    (void)state;
    sg_arena arena;
    sg_record r;
    sg_buf out;
    bool sent;
    sg_arena_init(&arena);
    sg_buf_init(&out, TEXT_MAX);
    make_record(&r, &arena);
    r.fields[2].name = 99;
    assert_int_equal(write_page(&out, &r, (view){2, 0, 0}, &sent), SG_CORRUPT);
    sg_buf_clear(&out);
    assert_int_equal(write_page(&out, &r, (view){1, 0, 0}, &sent), SG_CORRUPT);
    sg_record_deinit(&r);
    sg_buf_deinit(&out);
    sg_arena_deinit(&arena);
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    sg_arena arena;
    sg_record r;
    bool sent;
    sg_arena_init(&arena);
    make_record(&r, &arena);
    int err = SG_NOMEM;
    for (size_t n = 1; err != SG_OK; n++) {
        sg_buf out;
        sg_buf_init(&out, TEXT_MAX);
        (void)sg_mem_fail_at(n, 1);
        err = write_page(&out, &r, (view){2, 0, 0}, &sent);
        if (err == SG_OK) err = check_read(sg_buf_view(&out));
        (void)sg_mem_fail_at(0, 0);
        if (err != SG_OK) assert_int_equal(err, SG_NOMEM);
        sg_buf_deinit(&out);
        assert_true(n < 100);
    }
    sg_record_deinit(&r);
    sg_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2_sends_each_field_that_is_news),
        cmocka_unit_test(version_1_sends_whole_rows_by_hand),
        cmocka_unit_test(a_page_reads_back_whatever_the_order_of_its_members),
        cmocka_unit_test(members_may_come_in_any_order),
        cmocka_unit_test(the_answer_of_a_push_is_read),
        cmocka_unit_test(hostile_pages_are_errors),
        cmocka_unit_test(unknown_ids_make_a_page_corrupt),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
