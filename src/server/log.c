#include "server/log.h"

#include <unistd.h>

#include "core/time.h"
#include "server/now.h"
#include "wire/json.h"

#define LINE_MAX_BYTES ((size_t)4096)

void sg_log_begin(sg_log *l, enum sg_log_level level, const char *event)
{
    static const char *const levels[] = {"info", "warn", "error"};
    char at[SG_TIME_TEXT_MAX];
    (void)sg_time_format(sg_now_us(), at);
    sg_buf_init(&l->line, LINE_MAX_BYTES);
    sg_buf_str(&l->line, "time=");
    sg_buf_str(&l->line, at);
    sg_buf_str(&l->line, " level=");
    sg_buf_str(&l->line, levels[level]);
    sg_buf_str(&l->line, " event=");
    sg_buf_str(&l->line, event);
}

static bool is_bare(sg_slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && memchr("._:/-+@", c, 7) == NULL) return false;
    }
    return text.n != 0;
}

void sg_log_text(sg_log *l, const char *key, sg_slice text)
{
    sg_buf_byte(&l->line, ' ');
    sg_buf_str(&l->line, key);
    sg_buf_byte(&l->line, '=');
    if (is_bare(text))
        sg_buf_slice(&l->line, text);
    else
        sg_json_quote(&l->line, sg_utf8_valid(text) ? text : SG_LIT("(not UTF-8)"));
}

void sg_log_int(sg_log *l, const char *key, int64_t v)
{
    sg_buf_byte(&l->line, ' ');
    sg_buf_str(&l->line, key);
    sg_buf_byte(&l->line, '=');
    sg_buf_int(&l->line, v);
}

void sg_log_end(sg_log *l)
{
    sg_buf_byte(&l->line, '\n');
    /* One write, so that lines stay whole; a log that cannot be written is nobody's to hear. */
    if (l->line.err == SG_OK && write(STDERR_FILENO, l->line.p, l->line.n) < 0) l->line.n = 0;
    sg_buf_deinit(&l->line);
}

void sg_log_error(const char *event, int err)
{
    sg_log l;
    sg_log_begin(&l, SG_LOG_ERROR, event);
    sg_log_text(&l, "code", sg_slice_str(sg_err_code(err)));
    sg_log_end(&l);
}
