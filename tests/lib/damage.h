/*
 * Whatever can be asked of a replica, asked of one whose own tables are damaged: every function, a
 * session with answers of each kind, writes.
 *
 * What must hold: there is an answer, or an error with a text; no transaction stays open.
 */
#ifndef SG_TESTS_DAMAGE_H
#define SG_TESTS_DAMAGE_H

#include "replica_image.h"

static inline void damage_try(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    const char *next = sql;
    while (*next != '\0') {
        if (sqlite3_prepare_v2(db, next, -1, &s, &next) != SQLITE_OK) return;
        int rc;
        while ((rc = sqlite3_step(s)) == SQLITE_ROW)
            for (int i = 0; i < sqlite3_column_count(s); i++)
                (void)sqlite3_column_bytes(s, i);
        if (rc != SQLITE_DONE)
            image_require(sqlite3_errmsg(db)[0] != '\0' && rc != SQLITE_MISUSE,
                          "a failure says why");
        sqlite3_finalize(s);
        image_require(sqlite3_get_autocommit(db) != 0, "no transaction stays open");
    }
}

static inline void damage_sync(sqlite3 *db)
{
    static const char answer[] =
        "{\"acks\":[{\"n\":8,\"seq\":10,\"count\":2}],\"rejected\":[{\"n\":10,\"code\":\"x\","
        "\"message\":\"m\"}],\"restamped\":[{\"n\":8,\"at\":\"2026-01-01T00:00:01.000Z\"}],"
        "\"clients\":[\"other\"],\"actors\":[{\"kind\":\"user\",\"principalId\":\"u:ann\"}],"
        "\"serverTime\":\"2020-01-01T00:01:00.000Z\",\"syncedUntil\":\"c20\",\"syncedSeq\":20,"
        "\"epoch\":\"00000000000000ff\",\"hasMore\":false,\"serverChanges\":[{\"table\":\"t\","
        "\"id\":\"k2\",\"marks\":[[\"2026-01-01T00:05:00.000Z\",0,9,0,\"user\",15]],\"life\":0,"
        "\"dead\":true},{\"table\":\"v\",\"id\":\"[1,{\\\"$blob\\\":\\\"AP8=\\\"}]\",\"marks\":["
        "[\"2026-01-01T00:05:00.000Z\",0,10,0,\"user\",16]],\"values\":{\"x\":5}}]}";
    static const int statuses[] = {200, 200, 409, 410, 413};
    sigla_session *s;
    sigla_action a;
    if (sigla_session_open(db, "{\"seed\":1,\"encoding\":\"identity\"}", &s) != SIGLA_OK) return;
    for (int i = 0; i < 8; i++) {
        image_require(sigla_session_next(s, &a) == SIGLA_OK, "next says what to do");
        image_require(sqlite3_get_autocommit(db) != 0, "no transaction stays open");
        if (a.kind == SIGLA_STOP) image_require(a.message[0] != '\0', "who stops says why");
        if (a.kind != SIGLA_REQUEST) break;
        (void)sigla_session_answer(s, statuses[i % 5], 0, answer, sizeof answer - 1);
        image_require(sqlite3_get_autocommit(db) != 0, "no transaction stays open");
    }
    sigla_session_close(s);
}

static inline void damage_use(sqlite3 *db)
{
    damage_try(db, "SELECT * FROM sigla_pending(); SELECT * FROM sigla_conflicts(1);"
                   "SELECT * FROM sigla_refused(); SELECT * FROM sigla_parked();"
                   "SELECT * FROM sigla_updated('t'); SELECT * FROM t, sigla_marks('t',t.id);"
                   "SELECT * FROM v, sigla_marks('v',v.k,v.l); SELECT sigla_updated_at('t','k1');"
                   "SELECT sigla_status(); UPDATE t SET b='w'; SELECT sigla_restore(1);"
                   "SELECT sigla_dismiss(1); SELECT sigla_retry(); SELECT sigla_track('w');");
    damage_sync(db);
    damage_try(
        db, "SELECT sigla_config('server'); SELECT sigla_config('journal_age_us',1);"
            "ALTER TABLE t ADD COLUMN later; SELECT sigla_refresh(); SELECT sigla_sweep('b');"
            "SELECT sigla_index_updated('w'); SELECT sigla_untrack('t'); SELECT sigla_track('t');"
            "INSERT OR REPLACE INTO t(id,a) VALUES('k9',1);"
            "SELECT sigla_init('{\"server\":\"http://s\",\"token\":\"t\",\"user\":\"ann\"}');");
}

#endif
