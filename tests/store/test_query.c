/*
 * Plain SQL over the directory's tables, as every store has to run it: written against the seam
 * alone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/faults.h"
#include "store/store.h"

typedef struct world {
    char dir[64];
    sg_store store;
    sg_writer *w;
    sg_commit newest;
} world;

static const sg_store_ops *ops;

static void check(int err, int line)
{
    if (err != SG_OK) fail_msg("line %d: %s", line, sg_err_code(err));
}
#define OK(call) check(call, __LINE__)

static int set_up(void **state)
{
    static world t;
    const char *tmp = getenv("TMPDIR");
    char path[80];
    t = (world){0};
    snprintf(t.dir, sizeof t.dir, "%s/query-XXXXXX",
             tmp != NULL && strlen(tmp) < sizeof t.dir - 14 ? tmp : "/tmp");
    if (mkdtemp(t.dir) == NULL) return 1;
    snprintf(path, sizeof path, "%s/db", t.dir);
    *state = &t;
    if (sg_store_sqlite_open(path, &t.store) != SG_OK) return 1;
    ops = t.store.ops;
    t.w = ops->writer(t.store.impl);
    return 0;
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
    world *t = *state;
    sg_store_close(&t->store);
    return nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Rows as text: "1,'x',NULL,x'00';". */
typedef struct rows {
    char text[4096];
    size_t n;
    size_t left; /* rows wanted */
} rows;

static void put(rows *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    r->n += (size_t)vsnprintf(r->text + r->n, sizeof r->text - r->n, format, args);
    va_end(args);
    assert_true(r->n < sizeof r->text);
}

static bool take_row(void *ctx, const sg_cell *cells, size_t n)
{
    rows *r = ctx;
    for (size_t i = 0; i < n; i++) {
        const sg_cell *c = &cells[i];
        if (i != 0) put(r, ",");
        if (c->type == SG_CELL_NULL) put(r, "NULL");
        if (c->type == SG_CELL_INT) put(r, "%lld", (long long)c->i);
        if (c->type == SG_CELL_TEXT) put(r, "'%.*s'", (int)c->s.n, c->s.p);
        if (c->type != SG_CELL_BLOB) continue;
        put(r, "x'");
        for (size_t k = 0; k < c->s.n; k++)
            put(r, "%02x", (uint8_t)c->s.p[k]);
        put(r, "'");
    }
    put(r, ";");
    return --r->left != 0;
}

static int execute(world *t, const char *text, const sg_cell *params, size_t n, rows *r)
{
    const sg_sql sql = {text, params, n};
    *r = (rows){.left = SIZE_MAX};
    return ops->execute(t->w, &sql, take_row, r);
}

static void begin(world *t)
{
    OK(ops->begin(t->w, &t->newest));
}

static void commit(world *t)
{
    OK(ops->commit(t->w, &t->newest));
}

static const char add_member[] =
    "INSERT INTO member(space, person, role, joined_seq, left_seq) VALUES ($1, $2, $3, $4, 0)";

static int add(world *t, const char *space, const char *person, int64_t joined)
{
    const sg_cell p[] = {sg_cell_text(sg_slice_str(space)), sg_cell_text(sg_slice_str(person)),
                         sg_cell_text(SG_LIT("member")), sg_cell_int(joined)};
    const sg_sql sql = {add_member, p, 4};
    return ops->execute(t->w, &sql, NULL, NULL);
}

static int list(sg_view *v, rows *r, size_t wanted)
{
    const sg_sql sql = {"SELECT space, person, joined_seq FROM member ORDER BY space, person", NULL,
                        0};
    *r = (rows){.left = wanted};
    return ops->query(v, &sql, take_row, r);
}

static void values_come_back_in_their_types(void **state)
{
    world *t = *state;
    rows r;
    begin(t);
    sg_cell p[] = {sg_cell_text(SG_LIT("id")),
                   {0},
                   sg_cell_text(SG_LIT("a'b\xc3\xa9")),
                   sg_cell_text((sg_slice){NULL, 0}),
                   sg_cell_int(INT64_MIN),
                   sg_cell_int(INT64_MAX)};
    OK(execute(t,
               "INSERT INTO person(id, login, email, name, password, made_us, disabled_us) "
               "VALUES ($1, NULL, $2, $3, $4, $5, $6) "
               "RETURNING login, email, name, password, made_us, disabled_us",
               p, 6, &r));
    assert_string_equal(r.text,
                        "NULL,NULL,'a'b\xc3\xa9','',-9223372036854775808,9223372036854775807;");
    sg_cell q[] = {p[0], sg_cell_blob(sg_slice_of("\0\xff", 2)), sg_cell_blob((sg_slice){0})};
    OK(execute(t,
               "INSERT INTO session(id, person, device, made_us, used_us, revoked_us, family, "
               "newest, used) VALUES ($1, 'p', '', 0, 0, 0, $2, $3, $3) RETURNING family, newest",
               q, 3, &r));
    assert_string_equal(r.text, "x'00ff',x'';");
    commit(t);
}

static void what_is_written_is_seen_with_its_commit(void **state)
{
    world *t = *state;
    sg_view *v;
    int64_t newest;
    rows r;
    OK(ops->view_new(t->store.impl, &v));
    begin(t);
    OK(add(t, "s", "ann", 5));
    OK(list(ops->writer_view(t->w), &r, SIZE_MAX));
    assert_string_equal(r.text, "'s','ann',5;");
    OK(ops->view_begin(v, &newest));
    OK(list(v, &r, SIZE_MAX));
    assert_string_equal(r.text, "");
    commit(t);
    OK(list(v, &r, SIZE_MAX)); /* still of its moment */
    assert_string_equal(r.text, "");
    ops->view_end(v);
    OK(ops->view_begin(v, &newest));
    OK(list(v, &r, SIZE_MAX));
    assert_string_equal(r.text, "'s','ann',5;");
    ops->view_end(v);
    begin(t);
    OK(add(t, "s", "bob", 6));
    ops->rollback(t->w);
    OK(ops->view_begin(v, &newest));
    OK(list(v, &r, SIZE_MAX));
    assert_string_equal(r.text, "'s','ann',5;");
    ops->view_end(v);
    ops->view_free(v);
}

static void a_constraint_is_a_conflict_and_leaves_the_rest(void **state)
{
    world *t = *state;
    rows r;
    begin(t);
    OK(add(t, "s", "ann", 1));
    assert_int_equal(add(t, "s", "ann", 2), SG_CONFLICT);
    OK(execute(t,
               "INSERT INTO member(space, person, role, joined_seq, left_seq) "
               "VALUES ('s', 'ann', 'owner', 9, 0) ON CONFLICT (space, person) "
               "DO UPDATE SET joined_seq = excluded.joined_seq RETURNING role, joined_seq",
               NULL, 0, &r));
    assert_string_equal(r.text, "'member',9;");
    commit(t);
}

static void a_savepoint_takes_back_what_came_after_it(void **state)
{
    world *t = *state;
    rows r;
    begin(t);
    OK(add(t, "s", "ann", 1));
    OK(execute(t, "SAVEPOINT task", NULL, 0, &r));
    OK(add(t, "s", "bob", 2));
    OK(execute(t, "ROLLBACK TO SAVEPOINT task", NULL, 0, &r));
    OK(execute(t, "RELEASE SAVEPOINT task", NULL, 0, &r));
    OK(add(t, "s", "cid", 3));
    commit(t);
    OK(list(ops->writer_view(t->w), &r, SIZE_MAX));
    assert_string_equal(r.text, "'s','ann',1;'s','cid',3;");
}

static void whoever_has_had_enough_rows_gets_no_more(void **state)
{
    world *t = *state;
    rows r;
    begin(t);
    OK(add(t, "a", "ann", 1));
    OK(add(t, "b", "ann", 2));
    OK(add(t, "c", "ann", 3));
    OK(list(ops->writer_view(t->w), &r, 2));
    assert_string_equal(r.text, "'a','ann',1;'b','ann',2;");
    /* A change is made whole all the same. */
    const sg_sql sql = {"UPDATE member SET joined_seq = joined_seq + 10 RETURNING space", NULL, 0};
    r = (rows){.left = 1};
    OK(ops->execute(t->w, &sql, take_row, &r));
    OK(list(ops->writer_view(t->w), &r, SIZE_MAX));
    assert_string_equal(r.text, "'a','ann',11;'b','ann',12;'c','ann',13;");
    commit(t);
}

static void parameters_are_named_in_their_order(void **state)
{
    world *t = *state;
    rows r;
    const sg_cell p[] = {sg_cell_int(1), sg_cell_int(2)};
    begin(t);
    OK(execute(t, "SELECT $1 + 0, $2 + 0, $1 + $2", p, 2, &r));
    assert_string_equal(r.text, "1,2,3;");
    assert_int_equal(execute(t, "SELECT $2, $1", p, 2, &r), SG_INTERNAL);
    assert_int_equal(execute(t, "SELECT $1", p, 2, &r), SG_INTERNAL);
    assert_int_equal(execute(t, "SELECT ?1, ?2", p, 2, &r), SG_INTERNAL);
    assert_int_equal(execute(t, "SELECT nothing", NULL, 0, &r), SG_INTERNAL);
    assert_int_equal(execute(t, "", NULL, 0, &r), SG_INTERNAL);
    OK(execute(t, "SELECT $1 - $2", p, 2, &r));
    assert_string_equal(r.text, "-1;");
    commit(t);
}

static void L20_any_number_of_statements_shares_a_bounded_number_of_places(void **state)
{
    world *t = *state;
    enum { COUNT = 3 * SG_STATEMENTS_MAX };
    static char texts[COUNT][32];
    rows r;
    begin(t);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            char expected[32];
            snprintf(texts[i], sizeof texts[i], "SELECT %d", i);
            snprintf(expected, sizeof expected, "%d;", i);
            OK(execute(t, texts[i], NULL, 0, &r));
            assert_string_equal(r.text, expected);
        }
    }
    commit(t);
}

static void a_statement_that_fails_is_an_error_and_the_next_one_is_not(void **state)
{
    world *t = *state;
    rows r;
    size_t struck = 0;
    for (int way = 0; way < FAULT_KINDS; way++) {
        bool more = true;
        for (size_t n = 1; more; n++) {
            sg_view *v;
            int64_t newest;
            OK(ops->view_new(t->store.impl, &v)); /* with no statement prepared */
            fault_arm((enum fault)way, n, false);
            int err = ops->view_begin(v, &newest);
            if (err == SG_OK) err = list(v, &r, SIZE_MAX);
            more = fault_disarm();
            if (err == SG_OK) assert_string_equal(r.text, "'s','ann',1;");
            if (more && way == FAULT_STATEMENT) assert_int_not_equal(err, SG_OK);
            struck += more;
            ops->view_end(v);
            OK(ops->view_begin(v, &newest));
            OK(list(v, &r, SIZE_MAX));
            assert_string_equal(r.text, "'s','ann',1;");
            ops->view_free(v);
        }
    }
    assert_true(struck > 10);
}

static int set_up_with_ann(void **state)
{
    if (set_up(state) != 0) return 1;
    begin(*state);
    OK(add(*state, "s", "ann", 1));
    commit(*state);
    return 0;
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    faults_install();
    const struct CMUnitTest tests[] = {
        WITH_STORE(values_come_back_in_their_types),
        WITH_STORE(what_is_written_is_seen_with_its_commit),
        WITH_STORE(a_constraint_is_a_conflict_and_leaves_the_rest),
        WITH_STORE(a_savepoint_takes_back_what_came_after_it),
        WITH_STORE(whoever_has_had_enough_rows_gets_no_more),
        WITH_STORE(parameters_are_named_in_their_order),
        WITH_STORE(L20_any_number_of_statements_shares_a_bounded_number_of_places),
        cmocka_unit_test_setup_teardown(a_statement_that_fails_is_an_error_and_the_next_one_is_not,
                                        set_up_with_ann, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
