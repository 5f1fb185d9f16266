#include "lib/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/serve.h"

static void check(int err)
{
    if (err != SG_OK) fail_msg("the world's server failed: %s", sg_err_text(err));
}

int world_serve(world *w)
{
    char path[300];
    snprintf(path, sizeof path, "%s/server.db", w->dir);
    int err = sg_store_sqlite_open(path, &w->store);
    if (err == SG_OK) {
        w->writer = w->store.ops->writer(w->store.impl);
        err = w->store.ops->view_new(w->store.impl, &w->view);
    }
    if (err == SG_OK && (w->applier = sg_applier_new(&w->store)) == NULL) err = SG_NOMEM;
    if (err != SG_OK) world_halt(w);
    return err;
}

void world_halt(world *w)
{
    sg_applier_free(w->applier);
    w->applier = NULL;
    if (w->view != NULL) w->store.ops->view_free(w->view);
    w->view = NULL;
    sg_store_close(&w->store);
}

void world_open(world *w)
{
    *w = (world){.now_us = INT64_C(1767225600000000), .epoch = {0x1234}, .user = "ann"};
    const char *tmp = getenv("TMPDIR");
    snprintf(w->dir, sizeof w->dir, "%s/worldXXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(w->dir) == NULL) fail_msg("no temporary folder");
    check(world_serve(w));
}

static void run(const char *format, const char *dir)
{
    char command[1000];
    snprintf(command, sizeof command, format, dir, dir, dir);
    assert_int_equal(system(command), 0);
}

/* A closed store is one file. */
void world_backup(world *w)
{
    world_halt(w);
    run("cp '%s/server.db' '%s/backup.db'", w->dir);
    check(world_serve(w));
}

void world_put_back(world *w)
{
    world_halt(w);
    run("cp '%s/backup.db' '%s/server.db'", w->dir);
    check(world_serve(w));
}

/* Nothing of ours may keep the connection open. */
static void close_db(device *d)
{
    if (sqlite3_close(d->db) == SQLITE_OK) return;
    sqlite3_stmt *s = sqlite3_next_stmt(d->db, NULL);
    fail_msg("device %d: still open: %s", d->index, s != NULL ? sqlite3_sql(s) : "?");
}

void world_close(world *w)
{
    for (int i = 0; i < w->device_count; i++) {
        sigla_session_close(w->devices[i]->session);
        close_db(w->devices[i]);
        free(w->devices[i]);
    }
    world_halt(w);
    run("rm -rf '%s'", w->dir);
}

/* ---- the server ---- */

/* As the server's writer does it: all of it, or nothing. */
static int commit(void *ctx, sg_push *p)
{
    world *w = ctx;
    sg_commit newest;
    int err = w->store.ops->begin(w->writer, &newest);
    if (err == SG_OK) {
        sg_applier_begin(w->applier, &newest, w->now_us);
        err = sg_apply_push(w->applier, p);
    }
    if (err == SG_OK) err = w->store.ops->commit(w->writer, &w->applier->newest);
    if (err != SG_OK) w->store.ops->rollback(w->writer);
    return err == SG_OK ? p->result.err : err;
}

int world_request(world *w, const char *method, const char *url, sg_slice body, sg_buf *out)
{
    char scope[40];
    w->now_us += 1000;
    snprintf(scope, sizeof scope, "u:%s", w->user);
    const serve v = {.store = &w->store,
                     .view = w->view,
                     .epoch = w->epoch,
                     .now_us = w->now_us,
                     .claims = {.user = sg_slice_str(w->user)},
                     .scope = sg_slice_str(scope),
                     .limit = 1000,
                     .commit = commit,
                     .ctx = w};
    return serve_request(&v, method, url, body, out);
}

void world_directory(world *w, const char *sql)
{
    const sg_store_ops *ops = w->store.ops;
    sg_commit newest;
    const sg_sql statement = {sql, NULL, 0};
    check(ops->begin(w->writer, &newest));
    newest.seq++;
    check(ops->execute(w->writer, &statement, NULL, NULL));
    check(ops->commit(w->writer, &newest));
}

/* ---- devices ---- */

static int64_t device_now(void *ctx)
{
    const device *d = ctx;
    return d->w->now_us + d->skew_us;
}

static void device_open(device *d)
{
    assert_int_equal(sqlite3_open(d->path, &d->db), SQLITE_OK);
    device_exec(d, "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF");
    assert_int_equal(sigla_register(d->db), SIGLA_OK);
    assert_int_equal(sigla_set_clock(d->db, device_now, d), SIGLA_OK);
}

static device *device_new(world *w)
{
    device *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->w = w;
    d->user = w->user;
    d->index = w->device_count;
    w->devices[w->device_count++] = d;
    snprintf(d->path, sizeof d->path, "%s/device%d.db", w->dir, d->index);
    return d;
}

device *world_device(world *w, const char *sql)
{
    device *d = device_new(w);
    char init[200];
    device_open(d);
    snprintf(init, sizeof init,
             "SELECT sigla_init('{\"server\":\"http://sim\",\"token\":\"t\",\"user\":\"%s\"}')",
             w->user);
    device_exec(d, init);
    device_exec(d, sql);
    return d;
}

device *world_copy(world *w, const device *from)
{
    device *d = device_new(w);
    char sql[400];
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", d->path);
    if (sqlite3_exec(from->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(from->db));
    device_open(d);
    return d;
}

device *world_again(world *w, const device *of)
{
    device *d = device_new(w);
    snprintf(d->path, sizeof d->path, "%s", of->path);
    device_open(d);
    return d;
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) != 0;)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* All are closed meanwhile, so that each is one file. */
static void copy_all(world *w, bool back)
{
    char path[300], kept[310];
    world_halt(w);
    for (int i = -1; i < w->device_count; i++) {
        snprintf(path, sizeof path, "%s/server.db", w->dir);
        if (i >= 0) {
            sigla_session_close(w->devices[i]->session);
            w->devices[i]->session = NULL;
            close_db(w->devices[i]);
            snprintf(path, sizeof path, "%s", w->devices[i]->path);
        }
        snprintf(kept, sizeof kept, "%s-kept", path);
        copy_file(back ? kept : path, back ? path : kept);
        if (i >= 0) device_open(w->devices[i]);
    }
    check(world_serve(w));
}

void world_keep(world *w)
{
    w->kept_us = w->now_us;
    copy_all(w, false);
}

void world_return(world *w)
{
    w->now_us = w->kept_us;
    copy_all(w, true);
}

int world_try_purge(world *w)
{
    w->now_us += 1000000;
    const sg_purge what = {.tombstones_before_us = w->now_us,
                           .history_before_us = w->now_us,
                           .staged_before_us = w->now_us,
                           .limit = 100000};
    sg_purged done;
    sg_commit newest;
    int err = w->store.ops->begin(w->writer, &newest);
    if (err == SG_OK) err = w->store.ops->purge(w->writer, &what, &done);
    if (err == SG_OK) err = w->store.ops->commit(w->writer, &newest);
    if (err != SG_OK) w->store.ops->rollback(w->writer);
    return err;
}

void world_purge(world *w)
{
    check(world_try_purge(w));
}

void device_restart(device *d)
{
    sigla_session_close(d->session);
    d->session = NULL;
    close_db(d);
    device_open(d);
}

int device_try(device *d, const char *sql)
{
    d->w->now_us += 1000;
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL);
}

void device_exec(device *d, const char *sql)
{
    if (device_try(d, sql) != SQLITE_OK)
        fail_msg("device %d: %s: %s", d->index, sql, sqlite3_errmsg(d->db));
}

char *device_rows(device *d, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("device %d: %s: %s", d->index, sql, sqlite3_errmsg(d->db));
    sqlite3_str *out = sqlite3_str_new(NULL);
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const char *text = (const char *)sqlite3_column_text(s, i);
            sqlite3_str_appendf(out, "%s%s", i != 0 ? "|" : "", text != NULL ? text : "NULL");
        }
        sqlite3_str_appendchar(out, 1, '\n');
    }
    if (sqlite3_finalize(s) != SQLITE_OK)
        fail_msg("device %d: %s: %s", d->index, sql, sqlite3_errmsg(d->db));
    char *text = sqlite3_str_finish(out);
    return text != NULL ? text : sqlite3_mprintf("");
}

char *device_text(device *d, const char *sql)
{
    char *rows = device_rows(d, sql);
    rows[strcspn(rows, "|\n")] = '\0';
    return rows;
}

int64_t device_int(device *d, const char *sql)
{
    char *text = device_text(d, sql);
    int64_t v = strtoll(text, NULL, 10);
    sqlite3_free(text);
    return v;
}

static void carry(device *d, const sigla_action *a, enum fate fate)
{
    if (fate == FATE_LOST) {
        assert_int_equal(sigla_session_lost(d->session), SIGLA_OK);
        return;
    }
    if (fate == FATE_BUSY) {
        assert_int_equal(sigla_session_answer(d->session, 503, 0, "{}", 2), SIGLA_OK);
        return;
    }
    sg_buf out;
    sg_buf_init(&out, (size_t)1 << 30);
    sg_slice body = sg_slice_of(a->body, a->body_bytes);
    d->w->user = d->user;
    int status = world_request(d->w, a->method, a->url, body, &out);
    if (fate == FATE_TWICE) status = world_request(d->w, a->method, a->url, body, &out);
    assert_int_equal(out.err, SG_OK);
    if (fate == FATE_ANSWER_LOST) {
        assert_int_equal(sigla_session_lost(d->session), SIGLA_OK);
    } else if (sigla_session_answer(d->session, status, 0, out.p, out.n) != SIGLA_OK) {
        fail_msg("device %d: %s -> %d %.*s: %s", d->index, a->url, status, (int)out.n, out.p,
                 sigla_session_message(d->session));
    }
    sg_buf_deinit(&out);
}

bool device_step(device *d, enum fate fate)
{
    if (d->session == NULL && sigla_session_open(d->db, "{\"encoding\":\"identity\",\"seed\":1}",
                                                 &d->session) != SIGLA_OK)
        fail_msg("device %d: no session", d->index);
    sigla_action a;
    assert_int_equal(sigla_session_next(d->session, &a), SIGLA_OK);
    if (a.kind == SIGLA_WAIT) d->w->now_us += a.wait_ms * 1000;
    if (a.kind == SIGLA_STOP) fail_msg("device %d stopped: %s", d->index, a.message);
    if (a.kind == SIGLA_DONE) {
        sigla_session_wake(d->session);
        return false;
    }
    if (a.kind == SIGLA_REQUEST) carry(d, &a, fate);
    return true;
}

void device_sync(device *d)
{
    int steps = 0;
    if (d->session != NULL) sigla_session_wake(d->session);
    while (device_step(d, FATE_FINE))
        if (++steps > 10000) fail_msg("device %d does not get done", d->index);
}

/* ---- tests of a world each ---- */

int world_setup(void **state)
{
    world *w = calloc(1, sizeof *w);
    world_open(w);
    *state = w;
    return 0;
}

int world_teardown(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

void assert_rows(device *d, const char *sql, const char *want)
{
    char *have = device_rows(d, sql);
    if (strcmp(have, want) != 0)
        fail_msg("device %d: %s gives\n%s\nnot\n%s", d->index, sql, have, want);
    sqlite3_free(have);
}

void assert_same(device *a, device *b, const char *sql)
{
    char *want = device_rows(a, sql);
    assert_rows(b, sql, want);
    sqlite3_free(want);
}
