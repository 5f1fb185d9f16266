/* Spaces in sync: who reads and writes them, joining, leaving (L7, L9, L17; spec/spaces.md). */
#include "../lib/sync_fixture.h"

#include <sqlite3.h>
#include <stdlib.h>

#define AT "2026-01-02T03:04:05.000Z"

/* The directory as tasks of the writer change it: each with a seq of its own. */
static void directory(const sync_world *w, const char *sql)
{
    char path[200], *message = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/sigla.db", w->listen_dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 60000);
    if (sqlite3_exec(db, "BEGIN IMMEDIATE; UPDATE newest SET seq=seq+1;", NULL, NULL, NULL) ||
        sqlite3_exec(db, sql, NULL, NULL, &message) || sqlite3_exec(db, "COMMIT", NULL, NULL, NULL))
        fail_msg("%s: %s", sql, message);
    (void)sqlite3_close(db);
}

static void join(const sync_world *w, const char *space, const char *person, const char *role)
{
    char sql[400];
    snprintf(sql, sizeof sql,
             "INSERT INTO member(space,person,role,joined_seq,left_seq) VALUES('%s','%s','%s',"
             "(SELECT seq FROM newest),0) ON CONFLICT(space,person) DO UPDATE SET "
             "joined_seq=excluded.joined_seq,role=excluded.role",
             space, person, role);
    directory(w, sql);
}

static void leave(const sync_world *w, const char *space, const char *person)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "UPDATE member SET left_seq=(SELECT seq FROM newest) WHERE space='%s' AND person='%s'",
             space, person);
    directory(w, sql);
}

/* An insert of a title into a space; "" is one's own. */
static void insert(const sync_world *w, const char *token, int n, const char *space, const char *id,
                   const char *title)
{
    json_t *r = sync_post(
        w, token, 200, "/sync/todo",
        "{'clientId':'%.8s','schemaVersion':2,'pull':false,'changes':[{'n':%d,'table':'tasks',"
        "'id':'%s','op':'insert','at':'" AT
        "','spaceId':%s%s%s,'fields':{'title':{'value':'%s'}}}]}",
        token + 60, n, id, *space != '\0' ? "'" : "", *space != '\0' ? space : "null",
        *space != '\0' ? "'" : "", title);
    sync_assert_count(r, "rejected", 0);
    json_decref(r);
}

static json_t *pull(const sync_world *w, const char *token, const char *since, int limit)
{
    return sync_get(w, token, 200, "/sync/todo/pull?v=2&since=%s&limit=%d", since, limit);
}

/* "id:space …" of all pages from a cursor on, which is moved to the end. */
static void read_all(const sync_world *w, const char *token, char *cursor, int limit, char *out,
                     size_t room)
{
    bool more = true;
    out[0] = '\0';
    for (int pages = 0; more; pages++) {
        assert_true(pages < 100);
        json_t *page = pull(w, token, cursor, limit);
        size_t count = sync_count(page, "serverChanges");
        assert_true(count <= (size_t)limit);
        for (size_t i = 0; i < count; i++) {
            const json_t *rec = json_array_get(json_object_get(page, "serverChanges"), i);
            const char *space = json_string_value(json_object_get(rec, "spaceId"));
            size_t n = strlen(out);
            snprintf(out + n, room - n, "%s:%s ", sync_text(rec, "id"), space ? space : "");
        }
        assert_true(strcmp(sync_text(page, "syncedUntil"), cursor) >= 0);
        snprintf(cursor, 200, "%s", sync_text(page, "syncedUntil"));
        more = json_is_true(json_object_get(page, "hasMore"));
        json_decref(page);
    }
}

static void assert_reads(const sync_world *w, const char *token, char *cursor, int limit,
                         const char *expected)
{
    char got[2000];
    read_all(w, token, cursor, limit, got, sizeof got);
    assert_string_equal(got, expected);
}

static void L17_one_reads_and_writes_only_ones_own_spaces(void **state)
{
    const sync_world *w = *state;
    char ann[200] = "", bob[200] = "";
    join(w, "club", "ann", "owner");
    join(w, "other", "bob", "owner");
    insert(w, w->ann, 1, "", "a", "mine");
    insert(w, w->ann, 2, "club", "b", "ours");
    insert(w, w->bob, 1, "other", "c", "theirs");
    assert_reads(w, w->ann, ann, 1000, "a: b:club ");
    assert_reads(w, w->bob, bob, 1000, "c:other ");
    json_t *r = sync_post(
        w, w->bob, 200, "/sync/todo",
        "{'clientId':'b','schemaVersion':2,'pull':false,'changes':["
        "{'n':1,'table':'tasks','id':'d','op':'insert','at':'" AT "','spaceId':'club','fields':{}},"
        "{'n':2,'table':'tasks','id':'b','op':'update','at':'" AT "','spaceId':'club','fields':{}},"
        "{'n':3,'table':'tasks','id':'b','op':'delete','at':'" AT "','spaceId':'club'},"
        "{'n':4,'table':'tasks','id':'b','op':'update','at':'" AT "','fields':{'x':{'value':1}}},"
        "{'n':5,'table':'tasks','id':'e','op':'insert','at':'" AT "','fields':{}}]}");
    sync_assert_count(r, "rejected", 4);
    sync_assert_text(r, "rejected.0.code", "space_refused");
    sync_assert_text(r, "rejected.0.message", "the token's user is not a member of this space");
    sync_assert_text(r, "rejected.2.code", "space_refused");
    sync_assert_text(r, "rejected.3.code", "not_found");
    sync_assert_json(r, "acks", "[{'n':5,'seq':6}]");
    json_decref(r);
    assert_reads(w, w->ann, ann, 1000, "");
    const char *history = "/api/v1/apps/todo/history?table=tasks&id=b";
    json_decref(sync_get(w, w->ann, 200, "%s", history));
    json_decref(sync_get(w, w->bob, 404, "%s", history));
}

static void L17_viewers_read_and_do_not_write(void **state)
{
    const sync_world *w = *state;
    char bob[200] = "";
    join(w, "club", "ann", "owner");
    join(w, "club", "bob", "viewer");
    insert(w, w->ann, 1, "club", "a", "read me");
    assert_reads(w, w->bob, bob, 1000, "a:club ");
    json_t *r = sync_post(w, w->bob, 200, "/sync/todo",
                          "{'clientId':'b','schemaVersion':2,'pull':false,'changes':[{'n':1,"
                          "'table':'tasks','id':'a','op':'update','at':'" AT
                          "','spaceId':'club','fields':{'title':{'value':'no'}}}]}");
    sync_assert_text(r, "rejected.0.message", "viewers of a space do not write to it");
    json_decref(r);
}

static void L7_L17_who_joins_gets_all_of_the_space_wherever_its_cursor_stands(void **state)
{
    const sync_world *w = *state;
    for (int limit = 1; limit <= 3; limit++) {
        char bob[200] = "", space[20], second[20], id[40], expected[400];
        snprintf(space, sizeof space, "club%d", limit);
        snprintf(second, sizeof second, "team%d", limit);
        join(w, space, "ann", "owner");
        join(w, second, "ann", "owner");
        for (int i = 0; i < 4; i++) {
            snprintf(id, sizeof id, "%s-%d", space, i);
            insert(w, w->ann, 10 * limit + 2 * i, space, id, "x");
        }
        snprintf(id, sizeof id, "%s-0", second);
        insert(w, w->ann, 10 * limit + 8, second, id, "y");
        char before[2000];
        read_all(w, w->bob, bob, 1000, before, sizeof before);
        join(w, space, "bob", "member");
        join(w, second, "bob", "member");
        snprintf(id, sizeof id, "%s-new", space);
        insert(w, w->ann, 10 * limit + 9, space, id, "after");
        snprintf(expected, sizeof expected, "%s-0:%s %s-1:%s %s-2:%s %s-3:%s %s-0:%s %s-new:%s ",
                 space, space, space, space, space, space, space, space, second, second, space,
                 space);
        assert_reads(w, w->bob, bob, limit, expected);
        assert_reads(w, w->bob, bob, limit, "");
    }
}

static void L17_who_leaves_is_told_and_reads_no_more(void **state)
{
    const sync_world *w = *state;
    char bob[200] = "", fresh[200] = "";
    join(w, "club", "ann", "owner");
    join(w, "club", "bob", "member");
    insert(w, w->ann, 1, "club", "a", "x");
    assert_reads(w, w->bob, bob, 1000, "a:club ");
    leave(w, "club", "bob");
    insert(w, w->ann, 2, "club", "b", "y");
    json_t *page = pull(w, w->bob, bob, 10);
    sync_assert_json(page, "left", "['club']");
    sync_assert_count(page, "serverChanges", 0);
    sync_assert_json(page, "sums", "[]");
    snprintf(bob, sizeof bob, "%s", sync_text(page, "syncedUntil"));
    json_decref(page);
    page = pull(w, w->bob, bob, 10);
    assert_null(json_object_get(page, "left"));
    json_decref(page);
    assert_reads(w, w->bob, fresh, 1000, "");
    join(w, "club", "bob", "member");
    assert_reads(w, w->bob, bob, 1, "a:club b:club ");
    /* Who did not hear of it hears so first, and once: what is sent then stays. */
    leave(w, "club", "bob");
    join(w, "club", "bob", "member");
    page = pull(w, w->bob, bob, 1);
    sync_assert_json(page, "left", "['club']");
    sync_assert_text(page, "serverChanges.0.id", "a");
    snprintf(bob, sizeof bob, "%s", sync_text(page, "syncedUntil"));
    json_decref(page);
    page = pull(w, w->bob, bob, 1);
    assert_null(json_object_get(page, "left"));
    sync_assert_text(page, "serverChanges.0.id", "b");
    json_decref(page);
}

static void L2_sums_are_those_of_all_that_one_reads(void **state)
{
    const sync_world *w = *state;
    join(w, "club", "ann", "owner");
    insert(w, w->ann, 1, "club", "a", "x");
    insert(w, w->ann, 2, "", "b", "y");
    json_t *both = pull(w, w->ann, "", 10);
    json_t *rec = json_array_get(json_object_get(both, "sums"), 0);
    assert_int_equal(json_integer_value(json_array_get(rec, 3)), 2);
    json_decref(both);
}

/* It says nothing of a space that it had not joined yet. */
static void L5_a_base_from_before_the_join_has_seen_nothing(void **state)
{
    const sync_world *w = *state;
    join(w, "club", "ann", "owner");
    insert(w, w->ann, 1, "club", "a", "first");
    join(w, "club", "bob", "member");
    json_t *r = sync_post(
        w, w->bob, 200, "/sync/todo",
        "{'clientId':'b','schemaVersion':2,'pull':false,'changes':[{'n':1,'base':2,'table':'tasks',"
        "'id':'a','op':'update','at':'2026-02-02T03:04:05.000Z','spaceId':'club','fields':"
        "{'title':{'value':'unseen'}}}]}");
    sync_assert_count(r, "rejected", 0);
    json_decref(r);
    r = pull(w, w->ann, "", 10);
    sync_assert_json(r, "serverChanges.0.fields.title", "[1,'unseen',[2]]");
    json_decref(r);
}

/* Version 1 says nothing of where a record is. */
static void an_update_without_a_space_goes_to_where_its_record_is(void **state)
{
    const sync_world *w = *state;
    char ann[200] = "";
    join(w, "club", "ann", "owner");
    insert(w, w->ann, 1, "club", "a", "x");
    json_t *r = sync_post(w, w->ann, 200, "/sync/todo",
                          "{'clientId':'v1','changes':[{'table':'tasks','id':'a','op':'update',"
                          "'fields':{'title':{'value':'z','at':'2026-02-02T03:04:05.000Z'}}}]}");
    sync_assert_count(r, "rejected", 0);
    json_decref(r);
    assert_reads(w, w->ann, ann, 1000, "a:club ");
    r = sync_get(w, w->ann, 200, "/sync/todo/pull");
    sync_assert_text(r, "serverChanges.0.spaceId", "club");
    json_decref(r);
}

/* ---- live ---- */

static void moved(const sync_world *w, const char *scope)
{
    sg_hub_moved(w->server->hub, sg_slice_str(scope));
}

static void L17_streams_follow_the_spaces_one_belongs_to(void **state)
{
    const sync_world *w = *state;
    join(w, "club", "ann", "owner");
    insert(w, w->ann, 1, "club", "a", "before");
    json_t *page = pull(w, w->bob, "", 10);
    http_client c =
        sync_stream(w, w->bob, "/sync/todo/stream?v=2&since=%s", sync_text(page, "syncedUntil"));
    json_decref(page);
    join(w, "club", "bob", "member");
    moved(w, "u:bob");
    json_t *event = sync_event(&c, NULL, NULL);
    sync_assert_text(event, "serverChanges.0.id", "a");
    sync_assert_text(event, "serverChanges.0.spaceId", "club");
    json_decref(event);
    insert(w, w->ann, 2, "club", "b", "live");
    event = sync_event(&c, NULL, NULL);
    sync_assert_count(event, "serverChanges", 1);
    sync_assert_text(event, "serverChanges.0.id", "b");
    json_decref(event);
    leave(w, "club", "bob");
    moved(w, "u:bob");
    event = sync_event(&c, NULL, NULL);
    sync_assert_json(event, "left", "['club']");
    json_decref(event);
    insert(w, w->ann, 3, "club", "c", "not for bob");
    insert(w, w->bob, 1, "", "d", "his own");
    event = sync_event(&c, NULL, NULL);
    sync_assert_count(event, "serverChanges", 1);
    sync_assert_text(event, "serverChanges.0.id", "d");
    json_decref(event);
    http_close(&c);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, sync_setup, sync_teardown)
    const struct CMUnitTest tests[] = {
        T(L17_one_reads_and_writes_only_ones_own_spaces),
        T(L17_viewers_read_and_do_not_write),
        T(L7_L17_who_joins_gets_all_of_the_space_wherever_its_cursor_stands),
        T(L17_who_leaves_is_told_and_reads_no_more),
        T(L2_sums_are_those_of_all_that_one_reads),
        T(L5_a_base_from_before_the_join_has_seen_nothing),
        T(an_update_without_a_space_goes_to_where_its_record_is),
        T(L17_streams_follow_the_spaces_one_belongs_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
