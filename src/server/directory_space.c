#include "server/directory_row.h"

static int fill(sg_directory *d, const sg_rows *rows, sg_space **spaces)
{
    *spaces = sg_arena_alloc(d->arena, (rows->count + 1) * sizeof **spaces);
    if (*spaces == NULL) return SG_NOMEM;
    for (size_t i = 0; i < rows->count; i++) {
        const sg_cell *c = &rows->cells[5 * i];
        (*spaces)[i] = (sg_space){c[0].s, c[1].s, c[2].s, c[3].i, sg_role_of(c[4].s)};
    }
    return SG_OK;
}

#define SELECT                                                                                     \
    "SELECT s.id, s.type, s.name, s.made_us, m.role FROM member m JOIN space s ON s.id = m.space " \
    "WHERE m.person = $1 AND m.joined_seq > m.left_seq"

int sg_space_list(sg_directory *d, sg_slice person, sg_space **spaces, size_t *count)
{
    sg_rows rows;
    *count = 0;
    int err = sg_rows_read(
        d, SG_SQL(SELECT " ORDER BY s.id LIMIT $2", SG_T(person), SG_I(SG_SPACES_MAX)), &rows);
    if (err == SG_OK) err = fill(d, &rows, spaces);
    if (err == SG_OK) *count = rows.count;
    return err;
}

int sg_space_get(sg_directory *d, sg_slice person, sg_slice id, sg_space *space)
{
    sg_rows rows;
    sg_space *found;
    int err = sg_rows_read(d, SG_SQL(SELECT " AND s.id = $2", SG_T(person), SG_T(id)), &rows);
    if (err == SG_OK && rows.count == 0) err = SG_NOTFOUND;
    if (err == SG_OK) err = fill(d, &rows, &found);
    if (err == SG_OK) *space = found[0];
    return err;
}

int sg_space_add(sg_directory *d, sg_slice person, sg_slice type, sg_slice name, sg_space *space)
{
    sg_person owner;
    int err = sg_person_get(d, person, &owner);
    *space = (sg_space){.type = type, .name = name, .made_us = d->now_us, .role = SG_ROLE_OWNER};
    if (err == SG_OK && sg_space_type_is_personal(type)) err = SG_CONFLICT;
    if (err == SG_OK) err = sg_id_new(d, &space->id);
    if (err == SG_OK)
        err = sg_row_write(d,
                           SG_SQL("INSERT INTO space(id, type, name, person, made_us, deleted_us) "
                                  "VALUES ($1, $2, $3, NULL, $4, 0)",
                                  SG_T(space->id), SG_T(type), SG_T(name), SG_I(d->now_us)),
                           NULL);
    return err == SG_OK ? sg_member_join(d, space->id, person, SG_ROLE_OWNER) : err;
}

int sg_space_change(sg_directory *d, sg_slice person, sg_slice id, sg_slice type, sg_slice name)
{
    sg_space now;
    int err = sg_space_get(d, person, id, &now);
    if (err != SG_OK) return err;
    if (!sg_role_renames(now.role)) return SG_FORBIDDEN;
    if (type.n == 0) type = now.type;
    if (name.n == 0) name = now.name;
    /* A personal space stays one, and no other becomes one. */
    if (sg_space_type_is_personal(type) != sg_space_type_is_personal(now.type)) return SG_CONFLICT;
    return sg_row_write(d,
                        SG_SQL("UPDATE space SET type = $1, name = $2 WHERE id = $3", SG_T(type),
                               SG_T(name), SG_T(id)),
                        NULL);
}

int sg_space_delete(sg_directory *d, sg_slice person, sg_slice id)
{
    enum sg_role role;
    bool personal;
    int err = sg_member_role(d, id, person, &role, &personal);
    if (err != SG_OK) return err;
    if (!sg_role_deletes(role)) return SG_FORBIDDEN;
    if (personal) return SG_CONFLICT;
    err = sg_row_write(
        d, SG_SQL("UPDATE space SET deleted_us = $1 WHERE id = $2", SG_I(d->now_us), SG_T(id)),
        NULL);
    if (err == SG_OK)
        err = sg_row_write(d,
                           SG_SQL("UPDATE member SET left_seq = $1 "
                                  "WHERE space = $2 AND joined_seq > left_seq",
                                  SG_I(sg_seq_take(d)), SG_T(id)),
                           NULL);
    if (err == SG_OK)
        err = sg_row_write(d, SG_SQL("DELETE FROM invite WHERE space = $1", SG_T(id)), NULL);
    return err;
}
