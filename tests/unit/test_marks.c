/* sigla_marks, sigla_updated_at and sigla_pending: the same before and after folding. */
#include <string.h>

#include "lib/db.h"
#include "replica/fold.h"
#include "replica/replica.h"
#include "sigla.h"

#define BOT "{\"kind\":\"ai\",\"principalId\":\"agent:bot\"}"

static void fold(sqlite3 *db)
{
    sg_replica *r = sg_replica_of(db);
    int err = sg_replica_begin(r);
    assert_int_equal(err, SG_OK);
    sg_fold(r, &err);
    assert_int_equal(sg_replica_end(r, err), SG_OK);
}

/* Asked twice: of what lies in the outbox, and of what is folded into the shadow. */
#define expect_both(db, rows, sql)                                                                 \
    do {                                                                                           \
        db_expect(db, rows, sql);                                                                  \
        fold(db);                                                                                  \
        db_expect(db, rows, sql);                                                                  \
    } while (0)

static void table(sqlite3 *db)
{
    db_exec(db, "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, c); SELECT sigla_track('t')");
}

static void test_each_field_has_its_last_writer(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,'x',NULL)");
    fold(f->db);
    db_exec(f->db, "SELECT sigla_as('" BOT "'); UPDATE t SET b='y'; SELECT sigla_as_end();"
                   "UPDATE t SET c=x'00'");
    expect_both(f->db, "a|1|user|0|1\nb|\"y\"|agent|0|2\nc|{\"$blob\":\"AA==\"}|user|0|3",
                "SELECT field,value,origin,seq,n FROM sigla_marks('t','k') ORDER BY field");
    db_expect(f->db, "1|36|agent:bot",
              "SELECT count(DISTINCT client),max(length(client)),"
              "max(actor->>'principalId') FILTER (WHERE field='b') FROM "
              "sigla_marks('t','k')");
}

static void test_times_are_those_of_the_writes(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    f->now_us = DB_EPOCH_US + 5000000;
    db_exec(f->db, "INSERT INTO t(id) VALUES('k')");
    f->now_us = DB_EPOCH_US + 9000000;
    db_exec(f->db, "UPDATE t SET b=1");
    expect_both(f->db, "a|2023-11-14T22:13:25\nb|2023-11-14T22:13:29\nc|2023-11-14T22:13:25",
                "SELECT field,substr(at,1,19) FROM sigla_marks('t','k') ORDER BY field");
    expect_both(f->db, "2023-11-14T22:13:29", "SELECT substr(sigla_updated_at('t','k'),1,19)");
    /* L3, L14: a clock that jumps back does not take the stamps along. */
    f->now_us = DB_EPOCH_US;
    db_exec(f->db, "UPDATE t SET b=2");
    expect_both(f->db, "1", "SELECT sigla_updated_at('t','k')>'2023-11-14T22:13:29'");
}

static void test_a_deleted_record_has_the_mark_of_its_death(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,2,3); SELECT sigla_as('" BOT "'); DELETE FROM t");
    expect_both(f->db, "NULL|null|agent|2",
                "SELECT field,value,origin,n FROM sigla_marks('t','k')");
    expect_both(f->db, "NULL", "SELECT sigla_updated_at('t','k')");
    db_exec(f->db, "INSERT INTO t(id,a) VALUES('k',9)");
    expect_both(f->db, "a|9|3\nb|null|3\nc|null|3",
                "SELECT field,value,n FROM sigla_marks('t','k') ORDER BY field");
}

static void test_an_acknowledged_write_has_its_seq(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,2,3); UPDATE t SET a=2;"
                   "INSERT INTO sigla_ack(client,n,cnt,seq) SELECT v,1,1,70 FROM sigla_state WHERE "
                   "k='client'");
    expect_both(f->db, "a|0\nb|70\nc|70",
                "SELECT field,seq FROM sigla_marks('t','k') ORDER BY field");
}

static void test_a_record_nobody_wrote_has_no_marks(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_expect(f->db, "", "SELECT * FROM sigla_marks('t','nobody')");
    db_expect(f->db, "NULL", "SELECT sigla_updated_at('t','nobody')");
}

static void test_marks_of_a_table_joined_with_it(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,2,3),('l',4,5,6); UPDATE t SET a=7 WHERE id='l'");
    expect_both(f->db, "k|a|1\nl|a|7",
                "SELECT t.id,m.field,m.value FROM t, sigla_marks('t',t.id) m WHERE m.field='a' "
                "ORDER BY 1");
}

static void test_uncommitted_writes_have_no_marks_yet(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,2,3); BEGIN; UPDATE t SET a=5");
    db_expect(f->db, "1|0",
              "SELECT n,(SELECT count(*) FROM sigla_pending() WHERE n>1) FROM "
              "sigla_marks('t','k') WHERE field='a'");
    db_exec(f->db, "COMMIT");
    expect_both(f->db, "2", "SELECT n FROM sigla_marks('t','k') WHERE field='a'");
}

static void test_reading_writes_nothing(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,2,3); UPDATE t SET a=5; ALTER TABLE t ADD COLUMN d;"
                   "PRAGMA query_only=ON");
    db_expect(f->db, "3", "SELECT count(*) FROM sigla_marks('t','k')");
    db_expect(f->db, "2", "SELECT count(*) FROM sigla_pending()");
    db_expect(f->db, "1", "SELECT sigla_updated_at('t','k') IS NOT NULL");
    db_expect(f->db, "2", "SELECT sigla_status()->>'pending'");
    db_exec(f->db, "PRAGMA query_only=OFF");
    sqlite3 *ro = NULL;
    assert_int_equal(sqlite3_open_v2(f->path, &ro, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sigla_register(ro), SIGLA_OK);
    db_expect(ro, "3", "SELECT count(*) FROM sigla_marks('t','k')");
    db_close(ro);
}

static void test_a_key_is_found_as_sqlite_would_compare_it(void **state)
{
    db_fixture *f = *state;
    db_exec(f->db, "CREATE TABLE i(k INTEGER PRIMARY KEY,v); CREATE TABLE r(k REAL PRIMARY KEY,v);"
                   "CREATE TABLE x(k TEXT PRIMARY KEY,v); CREATE TABLE b(k PRIMARY KEY,v);"
                   "SELECT sigla_track('i'),sigla_track('r'),sigla_track('x'),sigla_track('b');"
                   "INSERT INTO i VALUES(7,1); INSERT INTO r VALUES(1.5,1),(2,1);"
                   "INSERT INTO x VALUES('7',1),('1.5',1); INSERT INTO b VALUES(7,1),('8',1)");
    db_expect(f->db, "1|1|1|1",
              "SELECT (SELECT count(*) FROM sigla_marks('i','7')),"
              "(SELECT count(*) FROM sigla_marks('i',7.0)),"
              "(SELECT count(*) FROM sigla_marks('r','1.5')),"
              "(SELECT count(*) FROM sigla_marks('r','2'))");
    db_expect(f->db, "1|1|1|0",
              "SELECT (SELECT count(*) FROM sigla_marks('x',7)),"
              "(SELECT count(*) FROM sigla_marks('x',1.5)),"
              "(SELECT count(*) FROM sigla_marks('b',7)),"
              "(SELECT count(*) FROM sigla_marks('b','7'))");
    db_expect(f->db, "7|~r1.5|7|~i7|8",
              "SELECT sigla_id('i',7),sigla_id('r',1.5),sigla_id('x','7'),sigla_id('b',7),"
              "sigla_id('b','8')");
    db_refuses(f->db, "sigla_id(table, key)", "SELECT sigla_id('b')");
}

static void test_wrong_arguments_say_what_is_right(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "CREATE TABLE c(x INT, y INT, PRIMARY KEY(x,y)); SELECT sigla_track('c');"
                   "INSERT INTO c VALUES(1,2)");
    db_refuses(f->db, "sigla_marks(table, key)", "SELECT * FROM sigla_marks('t')");
    db_refuses(f->db, "sigla_marks(table, key)", "SELECT * FROM sigla_marks");
    db_refuses(f->db, "the key of \"t\" has 1 column(s)", "SELECT * FROM sigla_marks('t','k','l')");
    db_refuses(f->db, "the key of \"c\" has 2 column(s)", "SELECT * FROM sigla_marks('c',1)");
    db_refuses(f->db, "the key of \"c\" has 2 column(s)", "SELECT * FROM sigla_marks('c','[1]')");
    db_refuses(f->db, "the key of \"c\" has 2 column(s)", "SELECT sigla_updated_at('c',1)");
    db_refuses(f->db, "too many arguments", "SELECT * FROM sigla_pending(1)");
    db_expect(f->db, "1|1",
              "SELECT sigla_updated_at('c',1,2) IS NOT NULL,"
              "sigla_updated_at('C','[1,2]') IS NOT NULL");
    db_refuses(f->db, "sigla_updated_at(table, key)", "SELECT sigla_updated_at('c')");
}

static void test_damaged_shadows_give_an_error(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,2,3)");
    fold(f->db);
    db_exec(f->db, "UPDATE sigla_rec SET m=x'ff'");
    db_refuses(f->db, "the marks of a record of \"t\" are damaged",
               "SELECT * FROM sigla_marks('t','k')");
    db_fails(f->db, SQLITE_CORRUPT, "SELECT * FROM sigla_marks('t','k')");
    db_exec(f->db, "UPDATE sigla_outbox SET ops=substr(ops,1,length(ops)-1)");
    db_fails(f->db, SQLITE_CORRUPT, "SELECT * FROM sigla_pending()");
}

static void test_pending_is_in_order_and_says_what_was_sent(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES('k',1,2,3); UPDATE t SET a=2; DELETE FROM t;"
                   "INSERT INTO sigla_state VALUES('sent_n',2)");
    expect_both(f->db, "1|default|t|k|insert|1\n2|default|t|k|update|1\n3|default|t|k|delete|0",
                "SELECT n,app,\"table\",key,op,sent FROM sigla_pending()");
}

/* Folding takes outbox rows in pieces: records of many pieces end up as of one. */
static void test_folding_much_at_once(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    for (int i = 0; i < 3; i++)
        db_exec(f->db,
                "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE "
                "i<300) REPLACE INTO t SELECT 'k'||i,%d,zeroblob(20000),1 FROM n; COMMIT",
                i);
    char *before = db_rows(f->db, "SELECT field,n,at FROM sigla_marks('t','k7')");
    fold(f->db);
    db_expect(f->db, before, "SELECT field,n,at FROM sigla_marks('t','k7')");
    sqlite3_free(before);
    db_expect(f->db, "300|1",
              "SELECT count(*),max(n)=(SELECT v FROM sigla_state WHERE k='folded_n') "
              "FROM sigla_rec, (SELECT max(n) AS n FROM sigla_outbox)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_field_has_its_last_writer),
        TEST(test_times_are_those_of_the_writes),
        TEST(test_a_deleted_record_has_the_mark_of_its_death),
        TEST(test_an_acknowledged_write_has_its_seq),
        TEST(test_a_record_nobody_wrote_has_no_marks),
        TEST(test_marks_of_a_table_joined_with_it),
        TEST(test_uncommitted_writes_have_no_marks_yet),
        TEST(test_reading_writes_nothing),
        TEST(test_a_key_is_found_as_sqlite_would_compare_it),
        TEST(test_wrong_arguments_say_what_is_right),
        TEST(test_damaged_shadows_give_an_error),
        TEST(test_pending_is_in_order_and_says_what_was_sent),
        TEST(test_folding_much_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
