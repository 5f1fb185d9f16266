#include "grid.h"

#include "base/mem.h"
#include "text.h"

#define LEAST 6         /* columns a cell is never cut below, unless records go down the page */
#define LEAST_KEPT 16   /* a time to the minute */
#define CELL_BYTES 4096 /* of a cell that is going to be cut anyway */

const char *sg_style_on(enum sg_style style)
{
    static const char *const on[] = {
        [SG_PLAIN] = "",       [SG_BOLD] = "\x1b[1m",   [SG_DIM] = "\x1b[2m",
        [SG_RED] = "\x1b[31m", [SG_GREEN] = "\x1b[32m", [SG_YELLOW] = "\x1b[33m",
        [SG_CYAN] = "\x1b[36m"};
    return on[style];
}

void sg_grid_init(sg_grid *g, const sg_grid_column *columns, size_t n, size_t width, bool colour,
                  sg_grid_write *write, void *ctx)
{
    *g = (sg_grid){
        .columns = columns, .n = n, .width = width, .colour = colour, .write = write, .ctx = ctx};
    sg_buf_init(&g->cells, SG_GRID_BYTES);
    sg_buf_init(&g->line, SG_GRID_BYTES);
    g->ends = sg_alloc(SG_GRID_SAMPLE * n * sizeof *g->ends);
    g->widths = sg_zalloc(n * sizeof *g->widths);
    if (g->ends == NULL || g->widths == NULL) g->err = SG_NOMEM;
}

static sg_slice cell_at(const sg_grid *g, size_t i)
{
    size_t from = i != 0 ? g->ends[i - 1] : 0;
    size_t n = g->ends[i] - from;
    return n != 0 ? sg_slice_of(g->cells.p + from, n) : SG_LIT("");
}

/* ---- widths ---- */

static size_t title_width(const sg_grid *g, size_t column)
{
    return sg_text_width(sg_slice_str(g->columns[column].title));
}

static void measure(sg_grid *g)
{
    for (size_t c = 0; c < g->n; c++)
        g->widths[c] = title_width(g, c);
    for (size_t i = 0; i < g->ends_n; i++) {
        size_t w = sg_text_width(cell_at(g, i));
        if (w > g->widths[i % g->n]) g->widths[i % g->n] = w;
    }
}

/* First the columns that are to be kept stay whole and the others give way; if that is not enough,
 * the others have given all they can and those kept give way too. */
enum squeeze { OTHERS_GIVE, KEPT_GIVE };

/* What column c gets when no column that gives way may be wider than `cap`. */
static size_t capped(const sg_grid *g, size_t c, size_t cap, enum squeeze who)
{
    bool keep = g->columns[c].keep;
    size_t natural = g->widths[c], least = keep ? LEAST_KEPT : LEAST;
    if (natural < least) least = natural;
    if (keep && who == OTHERS_GIVE) return natural;
    if (!keep && who == KEPT_GIVE) return least;
    if (natural <= cap) return natural;
    return cap > least ? cap : least;
}

static size_t total(const sg_grid *g, size_t cap, enum squeeze who)
{
    size_t sum = (g->n - 1) * SG_GRID_GAP;
    for (size_t c = 0; c < g->n; c++)
        sum += capped(g, c, cap, who);
    return sum;
}

/* Lower the widest columns to one height, and hand out what that leaves over from the left. */
static bool shrink(sg_grid *g, enum squeeze who)
{
    if (total(g, 0, who) > g->width) return false;
    size_t cap = g->width;
    while (total(g, cap, who) > g->width)
        cap--;
    size_t spare = g->width - total(g, cap, who);
    for (size_t c = 0; c < g->n; c++) {
        size_t w = capped(g, c, cap, who);
        if (w < g->widths[c] && spare != 0) {
            w++;
            spare--;
        }
        g->widths[c] = w;
    }
    return true;
}

/* Rows after the sample may be longer: the last column, never padded, has the rest of the line. */
static void widen_last(sg_grid *g)
{
    size_t others = (g->n - 1) * SG_GRID_GAP;
    for (size_t c = 0; c + 1 < g->n; c++)
        others += g->widths[c];
    if (!g->columns[g->n - 1].right && g->width > others) g->widths[g->n - 1] = g->width - others;
}

static void decide(sg_grid *g)
{
    g->decided = true;
    measure(g);
    if (g->width != 0) {
        g->down = !shrink(g, OTHERS_GIVE) && !shrink(g, KEPT_GIVE);
        if (!g->down) widen_last(g);
        return;
    }
    for (size_t c = 0; c < g->n; c++)
        if (g->widths[c] > SG_GRID_PAD_MAX) g->widths[c] = SG_GRID_PAD_MAX;
}

/* ---- writing ---- */

static void pad(sg_grid *g, size_t n)
{
    while (n-- > 0)
        sg_buf_byte(&g->line, ' ');
}

static void put_styled(sg_grid *g, sg_slice text, enum sg_style style)
{
    bool on = g->colour && style != SG_PLAIN && text.n != 0;
    if (on) sg_buf_str(&g->line, sg_style_on(style));
    sg_buf_slice(&g->line, text);
    if (on) sg_buf_str(&g->line, SG_STYLE_OFF);
}

/* Text, cut to `room` columns if that is not 0, and padded to `width` unless it ends the line. */
static void put_cell(sg_grid *g, sg_slice text, size_t room, size_t width, bool right, bool last,
                     enum sg_style style)
{
    sg_buf fit;
    sg_buf_init(&fit, SG_GRID_BYTES);
    size_t used = sg_text_fit(&fit, text, room != 0 ? room : SIZE_MAX);
    size_t blanks = used < width ? width - used : 0;
    if (right) pad(g, blanks);
    put_styled(g, sg_buf_view(&fit), style);
    if (!right && !last) pad(g, blanks);
    if (!last) pad(g, SG_GRID_GAP);
    if (fit.err != SG_OK && g->err == SG_OK) g->err = fit.err;
    sg_buf_deinit(&fit);
}

static void flush_line(sg_grid *g)
{
    sg_buf_byte(&g->line, '\n');
    if (g->line.err != SG_OK && g->err == SG_OK) g->err = g->line.err;
    if (g->err == SG_OK) g->write(g->ctx, sg_buf_view(&g->line));
    sg_buf_clear(&g->line);
}

static void write_titles(sg_grid *g)
{
    for (size_t c = 0; c < g->n; c++)
        put_cell(g, sg_slice_str(g->columns[c].title), g->width != 0 ? g->widths[c] : 0,
                 g->widths[c], g->columns[c].right, c + 1 == g->n, SG_BOLD);
    flush_line(g);
}

static void write_across(sg_grid *g, size_t row)
{
    for (size_t c = 0; c < g->n; c++)
        put_cell(g, cell_at(g, row * g->n + c), g->width != 0 ? g->widths[c] : 0, g->widths[c],
                 g->columns[c].right, c + 1 == g->n, g->columns[c].style);
    flush_line(g);
}

static void write_down(sg_grid *g, size_t row, bool first)
{
    size_t names = 0;
    for (size_t c = 0; c < g->n; c++)
        if (title_width(g, c) > names) names = title_width(g, c);
    size_t room = g->width > names + SG_GRID_GAP + LEAST ? g->width - names - SG_GRID_GAP : 0;
    if (!first) flush_line(g);
    for (size_t c = 0; c < g->n; c++) {
        put_cell(g, sg_slice_str(g->columns[c].title), 0, names, false, false, SG_BOLD);
        put_cell(g, cell_at(g, row * g->n + c), room, 0, false, true, g->columns[c].style);
        flush_line(g);
    }
}

static void write_held(sg_grid *g)
{
    bool first = !g->decided;
    if (first) decide(g);
    if (first && !g->down) write_titles(g);
    size_t rows = g->ends_n / g->n;
    for (size_t r = 0; r < rows; r++) {
        if (g->down)
            write_down(g, r, first && r == 0);
        else
            write_across(g, r);
    }
    sg_buf_clear(&g->cells);
    g->ends_n = 0;
}

void sg_grid_cell(sg_grid *g, sg_slice text)
{
    if (g->err != SG_OK) return;
    /* A cut cell needs no more than its beginning: what is past it is never seen. */
    if (g->width != 0 && text.n > CELL_BYTES) text.n = CELL_BYTES;
    sg_text_clean(&g->cells, text);
    if (g->cells.err != SG_OK) {
        g->err = g->cells.err;
        return;
    }
    g->ends[g->ends_n++] = g->cells.n;
    if (g->ends_n % g->n != 0) return;
    g->rows++;
    if (g->decided || g->rows == SG_GRID_SAMPLE || g->cells.n > SG_GRID_SAMPLE_BYTES) write_held(g);
}

int sg_grid_end(sg_grid *g)
{
    if (g->err == SG_OK && g->rows != 0 && (g->ends_n != 0 || !g->decided)) write_held(g);
    sg_free(g->ends);
    sg_free(g->widths);
    sg_buf_deinit(&g->cells);
    sg_buf_deinit(&g->line);
    g->ends = g->widths = NULL;
    return g->err;
}
