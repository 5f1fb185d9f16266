/*
 * The replica's own cost: the same writes on plain SQLite and on a tracked table, in one process,
 * step by step in turn. CPU seconds of each step (user and system, getrusage); also folding, pushing
 * and the file's size.
 *
 * Both sides are alike in all else: the same table, rows and order, file databases on one disk, WAL,
 * synchronous=NORMAL, SQLite's default cache, every statement prepared once. Of the tracked side
 * everything counts that its writes do: triggers, capture, the outbox row at commit, checkpoints.
 *
 *     bench_write DIR ROWS SINGLES SEED
 */
#include "bench.h"
#include "replica/fold.h"
#include "replica/session.h"
#include "rows.h"

#define BATCH 100 /* writes in one transaction */

/* Columns whose new value always differs from the old one. */
enum { TITLE, AMOUNT, CREATED, EDITS };
static const char *const edit_sql[EDITS] = {
    "UPDATE task SET title=?2 WHERE id=?1",
    "UPDATE task SET amount=?2 WHERE id=?1",
    "UPDATE task SET created=?2 WHERE id=?1",
};

typedef struct side {
    const char *name;
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *insert, *edit[EDITS];
} side;

typedef struct bench {
    const row *rows; /* as inserted */
    const row *news; /* where the edits' values come from */
    uint32_t *order;
    size_t count, singles;
} bench;

static void open_side(side *s, const char *dir, const char *name)
{
    *s = (side){.name = name, .db = bench_open(dir, name)};
    bench_exec(s->db, ROWS_SCHEMA);
}

static void prepare_side(side *s)
{
    s->begin = bench_prepare(s->db, "BEGIN");
    s->commit = bench_prepare(s->db, "COMMIT");
    s->insert = bench_prepare(s->db, ROWS_INSERT);
    for (int i = 0; i < EDITS; i++)
        s->edit[i] = bench_prepare(s->db, edit_sql[i]);
}

static void close_side(side *s)
{
    sqlite3_finalize(s->begin);
    sqlite3_finalize(s->commit);
    sqlite3_finalize(s->insert);
    for (int i = 0; i < EDITS; i++)
        sqlite3_finalize(s->edit[i]);
    bench_need(sqlite3_close(s->db) == SQLITE_OK, s->name, "does not close");
}

static void edit(side *s, const char *id, const row *to, size_t which)
{
    sqlite3_stmt *e = s->edit[which];
    rows_bind_text(e, 1, id);
    if (which == TITLE) rows_bind_text(e, 2, to->title);
    if (which == AMOUNT) sqlite3_bind_double(e, 2, to->amount);
    if (which == CREATED) sqlite3_bind_int64(e, 2, to->created_ms);
    bench_done(e);
}

static void run_inserts(side *s, const bench *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (i % BATCH == 0) bench_done(s->begin);
        rows_bind(s->insert, &b->rows[i]);
        bench_done(s->insert);
        if (i % BATCH == BATCH - 1 || i == b->count - 1) bench_done(s->commit);
    }
}

static void run_updates(side *s, const bench *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (i % BATCH == 0) bench_done(s->begin);
        edit(s, b->rows[b->order[i]].id, &b->news[i], i % EDITS);
        if (i % BATCH == BATCH - 1 || i == b->count - 1) bench_done(s->commit);
    }
}

static void run_singles(side *s, const bench *b)
{
    for (size_t i = 0; i < b->singles; i++)
        edit(s, b->rows[b->order[b->count - 1 - i]].id, &b->news[i], (i + 1) % EDITS);
}

static void run_fold(side *s, const bench *b)
{
    (void)b;
    sg_replica *r = sg_replica_of(s->db);
    int err = sg_replica_begin(r);
    if (err == SG_OK) {
        sg_fold(r, &err);
        err = sg_replica_end(r, err);
    }
    bench_need(err == SG_OK, "fold", r->message);
}

/* ---- a server that takes everything ---- */

static int64_t pushed_bytes;
static int64_t last_seq;

static void put_answer(sigla_session *s, sg_buf *out)
{
    static const char hex[] = "0123456789abcdef";
    char cursor[] = "c0000000000000000-0000000000000001";
    int64_t count = s->sent_to - s->sent_from + 1;
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "epoch", SG_LIT("0000000000000001"));
    if (s->sent_from != 0) {
        sg_jsonw_k(&w, "acks");
        sg_jsonw_array(&w);
        sg_jsonw_object(&w);
        sg_jsonw_kint(&w, "n", s->sent_from);
        sg_jsonw_kint(&w, "seq", last_seq + 1);
        sg_jsonw_kint(&w, "count", count);
        sg_jsonw_object_end(&w);
        sg_jsonw_array_end(&w);
        last_seq += count;
    }
    for (int i = 0; i < 16; i++)
        cursor[16 - i] = hex[(uint64_t)last_seq >> (4 * i) & 15];
    sg_jsonw_kstr(&w, "syncedUntil", sg_slice_str(cursor));
    sg_jsonw_kint(&w, "syncedSeq", last_seq);
    sg_jsonw_k(&w, "serverChanges");
    sg_jsonw_array(&w);
    sg_jsonw_array_end(&w);
    sg_jsonw_object_end(&w);
}

static void run_sync(side *from, const bench *b)
{
    (void)b;
    sigla_session *s = NULL;
    sigla_action a = {.kind = SIGLA_WAIT};
    sg_buf answer;
    sg_buf_init(&answer, 1 << 16);
    int err = sigla_session_open(from->db, NULL, &s);
    pushed_bytes = 0;
    while (err == SIGLA_OK && (err = sigla_session_next(s, &a)) == SIGLA_OK) {
        bench_need(a.kind == SIGLA_REQUEST || a.kind == SIGLA_DONE, "sync", a.message);
        if (a.kind == SIGLA_DONE) break;
        pushed_bytes += (int64_t)a.body_bytes;
        sg_buf_clear(&answer);
        put_answer(s, &answer);
        err = sigla_session_answer(s, 200, 0, answer.p, answer.n);
    }
    bench_need(err == SIGLA_OK, "sync", sigla_error_text(err));
    sigla_session_close(s);
    sg_buf_deinit(&answer);
}

/* ---- the steps ---- */

static void timed(const char *step, side *s, const bench *b, void (*run)(side *, const bench *))
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", step, s->name);
    double start_s = bench_cpu_s();
    run(s, b);
    bench_figure(name, bench_cpu_s() - start_s);
}

static void step(const char *name, side *plain, side *tracked, const bench *b,
                 void (*run)(side *, const bench *))
{
    timed(name, plain, b, run);
    timed(name, tracked, b, run);
    char more[64];
    snprintf(more, sizeof more, "%s.fold", name);
    timed(more, tracked, b, run_fold);
    snprintf(more, sizeof more, "%s.sync", name);
    timed(more, tracked, b, run_sync);
}

int main(int argc, char **argv)
{
    bench_need(argc == 5, "usage", "bench_write DIR ROWS SINGLES SEED");
    bench b = {.count = strtoul(argv[2], NULL, 10), .singles = strtoul(argv[3], NULL, 10)};
    uint64_t seed = strtoull(argv[4], NULL, 10);
    if (b.singles > b.count) b.singles = b.count;
    row *rows = rows_make(b.count, seed), *news = rows_make(b.count, seed + 1);
    b.rows = rows, b.news = news, b.order = rows_shuffled(b.count, seed + 2);
    bench_need(rows && news && b.order, "memory", "there is too little");
    side plain, tracked;
    open_side(&plain, argv[1], "plain");
    open_side(&tracked, argv[1], "sigla");
    bench_need(sigla_register(tracked.db) == SIGLA_OK, "sigla_register", "failed");
    bench_exec(tracked.db, "SELECT sigla_init('{\"server\":\"http://bench\",\"user\":\"ann\"}');"
                           "SELECT sigla_track('task')");
    prepare_side(&plain);
    prepare_side(&tracked);
    step("insert", &plain, &tracked, &b, run_inserts);
    bench_figure("plain.bytes", bench_bytes(plain.db));
    bench_figure("sigla.bytes", bench_bytes(tracked.db));
    bench_figure("push.bytes_per_field", (double)pushed_bytes / (double)(b.count * ROWS_FIELDS));
    step("update", &plain, &tracked, &b, run_updates);
    bench_figure("push.bytes_per_update", (double)pushed_bytes / (double)b.count);
    step("single", &plain, &tracked, &b, run_singles);
    bench_figure("plain.edited_bytes", bench_bytes(plain.db));
    bench_figure("sigla.edited_bytes", bench_bytes(tracked.db));
    close_side(&plain);
    close_side(&tracked);
    free(rows);
    free(news);
    free(b.order);
    return 0;
}
