#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "grid.h"
#include "term.h"
#include "text.h"
#include "wire/json.h"

#define DETAIL_BYTES 2048

static const char *const names[] = {[SG_FINE] = "ok", [SG_NOTE] = "note", [SG_PROBLEM] = "problem"};

void sg_findings_begin(sg_findings *f, const char *path, bool json)
{
    *f = (sg_findings){.path = path, .json = json};
}

static void say(const char *check, enum sg_finding_state state, const char *fix, const char *detail)
{
    static const enum sg_style styles[] = {
        [SG_FINE] = SG_GREEN, [SG_NOTE] = SG_YELLOW, [SG_PROBLEM] = SG_RED};
    bool colour = sg_term_get()->out_colour;
    printf("%s%-8s%s", colour ? sg_style_on(styles[state]) : "", names[state],
           colour ? SG_STYLE_OFF : "");
    sg_say("%-10s %s", check, detail);
    if (fix != NULL && state != SG_FINE) sg_say("%19s%s", "", fix);
}

static void write_json(const sg_findings *f, const char *check, enum sg_finding_state state,
                       const char *fix, const char *detail)
{
    sg_buf line, clean;
    sg_jsonw w;
    sg_buf_init(&line, 256 * DETAIL_BYTES);
    sg_buf_init(&clean, 4 * DETAIL_BYTES);
    sg_text_clean(&clean, sg_slice_str(detail)); /* names in it may be any bytes */
    sg_buf_str(&line, f->count == 0 ? "[\n" : ",\n");
    sg_jsonw_init(&w, &line);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "check", sg_slice_str(check));
    sg_jsonw_kstr(&w, "state", sg_slice_str(names[state]));
    sg_jsonw_kstr(&w, "detail", sg_buf_view(&clean));
    if (fix != NULL && state != SG_FINE)
        sg_jsonw_kstr(&w, "fix", sg_slice_str(fix));
    else
        sg_jsonw_kraw(&w, "fix", SG_LIT("null"));
    sg_jsonw_object_end(&w);
    if (line.err == SG_OK) sg_out(sg_buf_view(&line));
    sg_buf_deinit(&line);
    sg_buf_deinit(&clean);
}

/* The fix with FILE replaced, so that it can be run as it stands. */
static const char *name_file(const sg_findings *f, const char *fix, sg_buf *scratch)
{
    for (const char *file; (file = strstr(fix, "FILE")) != NULL; fix = file + 4) {
        sg_buf_put(scratch, fix, (size_t)(file - fix));
        sg_text_clean(scratch, sg_slice_str(f->path));
    }
    sg_buf_str(scratch, fix);
    return sg_buf_cstr(scratch);
}

void sg_findings_add(sg_findings *f, const char *check, enum sg_finding_state state,
                     const char *fix, const char *format, ...)
{
    char detail[DETAIL_BYTES];
    sg_buf scratch;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    sg_buf_init(&scratch, 64 * DETAIL_BYTES);
    if (fix != NULL) fix = name_file(f, fix, &scratch);
    if (f->json)
        write_json(f, check, state, fix, detail);
    else
        say(check, state, fix, detail);
    sg_buf_deinit(&scratch);
    f->count++;
    f->problems += state == SG_PROBLEM;
}

void sg_findings_end(sg_findings *f)
{
    if (f->json)
        sg_out(SG_LIT("\n]\n"));
    else if (f->problems != 0)
        sg_say("%d problem%s", f->problems, f->problems == 1 ? "" : "s");
}
