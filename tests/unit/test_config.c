/* sigla_init and sigla_config: whose database it is, and what can be set. */
#include "lib/db.h"

static void init(sqlite3 *db)
{
    db_exec(db, "SELECT sigla_init('{\"server\":\"https://one.example\",\"token\":\"t\","
                "\"user\":\"ann\"}')");
}

static void test_settings_are_read_and_set(void **state)
{
    db_fixture *f = *state;
    db_expect(f->db, "", "SELECT sigla_config('user') WHERE sigla_config('user') IS NOT NULL");
    init(f->db);
    db_exec(f->db, "SELECT sigla_config('server','https://two.example'),"
                   "sigla_config('token','u'), sigla_config('journal_age_us',86400000000)");
    db_expect(f->db, "ann|https://two.example|u|86400000000|36",
              "SELECT sigla_config('user'),sigla_config('server'),sigla_config('token'),"
              "sigla_config('journal_age_us'),length(sigla_config('client'))");
}

static void test_a_setting_that_cannot_be_says_what_it_takes(void **state)
{
    db_fixture *f = *state;
    init(f->db);
    db_refuses(f->db, "is not a setting: server,", "SELECT sigla_config('colour')");
    db_refuses(f->db, "\"colour\" cannot be set here", "SELECT sigla_config('colour','red')");
    db_refuses(f->db, "\"user\" cannot be set here", "SELECT sigla_config('user','bob')");
    db_refuses(f->db, "\"client\" cannot be set here", "SELECT sigla_config('client','c')");
    db_refuses(f->db, "an integer above 0", "SELECT sigla_config('journal_age_us','5')");
    db_refuses(f->db, "an integer above 0", "SELECT sigla_config('journal_age_us',0)");
    db_refuses(f->db, "token is a text", "SELECT sigla_config('token',5)");
    db_refuses(f->db, "server is a text", "SELECT sigla_config('server',NULL)");
    db_refuses(f->db, "is a URL such as", "SELECT sigla_config('server','ftp://x')");
    db_expect(f->db, "ann|https://one.example|t",
              "SELECT sigla_config('user'),sigla_config('server'),sigla_config('token')");
}

static void test_L13_a_database_stays_with_its_user(void **state)
{
    db_fixture *f = *state;
    db_refuses(f->db, "whose database is it?", "SELECT sigla_init('{\"token\":\"t\"}')");
    init(f->db);
    db_refuses(f->db, "belongs to \"ann\"", "SELECT sigla_init('{\"user\":\"bob\"}')");
    db_exec(f->db, "SELECT sigla_init('{\"token\":\"new\"}')");
    db_expect(f->db, "ann|new", "SELECT sigla_config('user'),sigla_config('token')");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_setup, db_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_settings_are_read_and_set),
        TEST(test_a_setting_that_cannot_be_says_what_it_takes),
        TEST(test_L13_a_database_stays_with_its_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
