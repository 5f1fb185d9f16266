/* What shows only after a long time together: values that come back, devices that slept below the
 * purge floor, columns that come while a session is open, and tables of Sigla's own that must not grow
 * with every write. The household's years (tests/year) have shown most of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/world.h"

#define CONFLICTS "SELECT key,field,wasLocal,nowServer FROM sigla_conflicts ORDER BY 1,2"

static device *synced(world *w)
{
    device *d = world_device(w, WORLD_SCHEMA);
    device_sync(d);
    return d;
}

/* ---- L5 ---- */

/* Both have written the same; the one whose write lost sees that value, and goes on from there. */
static void lose_to_the_same(device *a, device *b)
{
    device_exec(a, "INSERT INTO t VALUES('k1',0,0)");
    device_sync(a);
    device_sync(b);
    device_exec(a, "UPDATE t SET a=1");
    a->w->now_us += 1000000;
    device_exec(b, "UPDATE t SET a=1");
    device_sync(a);
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "");
}

static void L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_goes_on(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    lose_to_the_same(a, b);
    device_exec(a, "UPDATE t SET a=2");
    device_sync(a);
    device_sync(b);
    assert_rows(a, CONFLICTS, "");
    assert_rows(b, CONFLICTS, "");
}

static void L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_deletes_it(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    lose_to_the_same(a, b);
    device_exec(a, "DELETE FROM t");
    device_sync(a);
    assert_rows(a, CONFLICTS, "");
}

static void L5_a_value_somebody_else_wrote_too_is_lost_when_a_third_goes_on(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    lose_to_the_same(a, b);
    device_exec(b, "UPDATE t SET a=2");
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "k1|a|1|2\n");
}

/* What is overwritten lies below the floor, what overwrites it does not: its writer slept. */
static void L5_an_old_value_overwritten_by_who_slept_below_the_floor_is_a_conflict(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1','first',0),('k2',0,0)");
    device_sync(a);
    device_sync(b);
    device_exec(a, "UPDATE t SET a='unseen' WHERE id='k1'");
    device_exec(a, "DELETE FROM t WHERE id='k2'");
    device_sync(a);
    world_purge(w);
    w->now_us += 1000000;
    device_exec(b, "UPDATE t SET a='woken' WHERE id='k1'");
    device_sync(b);
    device_exec(b, "UPDATE t SET b='more' WHERE id='k1'");
    device_sync(b);
    device_sync(a);
    assert_rows(a, CONFLICTS, "k1|a|\"unseen\"|\"woken\"\n");
    assert_rows(b, CONFLICTS, "");
}

/* ---- L19 ---- */

static void L19_a_column_that_comes_under_an_open_session_shows_what_was_kept(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w);
    device_exec(a, "ALTER TABLE t ADD COLUMN c");
    device_exec(a, "INSERT INTO t VALUES('k1',1,2,3)");
    device_sync(a);
    device_sync(b);
    device_exec(b, "ALTER TABLE t ADD COLUMN c");
    device_sync(b);
    assert_rows(b, WORLD_ROWS, "k1|1|2|3\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_goes_on),
        T(L5_a_value_somebody_else_wrote_too_is_settled_by_the_hand_that_deletes_it),
        T(L5_a_value_somebody_else_wrote_too_is_lost_when_a_third_goes_on),
        T(L5_an_old_value_overwritten_by_who_slept_below_the_floor_is_a_conflict),
        T(L19_a_column_that_comes_under_an_open_session_shows_what_was_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
