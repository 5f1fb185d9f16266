/* Bounds and ages (L20, L12): each with its error. */
#include "../lib/sync_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "server/apply.h"
#include "server/routes.h"

#define T1 "2026-01-02T03:04:05.000Z"

/* before, n times `each` with its number, after; single quotes for double ones. */
static json_t *post_many(const sync_world *w, int status, const char *before, int n,
                         const char *each, const char *after)
{
    sg_buf b;
    char one[512];
    sg_buf_init(&b, SIZE_MAX / 2);
    sg_buf_str(&b, before);
    for (int i = 0; i < n; i++) {
        snprintf(one, sizeof one, each, i + 1, i + 1);
        if (i != 0) sg_buf_byte(&b, ',');
        sg_buf_str(&b, one);
    }
    sg_buf_str(&b, after);
    char *text = sync_quotes(sg_buf_cstr(&b));
    json_t *r = sync_post_bytes(w, w->ann, status, "/sync/todo", text, b.n);
    free(text);
    sg_buf_deinit(&b);
    return r;
}

static char *filled(size_t n, char c)
{
    char *text = malloc(n + 1);
    memset(text, c, n);
    text[n] = '\0';
    return text;
}

static void L20_a_body_has_a_limit(void **state)
{
    const sync_world *w = *state;
    char *body = filled(SG_BODY_MAX + 1, ' ');
    memcpy(body, "{\"clientId\":\"c\"}", 16);
    json_decref(sync_post_bytes(w, w->ann, 200, "/sync/todo", body, SG_BODY_MAX));
    json_t *r = sync_post_bytes(w, w->ann, 413, "/sync/todo", body, SG_BODY_MAX + 1);
    sync_assert_text(r, "error.code", "limit");
    json_decref(r);
    free(body);
}

static void L20_a_body_has_a_limit_of_changes(void **state)
{
    const sync_world *w = *state;
    const char *each = "{'n':%d,'table':'t','id':'r%d','op':'x'}";
    json_t *r =
        post_many(w, 413, "{'clientId':'c','changes':[", SG_PUSH_CHANGES_MAX + 1, each, "]}");
    sync_assert_text(r, "error.code", "limit");
    json_decref(r);
    r = post_many(w, 200, "{'clientId':'c','changes':[", SG_PUSH_CHANGES_MAX, each, "]}");
    sync_assert_count(r, "rejected", SG_PUSH_CHANGES_MAX);
    json_decref(r);
}

static void L20_names_have_limits(void **state)
{
    const sync_world *w = *state;
    const struct {
        const char *body;
        size_t most;
        int status;
    } cases[] = {
        {"{'clientId':'%s'}", SG_CLIENT_MAX, 400},
        {"{'clientId':'c','since':'%s'}", 0, 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *fits = filled(cases[i].most, 'x'), *over = filled(cases[i].most + 1, 'x'),
             *body = NULL;
        assert_true(asprintf(&body, cases[i].body, over) > 0);
        json_decref(sync_post(w, w->ann, cases[i].status, "/sync/todo", "%s", body));
        free(body);
        assert_true(asprintf(&body, cases[i].body, fits) > 0);
        json_decref(sync_post(w, w->ann, 200, "/sync/todo", "%s", body));
        free(body);
        free(fits);
        free(over);
    }
    char *app = filled(SG_APP_MAX + 1, 'a');
    json_decref(sync_get(w, w->ann, 400, "/sync/%s/pull", app));
    app[SG_APP_MAX] = '\0';
    json_decref(sync_get(w, w->ann, 200, "/sync/%s/pull", app));
    free(app);
    json_decref(sync_get(w, w->ann, 400, "/sync/todo/pull?limit=0"));
    json_decref(sync_get(w, w->ann, 400, "/sync/todo/pull?limit=1001"));
    json_decref(sync_get(w, w->ann, 400, "/sync/todo/pull?limit=x"));
    json_decref(sync_get(w, w->ann, 400, "/sync/todo/pull?client=a%%20b"));
}

static void L20_one_may_ask_for_so_many_collections_at_once(void **state)
{
    const sync_world *w = *state;
    char *list = filled(2 * SG_COLLECTIONS_MAX + 1, 'a');
    for (size_t i = 1; i < 2 * SG_COLLECTIONS_MAX; i += 2)
        list[i] = ',';
    json_decref(sync_get(w, w->ann, 413, "/sync/todo/pull?collection=%s", list));
    list[2 * SG_COLLECTIONS_MAX - 1] = '\0';
    json_decref(sync_get(w, w->ann, 200, "/sync/todo/pull?collection=%s", list));
    free(list);
}

static void L20_a_record_has_a_limit_of_fields(void **state)
{
    const sync_world *w = *state;
    /* Three changes of 2000 fields each: the third does not fit into 4000. */
    for (int part = 0; part < 3; part++) {
        char before[256], each[64];
        snprintf(
            before, sizeof before,
            "{'clientId':'c','schemaVersion':2,'pull':false,'changes':[{'n':%d,'table':'t','id':'a','op':'insert',"
            "'at':'" T1 "','fields':{",
            part + 1);
        snprintf(each, sizeof each, "'p%df%%d':{'value':%%d}", part);
        json_t *r = post_many(w, 200, before, SG_CHANGE_FIELDS_MAX, each, "}}]}");
        sync_assert_count(r, "rejected", part < 2 ? 0 : 1);
        if (part == 2) sync_assert_text(r, "rejected.0.code", "limit");
        json_decref(r);
    }
    json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2");
    sync_assert_count(r, "serverChanges", 1);
    json_decref(r);
}

static void L20_a_record_has_a_limit_of_bytes(void **state)
{
    const sync_world *w = *state;
    char *value = filled(3 << 20, 'v');
    for (int i = 0; i < 4; i++) {
        json_t *r = sync_post(
            w, w->ann, 200, "/sync/todo",
            "{'clientId':'c','schemaVersion':2,'pull':false,'changes':[{'n':%d,'table':'t','id':'a',"
            "'op':'insert','at':'" T1 "','fields':{'x%d':{'value':'%s'}}}]}",
            i + 1, i, value);
        sync_assert_count(r, "rejected", i < 2 ? 0 : 1);
        if (i >= 2) sync_assert_text(r, "rejected.0.code", "limit");
        json_decref(r);
    }
    free(value);
    /* Replacing what is there is not growing. */
    json_t *r = sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'c','schemaVersion':2,'changes':[{'n':9,'table':'t','id':'a','op':'update',"
        "'at':'2026-01-03T00:00:00.000Z','fields':{'x0':{'value':1}}}]}");
    sync_assert_count(r, "rejected", 0);
    json_decref(r);
}

static void L20_a_page_ends_at_its_size(void **state)
{
    const sync_world *w = *state;
    char *value = filled(3 << 20, 'v');
    for (int i = 0; i < 4; i++)
        json_decref(sync_post(
            w, w->ann, 200, "/sync/todo",
            "{'clientId':'c','schemaVersion':2,'pull':false,'changes':[{'n':%d,'table':'t','id':'a%d',"
            "'op':'insert','at':'" T1 "','fields':{'x':{'value':'%s'}}}]}",
            i + 1, i, value));
    free(value);
    json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2");
    sync_assert_count(r, "serverChanges", 2);
    sync_assert_json(r, "hasMore", "true");
    sync_assert_int(r, "syncedSeq", 0); /* until the last page nothing is known whole */
    json_decref(r);
}

static void L20_nesting_has_a_limit(void **state)
{
    const sync_world *w = *state;
    char *open = filled(100, '['), *close = filled(100, ']');
    json_t *r = sync_post(
        w, w->ann, 413, "/sync/todo",
        "{'clientId':'c','changes':[{'table':'t','id':'a','op':'insert','fields':{'x':{'value':%s%s}}}]}",
        open, close);
    sync_assert_text(r, "error.code", "limit");
    json_decref(r);
    free(open);
    free(close);
}

/* ---- ages ---- */

static int64_t count_of(const sync_world *w, const char *path, const char *member)
{
    json_t *r = sync_get(w, w->ann, 200, "%s", path);
    int64_t n = (int64_t)sync_count(r, member);
    json_decref(r);
    return n;
}

static void push_life(const sync_world *w)
{
    json_decref(sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'changes':["
        "{'n':1,'table':'t','id':'gone','op':'insert','at':'" T1 "','fields':{'x':{'value':1}}},"
        "{'n':2,'table':'t','id':'kept','op':'insert','at':'" T1 "','fields':{'x':{'value':1}}},"
        "{'n':3,'base':2,'table':'t','id':'gone','op':'delete','at':'2026-01-02T03:04:06.000Z'}]}"));
}

static void L12_nothing_comes_back_from_the_dead(void **state)
{
    sync_world *w = *state;
    char before[64], after[64];
    json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2");
    json_decref(r);
    push_life(w);
    r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&limit=1");
    snprintf(before, sizeof before, "%s", sync_text(r, "syncedUntil"));
    json_decref(r);
    assert_int_equal(count_of(w, "/sync/todo/pull?v=2", "serverChanges"), 2);
    sync_halt(w);
    w->config.tombstone_age_us = 1000;
    sync_resume(w);
    http_wait_for(count_of(w, "/sync/todo/pull?v=2", "serverChanges") == 1);
    /* Who had not heard of the delete has to start anew … */
    r = sync_get(w, w->ann, 410, "/sync/todo/pull?v=2&since=%s", before);
    sync_assert_text(r, "error.code", "resync_required");
    json_decref(r);
    json_decref(sync_post(
        w, w->ann, 410, "/sync/todo",
        "{'clientId':'late','schemaVersion':2,'since':'%s','changes':[{'n':1,'table':'t','id':'new','op':'insert'}]}",
        before));
    /* … and its old edit finds nothing to live in: of a new client, and of an old one. */
    r = sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'late','schemaVersion':2,'changes':[{'n':1,'table':'t','id':'gone','op':'update',"
        "'fields':{'x':{'value':2}}}]}");
    sync_assert_text(r, "rejected.0.code", "not_found");
    snprintf(after, sizeof after, "%s", sync_text(r, "syncedUntil"));
    json_decref(r);
    r = sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'old','changes':[{'table':'t','id':'gone','op':'update','fields':{'x':{'value':2,'at':'" T1
        "'}}}]}");
    sync_assert_text(r, "rejected.0.code", "not_found");
    json_decref(r);
    /* Who stands behind the floor goes on. */
    json_decref(sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&since=%s", after));
    http_client c = sync_stream(w, w->ann, "/sync/todo/stream?v=2&since=%s", before);
    char *name, *id;
    json_decref(sync_event(&c, &name, &id));
    assert_string_equal(name, "resync");
    free(name);
    free(id);
    http_close(&c);
}

static void L12_a_first_pull_that_was_interrupted_does_not_miss_a_purged_delete(void **state)
{
    sync_world *w = *state;
    char between[64];
    push_life(w);
    json_decref(sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'changes':[{'n':4,'base':3,'table':'t','id':'kept','op':'update',"
        "'at':'2026-01-02T03:04:07.000Z','fields':{'x':{'value':2}}},"
        "{'n':5,'table':'t','id':'more','op':'insert'}]}"));
    /* Between the pages of a first pull, one of the records it has been shown is deleted and
     * forgotten. */
    json_t *r = sync_get(w, w->ann, 200, "/sync/todo/pull?v=2&limit=2");
    snprintf(between, sizeof between, "%s", sync_text(r, "syncedUntil"));
    sync_assert_json(r, "hasMore", "true");
    json_decref(r);
    json_decref(sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'changes':[{'n':6,'base':5,'table':'t','id':'kept','op':'delete'}]}"));
    sync_halt(w);
    w->config.tombstone_age_us = 1000;
    sync_resume(w);
    http_wait_for(count_of(w, "/sync/todo/pull?v=2", "serverChanges") == 1);
    json_decref(sync_get(w, w->ann, 410, "/sync/todo/pull?v=2&since=%s", between));
}

static void L20_history_is_kept_for_its_age(void **state)
{
    sync_world *w = *state;
    const char *history = "/api/v1/apps/todo/history?table=t&id=kept";
    push_life(w);
    assert_int_equal(count_of(w, history, "history"), 1);
    sync_restart(w); /* an age of 0: never */
    assert_int_equal(count_of(w, history, "history"), 1);
    sync_halt(w);
    w->config.history_age_us = 1000;
    sync_resume(w);
    http_wait_for(count_of(w, history, "history") == 0);
    assert_int_equal(count_of(w, "/sync/todo/pull?v=2", "serverChanges"), 2);
    /* Numbers that were acknowledged stay so (L8). */
    json_t *r = sync_post(
        w, w->ann, 200, "/sync/todo",
        "{'clientId':'c1','schemaVersion':2,'changes':[{'n':2,'table':'t','id':'kept','op':'insert','at':'" T1
        "','fields':{'x':{'value':'again'}}}]}");
    sync_assert_int(r, "acks.0.n", 2);
    sync_assert_text(r, "serverChanges.0.id", "kept");
    sync_assert_int(r, "serverChanges.0.values.x", 1);
    json_decref(r);
    json_decref(sync_get(w, w->ann, 404, "/api/v1/apps/todo/history?table=t&id=never"));
}

static void metrics_count_what_happened(void **state)
{
    const sync_world *w = *state;
    push_life(w);
    http_client c = http_connect(&w->http);
    http_say(&c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    http_reply r = http_read(&c);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "\nsigla_changes_committed_total 3\n"));
    assert_non_null(strstr(r.body, "\nsigla_push_seconds_count 1\n"));
    assert_non_null(strstr(r.body, "\n# TYPE sigla_store_bytes gauge\n"));
    assert_null(strstr(r.body, "ann"));
    http_reply_free(&r);
    http_close(&c);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, sync_setup, sync_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(L20_a_body_has_a_limit),
        WITH_WORLD(L20_a_body_has_a_limit_of_changes),
        WITH_WORLD(L20_names_have_limits),
        WITH_WORLD(L20_one_may_ask_for_so_many_collections_at_once),
        WITH_WORLD(L20_a_record_has_a_limit_of_fields),
        WITH_WORLD(L20_a_record_has_a_limit_of_bytes),
        WITH_WORLD(L20_a_page_ends_at_its_size),
        WITH_WORLD(L20_nesting_has_a_limit),
        WITH_WORLD(L12_nothing_comes_back_from_the_dead),
        WITH_WORLD(L12_a_first_pull_that_was_interrupted_does_not_miss_a_purged_delete),
        WITH_WORLD(L20_history_is_kept_for_its_age),
        WITH_WORLD(metrics_count_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
