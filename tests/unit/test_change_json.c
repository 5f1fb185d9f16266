/* JSON changes: what is understood, what is refused alone and how it is named, and round trips. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "core/time.h"
#include "wire/change_json.h"

#define ARRIVAL_US INT64_C(1767323045678000) /* 2026-01-02T03:04:05.678Z */
#define TEXT_MAX ((size_t)64 << 20)

typedef struct fixture {
    sg_arena arena;
    sg_change_reader r;
    sg_json j;
} fixture;

static void open_text(fixture *f, const char *array)
{
    sg_arena_init(&f->arena);
    sg_change_reader_init(&f->r, &f->arena, ARRIVAL_US);
    sg_json_init(&f->j, sg_slice_str(array));
    assert_true(sg_json_array(&f->j));
}

static void close_text(fixture *f)
{
    sg_change_reader_deinit(&f->r);
    sg_arena_deinit(&f->arena);
}

static void next(fixture *f, sg_change_in *in)
{
    assert_true(sg_json_next(&f->j));
    assert_true(sg_change_read(&f->r, &f->j, in));
}

static void check_slice(sg_slice got, const char *expected)
{
    if (sg_slice_eq(got, sg_slice_str(expected))) return;
    fail_msg("got '%.*s', expected '%s'", (int)got.n, got.p, expected);
}

static const sg_change_field *field(const sg_change *c, const char *name)
{
    for (size_t i = 0; i < c->field_count; i++)
        if (sg_slice_eq(c->fields[i].name, sg_slice_str(name))) return &c->fields[i];
    fail_msg("no field %s", name);
    return NULL;
}

static int64_t us(const char *text)
{
    int64_t at_us = -1;
    assert_true(sg_time_parse(sg_slice_str(text), &at_us));
    return at_us;
}

#define ANN "{\"kind\":\"user\",\"principalId\":\"u:ann\"}"

static void a_version_2_change_is_read_whole(void **state)
{
    (void)state;
    fixture f;
    sg_change_in in;
    open_text(
        &f,
        "[{\"n\":12,\"tx\":13,\"base\":840,\"table\":\"tasks\",\"id\":\"t\\u0031\",\"op\":\"insert\","
        "\"at\":\"2026-01-02T03:04:05.000Z\",\"actor\":" ANN ",\"origin\":\"user\",\"later\":[1],"
        "\"fields\":{\"title\":{\"value\":\"Tea\"},\"do\\u006ee\":{\"at\":\"2026-01-02T03:04:04Z\"}}}]");
    next(&f, &in);
    check_slice(in.message, "");
    assert_int_equal(in.err, SG_OK);
    assert_int_equal(in.c.n, 12);
    assert_int_equal(in.c.tx_last, 13);
    assert_int_equal(in.c.base, 840);
    assert_int_equal(in.c.op, SG_OP_INSERT);
    assert_true(in.has_origin);
    check_slice(in.c.table, "tasks");
    check_slice(in.c.id, "t1");
    check_slice(in.c.actor, ANN);
    assert_int_equal(in.who->kind, SG_ACTOR_USER);
    check_slice(in.who->principal, "u:ann");
    assert_int_equal(in.c.field_count, 2);
    check_slice(field(&in.c, "title")->value, "\"Tea\"");
    assert_int_equal(field(&in.c, "title")->at_us, us("2026-01-02T03:04:05Z"));
    check_slice(field(&in.c, "done")->value, "null");
    assert_int_equal(field(&in.c, "done")->at_us, us("2026-01-02T03:04:04Z"));
    assert_false(sg_json_next(&f.j));
    close_text(&f);
}

static void what_is_missing_is_filled_in(void **state)
{
    (void)state;
    fixture f;
    sg_change_in in;
    open_text(
        &f,
        "[{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"spaceId\":null,\"n\":null},"
        "{\"table\":\"t\",\"id\":\"a\",\"op\":\"insert\",\"data\":{\"x\":1,\"y\":2},"
        "\"fields\":{\"x\":{\"value\":3,\"at\":\"2026-01-01T00:00:01Z\"},"
        "\"z\":{\"value\":4,\"at\":\"2026-01-01T00:00:02Z\"}}},"
        "{\"table\":\"t\",\"id\":\"a\",\"op\":\"delete\",\"deletedAt\":\"2026-01-01T00:00:05Z\","
        "\"fields\":{\"x\":{\"value\":1}},\"actor\":{\"kind\":\"system\",\"principalId\":\"system:migration\"}}]");
    next(&f, &in);
    assert_int_equal(in.err, SG_OK);
    assert_int_equal(in.c.n, 0);
    assert_int_equal(in.c.tx_last, 0);
    assert_int_equal(in.c.base, SG_BASE_UNKNOWN);
    assert_int_equal(in.c.at_us, ARRIVAL_US);
    assert_false(in.has_origin);
    assert_null(in.who);
    next(&f, &in);
    assert_int_equal(in.err, SG_OK);
    assert_int_equal(in.c.at_us, us("2026-01-01T00:00:02Z"));
    assert_int_equal(in.c.field_count, 3);
    check_slice(field(&in.c, "x")->value, "3");
    assert_int_equal(field(&in.c, "x")->at_us, us("2026-01-01T00:00:01Z"));
    check_slice(field(&in.c, "y")->value, "2");
    assert_int_equal(field(&in.c, "y")->at_us, us("2026-01-01T00:00:02Z"));
    next(&f, &in);
    assert_int_equal(in.err, SG_OK);
    assert_int_equal(in.c.at_us, us("2026-01-01T00:00:05Z"));
    assert_int_equal(in.c.field_count, 0);
    assert_int_equal(in.c.origin, SG_ORIGIN_MIGRATION);
    close_text(&f);
}

static const struct refusal {
    const char *change;
    int err;
    const char *message;
} refusals[] = {
    {"7", SG_BADCHANGE, "changes[1] is not an object"},
    {"{}", SG_BADCHANGE, "changes[1].table is missing"},
    {"{\"table\":1,\"id\":\"a\",\"op\":\"update\"}", SG_BADCHANGE,
     "changes[1].table is not a string"},
    {"{\"table\":\"t\",\"op\":\"update\"}", SG_BADCHANGE, "changes[1].id is missing"},
    {"{\"table\":\"t\",\"id\":\"a\"}", SG_BADCHANGE, "changes[1].op is missing"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"upsert\"}", SG_BADCHANGE,
     "changes[1].op is not insert, update or delete"},
    {"{\"n\":0,\"table\":\"t\",\"id\":\"a\",\"op\":\"update\"}", SG_BADCHANGE,
     "changes[1].n is not an integer in range"},
    {"{\"n\":9007199254740992,\"table\":\"t\",\"id\":\"a\",\"op\":\"update\"}", SG_BADCHANGE,
     "changes[1].n is not an integer in range"},
    {"{\"n\":1.5,\"table\":\"t\",\"id\":\"a\",\"op\":\"update\"}", SG_BADCHANGE,
     "changes[1].n is not an integer in range"},
    {"{\"n\":5,\"tx\":4,\"table\":\"t\",\"id\":\"a\",\"op\":\"update\"}", SG_BADCHANGE,
     "changes[1].tx is less than n"},
    {"{\"tx\":4,\"table\":\"t\",\"id\":\"a\",\"op\":\"update\"}", SG_BADCHANGE,
     "changes[1].tx is given without n"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"at\":\"yesterday\"}", SG_BADCHANGE,
     "changes[1].at is not a time"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"fields\":{\"x\":null}}", SG_BADCHANGE,
     "changes[1].fields.x is not an object"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"fields\":{\"x\":{\"at\":\"2026-13-01T00:00:00Z\"}}}",
     SG_BADCHANGE, "changes[1].fields.x.at is not a time"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"fields\":{\"x\":{\"value\":1},\"x\":{\"value\":2}}}",
     SG_BADCHANGE, "changes[1].fields.x is given twice"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"fields\":{\"\":{\"value\":1}}}", SG_LIMIT,
     "changes[1].fields has a name that is empty or longer than 256 bytes"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"fields\":{\"x\":{\"value\":{\"$blob\":\"!\"}}}}",
     SG_BADVALUE, "changes[1].fields.x.value is a malformed tagged value"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"actor\":\"ann\"}", SG_BADCHANGE,
     "changes[1].actor is not an object"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"actor\":{\"kind\":\"robot\",\"principalId\":\"x\"}}",
     SG_BADCHANGE, "changes[1].actor has no kind user, ai or system"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"actor\":{\"kind\":\"ai\"}}", SG_BADCHANGE,
     "changes[1].actor has no principalId of 1 to 256 bytes"},
    {"{\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"origin\":\"cosmic\"}", SG_BADCHANGE,
     "changes[1].origin is not known"},
};

#define GOOD                                                                                       \
    "{\"n\":1,\"table\":\"t\",\"id\":\"a\",\"op\":\"update\",\"fields\":{\"x\":{\"value\":1}}}"

static void L9_a_malformed_change_is_refused_alone_with_its_path(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        sg_buf text;
        sg_buf_init(&text, TEXT_MAX);
        sg_buf_str(&text, "[" GOOD ",");
        sg_buf_str(&text, refusals[i].change);
        sg_buf_str(&text, "," GOOD "]");
        fixture f;
        sg_change_in in;
        open_text(&f, sg_buf_cstr(&text));
        next(&f, &in);
        assert_int_equal(in.err, SG_OK);
        next(&f, &in);
        check_slice(in.message, refusals[i].message);
        assert_int_equal(in.err, refusals[i].err);
        next(&f, &in);
        assert_int_equal(in.err, SG_OK);
        assert_int_equal(in.c.field_count, 1);
        close_text(&f);
        sg_buf_deinit(&text);
    }
}

/* A change with that many fields, or a key or value of that many bytes. */
static int read_sized(size_t fields, size_t key, size_t value, sg_slice last)
{
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    sg_buf_str(&text, "[{\"table\":\"t\",\"op\":\"update\",\"id\":\"");
    memset(sg_buf_extend(&text, key), 'k', key);
    sg_buf_str(&text, "\",\"fields\":{");
    for (size_t i = 0; i < fields; i++) {
        sg_buf_str(&text, "\"f");
        sg_buf_int(&text, (int64_t)i);
        sg_buf_str(&text, "\":{\"value\":\"");
        memset(sg_buf_extend(&text, value), 'v', value);
        sg_buf_str(&text, "\"},");
    }
    sg_buf_slice(&text, last);
    sg_buf_str(&text, "}}]");
    fixture f;
    sg_change_in in;
    open_text(&f, sg_buf_cstr(&text));
    next(&f, &in);
    int err = in.err;
    if (err == SG_OK) assert_int_equal(in.c.field_count, fields + 1);
    close_text(&f);
    sg_buf_deinit(&text);
    return err;
}

static void L20_limits_of_one_change(void **state)
{
    (void)state;
    const sg_slice last = SG_LIT("\"last\":{\"value\":1}");
    assert_int_equal(read_sized(SG_CHANGE_FIELDS_MAX - 1, 1, 1, last), SG_OK);
    assert_int_equal(read_sized(SG_CHANGE_FIELDS_MAX, 1, 1, last), SG_LIMIT);
    assert_int_equal(read_sized(0, SG_KEY_MAX, 1, last), SG_OK);
    assert_int_equal(read_sized(0, SG_KEY_MAX + 1, 1, last), SG_LIMIT);
    assert_int_equal(read_sized(1, 1, SG_VALUE_MAX - 2, last), SG_OK);
    assert_int_equal(read_sized(1, 1, SG_VALUE_MAX - 1, last), SG_LIMIT);
    assert_int_equal(read_sized(500, 1, 1, SG_LIT("\"f77\":{\"value\":1}")), SG_BADCHANGE);
}

static void broken_json_ends_the_document(void **state)
{
    (void)state;
    const char *broken[] = {"[{\"table\":\"t\"", "[{\"table\":\"\x80\"}]", "[{\"n\":01}]", "[{]"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        fixture f;
        sg_change_in in;
        open_text(&f, broken[i]);
        assert_true(sg_json_next(&f.j));
        assert_false(sg_change_read(&f.r, &f.j, &in));
        assert_int_equal(f.j.err, SG_BADJSON);
        close_text(&f);
    }
}

static void a_written_change_reads_back_the_same(void **state)
{
    (void)state;
    const sg_change_field fields[] = {{SG_LIT("a\"b"), SG_LIT("{\"k\":[1.50]}"), 2000001},
                                      {SG_LIT("c"), SG_LIT("-0.0"), 7000}};
    const sg_change c = {.n = 4,
                         .tx_last = 9,
                         .base = 0,
                         .at_us = 7000,
                         .op = SG_OP_INSERT,
                         .origin = SG_ORIGIN_USER,
                         .table = SG_LIT("t"),
                         .id = SG_LIT("x\n\0y"),
                         .actor = SG_LIT(ANN),
                         .fields = fields,
                         .field_count = 2};
    sg_buf out;
    sg_jsonw w;
    sg_buf_init(&out, TEXT_MAX);
    sg_jsonw_init(&w, &out);
    sg_jsonw_array(&w);
    sg_change_to_json(&w, &c);
    sg_jsonw_array_end(&w);
    assert_int_equal(out.err, SG_OK);
    fixture f;
    sg_change_in in;
    open_text(&f, sg_buf_cstr(&out));
    next(&f, &in);
    assert_int_equal(in.err, SG_OK);
    assert_int_equal(in.c.n, 4);
    assert_int_equal(in.c.tx_last, 9);
    assert_int_equal(in.c.base, 0);
    assert_int_equal(in.c.at_us, 7000);
    assert_true(sg_slice_eq(in.c.id, c.id));
    assert_int_equal(in.c.field_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(sg_slice_eq(in.c.fields[i].name, fields[i].name));
        assert_true(sg_slice_eq(in.c.fields[i].value, fields[i].value));
        assert_int_equal(in.c.fields[i].at_us, fields[i].at_us);
    }
    close_text(&f);
    sg_buf_deinit(&out);
}

static void what_follows_from_the_rest_is_not_written(void **state)
{
    (void)state;
    const sg_change c = {.n = 4,
                         .tx_last = 4,
                         .base = SG_BASE_UNKNOWN,
                         .op = SG_OP_DELETE,
                         .origin = SG_ORIGIN_AGENT,
                         .table = SG_LIT("t"),
                         .id = SG_LIT("x")};
    sg_buf out;
    sg_jsonw w;
    sg_buf_init(&out, TEXT_MAX);
    sg_jsonw_init(&w, &out);
    sg_change_to_json(&w, &c);
    assert_string_equal(sg_buf_cstr(&out),
                        "{\"n\":4,\"table\":\"t\",\"id\":\"x\",\"op\":\"delete\","
                        "\"at\":\"1970-01-01T00:00:00.000Z\",\"origin\":\"agent\"}");
    sg_buf_deinit(&out);
}

static void running_out_of_memory_ends_the_document(void **state)
{
    (void)state;
    const char *text =
        "[{\"table\":\"t\\u0031\",\"id\":\"\\u0032\",\"op\":\"update\",\"actor\":" ANN
        ",\"fields\":{\"x\":{\"value\":{\"$blob\":\"AAAA\"},\"at\":\"no\"}}}]";
    for (size_t n = 1;; n++) {
        fixture f;
        sg_change_in in;
        open_text(&f, text);
        assert_true(sg_json_next(&f.j));
        (void)sg_mem_fail_at(n, 1);
        bool done = sg_change_read(&f.r, &f.j, &in);
        size_t calls = sg_mem_fail_at(0, 0);
        if (done)
            check_slice(in.message, "changes[0].fields.x.at is not a time");
        else
            assert_int_equal(f.j.err, SG_NOMEM);
        close_text(&f);
        assert_true(calls < n || !done);
        if (done) break;
        assert_true(n < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_2_change_is_read_whole),
        cmocka_unit_test(what_is_missing_is_filled_in),
        cmocka_unit_test(L9_a_malformed_change_is_refused_alone_with_its_path),
        cmocka_unit_test(L20_limits_of_one_change),
        cmocka_unit_test(broken_json_ends_the_document),
        cmocka_unit_test(a_written_change_reads_back_the_same),
        cmocka_unit_test(what_follows_from_the_rest_is_not_written),
        cmocka_unit_test(running_out_of_memory_ends_the_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
