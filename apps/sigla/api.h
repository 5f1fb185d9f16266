/* A plain GET of the database's server, with its token: for verbs that look and do not sync. */
#ifndef SG_API_H
#define SG_API_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/buf.h"

#define SG_API_TIMEOUT_MS 10000
#define SG_API_BODY_MAX ((size_t)64 << 20)

typedef struct sg_api_answer {
    int status;    /* 0: no answer came, why says what went wrong */
    sg_buf body;   /* as it came: nothing compressed is asked for */
    char why[512]; /* a sentence for a status other than 200 */
} sg_api_answer;

/* path: what follows the server's URL, "/health". Always fills the answer; free it with
 * sg_api_deinit. */
void sg_api_get(sqlite3 *db, const char *path, sg_api_answer *out);
void sg_api_deinit(sg_api_answer *a);

/* Append text percent-encoded, for one part of a path or query. */
void sg_api_escape(sg_buf *out, sg_slice text);

#endif
