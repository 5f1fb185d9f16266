#include "replica/scan.h"

#include "replica/intern.h"
#include "replica/key.h"
#include "replica/sums.h"
#include "wire/value_hash.h"

#define SCAN_BYTES_MAX ((size_t)1 << 30)

void sg_scan_begin(sg_scan *s, sg_replica *r, sg_table *t)
{
    *s = (sg_scan){.r = r, .table = t, .table_id = t->id};
    sg_buf_init(&s->key, SG_KEY_MAX * 4);
    sg_record_init(&s->record);
    sg_buf_init(&s->scratch, SCAN_BYTES_MAX);
    sg_buf_init(&s->json, SCAN_BYTES_MAX);
    sg_buf_init(&s->id, SG_KEY_MAX * 8);
}

void sg_scan_end(sg_scan *s)
{
    sg_buf_deinit(&s->key);
    sg_record_deinit(&s->record);
    sg_buf_deinit(&s->scratch);
    sg_buf_deinit(&s->json);
    sg_buf_deinit(&s->id);
}

/* As a push would send it. */
static uint64_t column_hash(sg_scan *s, sqlite3_stmt *row, int column)
{
    sg_value v = sg_sql_value(sqlite3_column_value(row, column));
    if (!s->table->columns[column].json) return sg_value_hash(&v, &s->scratch);
    sg_buf_clear(&s->json);
    sg_value_to_json(&s->json, &v, true);
    return sg_value_hash_json(sg_buf_view(&s->json), &s->scratch);
}

static void add_value(sg_scan *s, uint64_t start, const sg_field *f, sqlite3_stmt *row, int *err)
{
    int column = f->has_value ? -1 : sg_table_column(s->r, s->table, f->name, err);
    bool shown = column >= 0 && s->table->columns[column].key_part == 0;
    if (!f->has_value && !shown) {
        s->valueless++;
        return;
    }
    if (!f->has_value && row == NULL) return;
    sg_buf_clear(&s->scratch);
    uint64_t h =
        f->has_value ? sg_value_hash_json(f->value, &s->scratch) : column_hash(s, row, column);
    s->sum.values += sg_sum_value(start, sg_name_text(s->r, f->name, err), h);
    if (*err == SG_OK) *err = s->scratch.err != SG_OK ? s->scratch.err : s->json.err;
}

static void add_values(sg_scan *s, uint64_t start, sg_slice key, int *err)
{
    sqlite3_stmt *row = sg_table_row(s->r, s->table, key, err);
    if (row == NULL) return;
    bool here = sg_sql_row(row, err);
    s->missing += !here;
    for (size_t i = 0; i < s->record.count && *err == SG_OK; i++)
        add_value(s, start, &s->record.fields[i], here ? row : NULL, err);
    if (here) sqlite3_reset(row);
}

/* A row of a dead record has no business here: the sum of values says so. */
static void add_dead(sg_scan *s, sg_slice key, int *err)
{
    sqlite3_stmt *row = s->marks_only ? NULL : sg_table_row(s->r, s->table, key, err);
    if (row == NULL || !sg_sql_row(row, err)) return;
    sqlite3_reset(row);
    s->undead++;
    uint64_t start = sg_sum_start(sg_slice_str(s->table->wire), key);
    s->sum.values += sg_sum_value(start, SG_LIT(""), 0);
}

static void add_record(sg_scan *s, sg_slice key, sg_slice packed, int *err)
{
    sg_sums_ctx ctx = {.r = s->r};
    const sg_summer summer = sg_sums_of_marks(&ctx);
    sg_record_clear(&s->record);
    sg_buf_clear(&s->id);
    int rc = sg_record_unpack(&s->record, packed);
    if (rc == SG_OK && s->record.dead) {
        add_dead(s, key, err);
        return;
    }
    if (rc == SG_OK) rc = sg_key_to_id(s->table, key, &s->id);
    uint64_t start = sg_sum_start(sg_slice_str(s->table->wire), sg_buf_view(&s->id));
    sg_sum sum = {0};
    if (rc == SG_OK) sg_sum_change(&sum, &summer, start, NULL, &s->record);
    if (rc == SG_OK) rc = ctx.err;
    if (rc == SG_NOMEM || rc == SG_BUSY || rc == SG_IO) *err = rc;
    s->damaged += rc != SG_OK;
    if (rc != SG_OK) return;
    sg_sum_add(&s->sum, &sum);
    if (!s->marks_only) add_values(s, start, key, err);
}

bool sg_scan_some(sg_scan *s, int64_t most, int *err)
{
    s->rows = 0;
    sqlite3_stmt *range = sg_replica_stmt(s->r, SG_STMT_REC_RANGE, err);
    if (range == NULL) return false;
    sqlite3_bind_int64(range, 1, s->table->id);
    sg_sql_bind_blob(range, 2, sg_buf_view(&s->key));
    sqlite3_bind_int64(range, 3, most);
    while (sg_sql_row(range, err)) {
        s->rows++;
        sg_slice key = sg_sql_blob(range, 0);
        sg_buf_clear(&s->key);
        sg_buf_slice(&s->key, key);
        add_record(s, key, sg_sql_blob(range, 1), err);
        if (*err == SG_OK) *err = s->key.err;
        if (*err != SG_OK) break;
    }
    sqlite3_reset(range);
    return *err == SG_OK && s->rows < most;
}

/* A key of which a part is NULL is no identity: such a row stays local. */
int64_t sg_scan_unmarked(sg_scan *s, int *err)
{
    const sg_table *t = s->table;
    sqlite3_stmt *count = NULL;
    sg_buf sql;
    sg_buf_init(&sql, 1 << 20);
    sg_buf_str(&sql, "SELECT count(*) FROM main.");
    sg_sql_ident(&sql, t->name);
    for (size_t i = 0; i < t->key_count; i++) {
        sg_buf_str(&sql, i == 0 ? " WHERE " : " AND ");
        sg_sql_ident(&sql, t->columns[t->key[i]].name);
        sg_buf_str(&sql, " NOT NULL");
    }
    const char *text = sg_buf_cstr(&sql);
    if (*err == SG_OK) *err = sql.err;
    sg_sql_prepare(s->r->db, &count, text, err);
    int64_t rows = sg_sql_row(count, err) ? sqlite3_column_int64(count, 0) : 0;
    sqlite3_finalize(count);
    sg_buf_deinit(&sql);
    return rows - (s->sum.records - s->missing) - s->undead;
}
