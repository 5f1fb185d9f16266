/* timeout: 200
 * A server put back from a copy of its data, with the same epoch: its seqs name other changes now
 * (L7). Nothing is lost, nobody differs silently, and nothing is doubled (L2, L6, L8). */
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

static void sync_all(device *a, device *b, device *c)
{
    for (int round = 0; round < 3; round++) {
        device_sync(a);
        device_sync(b);
        device_sync(c);
    }
}

/* The same rows and marks for all, a newcomer too; nothing waits or was refused. */
static void assert_level(world *w, device *a, device *b, device *c)
{
    device *fresh = synced(w), *const all[] = {b, c, fresh};
    for (size_t i = 0; i < 3; i++) {
        assert_same(a, all[i], WORLD_ROWS);
        assert_same(a, all[i], WORLD_MARKS);
        assert_rows(all[i], "SELECT count(*) FROM sigla_pending", "0\n");
        assert_rows(all[i], "SELECT key,code FROM sigla_refused", "");
    }
    assert_rows(a, "SELECT count(*) FROM sigla_pending", "0\n");
}

static void L7_seqs_that_went_past_an_old_cursor_do_not_hide_what_was_lost(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1','in the copy',0),('k2',2,2)");
    sync_all(a, b, c);
    world_backup(w);
    device_exec(a, "UPDATE t SET a='after' WHERE id='k1'");
    device_exec(a, "INSERT INTO t VALUES('k3','new',3)");
    device_exec(b, "DELETE FROM t WHERE id='k2'");
    device_sync(a);
    device_sync(b);
    device_sync(a);
    world_put_back(w);
    for (int i = 0; i < 9; i++) {
        device_exec(c, "UPDATE t SET b=b+1 WHERE id='k1'");
        device_sync(c);
    }
    sync_all(a, b, c);
    assert_rows(c, WORLD_ROWS, "k1|after|9\nk3|new|3\n");
    assert_level(w, a, b, c);
    assert_rows(a, CONFLICTS, "");
    assert_rows(b, CONFLICTS, "");
    assert_rows(c, CONFLICTS, "");
}

static void L6_what_only_others_still_have_of_a_lost_device_comes_back(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1','in the copy',0)");
    sync_all(a, b, c);
    world_backup(w);
    device_exec(a, "UPDATE t SET a='after' WHERE id='k1'");
    device_sync(a);
    device_sync(b);
    world_put_back(w);
    /* a is never seen again; c pushes the seq past where b stands. */
    device_exec(c, "UPDATE t SET b=1 WHERE id='k1'");
    device_sync(c);
    device_exec(c, "UPDATE t SET b=2 WHERE id='k1'");
    device_sync(c);
    sync_all(b, c, b);
    assert_rows(c, WORLD_ROWS, "k1|after|2\n");
    assert_level(w, b, c, b);
}

static void L5_a_lost_edit_that_something_newer_replaced_is_raised(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1','in the copy',0)");
    sync_all(a, b, c);
    device_exec(a, "UPDATE t SET b='seen by c' WHERE id='k1'");
    device_exec(a, "INSERT INTO t VALUES('k0',0,0)"); /* still there: the history holds so far */
    sync_all(a, c, b);
    world_backup(w);
    device_exec(a, "UPDATE t SET a='lost' WHERE id='k1'");
    device_sync(a);
    world_put_back(w);
    device_exec(c, "UPDATE t SET a='newer' WHERE id='k1'");
    device_exec(c, "UPDATE t SET b='after c saw it' WHERE id='k1'");
    device_sync(c);
    device_exec(c, "INSERT INTO t VALUES('k2',2,2)");
    device_sync(c);
    sync_all(a, b, c);
    assert_rows(a, WORLD_ROWS, "k0|0|0\nk1|newer|after c saw it\nk2|2|2\n");
    assert_rows(a, CONFLICTS, "k1|a|\"lost\"|\"newer\"\n");
    assert_rows(c, CONFLICTS, "");
    assert_level(w, a, b, c);
}

static void L2_pending_edits_keep_their_place_among_those_that_are_sent_again(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1','in the copy',0)");
    sync_all(a, b, c);
    world_backup(w);
    device_exec(a, "UPDATE t SET a='older' WHERE id='k1'");
    device_exec(a, "INSERT INTO t VALUES('k2','a',1)");
    device_sync(a);
    device_sync(b);
    device_exec(b, "UPDATE t SET a='younger' WHERE id='k1'");
    device_exec(b, "UPDATE t SET b='pending' WHERE id='k2'");
    world_put_back(w);
    device_exec(c, "INSERT INTO t VALUES('k3',3,3),('k4',4,4),('k5',5,5)");
    device_sync(c);
    sync_all(a, b, c);
    assert_rows(a, WORLD_ROWS, "k1|younger|0\nk2|a|pending\nk3|3|3\nk4|4|4\nk5|5|5\n");
    assert_level(w, a, b, c);
}

static void L12_what_was_deleted_since_the_copy_stays_deleted(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    sync_all(a, b, c);
    world_backup(w);
    device_exec(a, "INSERT INTO t VALUES('short','life',0)");
    sync_all(a, b, c);
    device_exec(a, "DELETE FROM t WHERE id='short'");
    device_sync(a);
    world_put_back(w);
    device_exec(c, "INSERT INTO t VALUES('k1',1,1)");
    sync_all(b, c, a);
    assert_rows(b, WORLD_ROWS, "k1|1|1\n");
    assert_level(w, a, b, c);
}

static void L8_an_acknowledgement_that_the_server_never_gave_is_noticed(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    world_backup(w);
    /* Acknowledged in batches; the server is put back before a has a cursor behind them. */
    for (int i = 0; i < 300; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES('k%03d',%d,0)", i, i);
        device_exec(a, sql);
    }
    assert_true(device_step(a, FATE_FINE));
    world_put_back(w);
    device_exec(c, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400) "
                   "INSERT INTO t SELECT 'c'||i, i, 'x' FROM n");
    device_sync(c);
    sync_all(a, b, c);
    assert_rows(c, "SELECT count(*) FROM t", "700\n");
    assert_level(w, a, b, c);
}

static void L1_a_transaction_whose_beginning_the_server_lost_is_sent_whole(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    world_backup(w);
    device_exec(a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<12000) "
                   "INSERT INTO t SELECT 'k'||i, i, 'x' FROM n");
    assert_true(device_step(a, FATE_FINE));
    world_put_back(w);
    device_sync(a);
    sync_all(a, b, c);
    assert_rows(b, "SELECT count(*) FROM t", "12000\n");
}

static void L19_fields_without_a_column_and_parked_rows_are_sent_again_too(void **state)
{
    world *w = *state;
    device *a = world_device(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, note); SELECT "
                                "sigla_track('t','{\"json\":[\"note\"]}')");
    device *old = world_device(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a UNIQUE, b); SELECT "
                                  "sigla_track('t')");
    device_sync(a);
    device_sync(old);
    device *b = synced(w);
    world_backup(w);
    device_exec(a, "INSERT INTO t VALUES('k1','same',1,'{\"deep\":[1]}'),('k2','same',2,'[2]')");
    device_sync(a);
    device_sync(old);
    assert_rows(old, "SELECT count(*) FROM sigla_parked", "1\n");
    char *want = device_rows(a, WORLD_ROWS);
    world_put_back(w);
    device_exec(b, "INSERT INTO t VALUES('k3',3,3),('k4',4,4),('k5',5,5)");
    device_sync(b);
    device_sync(old);
    device *fresh = world_device(w, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, note); SELECT "
                                    "sigla_track('t','{\"json\":[\"note\"]}')");
    device_sync(fresh);
    assert_rows(fresh, "SELECT * FROM t WHERE id IN('k1','k2') ORDER BY id", want);
    sqlite3_free(want);
}

static void a_resync_of_a_restored_server_goes_on_after_a_restart(void **state)
{
    world *w = *state;
    device *a = synced(w), *b = synced(w), *c = synced(w);
    device_exec(a, "INSERT INTO t VALUES('k1',1,1)");
    sync_all(a, b, c);
    world_backup(w);
    device_exec(a, "UPDATE t SET a=2 WHERE id='k1'");
    device_sync(a);
    world_put_back(w);
    device_exec(c, "UPDATE t SET b=3 WHERE id='k1'");
    device_sync(c);
    for (int steps = 1; steps < 6; steps++) {
        for (int i = 0; i < steps; i++)
            (void)device_step(a, i % 2 == 0 ? FATE_FINE : FATE_ANSWER_LOST);
        device_restart(a);
    }
    sync_all(a, b, c);
    assert_rows(c, WORLD_ROWS, "k1|2|3\n");
    assert_level(w, a, b, c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(L7_seqs_that_went_past_an_old_cursor_do_not_hide_what_was_lost),
        T(L6_what_only_others_still_have_of_a_lost_device_comes_back),
        T(L5_a_lost_edit_that_something_newer_replaced_is_raised),
        T(L2_pending_edits_keep_their_place_among_those_that_are_sent_again),
        T(L12_what_was_deleted_since_the_copy_stays_deleted),
        T(L8_an_acknowledgement_that_the_server_never_gave_is_noticed),
        T(L1_a_transaction_whose_beginning_the_server_lost_is_sent_whole),
        T(L19_fields_without_a_column_and_parked_rows_are_sent_again_too),
        T(a_resync_of_a_restored_server_goes_on_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
