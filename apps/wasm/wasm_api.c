/* Memory, results, and opening a database: see wasm_api.h. */
#include "wasm_api.h"

#include <sqlite3.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/json.h"

static sg_buf result;

void *mem_alloc(size_t bytes)
{
    return sg_alloc(bytes > 0 ? bytes : 1);
}

void mem_free(void *p)
{
    sg_free(p);
}

const char *result_at(void)
{
    return result.p;
}

size_t result_bytes(void)
{
    return result.n;
}

sg_buf *wasm_result(void)
{
    if (result.max == 0) sg_buf_init(&result, WASM_RESULT_MAX);
    sg_buf_clear(&result);
    return &result;
}

int wasm_fail(int code, const char *message)
{
    sg_jsonw w;
    sg_jsonw_init(&w, wasm_result());
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "code", sg_slice_str(sg_err_code(code)));
    sg_jsonw_kstr(&w, "message", sg_slice_str(message));
    sg_jsonw_object_end(&w);
    return code;
}

int wasm_done(int code)
{
    if (code == SG_OK && result.err != SG_OK) return wasm_fail(result.err, sg_err_text(result.err));
    return code;
}

struct sqlite3 *db_open(const char *name)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc != SQLITE_OK) {
        wasm_fail(SG_IO, db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
    } else {
        /* Where the host has real files, this makes write-ahead logging possible: wasm_vfs.c. */
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
        rc = sigla_register(db);
        if (rc == SG_OK) return db;
        wasm_fail(rc, sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sg_err_text(rc));
    }
    sqlite3_close_v2(db);
    return NULL;
}

void db_close(struct sqlite3 *db)
{
    sqlite3_close_v2(db);
}
