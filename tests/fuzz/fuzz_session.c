/*
 * Any bytes as what a server answers to a replica's session, and as the event stream it sends.
 *
 * The input is cut at each 0xFF. A piece's first byte says what it is: the body of an answer with
 * some status, a stretch of stream, a lost answer, a write made here, a session begun anew.
 *
 * Checked: no call leaves a transaction open; a session that stops says why; whatever came, the
 * database is whole, every list can be read, and one can go on writing.
 */
#include "../lib/replica_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS_MAX 24

typedef struct player {
    sqlite3 *db;
    sigla_session *s;
    int writes;
} player;

static void reopen(player *p)
{
    sigla_session_close(p->s);
    int err = sigla_session_open(p->db, "{\"seed\":1,\"encoding\":\"identity\"}", &p->s);
    image_require(err == SIGLA_OK, "a session opens");
}

/* True if a request is out. */
static bool ask(player *p)
{
    sigla_action a;
    for (int i = 0; i < 4; i++) {
        sigla_session_wake(p->s);
        image_require(sigla_session_next(p->s, &a) == SIGLA_OK, "next says what to do");
        if (a.kind == SIGLA_REQUEST) return true;
        if (a.kind != SIGLA_STOP) continue;
        image_require(a.error != SIGLA_OK && a.message[0] != '\0', "who stops says why");
        reopen(p);
    }
    return false;
}

static void answer(player *p, int status, const uint8_t *body, size_t n)
{
    if (!ask(p)) return;
    int err = sigla_session_answer(p->s, status, 0, body, n);
    if (err != SIGLA_OK)
        image_require(sigla_session_message(p->s)[0] != '\0', "a failure is explained");
}

static void stream(player *p, const uint8_t *bytes, size_t n)
{
    sigla_action a;
    if (sigla_session_stream(p->s, 0, bytes, n) != SIGLA_MISUSE) return;
    int err = sigla_session_stream_request(p->s, 0, &a);
    image_require(err == SIGLA_OK || err == SIGLA_MISUSE, "a stream can be asked for");
    if (err == SIGLA_OK) (void)sigla_session_stream(p->s, 0, bytes, n);
}

static void write_here(player *p)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "UPDATE t SET b=%d WHERE id IN('k1','k2'); INSERT OR REPLACE INTO v VALUES(%d,'x',1);"
             "DELETE FROM t WHERE id='k%d'",
             p->writes, p->writes, p->writes % 7);
    p->writes++;
    /* A server may well have sent rows that this write breaks a rule with. */
    (void)sqlite3_exec(p->db, sql, NULL, NULL, NULL);
}

static void play(player *p, const uint8_t *piece, size_t n)
{
    static const int statuses[] = {200, 200, 200, 200, 400, 401, 409, 410, 413, 426, 429, 503};
    uint8_t kind = piece[0];
    if (kind >= 'a' && kind < 'a' + (int)(sizeof statuses / sizeof *statuses))
        answer(p, statuses[kind - 'a'], piece + 1, n - 1);
    else if (kind == 'S')
        stream(p, piece + 1, n - 1);
    else if (kind == 'L' && ask(p))
        (void)sigla_session_lost(p->s);
    else if (kind == 'W')
        write_here(p);
    else if (kind == 'R')
        reopen(p);
    else if (kind == 'E')
        sigla_session_stream_end(p->s, 0);
    image_require(sqlite3_get_autocommit(p->db) != 0, "no transaction stays open");
}

static void check(player *p)
{
    sqlite3_stmt *s;
    image_require(sqlite3_prepare_v2(p->db, "PRAGMA integrity_check", -1, &s, NULL) == SQLITE_OK &&
                      sqlite3_step(s) == SQLITE_ROW &&
                      strcmp((const char *)sqlite3_column_text(s, 0), "ok") == 0,
                  "the database is whole");
    sqlite3_finalize(s);
    image_exec(p->db, "SELECT sigla_status(); SELECT * FROM sigla_pending();"
                      "SELECT * FROM sigla_conflicts(1); SELECT * FROM sigla_refused();"
                      "SELECT * FROM sigla_parked(); SELECT * FROM sigla_updated('t');"
                      "SELECT * FROM t, sigla_marks('t',t.id);"
                      "SELECT * FROM v, sigla_marks('v',v.k,v.l);"
                      "INSERT INTO v VALUES(77,'new',1)");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t now_us;
    player p = {.db = image_open(&now_us)};
    reopen(&p);
    for (int i = 0; size != 0 && i < STEPS_MAX; i++) {
        const uint8_t *end = memchr(data, 0xff, size);
        size_t n = end != NULL ? (size_t)(end - data) : size;
        if (n != 0) play(&p, data, n);
        n += end != NULL;
        data += n;
        size -= n;
    }
    check(&p);
    sigla_session_close(p.s);
    image_close(p.db);
    return 0;
}
