#include "base/err.h"

#include <string.h>

struct err_row {
    const char *code;
    const char *text;
    int http;
    bool retryable;
};

#define ROW(name, code, http, retry, sentence) {code, sentence, http, retry != 0},
static const struct err_row rows[] = {SIGLA_ERRORS(ROW)};
#undef ROW

static const struct err_row *row(int err)
{
    return &rows[err >= 0 && err < SG_ERR_COUNT ? err : SG_INTERNAL];
}

const char *sg_err_code(int err)
{
    return row(err)->code;
}

const char *sg_err_text(int err)
{
    return row(err)->text;
}

int sg_err_http(int err)
{
    int status = row(err)->http;
    return status != 0 ? status : 500;
}

bool sg_err_retryable(int err)
{
    return row(err)->retryable;
}

int sg_err_from_code(const char *code, unsigned long len)
{
    for (int i = 0; i < SG_ERR_COUNT; i++) {
        if (strlen(rows[i].code) == len && memcmp(rows[i].code, code, len) == 0) return i;
    }
    return SG_INTERNAL;
}
