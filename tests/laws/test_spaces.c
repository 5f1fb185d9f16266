/* Spaces at the replica (L17, spec/spaces.md): whose a record is, joining, leaving. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/world.h"

#define SCHEMA                                                                                     \
    "CREATE TABLE t(id TEXT PRIMARY KEY, a, space TEXT);"                                          \
    "SELECT sigla_track('t','{\"space\":\"space\"}')"
#define ROWS "SELECT * FROM t ORDER BY id"

/* A directory's statements are kept by the address of their text. */
#define JOIN(space, person, role, seq)                                                             \
    "INSERT INTO member(space,person,role,joined_seq,left_seq) VALUES('" space "','" person        \
    "','" role "'," #seq ",0) ON CONFLICT(space,person) DO UPDATE SET "                            \
    "joined_seq=excluded.joined_seq"
#define LEAVE(space, person, seq)                                                                  \
    "UPDATE member SET left_seq=" #seq " WHERE space='" space "' AND person='" person "'"

static device *of(world *w, const char *user, const char *schema)
{
    w->user = user;
    device *d = world_device(w, schema);
    device_sync(d);
    return d;
}

static void L17_records_of_a_space_reach_its_members_and_nobody_else(void **state)
{
    world *w = *state;
    device *ann = of(w, "ann", SCHEMA), *bob = of(w, "bob", SCHEMA), *eve = of(w, "eve", SCHEMA);
    world_directory(w, JOIN("club", "ann", "owner", 1));
    world_directory(w, JOIN("club", "bob", "member", 2));
    device_exec(ann, "INSERT INTO t VALUES('k1','ours','club'),('k2','mine',NULL)");
    device_sync(ann);
    device_sync(bob);
    device_sync(eve);
    assert_rows(bob, ROWS, "k1|ours|club\n");
    assert_rows(eve, ROWS, "");
    device_exec(bob, "UPDATE t SET a='bob was here' WHERE id='k1'");
    device_sync(bob);
    device_sync(ann);
    assert_rows(ann, ROWS, "k1|bob was here|club\nk2|mine|NULL\n");
    assert_rows(ann, "SELECT found_at FROM sigla_sum", "0\n");
    assert_rows(bob, "SELECT found_at FROM sigla_sum", "0\n");
    device_exec(ann, "DELETE FROM t WHERE id='k1'");
    device_sync(ann);
    device_sync(bob);
    assert_rows(bob, ROWS, "");
    assert_rows(ann, "SELECT count(*) FROM sigla_refused", "0\n");
    /* A space is no field. */
    device_exec(ann, "INSERT INTO t VALUES('k3',1,'club')");
    device_sync(ann);
    assert_rows(ann, "SELECT field FROM sigla_marks('t','k3') ORDER BY 1", "a\n");
}

static void L17_a_table_without_that_column_keeps_whose_its_records_are(void **state)
{
    world *w = *state;
    device *ann = of(w, "ann", SCHEMA), *bob = of(w, "bob", WORLD_SCHEMA);
    world_directory(w, JOIN("club", "ann", "owner", 1));
    world_directory(w, JOIN("club", "bob", "member", 2));
    device_exec(ann, "INSERT INTO t VALUES('k1','ours','club')");
    device_sync(ann);
    device_sync(bob);
    device_exec(bob, "UPDATE t SET a='still ours'");
    device_sync(bob);
    device_sync(ann);
    assert_rows(ann, ROWS, "k1|still ours|club\n");
    device_exec(bob, "DELETE FROM t");
    device_sync(bob);
    device_sync(ann);
    assert_rows(ann, ROWS, "");
}

static void L17_a_record_keeps_its_space(void **state)
{
    world *w = *state;
    device *ann = of(w, "ann", SCHEMA);
    world_directory(w, JOIN("club", "ann", "owner", 1));
    device_exec(ann, "INSERT INTO t VALUES('k1','ours','club')");
    assert_int_not_equal(device_try(ann, "UPDATE t SET space=NULL"), SQLITE_OK);
    assert_non_null(strstr(sqlite3_errmsg(ann->db), "keeps the space"));
    assert_int_equal(device_try(ann, "UPDATE t SET space='club',a=2"), SQLITE_OK);
    device_sync(ann);
    assert_rows(ann, ROWS, "k1|2|club\n");
}

static void L17_who_joins_late_gets_all_and_who_leaves_keeps_nothing(void **state)
{
    world *w = *state;
    device *ann = of(w, "ann", SCHEMA), *bob = of(w, "bob", SCHEMA);
    world_directory(w, JOIN("club", "ann", "owner", 1));
    device_exec(ann, "INSERT INTO t VALUES('k1','old','club')");
    device_sync(ann);
    device_exec(bob, "INSERT INTO t VALUES('mine',1,NULL)");
    device_sync(bob);
    world_directory(w, JOIN("club", "bob", "member", 4));
    device_sync(bob);
    assert_rows(bob, ROWS, "k1|old|club\nmine|1|NULL\n");
    device_exec(bob, "UPDATE t SET a='typed' WHERE id='k1'");
    device_sync(bob);
    device_exec(bob, "UPDATE t SET a='not sent' WHERE id='k1'");
    world_directory(w, LEAVE("club", "bob", 6));
    device_sync(bob);
    assert_rows(bob, ROWS, "mine|1|NULL\n");
    assert_rows(bob, "SELECT count(*) FROM sigla_pending", "0\n");
    /* What was not sent is not lost (L6). */
    assert_rows(bob, "SELECT key,code FROM sigla_refused", "k1|space_refused\n");
    device_sync(ann);
    assert_rows(ann, ROWS, "k1|typed|club\n");
    world_directory(w, JOIN("club", "bob", "member", 7));
    device_sync(bob);
    assert_rows(bob, ROWS, "k1|typed|club\nmine|1|NULL\n");
    assert_rows(bob, "SELECT found_at FROM sigla_sum", "0\n");
}

static void L9_a_key_that_another_space_has_taken_is_parked(void **state)
{
    world *w = *state;
    device *ann = of(w, "ann", SCHEMA), *bob = of(w, "bob", SCHEMA);
    world_directory(w, JOIN("club", "ann", "owner", 1));
    world_directory(w, JOIN("club", "bob", "member", 2));
    device_exec(ann, "INSERT INTO t VALUES('k1','ours','club')");
    device_sync(ann);
    device_exec(bob, "INSERT INTO t VALUES('k1','mine',NULL)");
    device_sync(bob);
    assert_rows(bob, ROWS, "k1|mine|NULL\n");
    assert_rows(bob, "SELECT key,reason FROM sigla_parked",
                "club/k1|another record here has this record's key\n");
    device_sync(ann);
    assert_rows(ann, ROWS, "k1|ours|club\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(L17_records_of_a_space_reach_its_members_and_nobody_else),
        T(L17_a_table_without_that_column_keeps_whose_its_records_are),
        T(L17_a_record_keeps_its_space),
        T(L17_who_joins_late_gets_all_and_who_leaves_keeps_nothing),
        T(L9_a_key_that_another_space_has_taken_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
