#include "server/directory_row.h"

#define DEAD_KEPT_US (INT64_C(86400) * 1000000) /* a revoked session, for those who ask why */

#define LIVE "revoked_us = 0 AND used_us > "

static sg_session session_of(const sg_cell *c)
{
    return (sg_session){c[0].s, c[1].s, c[2].s, c[3].i, c[4].i};
}
#define COLUMNS "id, person, device, made_us, used_us"
enum { COLUMN_COUNT = 5 };

static int64_t idle_since(const sg_directory *d)
{
    return d->now_us - SG_SESSION_IDLE_US;
}

/* What has ended goes, and where there would be too many the one unused for longest. */
static int make_room(sg_directory *d, sg_slice person, sg_rows *ended)
{
    int err =
        sg_row_write(d,
                     SG_SQL("DELETE FROM session WHERE person = $1 AND "
                            "(used_us <= $2 OR (revoked_us > 0 AND revoked_us < $3))",
                            SG_T(person), SG_I(idle_since(d)), SG_I(d->now_us - DEAD_KEPT_US)),
                     NULL);
    if (err != SG_OK) return err;
    return sg_row_write(d,
                        SG_SQL("UPDATE session SET revoked_us = $1 WHERE id IN "
                               "(SELECT id FROM session WHERE person = $2 AND revoked_us = 0 "
                               "ORDER BY used_us DESC, id DESC LIMIT $3 OFFSET $4) RETURNING id",
                               SG_I(d->now_us), SG_T(person), SG_I(SG_SESSIONS_MAX),
                               SG_I(SG_SESSIONS_MAX - 1)),
                        ended);
}

static int ids_of(sg_directory *d, const sg_rows *rows, sg_slice **ids, size_t *count)
{
    *ids = sg_arena_alloc(d->arena, (rows->count + 1) * sizeof **ids);
    if (*ids == NULL) return SG_NOMEM;
    for (size_t i = 0; i < rows->count; i++)
        (*ids)[i] = rows->cells[i].s;
    *count = rows->count;
    return SG_OK;
}

int sg_session_add(sg_directory *d, sg_slice person, sg_slice device, const sg_refresh *first,
                   sg_slice *id, sg_slice **ended, size_t *ended_count)
{
    sg_rows rows;
    int err = make_room(d, person, &rows);
    if (err == SG_OK) err = ids_of(d, &rows, ended, ended_count);
    if (err == SG_OK) err = sg_id_new(d, id);
    if (err != SG_OK) return err;
    return sg_row_write(d,
                        SG_SQL("INSERT INTO session(" COLUMNS ", revoked_us, family, newest, used) "
                               "VALUES ($1, $2, $3, $4, $4, 0, $5, $6, $7)",
                               SG_T(*id), SG_T(person), SG_T(device), SG_I(d->now_us),
                               sg_digest_cell(first->family), sg_digest_cell(first->secret),
                               sg_cell_blob(SG_LIT(""))),
                        NULL);
}

/* ---- refresh tokens ---- */

static bool holds(sg_slice digests, const uint8_t digest[SG_DIGEST_BYTES])
{
    for (size_t at = 0; at + SG_DIGEST_BYTES <= digests.n; at += SG_DIGEST_BYTES)
        if (memcmp(digests.p + at, digest, SG_DIGEST_BYTES) == 0) return true;
    return false;
}

/* The newest digests that are kept when one more is given for the same token, itself among them. */
static sg_slice with_twin(sg_slice newest, const uint8_t next[SG_DIGEST_BYTES],
                          char out[SG_TWINS_MAX * SG_DIGEST_BYTES])
{
    size_t most = (SG_TWINS_MAX - 1) * (size_t)SG_DIGEST_BYTES;
    size_t keep = newest.n < most ? newest.n : most;
    if (keep != 0) memcpy(out, newest.p + (newest.n - keep), keep);
    memcpy(out + keep, next, SG_DIGEST_BYTES);
    return sg_slice_of(out, keep + SG_DIGEST_BYTES);
}

static int give(sg_directory *d, sg_slice id, sg_slice newest, sg_slice used)
{
    return sg_row_write(
        d,
        SG_SQL("UPDATE session SET newest = $1, used = $2, used_us = $3 WHERE id = $4",
               sg_cell_blob(newest), sg_cell_blob(used), SG_I(d->now_us), SG_T(id)),
        NULL);
}

static int revoke(sg_directory *d, sg_slice id)
{
    return sg_row_write(
        d, SG_SQL("UPDATE session SET revoked_us = $1 WHERE id = $2", SG_I(d->now_us), SG_T(id)),
        NULL);
}

int sg_session_refresh(sg_directory *d, const sg_refresh *shown,
                       const uint8_t next[SG_DIGEST_BYTES], sg_session *s,
                       enum sg_refreshed *outcome)
{
    const sg_cell *row;
    char twins[SG_TWINS_MAX * SG_DIGEST_BYTES];
    *outcome = SG_REFRESH_UNKNOWN;
    int err = sg_row_read(d,
                          SG_SQL("SELECT s.id, s.person, s.device, s.made_us, s.used_us, s.newest, "
                                 "s.used FROM session s JOIN person p ON p.id = s.person "
                                 "WHERE s.family = $1 AND s.revoked_us = 0 AND s.used_us > $2 "
                                 "AND p.disabled_us = 0",
                                 sg_digest_cell(shown->family), SG_I(idle_since(d))),
                          &row);
    if (err == SG_NOTFOUND) return SG_OK;
    if (err != SG_OK) return err;
    *s = session_of(row);
    sg_slice newest = row[COLUMN_COUNT].s, used = row[COLUMN_COUNT + 1].s;
    *outcome = SG_REFRESH_GIVEN;
    if (holds(newest, shown->secret)) {
        /* It is used now, and its twins are void. */
        return give(d, s->id, sg_slice_of((const char *)next, SG_DIGEST_BYTES),
                    sg_slice_of((const char *)shown->secret, SG_DIGEST_BYTES));
    }
    if (holds(used, shown->secret)) return give(d, s->id, with_twin(newest, next, twins), used);
    *outcome = SG_REFRESH_REUSED;
    return revoke(d, s->id);
}

/* ---- revoking and listing ---- */

int sg_session_get(sg_directory *d, sg_slice person, sg_slice id, sg_session *s)
{
    const sg_cell *row;
    int err = sg_row_read(d,
                          SG_SQL("SELECT " COLUMNS " FROM session WHERE id = $1 AND person = $2 "
                                 "AND " LIVE "$3",
                                 SG_T(id), SG_T(person), SG_I(idle_since(d))),
                          &row);
    if (err == SG_OK) *s = session_of(row);
    return err;
}

int sg_session_revoke(sg_directory *d, sg_slice person, sg_slice id)
{
    sg_session s;
    int err = sg_session_get(d, person, id, &s);
    return err == SG_OK ? revoke(d, s.id) : err;
}

int sg_session_revoke_others(sg_directory *d, sg_slice person, sg_slice but, sg_slice **ids,
                             size_t *count)
{
    sg_rows rows;
    *count = 0;
    int err = sg_row_write(d,
                           SG_SQL("UPDATE session SET revoked_us = $1 "
                                  "WHERE person = $2 AND revoked_us = 0 AND id <> $3 RETURNING id",
                                  SG_I(d->now_us), SG_T(person), SG_T(but)),
                           &rows);
    return err == SG_OK ? ids_of(d, &rows, ids, count) : err;
}

int sg_session_revoked_since(sg_directory *d, int64_t since_us, sg_slice **ids, size_t *count)
{
    sg_rows rows;
    *count = 0;
    int err = sg_rows_read(
        d,
        SG_SQL("SELECT id FROM session WHERE revoked_us > 0 AND revoked_us > $1", SG_I(since_us)),
        &rows);
    return err == SG_OK ? ids_of(d, &rows, ids, count) : err;
}

int sg_session_list(sg_directory *d, sg_slice person, sg_session **sessions, size_t *count)
{
    sg_rows rows;
    *count = 0;
    int err = sg_rows_read(d,
                           SG_SQL("SELECT " COLUMNS " FROM session WHERE person = $1 AND " LIVE
                                  "$2 ORDER BY id LIMIT $3",
                                  SG_T(person), SG_I(idle_since(d)), SG_I(SG_SESSIONS_MAX)),
                           &rows);
    if (err != SG_OK) return err;
    *sessions = sg_arena_alloc(d->arena, (rows.count + 1) * sizeof **sessions);
    if (*sessions == NULL) return SG_NOMEM;
    for (size_t i = 0; i < rows.count; i++)
        (*sessions)[i] = session_of(&rows.cells[COLUMN_COUNT * i]);
    *count = rows.count;
    return SG_OK;
}
