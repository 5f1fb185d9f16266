#include "replica/state.h"

static sqlite3_stmt *lookup(sg_replica *r, const char *key, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_STATE_GET, err);
    if (s != NULL) sg_sql_bind_text(s, 1, sg_slice_str(key));
    return s;
}

int64_t sg_state_int(sg_replica *r, const char *key, int64_t otherwise, int *err)
{
    sqlite3_stmt *s = lookup(r, key, err);
    if (!sg_sql_row(s, err)) return otherwise;
    int64_t v = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return v;
}

bool sg_state_text(sg_replica *r, const char *key, sg_buf *out, int *err)
{
    sqlite3_stmt *s = lookup(r, key, err);
    if (!sg_sql_row(s, err)) return false;
    sg_buf_slice(out, sg_sql_text(s, 0));
    sqlite3_reset(s);
    if (*err == SG_OK) *err = out->err;
    return *err == SG_OK;
}

static void put_int(sg_replica *r, enum sg_stmt which, const char *key, int64_t v, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, which, err);
    if (s == NULL) return;
    sg_sql_bind_text(s, 1, sg_slice_str(key));
    sqlite3_bind_int64(s, 2, v);
    sg_sql_done(s, err);
}

void sg_state_set_int(sg_replica *r, const char *key, int64_t v, int *err)
{
    put_int(r, SG_STMT_STATE_SET, key, v, err);
}

void sg_state_raise_int(sg_replica *r, const char *key, int64_t v, int *err)
{
    put_int(r, SG_STMT_STATE_RAISE, key, v, err);
}

void sg_state_set_text(sg_replica *r, const char *key, sg_slice v, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_STATE_SET, err);
    if (s == NULL) return;
    sg_sql_bind_text(s, 1, sg_slice_str(key));
    sg_sql_bind_text(s, 2, v);
    sg_sql_done(s, err);
}

/* One statement, since every transaction with a write asks. */
sg_counters sg_counters_load(sg_replica *r, int *err)
{
    sg_counters c = {.next_n = 1};
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_COUNTERS, err);
    if (s == NULL || !sg_sql_row(s, err)) return c;
    if (sqlite3_column_type(s, 0) != SQLITE_NULL) c.next_n = sqlite3_column_int64(s, 0);
    c.clock.last_us = sqlite3_column_int64(s, 1);
    c.clock.offset_us = sqlite3_column_int64(s, 2);
    c.clock.seen_us = sqlite3_column_int64(s, 3);
    int64_t n = sqlite3_column_int64(s, 4), at_us = sqlite3_column_int64(s, 5);
    if (n > c.next_n) c.next_n = n;
    if (at_us > c.clock.last_us) c.clock.last_us = at_us;
    sqlite3_reset(s);
    int64_t offset_us = c.clock.offset_us;
    bool can_be = c.next_n > 0 && c.next_n <= SG_COUNTER_MAX && offset_us >= -SG_AT_MAX_US &&
                  offset_us <= SG_AT_MAX_US;
    if (!can_be && *err == SG_OK)
        *err = sg_replica_fail(r, SG_CORRUPT, "the counters of the database are damaged");
    return c;
}

void sg_counters_store(sg_replica *r, const sg_counters *c, int *err)
{
    sg_state_set_int(r, "next_n", c->next_n, err);
    sg_state_set_int(r, "hlc_us", c->clock.last_us, err);
    sg_state_set_int(r, "offset_us", c->clock.offset_us, err);
    sg_state_set_int(r, "seen_us", c->clock.seen_us, err);
}

void sg_uuid7(int64_t now_us, char out[37])
{
    uint8_t b[16];
    sqlite3_randomness(sizeof b, b);
    uint64_t ms = (uint64_t)now_us / 1000;
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
        out[at++] = "0123456789abcdef"[b[i] >> 4];
        out[at++] = "0123456789abcdef"[b[i] & 15];
    }
    out[at] = '\0';
}
