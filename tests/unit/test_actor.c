/* sigla_as … sigla_as_end: who is marked as the writer. */
#include "lib/db.h"

#define ANN "{\"kind\":\"user\",\"principalId\":\"ann\",\"displayName\":\"Ann\"}"
#define BOT                                                                                        \
    "{\"kind\":\"ai\",\"principalId\":\"agent:bot\",\"missionId\":\"m1\",\"iterationId\":\"i1\","  \
    "\"rationale\":\"why\"}"

static void table(sqlite3 *db)
{
    db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); SELECT sigla_track('t')");
}

/* key=writer, in the order queued. */
static void expect(sqlite3 *db, const char *rows)
{
    db_expect(db, rows,
              "SELECT group_concat(key||'='||(actor->>'principalId'),' ') FROM (SELECT * "
              "FROM sigla_pending() ORDER BY n)");
    db_taken(db);
}

static void test_the_default_actor_is_the_databases_user(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t(id) VALUES(1)");
    db_expect(f->db, "{\"kind\":\"user\",\"principalId\":\"local\"}|user",
              "SELECT actor,origin FROM sigla_pending()");
    sqlite3 *other = db_open(f);
    db_expect(other, "local", "SELECT actor->>'principalId' FROM sigla_pending()");
    db_exec(f->db, "SELECT sigla_init('{\"server\":\"http://localhost:1\",\"token\":\"t\",\"user\":"
                   "\"ann\",\"displayName\":\"Ann\"}')");
    /* Also what was written before belongs to the user, and other connections know. */
    db_exec(other, "INSERT INTO t(id) VALUES(2)");
    db_expect(other, "1|ann|Ann\n2|ann|Ann",
              "SELECT key,actor->>'principalId',actor->>'displayName' FROM sigla_pending()");
    db_close(other);
}

static void test_outside_a_transaction_it_lasts_until_ended(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db,
            "SELECT sigla_as(%Q); INSERT INTO t(id) VALUES(1); BEGIN;"
            "INSERT INTO t(id) VALUES(2); COMMIT; BEGIN; INSERT INTO t(id) VALUES(3); ROLLBACK;"
            "INSERT INTO t(id) VALUES(4); SELECT sigla_as_end(); INSERT INTO t(id) VALUES(5)",
            ANN);
    expect(f->db, "1=ann 2=ann 4=ann 5=local");
    db_refuses(f->db, "sigla_as_end() without a sigla_as()", "SELECT sigla_as_end()");
}

static void test_inside_a_transaction_it_ends_with_it(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    for (int commit = 0; commit < 2; commit++) {
        db_exec(f->db,
                "BEGIN; SELECT sigla_as(%Q); INSERT INTO t(id) VALUES(1); %s;"
                "INSERT INTO t(id) VALUES(2)",
                BOT, commit ? "COMMIT" : "ROLLBACK");
        expect(f->db, commit ? "1=agent:bot 2=local" : "2=local");
        db_refuses(f->db, "ends with it", "SELECT sigla_as_end()");
        db_exec(f->db, "DELETE FROM t");
        db_taken(f->db);
    }
}

static void test_it_ends_with_a_transaction_that_wrote_nothing(void **state)
{
    static const char *const ways[] = {"BEGIN;SELECT sigla_as(%Q);COMMIT",
                                       "BEGIN IMMEDIATE;SELECT sigla_as(%Q);ROLLBACK",
                                       "SAVEPOINT a;SELECT sigla_as(%Q);RELEASE a"};
    db_fixture *f = *state;
    table(f->db);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        db_exec(f->db, ways[i], ANN);
        db_refuses(f->db, "without a sigla_as()", "SELECT sigla_as_end()");
    }
}

static void test_nested(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db,
            "SELECT sigla_as(%Q); BEGIN; INSERT INTO t(id) VALUES(1); SELECT sigla_as(%Q);"
            "INSERT INTO t(id) VALUES(2); SELECT sigla_as_end(); INSERT INTO t(id) VALUES(3);"
            "SELECT sigla_as(%Q); COMMIT; INSERT INTO t(id) VALUES(4)",
            ANN, BOT, BOT);
    expect(f->db, "1=ann 2=agent:bot 3=ann 4=ann");
    db_exec(f->db, "SELECT sigla_as_end(); INSERT INTO t(id) VALUES(5)");
    expect(f->db, "5=local");
}

static void test_L20_nesting_has_a_bound(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    for (int i = 0; i < 64; i++)
        db_exec(f->db, "SELECT sigla_as(%Q)", ANN);
    db_refuses(f->db, "nested more than 64 deep", "SELECT sigla_as(%Q)", BOT);
    db_refuses(f->db, "nested more than 64 deep", "SELECT sigla_sweep('a')");
    db_exec(f->db, "INSERT INTO t(id) VALUES(1)");
    expect(f->db, "1=ann");
    for (int i = 0; i < 64; i++)
        db_exec(f->db, "SELECT sigla_as_end()");
    db_refuses(f->db, "without a sigla_as()", "SELECT sigla_as_end()");
}

static void test_it_never_leaks_to_another_connection(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    sqlite3 *other = db_open(f);
    db_exec(f->db, "SELECT sigla_as(%Q)", BOT);
    db_exec(other, "INSERT INTO t(id) VALUES(1)");
    db_exec(f->db, "INSERT INTO t(id) VALUES(2)");
    db_close(f->db);
    f->db = db_open(f);
    db_exec(f->db, "INSERT INTO t(id) VALUES(3)");
    expect(other, "1=local 2=agent:bot 3=local");
    db_close(other);
}

static void test_a_savepoint_that_undoes_the_actors_first_mention(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db,
            "BEGIN; SAVEPOINT s; SELECT sigla_as(%Q); INSERT INTO t(id) VALUES(1);"
            "ROLLBACK TO s; INSERT INTO t(id) VALUES(2); SELECT sigla_as(%Q);"
            "INSERT INTO t(id) VALUES(3); COMMIT",
            BOT, ANN);
    expect(f->db, "2=agent:bot 3=ann");
    db_expect(f->db, "agent:bot|agent",
              "SELECT actor->>'principalId',origin FROM sigla_marks('t',2) "
              "LIMIT 1");
}

static void test_two_writers_in_one_transaction(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db,
            "BEGIN; INSERT INTO t VALUES(1,1,1); SELECT sigla_as(%Q); UPDATE t SET a=2;"
            "INSERT INTO t VALUES(2,2,2); SELECT sigla_as_end(); UPDATE t SET b=3 WHERE id=2;"
            "COMMIT",
            BOT);
    db_expect(f->db,
              "insert|1|local|{\"b\":1}\nupdate|1|agent:bot|{\"a\":2}\n"
              "insert|2|agent:bot|{\"a\":2}\nupdate|2|local|{\"b\":3}",
              "SELECT op,key,actor->>'principalId',fields FROM sigla_pending() ORDER BY n");
    db_expect(f->db, "a|agent\nb|user", "SELECT field,origin FROM sigla_marks('t',1) ORDER BY 1");
}

static void test_the_last_writer_of_a_field_counts(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    db_exec(f->db, "INSERT INTO t VALUES(1,1,1)");
    db_taken(f->db);
    db_exec(f->db, "BEGIN; UPDATE t SET a=2, b=2; SELECT sigla_as(%Q); UPDATE t SET a=3; COMMIT",
            BOT);
    db_expect(f->db, "agent:bot|{\"a\":3}\nlocal|{\"b\":2}",
              "SELECT actor->>'principalId',fields FROM sigla_pending() ORDER BY 1");
}

static void test_origin_follows_from_the_actor(void **state)
{
    static const struct {
        const char *actor, *origin;
    } cases[] = {
        {ANN, "user"},
        {BOT, "agent"},
        {"{\"kind\":\"system\",\"principalId\":\"system:migration\"}", "migration"},
        {"{\"kind\":\"system\",\"principalId\":\"system:projection\"}", "system"},
        {"{\"kind\":\"system\",\"principalId\":\"system:bootstrap\"}", "system"},
    };
    db_fixture *f = *state;
    table(f->db);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        db_exec(f->db, "SELECT sigla_as(%Q); INSERT INTO t(id) VALUES(%d); SELECT sigla_as_end()",
                cases[i].actor, (int)i);
        db_expect(f->db, cases[i].origin, "SELECT origin FROM sigla_pending() WHERE key=%d",
                  (int)i);
        db_expect(f->db, cases[i].actor, "SELECT actor FROM sigla_pending() WHERE key=%d", (int)i);
    }
}

static void test_bad_actors_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "[]",
                                      "{}",
                                      "{\"kind\":\"user\"}",
                                      "{\"kind\":\"boss\",\"principalId\":\"x\"}",
                                      "{\"kind\":\"user\",\"principalId\":7}",
                                      "{\"kind\":\"user\",\"principalId\":\"x\"}x"};
    db_fixture *f = *state;
    table(f->db);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        db_refuses(f->db, "sigla_as(): the actor", "SELECT sigla_as(%Q)", bad[i]);
    char *long_name = sqlite3_mprintf("%.*c", 5000, 'x');
    db_refuses(f->db, "sigla_as(): the actor",
               "SELECT sigla_as('{\"kind\":\"user\",\"principalId\":\"%s\"}')", long_name);
    sqlite3_free(long_name);
    db_refuses(f->db, "sigla_as(): the actor", "SELECT sigla_as(NULL)");
    db_exec(f->db, "INSERT INTO t(id) VALUES(1)");
    expect(f->db, "1=local");
}

static void test_many_actors(void **state)
{
    db_fixture *f = *state;
    table(f->db);
    for (int i = 0; i < 300; i++)
        db_exec(f->db,
                "SELECT sigla_as('{\"kind\":\"user\",\"principalId\":\"u%d\"}');"
                "INSERT INTO t(id) VALUES(%d); SELECT sigla_as_end()",
                i % 150, i);
    db_expect(f->db, "150|0",
              "SELECT count(DISTINCT actor),sum((actor->>'principalId')<>'u'||(key%%150)) "
              "FROM sigla_pending()");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_default_actor_is_the_databases_user),
        TEST(test_outside_a_transaction_it_lasts_until_ended),
        TEST(test_inside_a_transaction_it_ends_with_it),
        TEST(test_it_ends_with_a_transaction_that_wrote_nothing),
        TEST(test_nested),
        TEST(test_L20_nesting_has_a_bound),
        TEST(test_it_never_leaks_to_another_connection),
        TEST(test_a_savepoint_that_undoes_the_actors_first_mention),
        TEST(test_two_writers_in_one_transaction),
        TEST(test_the_last_writer_of_a_field_counts),
        TEST(test_origin_follows_from_the_actor),
        TEST(test_bad_actors_are_refused),
        TEST(test_many_actors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
