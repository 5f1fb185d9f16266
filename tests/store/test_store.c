/*
 * What every store must do, written against the seam alone: `open_store` is all that names one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/record.h"
#include "store/history.h"
#include "store/store.h"

typedef struct world {
    char dir[64];
    char path[80];
    sg_store store;
    sg_writer *w;
    sg_arena arena;
    sg_commit newest; /* of the open transaction */
    sg_feed feed;
} world;

static const sg_store_ops *ops; /* of the store under test */

static void check(int err, int line)
{
    if (err != SG_OK) fail_msg("line %d: %s", line, sg_err_code(err));
}
#define OK(call) check(call, __LINE__)

static int open_store(world *t)
{
    int err = sg_store_sqlite_open(t->path, &t->store);
    if (err != SG_OK) return err;
    ops = t->store.ops;
    t->w = ops->writer(t->store.impl);
    return SG_OK;
}

static int set_up(void **state)
{
    static world t;
    const char *tmp = getenv("TMPDIR");
    t = (world){0};
    snprintf(t.dir, sizeof t.dir, "%s/store-XXXXXX",
             tmp != NULL && strlen(tmp) < sizeof t.dir - 14 ? tmp : "/tmp");
    if (mkdtemp(t.dir) == NULL) return 1;
    snprintf(t.path, sizeof t.path, "%s/db", t.dir);
    sg_arena_init(&t.arena);
    *state = &t;
    return open_store(&t);
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
    sg_arena_deinit(&t->arena);
    return nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void reopen(world *t)
{
    sg_store_close(&t->store);
    OK(open_store(t));
}

static void begin(world *t)
{
    OK(ops->begin(t->w, &t->newest));
}

static void commit(world *t)
{
    OK(ops->commit(t->w, &t->newest));
}

static uint32_t intern(world *t, enum sg_text_kind kind, const char *text)
{
    uint32_t id = 0;
    sg_slice s = sg_slice_str(text);
    OK(ops->intern(t->w, kind, &s, 1, &id));
    assert_int_not_equal(id, 0);
    return id;
}

static void open_feed(world *t, const char *scope)
{
    t->feed = (sg_feed){intern(t, SG_TEXT_OF_SCOPE, scope), intern(t, SG_TEXT_OF_APP, "todo")};
}

/* A record with this key; data is a packed empty record, so that purging can read it. */
static int64_t put(world *t, uint32_t table, const char *key, int64_t dead_us)
{
    sg_ref ref = {table, sg_slice_str(key)};
    sg_stored r;
    sg_record record;
    sg_buf data;
    OK(ops->load_records(t->w, t->feed, &ref, 1, &t->arena, &r));
    sg_record_init(&record);
    record.has_life = true;
    record.dead = dead_us != 0;
    record.life.at_us = 77;
    record.life.seq = t->newest.seq + 1;
    sg_buf_init(&data, 1000);
    sg_record_pack(&record, &data);
    r.seq = ++t->newest.seq;
    r.dead_us = dead_us;
    r.data = sg_buf_view(&data);
    OK(ops->save_records(t->w, t->feed, &ref, &r, 1));
    assert_int_not_equal(r.row, 0);
    sg_buf_deinit(&data);
    sg_record_deinit(&record);
    return r.row;
}

static sg_view *view_of(world *t, int64_t *newest)
{
    sg_view *v = NULL;
    OK(ops->view_new(t->store.impl, &v));
    OK(ops->view_begin(v, newest));
    return v;
}

static void drop_view(sg_view *v)
{
    ops->view_end(v);
    ops->view_free(v);
}

/* ---- texts ---- */

static void texts_have_one_number_each_in_their_kind(void **state)
{
    world *t = *state;
    begin(t);
    uint32_t a = intern(t, SG_TEXT_OF_NAME, "a"), b = intern(t, SG_TEXT_OF_NAME, "b");
    assert_int_not_equal(a, b);
    assert_int_equal(intern(t, SG_TEXT_OF_NAME, "a"), a);
    (void)intern(t, SG_TEXT_OF_TABLE, "a");
    commit(t);
    reopen(t);
    int64_t newest;
    uint32_t id = 0;
    sg_view *v = view_of(t, &newest);
    OK(ops->find_text(v, SG_TEXT_OF_NAME, SG_LIT("b"), &id));
    assert_int_equal(id, b);
    OK(ops->find_text(v, SG_TEXT_OF_CLIENT, SG_LIT("b"), &id));
    assert_int_equal(id, 0);
    int err = SG_OK;
    assert_true(sg_slice_eq(ops->text(v, SG_TEXT_OF_NAME, a, &err), SG_LIT("a")));
    assert_int_equal(err, SG_OK);
    assert_int_equal(ops->text(v, SG_TEXT_OF_NAME, 99, &err).n, 0);
    assert_int_equal(err, SG_CORRUPT);
    drop_view(v);
}

static void a_text_of_a_rolled_back_transaction_is_forgotten(void **state)
{
    world *t = *state;
    begin(t);
    uint32_t gone = intern(t, SG_TEXT_OF_NAME, "gone");
    ops->rollback(t->w);
    begin(t);
    assert_int_equal(intern(t, SG_TEXT_OF_NAME, "other"), gone);
    assert_int_not_equal(intern(t, SG_TEXT_OF_NAME, "gone"), gone);
    commit(t);
}

static void texts_are_any_bytes_and_many(void **state)
{
    world *t = *state;
    enum { COUNT = 20000 };
    char text[300];
    begin(t);
    memset(text, 'x', sizeof text);
    for (int i = 0; i < COUNT; i++) {
        uint32_t id;
        memcpy(text, &i, sizeof i); /* with NULs */
        sg_slice s = sg_slice_of(text, sizeof text);
        OK(ops->intern(t->w, SG_TEXT_OF_ACTOR, &s, 1, &id));
        assert_int_equal(id, i + 1);
    }
    commit(t);
    begin(t); /* more than is kept in memory: the rest is looked up */
    for (int i = 0; i < COUNT; i += 97) {
        int err = SG_OK;
        sg_slice got = ops->text(ops->writer_view(t->w), SG_TEXT_OF_ACTOR, (uint32_t)i + 1, &err);
        OK(err);
        memcpy(text, &i, sizeof i);
        assert_true(sg_slice_eq(got, sg_slice_of(text, sizeof text)));
    }
    ops->rollback(t->w);
}

/* ---- records and views ---- */

static void a_record_is_found_by_feed_table_and_key(void **state)
{
    world *t = *state;
    begin(t);
    open_feed(t, "u:ann");
    sg_feed ann = t->feed;
    (void)put(t, 1, "k", 0);
    (void)put(t, 2, "k", 0);
    open_feed(t, "u:bob");
    (void)put(t, 1, "k", 5);
    commit(t);
    const sg_ref refs[] = {
        {1, SG_LIT("k")}, {2, SG_LIT("k")}, {1, SG_LIT("K")}, {1, SG_LIT("k\0")}};
    sg_stored out[4];
    begin(t);
    OK(ops->load_records(t->w, ann, refs, 4, &t->arena, out));
    assert_int_equal(out[0].seq, 1);
    assert_int_equal(out[1].seq, 2);
    assert_int_equal(out[2].row, 0);
    assert_int_equal(out[3].row, 0);
    OK(ops->load_records(t->w, t->feed, refs, 1, &t->arena, out));
    assert_int_equal(out[0].seq, 3);
    assert_int_equal(out[0].dead_us, 5);
    sg_ref ref;
    bool found;
    OK(ops->record_ref(t->w, out[0].row, &ref, &found));
    assert_true(found);
    assert_int_equal(ref.table, 1);
    assert_true(sg_slice_eq(ref.key, SG_LIT("k")));
    OK(ops->record_ref(t->w, 99, &ref, &found));
    assert_false(found);
    ops->rollback(t->w);
}

typedef struct list {
    char text[256];
    int stop_after;
} list;

static bool note_record(void *ctx, const sg_ref *ref, const sg_stored *stored)
{
    list *l = ctx;
    if (l->stop_after-- == 0) return false;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "%.*s%lld ", (int)ref->key.n, ref->key.p,
             (long long)stored->seq);
    return true;
}

static void check_delta(sg_view *v, sg_delta what, int stop_after, const char *expected, bool more)
{
    list l = {.stop_after = stop_after};
    bool got_more;
    OK(ops->delta(v, &what, note_record, &l, &got_more));
    assert_string_equal(l.text, expected);
    assert_int_equal(got_more, more);
}

static void L7_a_delta_is_in_commit_order_and_complete(void **state)
{
    world *t = *state;
    begin(t);
    open_feed(t, "u:bob");
    (void)put(t, 1, "bob", 0);
    open_feed(t, "u:ann");
    (void)put(t, 1, "a", 0);
    (void)put(t, 2, "b", 0);
    (void)put(t, 1, "c", 0);
    (void)put(t, 1, "a", 0); /* moves behind */
    commit(t);
    int64_t newest;
    sg_view *v = view_of(t, &newest);
    assert_int_equal(newest, 5);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 10}, -1,
                "b3 c4 a5 ", false);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 3, .table = 0, .limit = 10}, -1, "c4 a5 ",
                false);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 2}, -1, "b3 c4 ",
                true);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 3}, -1, "b3 c4 a5 ",
                false);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 10}, 1, "b3 ",
                true);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 0, .table = 1, .limit = 10}, -1, "c4 a5 ",
                false);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 0, .table = 2, .limit = 10}, -1, "b3 ",
                false);
    check_delta(v, (sg_delta){.feed = t->feed, .since = 5, .table = 0, .limit = 10}, -1, "", false);
    drop_view(v);
}

static void L1_a_view_sees_whole_commits_of_one_moment(void **state)
{
    world *t = *state;
    int64_t before_newest, after_newest;
    begin(t);
    open_feed(t, "u:ann");
    (void)put(t, 1, "a", 0);
    commit(t);
    sg_view *before = view_of(t, &before_newest);
    begin(t);
    (void)put(t, 1, "b", 0);
    (void)put(t, 1, "c", 0);
    check_delta(before, (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 9}, -1, "a1 ",
                false);
    check_delta(ops->writer_view(t->w),
                (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 9}, -1, "a1 b2 c3 ",
                false);
    commit(t);
    check_delta(before, (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 9}, -1, "a1 ",
                false);
    sg_view *after = view_of(t, &after_newest);
    check_delta(after, (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 9}, -1,
                "a1 b2 c3 ", false);
    assert_int_equal(before_newest, 1);
    assert_int_equal(after_newest, 3);
    drop_view(before);
    drop_view(after);
    begin(t);
    (void)put(t, 1, "d", 0);
    ops->rollback(t->w);
    begin(t);
    assert_int_equal(t->newest.seq, 3);
    ops->rollback(t->w);
}

static void commits_survive_reopening(void **state)
{
    world *t = *state;
    begin(t);
    open_feed(t, "u:ann");
    (void)put(t, 1, "a", 0);
    t->newest.at_us = 1234;
    OK(ops->put_value(t->w, "epoch", SG_LIT("x\0y")));
    commit(t);
    begin(t);
    (void)put(t, 1, "lost", 0);
    reopen(t); /* without commit */
    begin(t);
    assert_int_equal(t->newest.seq, 1);
    assert_int_equal(t->newest.at_us, 1234);
    check_delta(ops->writer_view(t->w),
                (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 9}, -1, "a1 ", false);
    sg_slice value;
    OK(ops->get_value(ops->writer_view(t->w), "epoch", &t->arena, &value));
    assert_true(sg_slice_eq(value, SG_LIT("x\0y")));
    OK(ops->get_value(ops->writer_view(t->w), "none", &t->arena, &value));
    assert_int_equal(value.n, 0);
    ops->rollback(t->w);
}

/* ---- history ---- */

static void append(world *t, int64_t row, int64_t prev, int64_t received_us)
{
    const sg_history_row h = {++t->newest.seq, prev, row, received_us, SG_LIT("data")};
    OK(ops->append_history(t->w, &h, 1));
}

static bool note_entry(void *ctx, const sg_history_row *row)
{
    list *l = ctx;
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "%lld ", (long long)row->seq);
    return l->stop_after-- != 1;
}

static void set_hist(world *t, const char *key, int64_t hist)
{
    sg_ref ref = {1, sg_slice_str(key)};
    sg_stored r;
    OK(ops->load_records(t->w, t->feed, &ref, 1, &t->arena, &r));
    r.hist = hist;
    OK(ops->save_records(t->w, t->feed, &ref, &r, 1));
}

static void a_records_history_leads_backwards(void **state)
{
    world *t = *state;
    begin(t);
    open_feed(t, "u:ann");
    int64_t a = put(t, 1, "a", 0), b = put(t, 1, "b", 0);
    append(t, a, 0, 10); /* 3 */
    append(t, b, 0, 20);
    append(t, a, 3, 30); /* 5 */
    append(t, a, 5, 40); /* 6 */
    append(t, b, 9, 50); /* 7: leads nowhere */
    set_hist(t, "a", 6);
    set_hist(t, "b", 7);
    sg_view *v = ops->writer_view(t->w);
    list l = {0};
    OK(ops->history(v, t->feed, &(sg_ref){1, SG_LIT("a")}, note_entry, &l));
    assert_string_equal(l.text, "6 5 3 ");
    l = (list){.stop_after = 2};
    OK(ops->history(v, t->feed, &(sg_ref){1, SG_LIT("a")}, note_entry, &l));
    assert_string_equal(l.text, "6 5 ");
    assert_int_equal(ops->history(v, t->feed, &(sg_ref){1, SG_LIT("b")}, note_entry, &l),
                     SG_CORRUPT);
    assert_int_equal(ops->history(v, t->feed, &(sg_ref){1, SG_LIT("c")}, note_entry, &l),
                     SG_NOTFOUND);
    sg_history_row row;
    bool found;
    OK(ops->get_history(ops->writer_view(t->w), 5, &row, &found));
    assert_true(found);
    assert_int_equal(row.prev, 3);
    assert_int_equal(row.received_us, 30);
    assert_true(sg_slice_eq(row.data, SG_LIT("data")));
    OK(ops->get_history(ops->writer_view(t->w), 99, &row, &found));
    assert_false(found);
    ops->rollback(t->w);
}

static void the_newest_seq_before_a_time(void **state)
{
    world *t = *state;
    int64_t seq;
    begin(t);
    sg_view *v = ops->writer_view(t->w);
    OK(ops->seq_before(v, 100, &seq));
    assert_int_equal(seq, 0);
    for (int i = 1; i <= 40; i++) {
        t->newest.seq += i % 3; /* gaps */
        append(t, 1, 0, i / 4 * 10);
    }
    for (int64_t at_us = 0; at_us <= 120; at_us++) {
        int64_t expected = 0;
        for (int64_t s = 1; s <= t->newest.seq; s++) {
            sg_history_row row;
            bool found;
            OK(ops->get_history(ops->writer_view(t->w), s, &row, &found));
            if (found && row.received_us < at_us) expected = s;
        }
        OK(ops->seq_before(v, at_us, &seq));
        if (seq != expected)
            fail_msg("before %lld: %lld, not %lld", (long long)at_us, (long long)seq,
                     (long long)expected);
    }
    ops->rollback(t->w);
}

static void history_entries_pack_without_loss_and_damage_is_noticed(void **state)
{
    world *t = *state;
    const sg_history_field fields[] = {{3, true, 7, SG_LIT("\"x\"")},
                                       {900, false, 90, SG_LIT("1")}};
    const sg_history h = {SG_OP_INSERT, SG_ORIGIN_AGENT, true, true, 7, 8, 12, 100, -1, fields, 2};
    sg_history out;
    sg_buf b;
    sg_buf_init(&b, 1000);
    sg_history_pack(&h, &b);
    OK(sg_history_unpack(&out, sg_buf_view(&b), &t->arena));
    assert_int_equal(out.op, h.op);
    assert_int_equal(out.origin, h.origin);
    assert_true(out.restamped && out.life_won);
    assert_int_equal(out.client, 7);
    assert_int_equal(out.actor, 8);
    assert_int_equal(out.n, 12);
    assert_int_equal(out.at_us, 100);
    assert_int_equal(out.base, -1);
    assert_int_equal(out.count, 2);
    assert_int_equal(out.fields[1].name, 900);
    assert_false(out.fields[1].won);
    assert_int_equal(out.fields[1].at_us, 90);
    assert_true(sg_slice_eq(out.fields[0].value, SG_LIT("\"x\"")));
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(sg_history_unpack(&out, sg_slice_of(b.p, n), &t->arena), SG_CORRUPT);
    for (size_t i = 0; i < b.n * 8; i++) { /* no crash, whatever it gives */
        b.p[i / 8] ^= (char)(1 << i % 8);
        (void)sg_history_unpack(&out, sg_buf_view(&b), &t->arena);
        b.p[i / 8] ^= (char)(1 << i % 8);
    }
    sg_buf_deinit(&b);
}

/* ---- clients ---- */

static void check_answer(world *t, const sg_client_state *c, int64_t n, enum sg_answered_kind kind,
                         int64_t seq)
{
    sg_answered a;
    OK(ops->answered(t->w, c, n, &a));
    assert_int_equal(a.kind, kind);
    if (kind == SG_ANSWER_ACK && a.seq != 0) assert_int_equal(a.seq + n - a.n, seq);
}

static void L8_a_client_is_remembered_number_by_number(void **state)
{
    world *t = *state;
    sg_client_state c, again;
    begin(t);
    open_feed(t, "u:ann");
    OK(ops->load_client(t->w, t->feed, 5, &c));
    assert_int_equal(c.max_n, 0);
    c.run_n = 1;
    c.run_count = 3;
    c.run_seq = 10;
    OK(ops->keep_run(t->w, &c));
    c.run_n = 7;
    c.run_count = 2;
    c.run_seq = 30;
    c.max_n = 12;
    c.staged_count = 1;
    const sg_answered refused = {SG_ANSWER_REFUSED, 4, 2, 0, SG_BADCHANGE, SG_LIT("why")};
    OK(ops->refuse(t->w, &c, &refused, 1, 100));
    const sg_staged staged[] = {{11, SG_LIT("{}")}, {12, SG_LIT("[]")}};
    OK(ops->stage(t->w, &c, staged, 2, 100));
    OK(ops->save_client(t->w, &c));
    commit(t);
    reopen(t);
    begin(t);
    OK(ops->load_client(t->w, t->feed, 5, &again));
    assert_memory_equal(&c, &again, sizeof c);
    check_answer(t, &c, 1, SG_ANSWER_ACK, 10);
    check_answer(t, &c, 3, SG_ANSWER_ACK, 12);
    check_answer(t, &c, 4, SG_ANSWER_REFUSED, 0);
    check_answer(t, &c, 5, SG_ANSWER_REFUSED, 0);
    check_answer(t, &c, 6, SG_ANSWER_NONE, 0);
    check_answer(t, &c, 8, SG_ANSWER_ACK, 31);
    check_answer(t, &c, 9, SG_ANSWER_NONE, 0);
    check_answer(t, &c, 11, SG_ANSWER_STAGED, 0);
    sg_answered a;
    OK(ops->answered(t->w, &c, 5, &a));
    assert_int_equal(a.code, SG_BADCHANGE);
    assert_true(sg_slice_eq(a.message, SG_LIT("why")));
    int64_t n;
    OK(ops->max_number(ops->writer_view(t->w), t->feed, 5, &n));
    assert_int_equal(n, 12);
    OK(ops->max_number(ops->writer_view(t->w), t->feed, 6, &n));
    assert_int_equal(n, 0);
    ops->rollback(t->w);
}

static void L1_what_is_staged_comes_back_in_order_and_in_batches(void **state)
{
    world *t = *state;
    sg_client_state c;
    sg_staged out[10];
    size_t n = 10;
    begin(t);
    open_feed(t, "u:ann");
    OK(ops->load_client(t->w, t->feed, 5, &c));
    const sg_staged staged[] = {{3, SG_LIT("three")}, {1, SG_LIT("one")}, {2, SG_LIT("two")}};
    OK(ops->stage(t->w, &c, staged, 3, 100));
    OK(ops->load_staged(t->w, &c, 0, 1000, &t->arena, out, &n));
    assert_int_equal(n, 3);
    assert_int_equal(out[0].n, 1);
    assert_true(sg_slice_eq(out[2].json, SG_LIT("three")));
    n = 2;
    OK(ops->load_staged(t->w, &c, 1, 1000, &t->arena, out, &n));
    assert_int_equal(n, 2);
    assert_int_equal(out[0].n, 2);
    n = 10;
    OK(ops->load_staged(t->w, &c, 0, 1, &t->arena, out, &n));
    assert_int_equal(n, 1);
    OK(ops->drop_staged(t->w, &c));
    n = 10;
    OK(ops->load_staged(t->w, &c, 0, 1000, &t->arena, out, &n));
    assert_int_equal(n, 0);
    ops->rollback(t->w);
}

/* ---- purging ---- */

static void L12_tombstones_go_by_age_and_raise_their_feeds_floor(void **state)
{
    world *t = *state;
    sg_purged done;
    sg_floor floor;
    begin(t);
    open_feed(t, "u:bob");
    sg_feed bob = t->feed;
    (void)put(t, 1, "bob", 0);
    open_feed(t, "u:ann");
    (void)put(t, 1, "alive", 0);
    (void)put(t, 1, "old", 100);
    (void)put(t, 1, "older", 50);
    (void)put(t, 1, "new", 200);
    OK(ops->purge(t->w, &(sg_purge){.tombstones_before_us = 150, .limit = 1}, &done));
    assert_int_equal(done.tombstones, 1);
    assert_true(done.more);
    OK(ops->purge(t->w, &(sg_purge){.tombstones_before_us = 150, .limit = 10}, &done));
    assert_int_equal(done.tombstones, 1);
    assert_false(done.more);
    check_delta(ops->writer_view(t->w),
                (sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 9}, -1, "alive2 new5 ",
                false);
    OK(ops->floor(ops->writer_view(t->w), t->feed, &floor));
    assert_int_equal(floor.seq, 4);
    assert_int_equal(floor.at_us, 77);
    OK(ops->floor(ops->writer_view(t->w), bob, &floor));
    assert_int_equal(floor.seq, 0);
    ops->rollback(t->w);
}

static void L20_history_answers_and_stages_go_by_age(void **state)
{
    world *t = *state;
    sg_purged done;
    sg_client_state c;
    begin(t);
    open_feed(t, "u:ann");
    for (int i = 1; i <= 6; i++)
        append(t, 1, 0, i * 10);
    OK(ops->load_client(t->w, t->feed, 5, &c));
    c.run_n = 1;
    c.run_count = 3;
    c.run_seq = 1;
    OK(ops->keep_run(t->w, &c));
    c.run_n = 5;
    c.run_count = 2;
    c.run_seq = 5;
    const sg_answered refused = {SG_ANSWER_REFUSED, 4, 1, 0, SG_BADCHANGE, SG_LIT("why")};
    OK(ops->refuse(t->w, &c, &refused, 1, 35));
    const sg_staged staged = {7, SG_LIT("{}")};
    OK(ops->stage(t->w, &c, &staged, 1, 35));
    c.staged_count = 1;
    c.staged_tx = 9;
    OK(ops->save_client(t->w, &c));
    OK(ops->purge(t->w, &(sg_purge){.history_before_us = 40, .staged_before_us = 30, .limit = 10},
                  &done));
    assert_int_equal(done.history, 3);
    assert_int_equal(done.answers, 1);
    assert_int_equal(done.staged, 0);
    assert_false(done.more);
    /* A refusal stays until its client has heard it (L9). */
    check_answer(t, &c, 4, SG_ANSWER_REFUSED, 0);
    c.heard_n = 5;
    OK(ops->save_client(t->w, &c));
    OK(ops->purge(t->w, &(sg_purge){.history_before_us = 40, .limit = 10}, &done));
    assert_int_equal(done.answers, 1);
    OK(ops->purge(t->w, &(sg_purge){.staged_before_us = 40, .limit = 10}, &done));
    assert_int_equal(done.staged, 1);
    OK(ops->load_client(t->w, t->feed, 5, &c));
    assert_int_equal(c.floor_n, 4);
    assert_int_equal(c.staged_count, 0);
    assert_int_equal(c.staged_tx, 9);
    check_answer(t, &c, 2, SG_ANSWER_ACK, 0); /* it was answered: that much is known */
    check_answer(t, &c, 4, SG_ANSWER_ACK, 0);
    check_answer(t, &c, 6, SG_ANSWER_ACK, 6);
    check_answer(t, &c, 7, SG_ANSWER_NONE, 0);
    ops->rollback(t->w);
}

/* ---- trouble ---- */

static void exec(world *t, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(t->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_newer_or_foreign_database_is_refused(void **state)
{
    world *t = *state;
    sg_store_close(&t->store);
    exec(t, "UPDATE kv SET value = CAST('99' AS BLOB) WHERE key = 'schema'");
    assert_int_equal(open_store(t), SG_TOONEW);
    exec(t, "UPDATE kv SET value = CAST('x' AS BLOB) WHERE key = 'schema'");
    assert_int_equal(open_store(t), SG_CORRUPT);
    exec(t, "DROP TABLE kv");
    assert_int_equal(open_store(t), SG_CORRUPT);
}

/* Everything that reads, on whatever is there. */
static int read_everything(world *t)
{
    int64_t newest, seq;
    sg_view *v = NULL;
    list l = {0};
    bool more;
    sg_client_state c;
    sg_floor floor;
    int err = open_store(t);
    if (err != SG_OK) return err;
    err = ops->view_new(t->store.impl, &v);
    if (err == SG_OK) err = ops->view_begin(v, &newest);
    if (err == SG_OK)
        err = ops->delta(v, &(sg_delta){.feed = t->feed, .since = 0, .table = 0, .limit = 100},
                         note_record, &l, &more);
    if (err == SG_OK) err = ops->seq_before(v, 35, &seq);
    if (err == SG_OK) err = ops->floor(v, t->feed, &floor);
    for (uint32_t id = 1; err == SG_OK && id < 4; id++) {
        int unknown = SG_OK;
        (void)ops->text(v, SG_TEXT_OF_SCOPE, id, &unknown);
        if (unknown != SG_CORRUPT) err = unknown;
    }
    l = (list){0};
    if (err == SG_OK) err = ops->history(v, t->feed, &(sg_ref){1, SG_LIT("a")}, note_entry, &l);
    if (v != NULL) drop_view(v);
    sg_commit commit_now;
    if (ops->begin(t->w, &commit_now) == SG_OK) {
        (void)ops->load_client(t->w, t->feed, 5, &c);
        ops->rollback(t->w);
    }
    sg_store_close(&t->store);
    return err;
}

static void damaged_files_are_errors_and_never_crash(void **state)
{
    world *t = *state;
    sg_client_state c;
    begin(t);
    open_feed(t, "u:ann");
    int64_t row = put(t, 1, "a", 0);
    append(t, row, 0, 10);
    set_hist(t, "a", 2);
    OK(ops->load_client(t->w, t->feed, 5, &c));
    commit(t);
    sg_store_close(&t->store); /* the last connection to close empties the log into the file */
    assert_int_equal(read_everything(t), SG_OK);
    FILE *f = fopen(t->path, "rb");
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f);
    char *good = malloc(n), *bad = malloc(n);
    rewind(f);
    assert_int_equal(fread(good, 1, n, f), n);
    fclose(f);
    unsigned random = 12345;
    size_t damaged = 0;
    for (int round = 0; round < 300; round++) {
        memcpy(bad, good, n);
        for (int k = 0; k < 1 + round % 16; k++) {
            random = random * 1103515245u + 12345u;
            size_t at =
                round % 2 != 0 ? random / 7 % n : random / 7 % (n / 4096) * 4096 + random % 64;
            bad[at] = (char)(random >> 16);
        }
        f = fopen(t->path, "wb");
        size_t length = round % 10 == 9 ? n / 2 : n;
        assert_int_equal(fwrite(bad, 1, length, f), length);
        fclose(f);
        if (read_everything(t) != SG_OK) damaged++;
    }
    assert_true(damaged > 20);
    free(good);
    free(bad);
}

/* A little of everything; SG_OK or the first error. */
static int do_everything(world *t)
{
    sg_commit newest;
    sg_client_state c;
    sg_stored r;
    uint32_t id;
    sg_slice text = SG_LIT("u:zoe");
    sg_ref ref = {1, SG_LIT("k")};
    int err = ops->begin(t->w, &newest);
    if (err == SG_OK) err = ops->intern(t->w, SG_TEXT_OF_SCOPE, &text, 1, &id);
    if (err == SG_OK) err = ops->load_client(t->w, (sg_feed){1, 1}, 1, &c);
    if (err == SG_OK) err = ops->load_records(t->w, (sg_feed){1, 1}, &ref, 1, &t->arena, &r);
    r.seq = ++newest.seq;
    r.data = SG_LIT("x");
    if (err == SG_OK) err = ops->save_records(t->w, (sg_feed){1, 1}, &ref, &r, 1);
    if (err == SG_OK) err = ops->commit(t->w, &newest);
    if (err != SG_OK) ops->rollback(t->w);
    return err;
}

static void running_out_of_memory_is_an_error_and_leaves_nothing_half(void **state)
{
    world *t = *state;
    int err = SG_NOMEM;
    for (size_t n = 1; err != SG_OK; n++) {
        (void)sg_mem_fail_at(n, 1);
        sg_store_close(&t->store);
        err = open_store(t);
        if (err == SG_OK) err = do_everything(t);
        (void)sg_mem_fail_at(0, 0);
        if (err != SG_OK) assert_int_equal(err, SG_NOMEM);
        if (t->store.ops == NULL) OK(open_store(t));
        sg_arena_reset(&t->arena);
        assert_true(n < 200);
    }
    begin(t);
    assert_int_equal(t->newest.seq, 1);
    ops->rollback(t->w);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(texts_have_one_number_each_in_their_kind),
        WITH_STORE(a_text_of_a_rolled_back_transaction_is_forgotten),
        WITH_STORE(texts_are_any_bytes_and_many),
        WITH_STORE(a_record_is_found_by_feed_table_and_key),
        WITH_STORE(L7_a_delta_is_in_commit_order_and_complete),
        WITH_STORE(L1_a_view_sees_whole_commits_of_one_moment),
        WITH_STORE(commits_survive_reopening),
        WITH_STORE(a_records_history_leads_backwards),
        WITH_STORE(the_newest_seq_before_a_time),
        WITH_STORE(history_entries_pack_without_loss_and_damage_is_noticed),
        WITH_STORE(L8_a_client_is_remembered_number_by_number),
        WITH_STORE(L1_what_is_staged_comes_back_in_order_and_in_batches),
        WITH_STORE(L12_tombstones_go_by_age_and_raise_their_feeds_floor),
        WITH_STORE(L20_history_answers_and_stages_go_by_age),
        WITH_STORE(a_newer_or_foreign_database_is_refused),
        WITH_STORE(damaged_files_are_errors_and_never_crash),
        WITH_STORE(running_out_of_memory_is_an_error_and_leaves_nothing_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
