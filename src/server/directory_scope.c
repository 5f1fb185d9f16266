/* What a person reads and writes, as sync asks for it. */
#include "server/directory_row.h"

static int name_scope(sg_arena *arena, sg_slice space, sg_slice *name)
{
    char *text = sg_arena_alloc(arena, space.n + 2);
    if (text == NULL) return SG_NOMEM;
    memcpy(text, "s:", 2);
    if (space.n != 0) memcpy(text + 2, space.p, space.n);
    *name = sg_slice_of(text, space.n + 2);
    return SG_OK;
}

static bool is_member(int64_t joined_seq, int64_t left_seq)
{
    return joined_seq > left_seq;
}

int sg_directory_scopes(const sg_store *store, sg_view *view, sg_slice person, sg_arena *arena,
                        sg_scope **scopes, size_t *count)
{
    sg_directory d = {.store = store, .view = view, .arena = arena};
    sg_rows rows;
    *count = 0;
    int err =
        sg_rows_read(&d,
                     SG_SQL("SELECT m.space, m.role, m.joined_seq, m.left_seq "
                            "FROM member m WHERE m.person = $1 ORDER BY m.joined_seq LIMIT $2",
                            SG_T(person), SG_I(SG_SCOPES_MAX)),
                     &rows);
    if (err != SG_OK || rows.count == 0) return err;
    *scopes = sg_arena_alloc(arena, rows.count * sizeof **scopes);
    if (*scopes == NULL) return SG_NOMEM;
    for (size_t i = 0; i < rows.count && err == SG_OK; i++) {
        const sg_cell *c = &rows.cells[4 * i];
        sg_scope *s = &(*scopes)[i];
        *s = (sg_scope){.joined_seq = c[2].i, .left_seq = c[3].i};
        if (is_member(s->joined_seq, s->left_seq)) s->role = sg_role_of(c[1].s);
        err = name_scope(arena, c[0].s, &s->name);
    }
    *count = rows.count;
    return err;
}

int sg_directory_role(const sg_store *store, sg_view *view, sg_slice space, sg_slice person,
                      enum sg_role *role)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_directory d = {.store = store, .view = view, .arena = &arena};
    bool personal;
    *role = SG_ROLE_NONE;
    int err = sg_member_role(&d, space, person, role, &personal);
    sg_arena_deinit(&arena);
    return err == SG_NOTFOUND ? SG_OK : err;
}
