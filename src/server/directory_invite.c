#include "server/directory_row.h"

/* A personal space is its owner's alone. */
static int check_may_invite(sg_directory *d, sg_slice person, sg_slice space, enum sg_role given)
{
    enum sg_role role;
    bool personal;
    int err = sg_member_role(d, space, person, &role, &personal);
    if (err != SG_OK) return err;
    if (!sg_role_invites(role, given)) return SG_FORBIDDEN;
    return personal ? SG_CONFLICT : SG_OK;
}

/* Those that nobody can use any more make room. */
static int check_room(sg_directory *d, sg_slice space)
{
    int64_t open = 0;
    int err = sg_row_write(d,
                           SG_SQL("DELETE FROM invite WHERE space = $1 AND until_us <= $2",
                                  SG_T(space), SG_I(d->now_us)),
                           NULL);
    if (err == SG_OK)
        err = sg_row_int(d, SG_SQL("SELECT count(*) FROM invite WHERE space = $1", SG_T(space)),
                         &open);
    return err == SG_OK && open >= SG_INVITES_MAX ? SG_LIMIT : err;
}

int sg_invite_add(sg_directory *d, sg_slice person, const uint8_t digest[SG_DIGEST_BYTES],
                  sg_invite *v)
{
    int err = check_may_invite(d, person, v->space, v->role);
    if (err == SG_OK) err = check_room(d, v->space);
    if (err == SG_OK) err = sg_id_new(d, &v->id);
    v->maker = person;
    v->made_us = d->now_us;
    if (err != SG_OK) return err;
    return sg_row_write(
        d,
        SG_SQL("INSERT INTO invite(id, digest, space, role, maker, made_us, until_us, uses_left) "
               "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
               SG_T(v->id), sg_digest_cell(digest), SG_T(v->space), SG_T(sg_role_name(v->role)),
               SG_T(person), SG_I(d->now_us), SG_I(v->until_us), SG_I(v->uses_left)),
        NULL);
}

static sg_invite invite_of(const sg_cell *c)
{
    return (sg_invite){c[0].s, c[1].s, sg_role_of(c[2].s), c[3].s, c[4].i, c[5].i, c[6].i};
}

int sg_invite_list(sg_directory *d, sg_slice person, sg_invite **invites, size_t *count)
{
    sg_rows rows;
    *count = 0;
    int err = sg_rows_read(
        d,
        SG_SQL("SELECT i.id, i.space, i.role, i.maker, i.made_us, i.until_us, i.uses_left, m.role "
               "FROM member m JOIN invite i ON i.space = m.space "
               "WHERE m.person = $1 AND m.joined_seq > m.left_seq AND i.until_us > $2 "
               "AND m.role IN ('admin', 'owner') ORDER BY i.id LIMIT $3",
               SG_T(person), SG_I(d->now_us), SG_I(SG_INVITES_LISTED)),
        &rows);
    if (err != SG_OK) return err;
    *invites = sg_arena_alloc(d->arena, (rows.count + 1) * sizeof **invites);
    if (*invites == NULL) return SG_NOMEM;
    for (size_t i = 0; i < rows.count; i++) {
        const sg_cell *c = &rows.cells[8 * i];
        sg_invite v = invite_of(c);
        if (sg_role_invites(sg_role_of(c[7].s), v.role)) (*invites)[(*count)++] = v;
    }
    return SG_OK;
}

int sg_invite_delete(sg_directory *d, sg_slice person, sg_slice id)
{
    const sg_cell *row;
    int err =
        sg_row_read(d, SG_SQL("SELECT space, role FROM invite WHERE id = $1", SG_T(id)), &row);
    if (err == SG_OK) err = check_may_invite(d, person, row[0].s, sg_role_of(row[1].s));
    if (err != SG_OK) return err;
    return sg_row_write(d, SG_SQL("DELETE FROM invite WHERE id = $1", SG_T(id)), NULL);
}

static int use_up_one(sg_directory *d, const sg_invite *v)
{
    if (v->uses_left == 1)
        return sg_row_write(d, SG_SQL("DELETE FROM invite WHERE id = $1", SG_T(v->id)), NULL);
    return sg_row_write(
        d, SG_SQL("UPDATE invite SET uses_left = uses_left - 1 WHERE id = $1", SG_T(v->id)), NULL);
}

/* One that can be used now. A link is worth what its maker still may. */
static int find_usable(sg_directory *d, const uint8_t digest[SG_DIGEST_BYTES], sg_invite *v)
{
    const sg_cell *row;
    int err = sg_row_read(
        d,
        SG_SQL("SELECT id, space, role, maker, made_us, until_us, uses_left FROM invite "
               "WHERE digest = $1 AND until_us > $2 AND uses_left > 0",
               sg_digest_cell(digest), SG_I(d->now_us)),
        &row);
    if (err != SG_OK) return err;
    *v = invite_of(row);
    err = check_may_invite(d, v->maker, v->space, v->role);
    return err == SG_FORBIDDEN || err == SG_CONFLICT ? SG_NOTFOUND : err;
}

int sg_invite_accept(sg_directory *d, sg_slice person, const uint8_t digest[SG_DIGEST_BYTES],
                     sg_space *space)
{
    sg_invite v;
    sg_person who;
    int err = sg_person_get(d, person, &who);
    if (err == SG_OK) err = find_usable(d, digest, &v);
    if (err != SG_OK) return err;
    err = sg_space_get(d, person, v.space, space);
    if (err != SG_NOTFOUND) return err; /* a member already, or an error */
    err = sg_member_join(d, v.space, person, v.role);
    if (err == SG_OK) err = use_up_one(d, &v);
    return err == SG_OK ? sg_space_get(d, person, v.space, space) : err;
}
