#include "meter.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "term.h"
#include "text.h"

#define QUIET_MS 400     /* work shorter than this shows nothing */
#define REDRAW_MS 100    /* at most ten times a second */
#define ESTIMATE_MS 1000 /* before that a rate says little */
#define LINE_BYTES 1024

int64_t sg_meter_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

void sg_meter_duration(sg_buf *out, int64_t seconds)
{
    if (seconds >= 2 * 86400) {
        sg_buf_int(out, seconds / 86400);
        sg_buf_str(out, " days");
    } else if (seconds >= 3600) {
        sg_buf_int(out, seconds / 3600);
        sg_buf_str(out, " h ");
        seconds %= 3600;
        sg_buf_int(out, seconds / 60);
        sg_buf_str(out, " min");
    } else if (seconds >= 60) {
        sg_buf_int(out, seconds / 60);
        sg_buf_str(out, " min ");
        sg_buf_int(out, seconds % 60);
        sg_buf_str(out, " s");
    } else {
        sg_buf_int(out, seconds);
        sg_buf_str(out, " s");
    }
}

void sg_meter_line(sg_buf *out, const char *doing, int64_t done, int64_t total, int64_t lately,
                   int64_t elapsed_ms)
{
    sg_buf_str(out, doing);
    sg_buf_str(out, "  ");
    sg_text_count(out, done);
    if (total > 0) {
        sg_buf_str(out, " of ");
        sg_text_count(out, total);
        sg_buf_str(out, " (");
        sg_buf_int(out, done >= total ? 100 : done * 100 / total);
        sg_buf_str(out, " %)");
    }
    if (elapsed_ms < ESTIMATE_MS || lately <= 0) return;
    sg_buf_str(out, "  ");
    sg_text_count(out, lately * 1000 / elapsed_ms);
    sg_buf_str(out, "/s");
    if (total <= done) return;
    sg_buf_str(out, "  ");
    sg_meter_duration(out, ((total - done) * elapsed_ms / lately + 999) / 1000);
    sg_buf_str(out, " left");
}

void sg_meter_begin(sg_meter *m)
{
    *m = (sg_meter){.began_ms = sg_meter_now_ms()};
}

static void draw(sg_meter *m, sg_slice text)
{
    sg_buf line;
    size_t width = sg_term_get()->err_width;
    sg_buf_init(&line, 2 * LINE_BYTES);
    sg_buf_str(&line, "\r\x1b[K");
    sg_text_fit(&line, text, width > 1 ? width - 1 : width);
    if (line.err == SG_OK) (void)fwrite(line.p, 1, line.n, stderr);
    sg_buf_deinit(&line);
    m->drawn_ms = sg_meter_now_ms();
}

void sg_meter_show(sg_meter *m, const char *doing, int64_t done, int64_t total)
{
    int64_t now = sg_meter_now_ms();
    if (m->doing == NULL || strcmp(m->doing, doing) != 0) {
        m->doing = doing;
        m->from = done;
        m->from_ms = now;
    }
    bool soon = m->drawn_ms != 0 ? now - m->drawn_ms < REDRAW_MS : now - m->began_ms < QUIET_MS;
    if (!sg_term_get()->err_live || soon) return;
    sg_buf line;
    sg_buf_init(&line, LINE_BYTES);
    sg_meter_line(&line, doing, done, total, done - m->from, now - m->from_ms);
    draw(m, sg_buf_view(&line));
    sg_buf_deinit(&line);
}

void sg_meter_note(sg_meter *m, const char *text)
{
    if (!sg_term_get()->err_live) return;
    sg_buf clean;
    sg_buf_init(&clean, 4 * LINE_BYTES);
    sg_text_clean(&clean, sg_slice_str(text));
    draw(m, sg_buf_view(&clean));
    sg_buf_deinit(&clean);
}

void sg_meter_clear(sg_meter *m)
{
    if (m->drawn_ms == 0) return;
    m->drawn_ms = 0;
    (void)fputs("\r\x1b[K", stderr);
    (void)fflush(stderr);
}
