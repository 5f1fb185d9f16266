/*
 * Error codes: made from the one list in include/sigla_errors.h.
 *
 * Functions that can fail return int: SG_OK (0) or another value of enum sg_err. Foreign codes
 * (SQLite, errno, HTTP) are turned into ours in the function that received them.
 */
#ifndef SG_ERR_H
#define SG_ERR_H

#include <stdbool.h>

#include "sigla_errors.h"

#define SG_ERR_ENUM(name, text, http, retry, sentence) SG_##name,
enum sg_err { SIGLA_ERRORS(SG_ERR_ENUM) SG_ERR_COUNT };
#undef SG_ERR_ENUM

/* "bad_json": the stable name that travels on the wire. Unknown codes give "internal". */
const char *sg_err_code(int err);
/* One plain sentence without a full stop. */
const char *sg_err_text(int err);
/* HTTP status to answer with; 500 for errors that should never have left a device. */
int sg_err_http(int err);
/* True if trying the same again later can help. */
bool sg_err_retryable(int err);
/* The code for a wire name; SG_INTERNAL when unknown. */
int sg_err_from_code(const char *code, unsigned long len);

#endif
