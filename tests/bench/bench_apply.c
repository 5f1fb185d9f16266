/*
 * Hydrating an empty replica: pages of fresh rows, as a server sends them (version 2, zstd), go
 * through a session; beside it a plain insert of the same rows, as many to a transaction.
 * CPU seconds (user and system); of the session's everything counts: unpacking, parsing, merging,
 * rows and shadows. Both databases are as in bench_write. The rows come in the order of their
 * commit, in which their keys are random, on both sides.
 *
 *     bench_apply DIR ROWS SEED
 */
#include "bench.h"

#include "base/mem.h"
#include "rows.h"
#include "sigla.h"
#include "wire/codec.h"
#include "wire/page_json.h"
#include "wire/value.h"

#define PAGE 1000   /* records */
#define PLAIN 12000 /* rows of one plain transaction: about what the replica applies in one */
#define WRITTEN 100 /* records that share a transaction's stamp */
#define EPOCH "0000000000000001"

static const char *const names[] = {"",       "title", "notes", "status", "priority",
                                    "amount", "due",   "owner", "created"};

static sg_slice name_text(void *ctx, uint32_t id)
{
    (void)ctx;
    return sg_slice_str(names[id]);
}

static sg_slice client_text(void *ctx, uint32_t id)
{
    (void)ctx, (void)id;
    return SG_LIT("01938c1e-7a10-7b2c-9f10-3a5d2c7e9b41");
}

static sg_slice actor_text(void *ctx, uint32_t id)
{
    (void)ctx, (void)id;
    return SG_LIT("{\"kind\":\"user\",\"principalId\":\"u:ann\",\"displayName\":\"Ann\"}");
}

/* ---- the server's pages ---- */

typedef struct pages {
    char **body; /* compressed */
    size_t *bytes;
    size_t count, total;
} pages;

static void put_field(sg_record *rec, sg_buf *json, uint32_t name, const sg_value *v)
{
    size_t start = json->n;
    sg_value_to_json(json, v, false);
    sg_field *f = sg_record_at(rec, name);
    bench_need(f != NULL && json->err == SG_OK, "page", "a value is too large");
    *f = (sg_field){.name = name,
                    .mark = rec->life,
                    .has_value = true,
                    .value = sg_slice_of(json->p + start, json->n - start)};
}

static sg_value text(const char *s)
{
    return (sg_value){.type = SG_TEXT, .bytes = sg_slice_str(s)};
}

static void fill_record(sg_record *rec, sg_buf *json, const row *r, size_t index)
{
    sg_value values[ROWS_FIELDS] = {text(r->title),
                                    text(r->notes),
                                    text(r->status),
                                    {.type = SG_INT, .i = r->priority},
                                    {.type = SG_REAL, .r = r->amount},
                                    text(r->due),
                                    text(r->owner),
                                    {.type = SG_INT, .i = r->created_ms}};
    int64_t at_us = INT64_C(1767225600000000) + (int64_t)(index / WRITTEN) * 1234567;
    sg_record_clear(rec);
    rec->has_life = true;
    rec->life = (sg_mark){.at_us = at_us, .n = (int64_t)index + 1, .seq = (int64_t)index + 1};
    rec->life.client = rec->life.actor = 1;
    sg_buf_clear(json);
    (void)sg_buf_extend(json, 4096); /* the values are borrowed: it must not move */
    sg_buf_clear(json);
    for (uint32_t i = 0; i < ROWS_FIELDS; i++)
        put_field(rec, json, i + 1, &values[i]);
}

static void put_records(sg_page_writer *p, const row *rows, size_t from, size_t to)
{
    sg_record rec;
    sg_buf json;
    sg_record_init(&rec);
    sg_buf_init(&json, 1 << 16);
    sg_jsonw_array(p->w);
    for (size_t i = from; i < to; i++) {
        fill_record(&rec, &json, &rows[i], i);
        sg_page_put(p, SG_LIT("task"), sg_slice_str(rows[i].id), &rec);
    }
    sg_jsonw_array_end(p->w);
    sg_record_deinit(&rec);
    sg_buf_deinit(&json);
}

static void put_cursor(sg_jsonw *w, size_t seq)
{
    char cursor[40];
    snprintf(cursor, sizeof cursor, "c%016zx-%s", seq, EPOCH);
    sg_jsonw_kstr(w, "epoch", SG_LIT(EPOCH));
    sg_jsonw_kstr(w, "syncedUntil", sg_slice_str(cursor));
    sg_jsonw_kint(w, "syncedSeq", (int64_t)seq);
}

/* The texts that records point to stand before them. */
static void put_page(sg_buf *out, const row *rows, size_t from, size_t to, bool more)
{
    static const sg_texts texts = {NULL, name_text, client_text, actor_text};
    sg_buf records;
    sg_buf_init(&records, 1 << 26);
    sg_jsonw inner, w;
    sg_jsonw_init(&inner, &records);
    sg_jsonw_init(&w, out);
    sg_page_writer p;
    sg_page_writer_init(&p, &inner, &texts);
    put_records(&p, rows, from, to);
    p.w = &w;
    sg_jsonw_object(&w);
    put_cursor(&w, to);
    sg_jsonw_kbool(&w, "hasMore", more);
    sg_page_put_tables(&p);
    sg_jsonw_kraw(&w, "serverChanges", sg_buf_view(&records));
    sg_jsonw_object_end(&w);
    bench_need(records.err == SG_OK && out->err == SG_OK, "page", "too large");
    sg_page_writer_deinit(&p);
    sg_buf_deinit(&records);
}

static pages pages_make(const row *rows, size_t count)
{
    pages p = {.count = (count + PAGE - 1) / PAGE};
    p.body = calloc(p.count, sizeof *p.body);
    p.bytes = calloc(p.count, sizeof *p.bytes);
    bench_need(p.body != NULL && p.bytes != NULL, "memory", "there is too little");
    sg_buf json;
    sg_buf_init(&json, 1 << 26);
    for (size_t i = 0; i < p.count; i++) {
        size_t from = i * PAGE, to = from + PAGE < count ? from + PAGE : count;
        enum sg_coding coding;
        sg_buf_clear(&json);
        put_page(&json, rows, from, to, i + 1 < p.count);
        bool packed =
            sg_encode(SG_CODING_ZSTD, sg_buf_view(&json), &coding, &p.body[i], &p.bytes[i]);
        bench_need(packed, "page", "does not compress");
        p.total += p.bytes[i];
    }
    sg_buf_deinit(&json);
    return p;
}

/* ---- both sides ---- */

static void hydrate(sqlite3 *db, const pages *p)
{
    sigla_session *s = NULL;
    sigla_action a = {.kind = SIGLA_WAIT};
    int err = sigla_session_open(db, NULL, &s);
    for (size_t i = 0; err == SIGLA_OK && (err = sigla_session_next(s, &a)) == SIGLA_OK; i++) {
        if (a.kind == SIGLA_DONE) break;
        bench_need(a.kind == SIGLA_REQUEST && i < p->count, "hydrate", a.message);
        err = sigla_session_answer(s, 200, 0, p->body[i], p->bytes[i]);
    }
    bench_need(err == SIGLA_OK, "hydrate", sigla_error_text(err));
    sigla_session_close(s);
}

static void insert_plain(sqlite3 *db, const row *rows, size_t count)
{
    sqlite3_stmt *s = bench_prepare(db, ROWS_INSERT);
    for (size_t i = 0; i < count; i++) {
        if (i % PLAIN == 0) bench_exec(db, "BEGIN");
        rows_bind(s, &rows[i]);
        bench_done(s);
        if (i % PLAIN == PLAIN - 1 || i == count - 1) bench_exec(db, "COMMIT");
    }
    sqlite3_finalize(s);
}

int main(int argc, char **argv)
{
    bench_need(argc == 4, "usage", "bench_apply DIR ROWS SEED");
    size_t count = strtoul(argv[2], NULL, 10);
    row *rows = rows_make(count, strtoull(argv[3], NULL, 10));
    bench_need(rows != NULL, "memory", "there is too little");
    pages p = pages_make(rows, count);
    sqlite3 *plain = bench_open(argv[1], "plain"), *replica = bench_open(argv[1], "sigla");
    bench_exec(plain, ROWS_SCHEMA);
    bench_exec(replica, ROWS_SCHEMA);
    bench_need(sigla_register(replica) == SIGLA_OK, "sigla_register", "failed");
    bench_exec(replica, "SELECT sigla_init('{\"server\":\"http://bench\",\"user\":\"bob\"}');"
                        "SELECT sigla_track('task')");
    double start_s = bench_cpu_s();
    insert_plain(plain, rows, count);
    double plain_s = bench_cpu_s();
    hydrate(replica, &p);
    bench_figure("apply.plain", plain_s - start_s);
    bench_figure("apply.sigla", bench_cpu_s() - plain_s);
    bench_need(bench_int(replica, "SELECT count(*) FROM task") == (int64_t)count, "hydrate",
               "rows are missing");
    bench_figure("plain.bytes", bench_bytes(plain));
    bench_figure("sigla.bytes", bench_bytes(replica));
    bench_figure("pull.bytes_per_field", (double)p.total / (double)(count * ROWS_FIELDS));
    bench_need(sqlite3_close(plain) == SQLITE_OK, "plain", "does not close");
    bench_need(sqlite3_close(replica) == SQLITE_OK, "sigla", "does not close");
    for (size_t i = 0; i < p.count; i++)
        sg_free(p.body[i]);
    free(p.body);
    free(p.bytes);
    free(rows);
    return 0;
}
