/*
 * What build/sigla.wasm exports to its JavaScript host, which is apps/wasm/sigla.mjs.
 *
 * Texts go in as UTF-8 with a NUL, in memory from mem_alloc. What a call has to say is left in one
 * buffer (result_at, result_bytes) as JSON, until the next call: its result when it returned
 * SIGLA_OK, else {"code":…,"message":…}. One module is one thread.
 */
#ifndef WASM_API_H
#define WASM_API_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "sigla.h"

#define WASM_EXPORT(name) __attribute__((export_name(#name))) name

#define WASM_RESULT_MAX ((size_t)256 << 20) /* bytes of one result */

void *WASM_EXPORT(mem_alloc)(size_t bytes);
void WASM_EXPORT(mem_free)(void *p);
const char *WASM_EXPORT(result_at)(void);
size_t WASM_EXPORT(result_bytes)(void);

/* Open a file of the host's with Sigla registered; NULL on an error. */
struct sqlite3 *WASM_EXPORT(db_open)(const char *name);
void WASM_EXPORT(db_close)(struct sqlite3 *db);
/* {"sql":…,"params":[…]} -> {"columns":[…],"rows":[[…]],"changes":n} of its last statement. Values
 * are written as in wire/value.h; integers beyond 2^53 as {"$int":"digits"}. */
int WASM_EXPORT(db_exec)(struct sqlite3 *db, const char *request);

/* options: of sigla_session_open, or NULL. NULL on an error. */
sigla_session *WASM_EXPORT(session_open)(struct sqlite3 *db, const char *options);
void WASM_EXPORT(session_close)(sigla_session *s);
/* {"kind":"request","method":…,"url":…,"headers":["Name: value",…],"bodyAt":address,"bodyBytes":n}
 * {"kind":"wait","waitMs":n,"code":…,"message":…} {"kind":"done"}
 * {"kind":"stop","code":…,"message":…} */
int WASM_EXPORT(session_next)(sigla_session *s);
int WASM_EXPORT(session_answer)(sigla_session *s, int status, double retry_after_ms,
                                const void *body, size_t bytes);
int WASM_EXPORT(session_lost)(sigla_session *s);
void WASM_EXPORT(session_wake)(sigla_session *s);
/* The counts of sigla_progress by their names. */
int WASM_EXPORT(session_progress)(sigla_session *s);

/* The result, emptied, for a call to write its answer to. */
sg_buf *wasm_result(void);
/* Leave this error as the result; returns code. */
int wasm_fail(int code, const char *message);
/* code, or the buffer's own error if the result could not be written. */
int wasm_done(int code);

#endif
