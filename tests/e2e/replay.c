/*
 * Plays a script of writes and syncs on many devices, each a database file of its own, against a
 * running server. tests/e2e/trace_plan.py makes the script, test_trace.py runs this and judges.
 *
 *     replay SCRIPT FOLDER     one JSON array a line:
 *
 *     ["server", url, user, app, [key column, {table: [columns]}]]
 *     ["device", name, token, actor or null]        becomes FOLDER/name.db when it is first used
 *     ["sync", device number, lose]                 the answer to request `lose` never arrives;
 *                                                   -lose: to push `lose`, and that ends the sync
 *     ["write", device number, at_us, op, table, id, {column: value}]
 *     ["sql", device number, statements]
 *
 * A write is made at its time: the connection's clock is set back by what the session had corrected
 * it, so that the stamp is that time. While syncing the clock is the machine's. Devices differ in
 * batch size and encoding. At the end a line of JSON says what was done; `cut` has for each sync
 * that was to end early the greatest change number sent by then, -1 if it made fewer pushes.
 */
#include <curl/curl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sigla.h"
#include "wire/json.h"

#define OPEN_MAX 64 /* database files open at a time */
#define DEVICES_MAX 20000
#define TEXT_MAX ((size_t)64 << 20)
#define WAITS_MAX 50 /* of one sync, for the server's sake */

typedef struct device {
    char *name, *token, *actor; /* actor: JSON, or NULL for the database's user */
    sqlite3 *db;                /* NULL while it is not open */
    int64_t write_us;           /* the wanted time of a write; 0: the machine's */
    int64_t offset_us;
    int64_t used; /* the script's line, to close what was not used for longest */
} device;

static struct {
    const char *folder;
    char *url, *user, *app, *key, *tables; /* tables: JSON {name: [columns]} */
    device *devices;
    size_t device_count;
    size_t open_count;
    CURL *curl;
    sg_buf body;
    sg_buf cut; /* ",12,-1,7" */
    int64_t line, writes, syncs, requests, lost, bytes_up, bytes_down;
} g;

static _Noreturn void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "replay: line %lld: %s: %s\n", (long long)g.line, what, why);
    exit(1);
}

static void *need(void *p)
{
    if (p == NULL) die("memory", "none left");
    return p;
}

static int64_t real_time_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t device_time(void *ctx)
{
    const device *d = ctx;
    return d->write_us != 0 ? d->write_us - d->offset_us : real_time_us();
}

/* ---- SQL ---- */

static void run(device *d, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(d->db, sql, NULL, NULL, &why) != SQLITE_OK) die(sql, why);
}

/* Run a statement with text parameters; its first value as an integer, or 0. */
static int64_t query(device *d, const char *sql, const char *a, const char *b)
{
    sqlite3_stmt *s;
    int64_t result = 0;
    if (sqlite3_prepare_v2(d->db, sql, -1, &s, NULL) != SQLITE_OK) die(sql, sqlite3_errmsg(d->db));
    if (a != NULL) (void)sqlite3_bind_text(s, 1, a, -1, SQLITE_STATIC);
    if (b != NULL) (void)sqlite3_bind_text(s, 2, b, -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) result = sqlite3_column_int64(s, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) die(sql, sqlite3_errmsg(d->db));
    (void)sqlite3_finalize(s);
    return result;
}

static void put_name(sg_buf *sql, sg_slice name)
{
    sg_buf_byte(sql, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"') sg_buf_byte(sql, '"');
        sg_buf_byte(sql, (uint8_t)name.p[i]);
    }
    sg_buf_byte(sql, '"');
}

static char *text_of(sg_json *j)
{
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    sg_json_unescape(sg_json_raw_string(j), &text);
    char *copy = sg_strndup(text.p != NULL ? text.p : "", text.n);
    sg_buf_deinit(&text);
    return need(copy);
}

/* ---- devices ---- */

static void create_table(device *d, char *name, sg_slice columns)
{
    sg_buf sql, options;
    sg_json j;
    sg_buf_init(&sql, TEXT_MAX);
    sg_buf_init(&options, TEXT_MAX);
    sg_buf_str(&sql, "CREATE TABLE ");
    put_name(&sql, sg_slice_str(name));
    sg_buf_byte(&sql, '(');
    put_name(&sql, sg_slice_str(g.key));
    sg_buf_str(&sql, " TEXT PRIMARY KEY");
    sg_json_init(&j, columns);
    sg_json_array(&j);
    while (sg_json_next(&j)) {
        char *column = text_of(&j);
        sg_buf_byte(&sql, ',');
        put_name(&sql, sg_slice_str(column));
        sg_buf_str(&sql, " TEXT");
        sg_free(column);
    }
    sg_buf_str(&sql, ") WITHOUT ROWID");
    run(d, need((void *)(uintptr_t)sg_buf_cstr(&sql)));
    sg_jsonw w;
    sg_jsonw_init(&w, &options);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "app", sg_slice_str(g.app));
    sg_jsonw_kraw(&w, "json", columns);
    sg_jsonw_object_end(&w);
    (void)query(d, "SELECT sigla_track(?1, ?2)", name, sg_buf_cstr(&options));
    sg_buf_deinit(&sql);
    sg_buf_deinit(&options);
}

static void create(device *d)
{
    sg_buf json;
    sg_jsonw w;
    sg_json j;
    sg_slice raw;
    sg_buf_init(&json, TEXT_MAX);
    sg_jsonw_init(&w, &json);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "server", sg_slice_str(g.url));
    sg_jsonw_kstr(&w, "user", sg_slice_str(g.user));
    sg_jsonw_kstr(&w, "token", sg_slice_str(d->token));
    sg_jsonw_object_end(&w);
    run(d, "PRAGMA journal_mode=WAL");
    run(d, "BEGIN");
    (void)query(d, "SELECT sigla_init(?1)", sg_buf_cstr(&json), NULL);
    sg_json_init(&j, sg_slice_str(g.tables));
    sg_json_object(&j);
    while (sg_json_next_key(&j, &raw)) {
        sg_buf_clear(&json);
        sg_json_unescape(raw, &json);
        char *name = need(sg_strndup(json.p, json.n));
        create_table(d, name, sg_json_skip(&j));
        sg_free(name);
    }
    run(d, "COMMIT");
    sg_buf_deinit(&json);
}

static void close_device(device *d)
{
    if (sqlite3_close(d->db) != SQLITE_OK) die(d->name, "cannot be closed");
    d->db = NULL;
    g.open_count--;
}

static void close_oldest(void)
{
    device *oldest = NULL;
    for (size_t i = 0; i < g.device_count; i++) {
        device *d = &g.devices[i];
        if (d->db != NULL && (oldest == NULL || d->used < oldest->used)) oldest = d;
    }
    if (oldest != NULL) close_device(oldest);
}

static void read_offset(device *d)
{
    d->offset_us = query(d, "SELECT sigla_status() ->> '$.clockOffsetUs'", NULL, NULL);
}

static device *open_device(int64_t number)
{
    if (number < 0 || (size_t)number >= g.device_count) die("script", "no such device");
    device *d = &g.devices[number];
    d->used = g.line;
    if (d->db != NULL) return d;
    if (g.open_count == OPEN_MAX) close_oldest();
    sg_buf path;
    sg_buf_init(&path, TEXT_MAX);
    sg_buf_str(&path, g.folder);
    sg_buf_byte(&path, '/');
    sg_buf_str(&path, d->name);
    sg_buf_str(&path, ".db");
    const char *p = need((void *)(uintptr_t)sg_buf_cstr(&path));
    bool is_new = access(p, F_OK) != 0;
    if (sqlite3_open(p, &d->db) != SQLITE_OK) die(p, sqlite3_errmsg(d->db));
    sg_buf_deinit(&path);
    g.open_count++;
    if (sigla_register(d->db) != SIGLA_OK) die(d->name, "sigla_register");
    if (sigla_set_clock(d->db, device_time, d) != SIGLA_OK) die(d->name, "sigla_set_clock");
    run(d, "PRAGMA synchronous=OFF");
    if (is_new) create(d);
    if (d->actor != NULL) (void)query(d, "SELECT sigla_as(?1)", d->actor, NULL);
    read_offset(d);
    return d;
}

/* ---- writes ---- */

/* Columns and values of {column: value}; a value is kept as its JSON, null as NULL. */
typedef struct row {
    sg_slice value[256];
    char *column[256];
    size_t count;
} row;

static void read_row(sg_json *j, row *r)
{
    sg_slice raw;
    sg_buf name;
    sg_buf_init(&name, TEXT_MAX);
    r->count = 0;
    sg_json_object(j);
    while (sg_json_next_key(j, &raw)) {
        if (r->count == sizeof r->value / sizeof *r->value) die("script", "too many columns");
        sg_buf_clear(&name);
        sg_json_unescape(raw, &name);
        r->column[r->count] = need(sg_strndup(name.p, name.n));
        r->value[r->count++] = sg_json_skip(j);
    }
    sg_buf_deinit(&name);
}

static void put_columns(sg_buf *sql, const row *r, const char *before, const char *between)
{
    for (size_t i = 0; i < r->count; i++) {
        sg_buf_str(sql, i == 0 ? before : ",");
        put_name(sql, sg_slice_str(r->column[i]));
        if (between == NULL) continue;
        sg_buf_str(sql, between);
        if (between[1] == '?')
            sg_buf_int(sql, (int64_t)i + 2);
        else
            put_name(sql, sg_slice_str(r->column[i]));
    }
}

/* An insert of what is there already becomes an update of all its columns. */
static void put_insert(sg_buf *sql, const char *table, const row *r)
{
    sg_buf_str(sql, "INSERT INTO ");
    put_name(sql, sg_slice_str(table));
    sg_buf_byte(sql, '(');
    put_name(sql, sg_slice_str(g.key));
    put_columns(sql, r, ",", NULL);
    sg_buf_str(sql, ") VALUES(?1");
    for (size_t i = 0; i < r->count; i++) {
        sg_buf_str(sql, ",?");
        sg_buf_int(sql, (int64_t)i + 2);
    }
    sg_buf_str(sql, ") ON CONFLICT DO ");
    sg_buf_str(sql, r->count == 0 ? "NOTHING" : "UPDATE SET ");
    put_columns(sql, r, "", "=excluded.");
}

static void put_change(sg_buf *sql, const char *op, const char *table, const row *r)
{
    if (strcmp(op, "insert") == 0) {
        put_insert(sql, table, r);
        return;
    }
    bool removes = strcmp(op, "delete") == 0;
    sg_buf_str(sql, removes ? "DELETE FROM " : "UPDATE ");
    put_name(sql, sg_slice_str(table));
    if (!removes) put_columns(sql, r, " SET ", "=?");
    sg_buf_str(sql, " WHERE ");
    put_name(sql, sg_slice_str(g.key));
    sg_buf_str(sql, "=?1");
}

static void execute(device *d, const char *sql, sg_slice id, const row *r)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(d->db, need((void *)(uintptr_t)sql), -1, &s, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(d->db));
    (void)sqlite3_bind_text(s, 1, id.p != NULL ? id.p : "", (int)id.n, SQLITE_STATIC);
    for (size_t i = 0; i < r->count; i++) {
        sg_slice v = r->value[i];
        if (!sg_slice_eq(v, SG_LIT("null")))
            (void)sqlite3_bind_text(s, (int)i + 2, v.p, (int)v.n, SQLITE_STATIC);
    }
    (void)sqlite3_step(s);
    if (sqlite3_finalize(s) != SQLITE_OK) die(sql, sqlite3_errmsg(d->db));
}

static void do_write(sg_json *j)
{
    row r;
    sg_buf sql, id; /* an id may hold any character, NUL as well */
    sg_buf_init(&sql, TEXT_MAX);
    sg_buf_init(&id, TEXT_MAX);
    sg_json_next(j);
    device *d = open_device(sg_json_int(j));
    sg_json_next(j);
    d->write_us = sg_json_int(j);
    sg_json_next(j);
    char *op = text_of(j);
    sg_json_next(j);
    char *table = text_of(j);
    sg_json_next(j);
    sg_json_unescape(sg_json_raw_string(j), &id);
    sg_json_next(j);
    read_row(j, &r);
    put_change(&sql, op, table, &r);
    if (r.count != 0 || strcmp(op, "update") != 0)
        execute(d, sg_buf_cstr(&sql), sg_buf_view(&id), &r);
    d->write_us = 0;
    g.writes++;
    for (size_t i = 0; i < r.count; i++)
        sg_free(r.column[i]);
    sg_free(op);
    sg_free(table);
    sg_buf_deinit(&id);
    sg_buf_deinit(&sql);
}

/* ---- syncs ---- */

static size_t on_bytes(char *p, size_t size, size_t n, void *ctx)
{
    sg_buf_put(ctx, p, size * n);
    return ((sg_buf *)ctx)->err == SG_OK ? size * n : 0;
}

static long make_request(const sigla_action *a)
{
    struct curl_slist *headers = need(curl_slist_append(NULL, "Expect:"));
    for (int i = 0; a->headers[i] != NULL; i++)
        headers = need(curl_slist_append(headers, a->headers[i]));
    CURL *c = g.curl;
    sg_buf_clear(&g.body);
    (void)curl_easy_setopt(c, CURLOPT_URL, a->url);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    if (a->body != NULL) {
        (void)curl_easy_setopt(c, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->body_bytes);
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, a->body);
    }
    CURLcode rc = curl_easy_perform(c);
    if (rc != CURLE_OK) die(a->url, curl_easy_strerror(rc));
    long status = 0;
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    g.requests++;
    g.bytes_up += (int64_t)a->body_bytes;
    g.bytes_down += (int64_t)g.body.n;
    return status;
}

static void wait_for(const sigla_action *a, int *waits)
{
    /* Only the script loses answers, and then nobody needs to be spared. */
    if (a->error == SIGLA_NETWORK) return;
    if (++*waits > WAITS_MAX) die("the server does not recover", a->message);
    (void)usleep((useconds_t)a->wait_ms * 1000);
}

/* False: the script ends the sync here. */
static bool answer(sigla_session *s, const sigla_action *a, int64_t request, int64_t lose)
{
    bool is_push = a->body != NULL;
    long status = make_request(a);
    if (request == lose || (request == -lose && is_push)) {
        g.lost++;
        (void)sigla_session_lost(s);
        return lose > 0;
    }
    if (sigla_session_answer(s, (int)status, 0, g.body.p, g.body.n) != SIGLA_OK)
        die("answer", sigla_session_message(s));
    return true;
}

/* False if it was ended early. */
static bool drive(sigla_session *s, int64_t lose)
{
    sigla_action a;
    int waits = 0;
    for (int64_t request = 1;;) {
        if (sigla_session_next(s, &a) != SIGLA_OK) die("session", sigla_session_message(s));
        if (a.kind == SIGLA_DONE) return true;
        if (a.kind == SIGLA_STOP) die("the session stopped", a.message);
        if (a.kind == SIGLA_WAIT)
            wait_for(&a, &waits);
        else if (!answer(s, &a, request++, lose))
            return false;
    }
}

static void do_sync(sg_json *j)
{
    static const char *const options[] = {NULL, "{\"batch\":1}",
                                          "{\"batch\":7,\"encoding\":\"identity\"}"};
    sg_json_next(j);
    int64_t number = sg_json_int(j);
    device *d = open_device(number);
    sg_json_next(j);
    int64_t lose = sg_json_int(j);
    sigla_session *s;
    if (sigla_session_open(d->db, options[number % 3], &s) != SIGLA_OK)
        die(d->name, "sigla_session_open");
    bool whole = drive(s, lose);
    sigla_session_close(s);
    if (lose < 0) {
        sg_buf_byte(&g.cut, ',');
        sg_buf_int(&g.cut,
                   whole ? -1 : query(d, "SELECT v FROM sigla_state WHERE k='sent_n'", NULL, NULL));
    }
    read_offset(d);
    g.syncs++;
}

/* ---- the script ---- */

static char *next_text(sg_json *j)
{
    sg_json_next(j);
    if (sg_json_peek(j) != SG_JSON_NULL) return text_of(j);
    sg_json_null(j);
    return NULL;
}

static void do_sql(sg_json *j)
{
    sg_json_next(j);
    device *d = open_device(sg_json_int(j));
    char *sql = next_text(j);
    run(d, sql);
    sg_free(sql);
}

static void do_server(sg_json *j)
{
    g.url = next_text(j);
    g.user = next_text(j);
    g.app = next_text(j);
    g.key = next_text(j);
    sg_json_next(j);
    sg_slice tables = sg_json_skip(j);
    g.tables = need(sg_strndup(tables.p, tables.n));
}

static void do_device(sg_json *j)
{
    if (g.device_count == DEVICES_MAX) die("script", "too many devices");
    device *d = &g.devices[g.device_count++];
    d->name = next_text(j);
    d->token = next_text(j);
    d->actor = next_text(j);
}

static void do_line(sg_slice line)
{
    sg_json j;
    sg_json_init(&j, line);
    sg_json_array(&j);
    sg_json_next(&j);
    sg_slice what = sg_json_raw_string(&j);
    if (sg_slice_eq(what, SG_LIT("write")))
        do_write(&j);
    else if (sg_slice_eq(what, SG_LIT("sync")))
        do_sync(&j);
    else if (sg_slice_eq(what, SG_LIT("sql")))
        do_sql(&j);
    else if (sg_slice_eq(what, SG_LIT("device")))
        do_device(&j);
    else if (sg_slice_eq(what, SG_LIT("server")))
        do_server(&j);
    if (sg_json_next(&j) || !sg_json_end(&j)) die("script", "this line is not understood");
}

static void free_all(void)
{
    for (size_t i = 0; i < g.device_count; i++) {
        if (g.devices[i].db != NULL) close_device(&g.devices[i]);
        sg_free(g.devices[i].name);
        sg_free(g.devices[i].token);
        sg_free(g.devices[i].actor);
    }
    sg_free(g.devices);
    sg_free(g.url);
    sg_free(g.user);
    sg_free(g.app);
    sg_free(g.key);
    sg_free(g.tables);
    sg_buf_deinit(&g.body);
    sg_buf_deinit(&g.cut);
    curl_easy_cleanup(g.curl);
    curl_global_cleanup();
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t cap = 0;
    FILE *script = argc == 3 ? fopen(argv[1], "r") : NULL;
    if (script == NULL) die("usage", "replay SCRIPT FOLDER");
    g.folder = argv[2];
    g.devices = need(sg_zalloc(DEVICES_MAX * sizeof *g.devices));
    sg_buf_init(&g.body, TEXT_MAX);
    sg_buf_init(&g.cut, TEXT_MAX);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    g.curl = need(curl_easy_init());
    (void)curl_easy_setopt(g.curl, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(g.curl, CURLOPT_WRITEDATA, &g.body);
    (void)curl_easy_setopt(g.curl, CURLOPT_PROXY, "");
    for (ssize_t n; (n = getline(&line, &cap, script)) > 0;) {
        g.line++;
        do_line(sg_slice_of(line, (size_t)n));
    }
    free(line);
    (void)fclose(script);
    printf("{\"writes\":%lld,\"syncs\":%lld,\"requests\":%lld,\"lost\":%lld,\"up\":%lld,"
           "\"down\":%lld,\"cut\":[%s]}\n",
           (long long)g.writes, (long long)g.syncs, (long long)g.requests, (long long)g.lost,
           (long long)g.bytes_up, (long long)g.bytes_down,
           g.cut.n != 0 ? sg_buf_cstr(&g.cut) + 1 : "");
    free_all();
    return 0;
}
