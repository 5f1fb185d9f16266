#include "server/directory_row.h"

int sg_member_role(sg_directory *d, sg_slice space, sg_slice person, enum sg_role *role,
                   bool *personal)
{
    const sg_cell *row;
    int err = sg_row_read(d,
                          SG_SQL("SELECT m.role, s.type FROM member m JOIN space s "
                                 "ON s.id = m.space WHERE m.space = $1 AND m.person = $2 "
                                 "AND m.joined_seq > m.left_seq",
                                 SG_T(space), SG_T(person)),
                          &row);
    if (err != SG_OK) return err;
    *role = sg_role_of(row[0].s);
    *personal = sg_space_type_is_personal(row[1].s);
    return SG_OK;
}

/* What was left counts as well: replicas are told of it as long as they may hold something of it. */
static int check_limits(sg_directory *d, sg_slice space, sg_slice person)
{
    int64_t others = 0, members = 0;
    int err = sg_row_int(d,
                         SG_SQL("SELECT count(*) FROM member WHERE person = $1 AND space <> $2",
                                SG_T(person), SG_T(space)),
                         &others);
    if (err == SG_OK)
        err = sg_row_int(d,
                         SG_SQL("SELECT count(*) FROM member "
                                "WHERE space = $1 AND joined_seq > left_seq",
                                SG_T(space)),
                         &members);
    if (err != SG_OK) return err;
    return others >= SG_SPACES_MAX || members >= SG_MEMBERS_MAX ? SG_LIMIT : SG_OK;
}

int sg_member_join(sg_directory *d, sg_slice space, sg_slice person, enum sg_role role)
{
    int err = check_limits(d, space, person);
    if (err != SG_OK) return err;
    return sg_row_write(
        d,
        SG_SQL("INSERT INTO member(space, person, role, joined_seq, left_seq) "
               "VALUES ($1, $2, $3, $4, 0) ON CONFLICT (space, person) "
               "DO UPDATE SET role = excluded.role, joined_seq = excluded.joined_seq",
               SG_T(space), SG_T(person), SG_T(sg_role_name(role)), SG_I(sg_seq_take(d))),
        NULL);
}

int sg_member_list(sg_directory *d, sg_slice person, sg_slice space, sg_member **members,
                   size_t *count)
{
    enum sg_role role;
    bool personal;
    sg_rows rows;
    *count = 0;
    int err = sg_member_role(d, space, person, &role, &personal);
    if (err == SG_OK)
        err = sg_rows_read(
            d,
            SG_SQL("SELECT m.person, p.name, m.role, m.joined_seq FROM member m JOIN person p "
                   "ON p.id = m.person WHERE m.space = $1 AND m.joined_seq > m.left_seq "
                   "ORDER BY m.joined_seq LIMIT $2",
                   SG_T(space), SG_I(SG_MEMBERS_MAX)),
            &rows);
    if (err != SG_OK) return err;
    *members = sg_arena_alloc(d->arena, (rows.count + 1) * sizeof **members);
    if (*members == NULL) return SG_NOMEM;
    for (size_t i = 0; i < rows.count; i++) {
        const sg_cell *c = &rows.cells[4 * i];
        (*members)[i] = (sg_member){c[0].s, c[1].s, sg_role_of(c[2].s), c[3].i};
    }
    *count = rows.count;
    return SG_OK;
}

/* A space always has an owner. SG_CONFLICT: it is this one, and there is no other. */
static int check_owner_stays(sg_directory *d, sg_slice space, enum sg_role whose)
{
    int64_t owners = 0;
    if (whose != SG_ROLE_OWNER) return SG_OK;
    int err = sg_row_int(d,
                         SG_SQL("SELECT count(*) FROM member WHERE space = $1 AND role = 'owner' "
                                "AND joined_seq > left_seq",
                                SG_T(space)),
                         &owners);
    return err == SG_OK && owners < 2 ? SG_CONFLICT : err;
}

int sg_member_set_role(sg_directory *d, sg_slice person, sg_slice space, sg_slice who,
                       enum sg_role role)
{
    enum sg_role mine, theirs;
    bool personal;
    int err = sg_member_role(d, space, person, &mine, &personal);
    if (err == SG_OK) err = sg_member_role(d, space, who, &theirs, &personal);
    if (err != SG_OK) return err;
    if (!sg_role_gives(mine, theirs, role)) return SG_FORBIDDEN;
    if (role != theirs) err = check_owner_stays(d, space, theirs);
    if (err != SG_OK) return err;
    return sg_row_write(d,
                        SG_SQL("UPDATE member SET role = $1 WHERE space = $2 AND person = $3",
                               SG_T(sg_role_name(role)), SG_T(space), SG_T(who)),
                        NULL);
}

int sg_member_remove(sg_directory *d, sg_slice person, sg_slice space, sg_slice who)
{
    enum sg_role mine, theirs;
    bool personal, leaves = sg_slice_eq(person, who);
    int err = sg_member_role(d, space, person, &mine, &personal);
    if (err == SG_OK) err = sg_member_role(d, space, who, &theirs, &personal);
    if (err != SG_OK) return err;
    if (!leaves && !sg_role_removes(mine, theirs)) return SG_FORBIDDEN;
    err = check_owner_stays(d, space, theirs);
    if (err != SG_OK) return err;
    return sg_row_write(d,
                        SG_SQL("UPDATE member SET left_seq = $1 WHERE space = $2 AND person = $3",
                               SG_I(sg_seq_take(d)), SG_T(space), SG_T(who)),
                        NULL);
}
