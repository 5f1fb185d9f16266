/*
 * A database with a past: one device writes records, edits a field of each again and again, and
 * pushes after each round; another device follows it; then a fresh one hydrates.
 *
 *     bench_history URL TOKEN DIR RECORDS EDITS
 *
 * history.pushed_bytes is the full history as it came: every change once, as its writer sent it.
 * history.bytes is what the follower received: every change as an entry of its own, 1,000 to a page,
 * in the very encoding that the fresh device gets. Bytes are of bodies as they went over the wire,
 * compressed.
 */
#include <curl/curl.h>
#include <strings.h>

#include "base/buf.h"
#include "bench.h"
#include "rows.h"
#include "sigla.h"

#define PER_TRANSACTION 10
#define ANSWER_MAX ((size_t)256 << 20)

typedef struct device {
    const char *name;
    sqlite3 *db;
    CURL *curl;
    sg_buf answer;
    double sent, received; /* bytes of bodies */
} device;

static size_t take(char *bytes, size_t size, size_t n, void *ctx)
{
    sg_buf_put(ctx, bytes, size * n);
    return size * n;
}

static device open_device(const char *dir, const char *name, const char *url, const char *token)
{
    device d = {.name = name, .db = bench_open(dir, name), .curl = curl_easy_init()};
    char *sql = sqlite3_mprintf(
        "SELECT sigla_init(json_object('server',%Q,'token',%Q,'user','ann'))", url, token);
    sg_buf_init(&d.answer, ANSWER_MAX);
    bench_need(sigla_register(d.db) == SIGLA_OK && d.curl != NULL && sql != NULL, name, "failed");
    bench_exec(d.db, ROWS_SCHEMA);
    bench_exec(d.db, sql);
    bench_exec(d.db, "SELECT sigla_track('task')");
    sqlite3_free(sql);
    return d;
}

static void close_device(device *d)
{
    curl_easy_cleanup(d->curl);
    sg_buf_deinit(&d->answer);
    bench_need(sqlite3_close(d->db) == SQLITE_OK, d->name, "does not close");
}

/* ---- syncing ---- */

static void request(device *d, const sigla_action *a)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; a->headers[i] != NULL; i++)
        headers = curl_slist_append(headers, a->headers[i]);
    sg_buf_clear(&d->answer);
    curl_easy_reset(d->curl);
    curl_easy_setopt(d->curl, CURLOPT_URL, a->url);
    curl_easy_setopt(d->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(d->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(d->curl, CURLOPT_WRITEDATA, &d->answer);
    if (a->body != NULL) {
        curl_easy_setopt(d->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->body_bytes);
        curl_easy_setopt(d->curl, CURLOPT_POSTFIELDS, a->body);
    }
    CURLcode rc = curl_easy_perform(d->curl);
    bench_need(rc == CURLE_OK, a->url, curl_easy_strerror(rc));
    d->sent += (double)a->body_bytes;
    d->received += (double)d->answer.n;
    curl_slist_free_all(headers);
}

static void sync_device(device *d)
{
    sigla_session *s = NULL;
    sigla_action a = {.kind = SIGLA_WAIT};
    long status = 0;
    int err = sigla_session_open(d->db, NULL, &s);
    while (err == SIGLA_OK && (err = sigla_session_next(s, &a)) == SIGLA_OK) {
        bench_need(a.kind == SIGLA_REQUEST || a.kind == SIGLA_DONE, "sync", a.message);
        if (a.kind == SIGLA_DONE) break;
        request(d, &a);
        curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
        err = sigla_session_answer(s, (int)status, 0, d->answer.p, d->answer.n);
    }
    bench_need(err == SIGLA_OK, "sync", sigla_error_text(err));
    sigla_session_close(s);
}

/* ---- writing ---- */

static void write_records(device *d, const row *rows, size_t count)
{
    sqlite3_stmt *s = bench_prepare(d->db, ROWS_INSERT);
    for (size_t i = 0; i < count; i++) {
        if (i % PER_TRANSACTION == 0) bench_exec(d->db, "BEGIN");
        rows_bind(s, &rows[i]);
        bench_done(s);
        if (i % PER_TRANSACTION == PER_TRANSACTION - 1 || i == count - 1)
            bench_exec(d->db, "COMMIT");
    }
    sqlite3_finalize(s);
}

/* Every record once more, in random order: somebody goes on with its notes. */
static void edit_records(device *d, const row *rows, size_t count, uint64_t round)
{
    sqlite3_stmt *s = bench_prepare(d->db, "UPDATE task SET notes=?2 WHERE id=?1");
    uint32_t *order = rows_shuffled(count, round);
    row *news = rows_make(count, round + 1000);
    bench_need(order != NULL && news != NULL, "memory", "there is too little");
    for (size_t i = 0; i < count; i++) {
        if (i % PER_TRANSACTION == 0) bench_exec(d->db, "BEGIN");
        rows_bind_text(s, 1, rows[order[i]].id);
        rows_bind_text(s, 2, news[i].notes);
        bench_done(s);
        if (i % PER_TRANSACTION == PER_TRANSACTION - 1 || i == count - 1)
            bench_exec(d->db, "COMMIT");
    }
    sqlite3_finalize(s);
    free(order);
    free(news);
}

int main(int argc, char **argv)
{
    bench_need(argc == 6, "usage", "bench_history URL TOKEN DIR RECORDS EDITS");
    size_t count = strtoul(argv[4], NULL, 10), edits = strtoul(argv[5], NULL, 10);
    row *rows = rows_make(count, 7);
    bench_need(rows != NULL, "memory", "there is too little");
    device writer = open_device(argv[3], "writer", argv[1], argv[2]);
    device fresh = open_device(argv[3], "fresh", argv[1], argv[2]);
    device follower = open_device(argv[3], "follower", argv[1], argv[2]);
    write_records(&writer, rows, count);
    sync_device(&writer);
    sync_device(&follower);
    for (uint64_t round = 0; round < edits; round++) {
        edit_records(&writer, rows, count, round);
        sync_device(&writer);
        sync_device(&follower);
    }
    double start_s = bench_wall_s();
    sync_device(&fresh);
    bench_figure("history.hydrate_s", bench_wall_s() - start_s);
    bench_figure("history.pushed_bytes", writer.sent);
    bench_figure("history.bytes", follower.received);
    bench_figure("history.hydrate_bytes", fresh.received);
    bench_need(bench_int(fresh.db, "SELECT count(*) FROM task") == (int64_t)count, "hydrate",
               "rows are missing");
    close_device(&writer);
    close_device(&follower);
    close_device(&fresh);
    free(rows);
    return 0;
}
