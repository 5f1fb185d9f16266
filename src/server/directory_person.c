#include "server/directory_row.h"

/* The name its owner finds a personal space under, until they give it another. */
#define PERSONAL_NAME SG_LIT("Personal")

#define COLUMNS "id, login, email, name, password, made_us, disabled_us"
enum { COLUMN_COUNT = 7 };

static void fill(sg_person *p, const sg_cell *c)
{
    *p = (sg_person){c[0].s, c[1].s, c[2].s, c[3].s, c[4].s, c[5].i, c[6].i};
}

static int add_row(sg_directory *d, const sg_person *p, sg_slice id)
{
    return sg_row_write(d,
                        SG_SQL("INSERT INTO person(" COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, 0)",
                               SG_T(id), SG_T_OR_NULL(p->login), SG_T_OR_NULL(p->email),
                               SG_T(p->name), SG_T(p->password), SG_I(d->now_us)),
                        NULL);
}

/* A personal space comes with its account: without it there is no account. */
static int add_personal_space(sg_directory *d, sg_slice person)
{
    sg_slice space;
    int err = sg_id_new(d, &space);
    if (err == SG_OK)
        err = sg_row_write(d,
                           SG_SQL("INSERT INTO space(id, type, name, person, made_us, deleted_us) "
                                  "VALUES ($1, 'personal', $2, $3, $4, 0)",
                                  SG_T(space), SG_T(PERSONAL_NAME), SG_T(person), SG_I(d->now_us)),
                           NULL);
    return err == SG_OK ? sg_member_join(d, space, person, SG_ROLE_OWNER) : err;
}

int sg_person_add(sg_directory *d, const sg_person *p, sg_slice *id)
{
    int err = sg_id_new(d, id);
    if (err == SG_OK) err = add_row(d, p, *id);
    return err == SG_OK ? add_personal_space(d, *id) : err;
}

int sg_person_get(sg_directory *d, sg_slice id, sg_person *p)
{
    const sg_cell *row;
    int err =
        sg_row_read(d, SG_SQL("SELECT " COLUMNS " FROM person WHERE id = $1", SG_T(id)), &row);
    if (err == SG_OK) fill(p, row);
    return err;
}

int sg_person_find(sg_directory *d, sg_slice login, sg_person *p)
{
    const sg_cell *row;
    int err = sg_row_read(
        d, SG_SQL("SELECT " COLUMNS " FROM person WHERE login = $1 OR email = $1", SG_T(login)),
        &row);
    if (err == SG_OK) fill(p, row);
    return err;
}

/* There has to be such a person. */
static int change(sg_directory *d, const sg_sql *sql)
{
    sg_rows rows;
    int err = sg_row_write(d, sql, &rows);
    if (err != SG_OK) return err;
    return rows.count != 0 ? SG_OK : SG_NOTFOUND;
}

int sg_person_set_password(sg_directory *d, sg_slice id, sg_slice password)
{
    return change(d, SG_SQL("UPDATE person SET password = $1 WHERE id = $2 RETURNING id",
                            SG_T(password), SG_T(id)));
}

int sg_person_disable(sg_directory *d, sg_slice id, bool disabled)
{
    return change(d, SG_SQL("UPDATE person SET disabled_us = $1 WHERE id = $2 RETURNING id",
                            SG_I(disabled ? d->now_us : 0), SG_T(id)));
}

int sg_person_list(sg_directory *d, sg_slice after, sg_person **persons, size_t *count)
{
    sg_rows rows;
    *count = 0;
    int err =
        sg_rows_read(d,
                     SG_SQL("SELECT " COLUMNS " FROM person WHERE id > $1 ORDER BY id LIMIT $2",
                            SG_T(after), SG_I(SG_PERSONS_LISTED)),
                     &rows);
    if (err != SG_OK || rows.count == 0) return err;
    *persons = sg_arena_alloc(d->arena, rows.count * sizeof **persons);
    if (*persons == NULL) return SG_NOMEM;
    for (size_t i = 0; i < rows.count; i++)
        fill(&(*persons)[i], &rows.cells[COLUMN_COUNT * i]);
    *count = rows.count;
    return SG_OK;
}

int sg_person_any(sg_directory *d, bool *any)
{
    const sg_cell *row;
    int err = sg_row_read(d, SG_SQL("SELECT id FROM person LIMIT $1", SG_I(1)), &row);
    *any = err == SG_OK;
    return err == SG_NOTFOUND ? SG_OK : err;
}
