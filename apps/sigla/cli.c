#include "cli.h"

#include <stdarg.h>
#include <string.h>

#include "term.h"
#include "text.h"

#define LINE_MAX_BYTES 8192 /* of one message */

/* A formatted line, its variable parts harmless on a terminal. */
static void say_to(FILE *to, const char *before, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES];
    (void)vsnprintf(line, sizeof line, format, args);
    sg_buf clean;
    sg_buf_init(&clean, 4 * sizeof line);
    sg_buf_str(&clean, before);
    sg_text_clean(&clean, sg_slice_str(line));
    sg_buf_byte(&clean, '\n');
    if (clean.err == SG_OK) (void)fwrite(clean.p, 1, clean.n, to);
    sg_buf_deinit(&clean);
}

int sg_fail(int exit_code, const char *format, ...)
{
    va_list args;
    (void)fflush(stdout);
    va_start(args, format);
    say_to(stderr, sg_term_get()->err_colour ? "\x1b[31msigla:\x1b[0m " : "sigla: ", format, args);
    va_end(args);
    return exit_code;
}

void sg_hint(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_to(stderr, "  ", format, args);
    va_end(args);
}

void sg_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_to(stdout, "", format, args);
    va_end(args);
}

void sg_out(sg_slice bytes)
{
    (void)fwrite(bytes.p, 1, bytes.n, stdout);
}

bool sg_out_flush(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

int sg_exit_of(int err)
{
    switch (err) {
    case SG_OK:
        return SG_EXIT_OK;
    case SG_NETWORK:
    case SG_TIMEOUT:
    case SG_RATE:
    case SG_SHUTDOWN:
        return SG_EXIT_NETWORK;
    case SG_UNAUTHORIZED:
    case SG_PAYMENT:
    case SG_FORBIDDEN:
    case SG_TOONEW:
        return SG_EXIT_REFUSED;
    case SG_CORRUPT:
    case SG_IO:
    case SG_FULL:
    case SG_BUSY:
    case SG_NOMEM:
        return SG_EXIT_DATABASE;
    default:
        return SG_EXIT_FAILED;
    }
}
