/* Pushes and pulls through HTTP: numbers, refusals, transactions, stamps, deletes. */
#include "../lib/sync_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "server/now.h"

#define T1 "2026-01-02T03:04:05.000Z"
#define T2 "2026-01-02T03:04:06.000Z"
#define T3 "2026-01-02T03:04:07.000Z"
#define BOTTOM "1970-01-01T00:00:00.000Z"

/* A version 2 push of these changes by a client. */
static json_t *push(const sync_world *w, const char *token, const char *client, const char *changes)
{
    return sync_post(w, token, 200, "/sync/todo",
                     "{'clientId':'%s','schemaVersion':2,'pull':false,'changes':[%s]}", client,
                     changes);
}

static void push_quietly(const sync_world *w, const char *client, const char *changes)
{
    json_t *r = push(w, w->ann, client, changes);
    sync_assert_count(r, "rejected", 0);
    json_decref(r);
}

static json_t *pull(const sync_world *w, const char *since)
{
    return sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&since=%s", since);
}

static int64_t history_count(const sync_world *w, const char *id)
{
    json_t *r = sync_get(w, w->ann, 200, "/api/v1/apps/todo/history?table=tasks&id=%s", id);
    int64_t n = (int64_t)sync_count(r, "history");
    json_decref(r);
    return n;
}

#define INSERT(n, id, title, at)                                                                   \
    "{'n':" #n ",'base':0,'table':'tasks','id':'" id "','op':'insert','at':'" at                   \
    "','fields':{'title':{'value':'" title "'}}}"
#define UPDATE(n, base, id, title, at)                                                             \
    "{'n':" #n ",'base':" #base ",'table':'tasks','id':'" id "','op':'update','at':'" at           \
    "','fields':{'title':{'value':'" title "'}}}"
#define DELETE(n, base, id, at)                                                                    \
    "{'n':" #n ",'base':" #base ",'table':'tasks','id':'" id "','op':'delete','at':'" at "'}"

/* ---- L8, L9, L13 ---- */

static void L8_a_push_sent_again_gives_the_same_answer_and_does_nothing(void **state)
{
    const sync_world *w = *state;
    const char *changes = INSERT(1, "a", "Tea", T1) "," INSERT(
        2, "b", "Milk",
        T1) ","
            "{'n':3,'table':'sigla_x','id':'a','op':'insert'}," UPDATE(4, 0, "a", "Coffee", T2);
    json_t *first = push(w, w->ann, "c1", changes);
    sync_assert_json(first, "acks", "[{'n':1,'seq':1,'count':2},{'n':4,'seq':3}]");
    sync_assert_text(first, "rejected.0.code", "table_refused");
    json_t *again = push(w, w->ann, "c1", changes);
    assert_true(json_equal(sync_at(first, "acks"), sync_at(again, "acks")));
    assert_true(json_equal(sync_at(first, "rejected"), sync_at(again, "rejected")));
    assert_int_equal(history_count(w, "a"), 2);
    json_decref(first);
    json_decref(again);
}

static void L8_answers_survive_a_restart(void **state)
{
    sync_world *w = *state;
    json_t *first = push(w, w->ann, "c1", INSERT(1, "a", "Tea", T1) "," INSERT(2, "a", "x", T2));
    sync_restart(w);
    json_t *again =
        push(w, w->ann, "c1",
             INSERT(1, "a", "Tea", T1) "," INSERT(2, "a", "x", T2) "," INSERT(3, "b", "y", T2));
    sync_assert_json(again, "acks", "[{'n':1,'seq':1,'count':3}]");
    json_decref(first);
    json_decref(again);
}

static void L8_a_retried_change_without_number_changes_nothing(void **state)
{
    const sync_world *w = *state;
    const char *win =
        "{'clientId':'old','changes':[{'table':'tasks','id':'a','op':'update','fields':"
        "{'title':{'value':'Tea','at':'" T2 "'}}}]}";
    const char *lose =
        "{'clientId':'older','changes':[{'table':'tasks','id':'a','op':'update','fields':"
        "{'title':{'value':'Milk','at':'" T1 "'}}}]}";
    for (int i = 0; i < 3; i++) {
        json_decref(sync_post(w, w->ann, 200, "/sync/todo", "%s", win));
        json_decref(sync_post(w, w->ann, 200, "/sync/todo", "%s", lose));
        assert_int_equal(history_count(w, "a"), 2);
    }
    json_t *page = pull(w, "");
    sync_assert_text(page, "serverChanges.0.values.title", "Tea");
    sync_assert_int(page, "syncedSeq", 2);
    json_decref(page);
}

static void L9_a_bad_change_stands_alone(void **state)
{
    const sync_world *w = *state;
    json_t *r = push(
        w, w->ann, "c1",
        INSERT(
            1, "a", "Tea",
            T1) ","
                "{'n':2,'table':'tasks','id':'a','op':'update','fields':{'title':{'value':1,'at':'noon'}}},"
                "{'n':3,'table':'tasks','id':'a','op':'update','spaceId':'club','at':'" T1 "'},"
                "{'n':4,'table':'tasks','op':'update'}," INSERT(5, "b", "Milk", T1) "," UPDATE(
                    6, 0, "none", "x", T1));
    sync_assert_json(r, "acks", "[{'n':1,'seq':1},{'n':5,'seq':2}]");
    sync_assert_count(r, "rejected", 4);
    sync_assert_json(
        r, "rejected.0",
        "{'n':2,'code':'bad_change','message':'changes[1].fields.title.at is not a time'}");
    sync_assert_text(r, "rejected.1.code", "space_refused");
    sync_assert_int(r, "rejected.2.n", 4);
    sync_assert_text(r, "rejected.2.message", "changes[3].id is missing");
    sync_assert_text(r, "rejected.3.code", "not_found");
    json_decref(r);
    r = sync_post(w, w->ann, 200, "/sync/todo",
                  "{'clientId':'v1','changes':[{'table':'tasks','id':'q','op':'nothing'}]}");
    sync_assert_json(
        r, "rejected.0",
        "{'table':'tasks','id':'q','code':'bad_change','message':'changes[0].op is not insert, update or delete'}");
    json_decref(r);
    r = pull(w, "");
    sync_assert_count(r, "serverChanges", 2);
    json_decref(r);
}

static void L9_a_refused_insert_takes_its_updates_along_and_nothing_else(void **state)
{
    const sync_world *w = *state;
    json_t *r =
        push(w, w->ann, "c1",
             "{'n':1,'table':'tasks','id':'a','op':'insert','at':'never'}," UPDATE(
                 2, 0, "a", "x", T1) "," INSERT(3, "b", "y", T1) "," UPDATE(4, 0, "b", "z", T2));
    sync_assert_json(r, "acks", "[{'n':3,'seq':1,'count':2}]");
    sync_assert_text(r, "rejected.1.code", "not_found");
    json_decref(r);
}

static void whole_requests_are_refused_with_a_code(void **state)
{
    const sync_world *w = *state;
    const struct {
        const char *body;
        int status;
        const char *code;
    } cases[] = {
        {"{", 400, "bad_json"},
        {"[]", 400, "bad_request"},
        {"{'changes':[]}", 400, "bad_request"},
        {"{'clientId':'a b'}", 400, "bad_request"},
        {"{'clientId':7}", 400, "bad_request"},
        {"{'clientId':'c','changes':{}}", 400, "bad_request"},
        {"{'clientId':'c','schemaVersion':0}", 400, "bad_request"},
        {"{'clientId':'c','schemaVersion':3}", 426, "client_too_new"},
        {"{'clientId':'c','since':'2020'}", 400, "bad_cursor"},
        {"{'clientId':'c','since':'c0000000000000000-0000000000000000-00000000'}", 410,
         "resync_required"},
        {"{'clientId':'c','epoch':'0000000000000000'}", 410, "resync_required"},
        {"{'clientId':'c','changes':[{'n':2},{'n':1}]}", 400, "bad_request"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *r = sync_post(w, w->ann, cases[i].status, "/sync/todo", "%s", cases[i].body);
        sync_assert_text(r, "error.code", cases[i].code);
        json_decref(r);
    }
    json_decref(sync_post(w, w->ann, 400, "/sync/a%%20b", "{'clientId':'c'}"));
}

static void L13_a_copied_database_is_told_so_and_nothing_is_done(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1) "," INSERT(2, "b", "Tea", T1));
    json_t *r = sync_post(
        w, w->ann, 409, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'sent':1,'changes':[" INSERT(1, "a", "Tea", T1) "]}");
    sync_assert_text(r, "error.code", "client_copied");
    json_decref(r);
    json_decref(sync_get(w, w->ann, 409, "/sync/todo/pull?v=2&client=c1&sent=1"));
    json_decref(
        sync_post(w, w->ann, 409, "/sync/todo", "{'clientId':'c1','schemaVersion':2,'sent':0}"));
    json_decref(sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&client=c1&sent=2"));
    r = sync_post(
        w, w->ann, 409, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'changes':[" INSERT(2, "other", "x", T1) "]}");
    sync_assert_text(r, "error.code", "client_copied");
    json_decref(r);
    r = pull(w, "");
    sync_assert_count(r, "serverChanges", 2);
    json_decref(r);
}

static void L13_one_id_of_two_users_is_two_clients(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1));
    json_t *r = push(w, w->bob, "c1", INSERT(1, "b", "Beer", T2));
    sync_assert_json(r, "acks", "[{'n':1,'seq':2}]");
    json_decref(r);
    r = sync_get(w, w->bob, 200, "/sync/todo/pull?v=2");
    sync_assert_count(r, "serverChanges", 1);
    sync_assert_text(r, "serverChanges.0.id", "b");
    json_decref(r);
}

/* ---- L1: whole transactions ---- */

#define PART(n, tx, id)                                                                            \
    "{'n':" #n ",'tx':" #tx ",'base':0,'table':'tasks','id':'" id "','op':'insert','at':'" T1      \
    "','fields':{'title':{'value':'" id "'}}}"

static void L1_a_transaction_is_kept_back_until_it_is_whole(void **state)
{
    sync_world *w = *state;
    json_t *r =
        push(w, w->ann, "c1", INSERT(1, "a", "Tea", T1) "," PART(2, 5, "b") "," PART(3, 5, "c"));
    sync_assert_json(r, "acks", "[{'n':1,'seq':1}]");
    sync_assert_int(r, "staged", 3);
    json_decref(r);
    r = push(w, w->ann, "c1", PART(2, 5, "b") "," PART(3, 5, "c")); /* again: nothing new */
    sync_assert_json(r, "acks", "[]");
    sync_assert_int(r, "staged", 3);
    json_decref(r);
    r = push(w, w->ann, "c1", PART(4, 5, "d"));
    sync_assert_int(r, "staged", 4);
    json_decref(r);
    r = pull(w, "");
    sync_assert_count(r, "serverChanges", 1);
    json_decref(r);
    sync_restart(w);
    r = push(w, w->ann, "c1", PART(5, 5, "e"));
    sync_assert_json(r, "acks", "[{'n':2,'seq':2,'count':4}]");
    sync_assert_int(r, "staged", 0);
    json_decref(r);
    r = pull(w, "");
    sync_assert_count(r, "serverChanges", 5);
    json_decref(r);
    r = push(w, w->ann, "c1", PART(2, 5, "b") "," PART(3, 5, "c"));
    sync_assert_json(r, "acks", "[{'n':2,'seq':2,'count':2}]");
    json_decref(r);
}

static void L1_a_refused_last_change_completes_its_transaction(void **state)
{
    const sync_world *w = *state;
    json_t *r = push(w, w->ann, "c1", PART(1, 2, "a"));
    sync_assert_int(r, "staged", 1);
    json_decref(r);
    r = push(w, w->ann, "c1", "{'n':2,'tx':2,'table':'tasks','id':'b','op':'never'}");
    sync_assert_json(r, "acks", "[{'n':1,'seq':1}]");
    sync_assert_count(r, "rejected", 1);
    json_decref(r);
}

static void L1_a_writer_that_moves_on_has_its_transaction_committed(void **state)
{
    const sync_world *w = *state;
    json_decref(push(w, w->ann, "c1", PART(1, 9, "a")));
    json_t *r = push(w, w->ann, "c1", PART(2, 3, "b"));
    sync_assert_json(r, "acks", "[{'n':1,'seq':1}]");
    sync_assert_int(r, "staged", 2);
    json_decref(r);
    r = push(w, w->ann, "c1", INSERT(4, "c", "x", T1));
    sync_assert_json(r, "acks", "[{'n':2,'seq':2},{'n':4,'seq':3}]");
    json_decref(r);
}

/* ---- L2, L3, L4, L5, L14 ---- */

static void L3_the_greater_stamp_wins_in_any_order(void **state)
{
    const sync_world *w = *state;
    const char *writes[3][2] = {{"c1", UPDATE(1, 9, "%s", "one", T2)},
                                {"c3", UPDATE(1, 9, "%s", "three", T2)},
                                {"c2", UPDATE(1, 9, "%s", "two", T1)}};
    const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int o = 0; o < 6; o++) {
        char app[32], change[512];
        snprintf(app, sizeof app, "/sync/app%d", o);
        json_decref(sync_post(w, w->ann, 200, app,
                              "{'clientId':'c0','schemaVersion':2,'changes':[%s]}",
                              INSERT(1, "a", "old", BOTTOM)));
        for (int i = 0; i < 3; i++) {
            const char *const *write = writes[orders[o][i]];
            snprintf(change, sizeof change, write[1], "a");
            json_decref(sync_post(w, w->ann, 200, app,
                                  "{'clientId':'%s','schemaVersion':2,'changes':[%s]}", write[0],
                                  change));
        }
        json_t *r = sync_get(w, w->ann, 200, "%s/pull", app);
        sync_assert_text(r, "serverChanges.0.fields.title.value", "three");
        json_decref(r);
    }
}

static void L4_a_default_never_beats_a_value(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1", INSERT(1, "a", "mine", T1));
    push_quietly(w, "c2",
                 "{'n':1,'base':0,'table':'tasks','id':'a','op':'insert','at':'" BOTTOM
                 "','actor':{'kind':'system','principalId':'system:bootstrap'},'origin':'system',"
                 "'fields':{'title':{'value':'default'},'colour':{'value':'red'}}}");
    json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull");
    sync_assert_text(r, "serverChanges.0.fields.title.value", "mine");
    json_decref(r);
}

/* The list of lost writes beside title, as any reader sees it. */
static void assert_lost(const sync_world *w, const char *expected)
{
    json_t *r = pull(w, "");
    sync_assert_json(r, "serverChanges.0.fields.title.2", expected);
    json_decref(r);
}

static void L5_a_write_overwritten_unseen_is_listed_beside_its_winner(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1));     /* seq 1 */
    push_quietly(w, "c2", UPDATE(1, 0, "a", "Milk", T2)); /* seq 2: has not seen 1 */
    assert_lost(w, "[1]");
    push_quietly(w, "c1", UPDATE(2, 2, "a", "Coffee", T3)); /* seq 3: has seen 2 */
    assert_lost(w, "[1]");
    push_quietly(w, "c2", UPDATE(2, 2, "a", "late", T1)); /* seq 4: loses on arrival */
    assert_lost(w, "[1,4]");
}

static void L5_agents_are_never_in_conflict(void **state)
{
    const sync_world *w = *state;
    json_decref(push(w, w->robot, "bot", INSERT(1, "a", "plan", T1)));
    push_quietly(w, "c1", UPDATE(1, 0, "a", "mine", T2));
    json_decref(push(w, w->robot, "bot", UPDATE(2, 0, "a", "late", T1)));
    json_t *r = pull(w, "");
    assert_null(json_object_get(sync_at(r, "serverChanges.0.fields"), "note"));
    sync_assert_count(r, "serverChanges.0.fields.title", 2);
    json_decref(r);
}

static void L5_a_base_that_is_not_sent_is_derived(void **state)
{
    const sync_world *w = *state;
    char later[SG_TIME_TEXT_MAX], cursor[64];
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1));
    json_t *r = pull(w, "");
    snprintf(cursor, sizeof cursor, "%s", sync_text(r, "syncedUntil"));
    json_decref(r);
    /* Written after seq 1 was committed, by somebody who had pulled it: it was seen. */
    (void)sg_time_format(sg_now_us(), later);
    json_decref(sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'old','since':'%s','changes':[{'table':'tasks','id':'a','op':'update',"
        "'fields':{'title':{'value':'Milk','at':'%s'}}}]}",
        cursor, later));
    r = pull(w, "");
    sync_assert_count(r, "serverChanges.0.fields.title", 2);
    json_decref(r);
    /* The same cursor, but written before seq 1 was there: it cannot have been seen. */
    push_quietly(w, "c1", INSERT(2, "b", "Tea", T1));
    json_decref(sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'old','since':'%s','changes':[{'table':'tasks','id':'b','op':'update',"
        "'fields':{'title':{'value':'Milk','at':'" T2 "'}}}]}",
        cursor));
    r = pull(w, cursor);
    sync_assert_json(r, "serverChanges.1.fields.title.2", "[3]");
    json_decref(r);
    /* A cursor past it, and still written before it was there. */
    push_quietly(w, "c1", INSERT(3, "c", "Tea", T1)); /* seq 5 */
    r = pull(w, cursor);
    json_decref(sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'old','since':'%s','changes':[{'table':'tasks','id':'c','op':'update',"
        "'fields':{'title':{'value':'Milk','at':'" T2 "'}}}]}",
        sync_text(r, "syncedUntil")));
    json_decref(r);
    r = pull(w, cursor);
    sync_assert_json(r, "serverChanges.2.fields.title.2", "[5]");
    json_decref(r);
}

static void L14_a_stamp_beyond_the_bound_is_renewed_alone(void **state)
{
    const sync_world *w = *state;
    char far_off[SG_TIME_TEXT_MAX], near[SG_TIME_TEXT_MAX], changes[1024];
    int64_t now_us = sg_now_us();
    (void)sg_time_format(now_us + INT64_C(3600000000), far_off);
    (void)sg_time_format(now_us + INT64_C(60000000), near);
    snprintf(
        changes, sizeof changes,
        "{'n':1,'base':0,'table':'tasks','id':'a','op':'insert','at':'%s','fields':{'title':{'value':'x'}}},"
        "{'n':2,'base':0,'table':'tasks','id':'b','op':'insert','at':'%s','fields':{'title':{'value':'y'}}}",
        far_off, near);
    json_t *r = push(w, w->ann, "c1", changes);
    sync_assert_count(r, "restamped", 1);
    sync_assert_int(r, "restamped.0.n", 1);
    char given[64];
    snprintf(given, sizeof given, "%s", sync_text(r, "restamped.0.at"));
    assert_true(strcmp(given, near) < 0);
    json_decref(r);
    /* A number gets one answer, and all of it again (L8). */
    r = push(w, w->ann, "c1", changes);
    sync_assert_count(r, "restamped", 1);
    sync_assert_text(r, "restamped.0.at", given);
    json_decref(r);
    r = pull(w, "");
    sync_assert_text(r, "serverChanges.0.marks.0.0", given);
    sync_assert_int(r, "serverChanges.0.marks.0.6", 1);
    sync_assert_text(r, "serverChanges.1.marks.0.0", near);
    sync_assert_count(r, "serverChanges.1.marks.0", 6);
    json_decref(r);
    /* Its writer hears of it too, though the write is its own. */
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&client=c1");
    sync_assert_count(r, "serverChanges", 2);
    json_decref(r);
}

/* ---- L12: deletes ---- */

static void L12_an_edit_does_not_resurrect_and_an_insert_does(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1) "," DELETE(2, 1, "a", T2));
    push_quietly(w, "c2", UPDATE(1, 0, "a", "Milk", T3));
    json_t *r = pull(w, "");
    sync_assert_json(r, "serverChanges.0.dead", "true");
    json_decref(r);
    r = sync_get(w, w->ann, 200, "/sync/todo/pull");
    sync_assert_text(r, "serverChanges.0.op", "delete");
    json_decref(r);
    push_quietly(
        w, "c1",
        "{'n':3,'base':3,'table':'tasks','id':'a','op':'insert','at':'2026-01-03T00:00:00.000Z',"
        "'fields':{'done':{'value':1}}}");
    r = sync_get(w, w->ann, 200, "/sync/todo/pull");
    sync_assert_text(r, "serverChanges.0.op", "update");
    sync_assert_text(r, "serverChanges.0.fields.title.value", "Milk");
    json_decref(r);
}

/* ---- reading ---- */

static void one_does_not_hear_of_ones_own_writes(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1));
    json_t *r = pull(w, "");
    char cursor[64];
    snprintf(cursor, sizeof cursor, "%s", sync_text(r, "syncedUntil"));
    json_decref(r);
    push_quietly(w, "c1", UPDATE(2, 1, "a", "Milk", T2));
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&client=c1&since=%s", cursor);
    sync_assert_count(r, "serverChanges", 0);
    sync_assert_int(r, "syncedSeq", 2);
    json_decref(r);
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&client=c2&since=%s", cursor);
    sync_assert_count(r, "serverChanges", 1);
    json_decref(r);
    r = sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'c2','schemaVersion':2,'since':'%s','changes':[" INSERT(1, "b", "x", T1) "]}",
        cursor);
    sync_assert_count(r, "serverChanges", 1);
    sync_assert_text(r, "serverChanges.0.id", "a");
    json_decref(r);
}

static void L7_pages_join_without_gap_while_others_write(void **state)
{
    const sync_world *w = *state;
    char cursor[64] = "", change[512], seen[64] = {0};
    int n = 0;
    for (int i = 0; i < 20; i++) {
        snprintf(change, sizeof change,
                 "{'n':%d,'base':0,'table':'tasks','id':'r%02d','op':'insert','at':'" T1
                 "','fields':{'title':{'value':%d}}}",
                 ++n, i, i);
        push_quietly(w, "c1", change);
    }
    for (bool more = true; more;) {
        json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&limit=3&since=%s", cursor);
        size_t count = sync_count(r, "serverChanges");
        assert_true(count <= 3);
        for (size_t i = 0; i < count; i++) {
            char path[64];
            snprintf(path, sizeof path, "serverChanges.%zu.id", i);
            seen[atoi(sync_text(r, path) + 1)]++;
        }
        assert_true(strcmp(sync_text(r, "syncedUntil"), cursor) > 0);
        snprintf(cursor, sizeof cursor, "%s", sync_text(r, "syncedUntil"));
        more = json_is_true(sync_at(r, "hasMore"));
        json_decref(r);
        if (n < 24) { /* r00 … r03 move behind the cursor's page again */
            snprintf(change, sizeof change,
                     "{'n':%d,'base':0,'table':'tasks','id':'r%02d','op':'update','at':'" T2
                     "','fields':{'title':{'value':'new'}}}",
                     n + 1, n - 20);
            push_quietly(w, "c1", change);
            n++;
        }
    }
    for (int i = 0; i < 20; i++)
        assert_true(seen[i] >= 1 && seen[i] <= 2);
    assert_int_equal(seen[0], 2);
    json_t *r = pull(w, cursor);
    sync_assert_count(r, "serverChanges", 0);
    json_decref(r);
}

static void L7_a_page_shows_all_that_changed_since_the_first_page_began(void **state)
{
    const sync_world *w = *state;
    char cursor[64];
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1) "," INSERT(2, "b", "Milk", T1));
    json_t *r = pull(w, "");
    snprintf(cursor, sizeof cursor, "%s", sync_text(r, "syncedUntil"));
    json_decref(r);
    push_quietly(
        w, "c1",
        UPDATE(3, 2, "a", "Coffee", T2) "," UPDATE(
            4, 2, "b", "x", T2) ","
                                "{'n':5,'base':2,'table':'tasks','id':'a','op':'update','at':'" T3
                                "','fields':{'done':{'value':1}}}");
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&limit=1&since=%s", cursor);
    sync_assert_text(r, "serverChanges.0.id", "b");
    sync_assert_int(r, "syncedSeq", 2);
    snprintf(cursor, sizeof cursor, "%s", sync_text(r, "syncedUntil"));
    json_decref(r);
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&limit=1&since=%s", cursor);
    sync_assert_text(r, "serverChanges.0.id", "a");
    sync_assert_count(r, "serverChanges.0.marks", 2); /* title of seq 3, done of seq 5 */
    sync_assert_int(r, "syncedSeq", 5);
    json_decref(r);
}

static void L7_a_cursor_beyond_what_there_is_must_resync(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1", INSERT(1, "a", "Tea", T1));
    json_t *r = pull(w, "");
    char cursor[64];
    snprintf(cursor, sizeof cursor, "%s", sync_text(r, "syncedUntil"));
    json_decref(r);
    memcpy(cursor + 1, "00000000000000ff", 16);
    json_decref(sync_get(w, w->ann, 410, "/sync/todo/pull?v=2&since=%s", cursor));
    json_decref(sync_post(
        w, w->ann, 410, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'since':'%s','changes':[" INSERT(2, "b", "x", T1) "]}",
        cursor));
    r = pull(w, "");
    sync_assert_count(r, "serverChanges", 1);
    json_decref(r);
}

static void collections_are_asked_for_by_name(void **state)
{
    const sync_world *w = *state;
    push_quietly(w, "c1",
                 INSERT(1, "a", "Tea",
                        T1) ",{'n':2,'base':0,'table':'lists','id':'l','op':'insert','at':'" T1
                            "'},"
                            "{'n':3,'base':0,'table':'tags','id':'t','op':'insert','at':'" T1 "'}");
    json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&collection=lists");
    sync_assert_count(r, "serverChanges", 1);
    sync_assert_text(r, "serverChanges.0.table", "lists");
    sync_assert_int(r, "syncedSeq", 3);
    json_decref(r);
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&collection=tags,tasks");
    sync_assert_count(r, "serverChanges", 2);
    json_decref(r);
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&collection=nothing");
    sync_assert_count(r, "serverChanges", 0);
    json_decref(r);
}

static void values_come_back_as_the_bytes_they_were_sent_as(void **state)
{
    const sync_world *w = *state;
    const char *values[] = {
        "9007199254740993", "-9223372036854775808", "1.50",         "-0.0", "5e-324",
        "'\\u0000x'",       "{'$blob':'AAEC'}",     "[1, {'a':2}]", "null", "true"};
    char change[512];
    for (int i = 0; i < (int)(sizeof values / sizeof *values); i++) {
        snprintf(
            change, sizeof change,
            "{'n':%d,'base':0,'table':'tasks','id':'v','op':'insert','at':'2026-01-02T03:04:%02d.000Z',"
            "'fields':{'x':{'value':%s}}}",
            i + 1, i, values[i]);
        push_quietly(w, "c1", change);
        http_client c = http_connect(&w->http);
        char *request = NULL, *expected = NULL;
        assert_true(
            asprintf(
                &request,
                "GET /sync/todo/pull?v=2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
                w->ann) > 0);
        assert_true(asprintf(&expected, "'values':{'x':%s}", values[i]) > 0);
        char *quoted = sync_quotes(expected);
        http_say(&c, request);
        http_reply reply = http_read(&c);
        if (strstr(reply.body, quoted) == NULL) fail_msg("no %s in %s", quoted, reply.body);
        http_reply_free(&reply);
        http_close(&c);
        free(request);
        free(expected);
        free(quoted);
    }
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, sync_setup, sync_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(L8_a_push_sent_again_gives_the_same_answer_and_does_nothing),
        WITH_WORLD(L8_answers_survive_a_restart),
        WITH_WORLD(L8_a_retried_change_without_number_changes_nothing),
        WITH_WORLD(L9_a_bad_change_stands_alone),
        WITH_WORLD(L9_a_refused_insert_takes_its_updates_along_and_nothing_else),
        WITH_WORLD(whole_requests_are_refused_with_a_code),
        WITH_WORLD(L13_a_copied_database_is_told_so_and_nothing_is_done),
        WITH_WORLD(L13_one_id_of_two_users_is_two_clients),
        WITH_WORLD(L1_a_transaction_is_kept_back_until_it_is_whole),
        WITH_WORLD(L1_a_refused_last_change_completes_its_transaction),
        WITH_WORLD(L1_a_writer_that_moves_on_has_its_transaction_committed),
        WITH_WORLD(L3_the_greater_stamp_wins_in_any_order),
        WITH_WORLD(L4_a_default_never_beats_a_value),
        WITH_WORLD(L5_a_write_overwritten_unseen_is_listed_beside_its_winner),
        WITH_WORLD(L5_agents_are_never_in_conflict),
        WITH_WORLD(L5_a_base_that_is_not_sent_is_derived),
        WITH_WORLD(L14_a_stamp_beyond_the_bound_is_renewed_alone),
        WITH_WORLD(L12_an_edit_does_not_resurrect_and_an_insert_does),
        WITH_WORLD(one_does_not_hear_of_ones_own_writes),
        WITH_WORLD(L7_pages_join_without_gap_while_others_write),
        WITH_WORLD(L7_a_page_shows_all_that_changed_since_the_first_page_began),
        WITH_WORLD(L7_a_cursor_beyond_what_there_is_must_resync),
        WITH_WORLD(collections_are_asked_for_by_name),
        WITH_WORLD(values_come_back_as_the_bytes_they_were_sent_as),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
