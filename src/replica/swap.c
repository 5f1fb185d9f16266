#include "replica/swap.h"

#include "base/mem.h"
#include "replica/intern.h"
#include "replica/park.h"

#define SWAP_ROWS_MAX 10000 /* more than that wait in vain */
#define SWAP_ROUNDS 8       /* each leaves out the rows that another one, not waiting, keeps out */

typedef struct swap_row {
    sg_table *table;
    sg_slice key; /* in swap.arena */
    bool out;     /* it cannot be helped in this way */
} swap_row;

typedef struct swap {
    sg_apply *a;
    sg_arena arena;
    swap_row *rows;
    size_t count;
    size_t in; /* rows that are not out */
} swap;

static void set_key(sg_apply *a, const swap_row *row)
{
    sg_buf_clear(&a->key);
    sg_buf_slice(&a->key, row->key);
    a->r->applying_table = row->table;
    a->r->applying_key = row->key;
}

/* Rows of tables with triggers of the user's stay out: those would see values that never were. */
static void collect(swap *w, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(w->a->r, SG_STMT_PARKED_ALL, err);
    while (s != NULL && w->count < SWAP_ROWS_MAX && sg_sql_row(s, err)) {
        sg_table *t = sg_table_id(w->a->r, sg_sql_u32(s, 0, err));
        if (t == NULL || !t->active || t->missing || t->triggers) continue;
        swap_row *rows = sg_realloc(w->rows, (w->count + 1) * sizeof *rows);
        if (rows == NULL) {
            *err = SG_NOMEM;
            break;
        }
        w->rows = rows;
        w->rows[w->count++] =
            (swap_row){.table = t, .key = sg_arena_copy(&w->arena, sg_sql_blob(s, 1), err)};
        w->in++;
    }
    if (s != NULL) sqlite3_reset(s);
}

/* Something no other row has, of a type the column takes. */
static sg_value third_value(char affinity, char text[33])
{
    if (affinity != 'T' && affinity != 'B') {
        sg_value number = {.type = SG_INT};
        sqlite3_randomness(sizeof number.i, &number.i);
        return number;
    }
    unsigned char random[16];
    sqlite3_randomness(sizeof random, random);
    for (size_t i = 0; i < sizeof random; i++) {
        text[2 * i] = "0123456789abcdef"[random[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    return (sg_value){.type = SG_TEXT, .bytes = {text, 32}};
}

/* The row gives up the columns that it is to get new values for: for NULL, or where that is not
 * allowed for a third value. *made: it did, or has nothing to give up. */
static int give_up(sg_apply *a, const swap_row *row, bool *made)
{
    int err = SG_OK;
    sg_table *t = row->table;
    sg_row_value nulls[SG_COLUMNS_MAX], others[SG_COLUMNS_MAX];
    char texts[SG_COLUMNS_MAX][33];
    size_t count = 0;
    bool changed;
    set_key(a, row);
    sg_rec_load(a->r, &a->rec, t, row->key, &err);
    for (size_t c = 0; c < t->column_count && err == SG_OK; c++) {
        if (t->columns[c].key_part != 0) continue;
        uint32_t name = sg_column_name_id(a->r, &t->columns[c], &err);
        const sg_field *f = sg_record_find(&a->rec.record, name);
        if (f == NULL || !f->has_value) continue;
        nulls[count] = (sg_row_value){.column = (int)c, .value = {.type = SG_NULL}};
        others[count] = nulls[count];
        others[count].value = third_value(t->columns[c].affinity, texts[count]);
        count++;
    }
    if (err != SG_OK || count == 0) return err;
    err = sg_row_put(a->r, t, row->key, nulls, count, false, &changed);
    if (err == SG_CONFLICT) err = sg_row_put(a->r, t, row->key, others, count, false, &changed);
    *made = err == SG_OK;
    return err == SG_CONFLICT ? SG_OK : err;
}

/* True if all rows that are in were freed; those that were not are out now. */
static bool attempt(swap *w, int *err)
{
    bool all = true;
    for (size_t i = 0; i < w->count && *err == SG_OK; i++) {
        bool made = true;
        if (!w->rows[i].out) *err = give_up(w->a, &w->rows[i], &made);
        if (!made) w->rows[i].out = true;
        all = all && made;
        w->in -= !made;
    }
    for (size_t i = 0; i < w->count && *err == SG_OK; i++) {
        bool freed = false;
        if (w->rows[i].out) continue;
        set_key(w->a, &w->rows[i]);
        *err = sg_park_retry(w->a, w->rows[i].table, &freed);
        if (freed) continue;
        w->rows[i].out = true;
        all = false;
        w->in--;
    }
    return all;
}

int sg_swap(sg_apply *a)
{
    int err = SG_OK;
    swap w = {.a = a};
    sg_arena_init(&w.arena);
    collect(&w, &err);
    bool done = false;
    for (int round = 0; round < SWAP_ROUNDS && !done && w.in > 1 && err == SG_OK; round++) {
        sg_sql_exec(a->r->db, "SAVEPOINT sigla_swap", &err);
        done = attempt(&w, &err);
        if (!done) sg_sql_exec(a->r->db, "ROLLBACK TO sigla_swap", &err);
        sg_sql_exec(a->r->db, "RELEASE sigla_swap", &err);
    }
    sg_free(w.rows);
    sg_arena_deinit(&w.arena);
    return err;
}
