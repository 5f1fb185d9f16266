#include "server/directory_row.h"

#include "server/keys.h"

typedef struct collecting {
    sg_arena *arena;
    sg_rows *rows;
    size_t cap; /* cells */
    int err;
} collecting;

static sg_cell *room_for(collecting *c, size_t n)
{
    size_t used = c->rows->count * n;
    if (used + n <= c->cap) return c->rows->cells + used;
    size_t cap = c->cap != 0 ? 2 * c->cap : 4 * n;
    sg_cell *cells = sg_arena_alloc(c->arena, cap * sizeof *cells);
    if (cells == NULL) {
        c->err = SG_NOMEM;
        return NULL;
    }
    if (used != 0) memcpy(cells, c->rows->cells, used * sizeof *cells);
    c->rows->cells = cells;
    c->cap = cap;
    return cells + used;
}

static bool collect(void *ctx, const sg_cell *row, size_t n)
{
    collecting *c = ctx;
    sg_cell *to = room_for(c, n);
    if (to == NULL) return false;
    for (size_t i = 0; i < n; i++) {
        to[i] = row[i];
        to[i].s = sg_arena_copy(c->arena, row[i].s, &c->err);
    }
    c->rows->count++;
    return c->err == SG_OK;
}

int sg_rows_read(sg_directory *d, const sg_sql *sql, sg_rows *rows)
{
    collecting c = {d->arena, rows, 0, SG_OK};
    *rows = (sg_rows){NULL, 0};
    int err = d->store->ops->query(d->view, sql, collect, &c);
    return err != SG_OK ? err : c.err;
}

int sg_row_read(sg_directory *d, const sg_sql *sql, const sg_cell **row)
{
    sg_rows rows;
    int err = sg_rows_read(d, sql, &rows);
    *row = rows.cells;
    if (err != SG_OK) return err;
    return rows.count != 0 ? SG_OK : SG_NOTFOUND;
}

int sg_row_int(sg_directory *d, const sg_sql *sql, int64_t *v)
{
    const sg_cell *row;
    int err = sg_row_read(d, sql, &row);
    if (err == SG_OK) *v = row[0].i;
    return err;
}

int sg_row_write(sg_directory *d, const sg_sql *sql, sg_rows *rows)
{
    sg_rows none = {NULL, 0};
    collecting c = {d->arena, rows != NULL ? rows : &none, 0, SG_OK};
    if (rows != NULL) *rows = none;
    int err = d->store->ops->execute(d->writer, sql, collect, &c);
    return err != SG_OK ? err : c.err;
}

int64_t sg_seq_take(sg_directory *d)
{
    return ++d->newest->seq;
}

/* RFC 9562: 48 bits of milliseconds, then what nobody can guess. */
int sg_id_new(sg_directory *d, sg_slice *id)
{
    uint8_t b[16];
    char *text = sg_arena_alloc(d->arena, SG_ID_TEXT);
    int err = text != NULL ? sg_random(b, sizeof b) : SG_NOMEM;
    if (err != SG_OK) return err;
    uint64_t ms = (uint64_t)d->now_us / 1000;
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
        text[at++] = "0123456789abcdef"[b[i] >> 4];
        text[at++] = "0123456789abcdef"[b[i] & 15];
    }
    *id = sg_slice_of(text, SG_ID_TEXT);
    return SG_OK;
}
