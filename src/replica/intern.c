#include "replica/intern.h"

#include "base/mem.h"
#include "replica/state.h"
#include "replica/transaction.h"

#define INTERN_MAX (1u << 24) /* ids; nothing is as large as a table of them */

void sg_intern_cache_clear(sg_intern_cache *t)
{
    for (uint32_t i = 0; i < t->cap; i++)
        sg_free(t->text[i]);
    sg_free(t->text);
    *t = (sg_intern_cache){0};
}

static int remember(sg_intern_cache *t, uint32_t id, sg_slice text)
{
    if (id >= INTERN_MAX) return SG_CORRUPT;
    if (id >= t->cap) {
        uint32_t cap = t->cap != 0 ? t->cap : 32;
        while (cap <= id)
            cap *= 2;
        char **bigger = sg_realloc(t->text, cap * sizeof *bigger);
        if (bigger == NULL) return SG_NOMEM;
        memset(bigger + t->cap, 0, (cap - t->cap) * sizeof *bigger);
        t->text = bigger;
        t->cap = cap;
    }
    t->text[id] = sg_strndup(text.p, text.n);
    return t->text[id] != NULL ? SG_OK : SG_NOMEM;
}

static sg_slice text_of(sg_replica *r, sg_intern_cache *t, enum sg_stmt get, uint32_t id, int *err)
{
    if (id < t->cap && t->text[id] != NULL) return sg_slice_str(t->text[id]);
    sqlite3_stmt *s = sg_replica_stmt(r, get, err);
    if (s == NULL) return sg_slice_of(NULL, 0);
    sqlite3_bind_int64(s, 1, id);
    if (!sg_sql_row(s, err)) {
        if (*err == SG_OK) *err = sg_replica_fail(r, SG_CORRUPT, "an interned text is missing");
        return sg_slice_of(NULL, 0);
    }
    *err = remember(t, id, sg_sql_text(s, 0));
    sqlite3_reset(s);
    return *err == SG_OK ? sg_slice_str(t->text[id]) : sg_slice_of(NULL, 0);
}

/* The one text that may change: sigla_init, on whatever connection, gives the user a name. */
static void check_self(sg_replica *r, int *err)
{
    sg_intern_cache *t = &r->actors;
    if (t->cap <= SG_ACTOR_SELF || t->text[SG_ACTOR_SELF] == NULL) return;
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_ACTOR_TEXT, err);
    if (s == NULL) return;
    sqlite3_bind_int64(s, 1, SG_ACTOR_SELF);
    if (!sg_sql_row(s, err)) return;
    bool same = sg_slice_eq(sg_sql_text(s, 0), sg_slice_str(t->text[SG_ACTOR_SELF]));
    sqlite3_reset(s);
    if (same) return;
    sg_free(t->text[SG_ACTOR_SELF]);
    t->text[SG_ACTOR_SELF] = NULL;
}

/* The last few are looked up again and again; a short scan from the newest finds them. */
static uint32_t cached(const sg_intern_cache *t, sg_slice text)
{
    uint32_t stop = t->cap > 64 ? t->cap - 64 : 0;
    for (uint32_t i = t->cap; i-- > stop;)
        if (t->text[i] != NULL && sg_slice_eq(sg_slice_str(t->text[i]), text)) return i;
    return 0;
}

static uint32_t find(sg_replica *r, enum sg_stmt get, sg_slice text, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, get, err);
    if (s == NULL) return 0;
    sg_sql_bind_text(s, 1, text);
    if (!sg_sql_row(s, err)) return 0;
    uint32_t id = sg_sql_u32(s, 0, err);
    sqlite3_reset(s);
    return id;
}

static uint32_t intern(sg_replica *r, sg_intern_cache *t, enum sg_stmt get, enum sg_stmt add,
                       sg_slice text, int origin, int *err)
{
    uint32_t id = cached(t, text);
    if (id != 0 || *err != SG_OK) return id;
    id = find(r, get, text, err);
    if (id == 0) {
        /* If it is undone the cache must hear of it. */
        if (*err == SG_OK) *err = sg_transaction_enlist(r);
        sqlite3_stmt *s = sg_replica_stmt(r, add, err);
        if (s == NULL) return 0;
        sg_sql_bind_text(s, 1, text);
        if (origin >= 0) sqlite3_bind_int(s, 2, origin);
        sg_sql_done(s, err);
        int64_t made = sqlite3_last_insert_rowid(r->db);
        if (*err == SG_OK && made >= INTERN_MAX)
            *err = sg_replica_fail(r, SG_LIMIT, "too many field names, clients or actors");
        id = *err == SG_OK ? (uint32_t)made : 0;
    }
    if (*err == SG_OK && (id >= t->cap || t->text[id] == NULL)) *err = remember(t, id, text);
    return *err == SG_OK ? id : 0;
}

uint32_t sg_intern_name(sg_replica *r, sg_slice name, int *err)
{
    return intern(r, &r->names, SG_STMT_NAME_ID, SG_STMT_NAME_ADD, name, -1, err);
}

uint32_t sg_intern_client(sg_replica *r, sg_slice client, int *err)
{
    return intern(r, &r->clients, SG_STMT_CLIENT_ID, SG_STMT_CLIENT_ADD, client, -1, err);
}

uint32_t sg_intern_actor(sg_replica *r, sg_slice json, enum sg_origin origin, int *err)
{
    return intern(r, &r->actors, SG_STMT_ACTOR_ID, SG_STMT_ACTOR_ADD, json, (int)origin, err);
}

sg_slice sg_name_text(sg_replica *r, uint32_t id, int *err)
{
    return text_of(r, &r->names, SG_STMT_NAME_TEXT, id, err);
}

sg_slice sg_client_text(sg_replica *r, uint32_t id, int *err)
{
    return text_of(r, &r->clients, SG_STMT_CLIENT_TEXT, id, err);
}

sg_slice sg_actor_text(sg_replica *r, uint32_t id, int *err)
{
    if (id == SG_ACTOR_SELF) check_self(r, err);
    return text_of(r, &r->actors, SG_STMT_ACTOR_TEXT, id, err);
}

enum sg_origin sg_actor_origin(sg_replica *r, uint32_t id, int *err)
{
    sqlite3_stmt *s = sg_replica_stmt(r, SG_STMT_ACTOR_ORIGIN, err);
    if (s == NULL) return SG_ORIGIN_SYSTEM;
    sqlite3_bind_int64(s, 1, id);
    if (!sg_sql_row(s, err)) return SG_ORIGIN_SYSTEM;
    int origin = sqlite3_column_int(s, 0);
    sqlite3_reset(s);
    return origin >= 0 && origin < SG_ORIGIN_SERVER_REPLAY ? (enum sg_origin)origin
                                                           : SG_ORIGIN_SYSTEM;
}

uint32_t sg_self_client(sg_replica *r, int *err)
{
    if (r->self_client == 0) {
        int64_t id = sg_state_int(r, "client", 0, err);
        r->self_client = id > 0 && id <= UINT32_MAX ? (uint32_t)id : 0;
    }
    if (r->self_client == 0 && *err == SG_OK)
        *err = sg_replica_fail(r, SG_CORRUPT, "the database has lost its client id");
    return r->self_client;
}
