#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80

static size_t width_of(int fd)
{
    struct winsize size;
    if (!isatty(fd)) return 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) return size.ws_col;
    return DEFAULT_WIDTH;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

const sg_term *sg_term_get(void)
{
    static sg_term term;
    static bool known;
    if (known) return &term;
    known = true;
    const char *kind = getenv("TERM");
    bool dumb = kind == NULL || strcmp(kind, "dumb") == 0;
    bool colour = !dumb && !is_set("NO_COLOR");
    term.out_width = width_of(STDOUT_FILENO);
    term.err_width = width_of(STDERR_FILENO);
    term.out_colour = colour && term.out_width != 0;
    term.err_colour = colour && term.err_width != 0;
    term.err_live = !dumb && term.err_width != 0;
    return &term;
}
