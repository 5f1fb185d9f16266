#include "replica/loss.h"

#include "replica/intern.h"
#include "replica/journal.h"

bool sg_loss_is_own(sg_apply *a, const sg_mark *m, int *err)
{
    return m->origin == SG_ORIGIN_USER && m->client == sg_self_client(a->r, err);
}

/* What is lost, as JSON: kept with its mark, or in the row's column, whose text is put into
 * a->scratch. False if there is no row, and after an error. */
static bool own_json(sg_apply *a, sg_table *t, const sg_field *own, int column, sg_slice *value,
                     int *err)
{
    *value = own->value;
    if (column < 0 || own->has_value) return true;
    sqlite3_stmt *row = sg_table_row(a->r, t, sg_buf_view(&a->key), err);
    if (row == NULL || !sg_sql_row(row, err)) return false;
    sg_value v = sg_sql_value(sqlite3_column_value(row, column));
    sg_buf_clear(&a->scratch);
    sg_value_to_json(&a->scratch, &v, t->columns[column].json);
    sqlite3_reset(row);
    *err = a->scratch.err;
    *value = sg_buf_view(&a->scratch);
    return *err == SG_OK;
}

void sg_loss_field(sg_apply *a, sg_table *t, const sg_field *own, int column,
                   const sg_page_field *in, const sg_mark *winner, int *err)
{
    sg_slice value;
    if (!own_json(a, t, own, column, &value, err)) return;
    sg_loss loss = {.table = t,
                    .key = sg_buf_view(&a->key),
                    .field = own->name,
                    .own = &own->mark,
                    .value = value,
                    .winner = winner,
                    .now = in->value,
                    .lost = in->lost,
                    .hydrated = a->app.hydrated,
                    .restored = sg_app_restored(&a->app),
                    .proved = a->proved};
    sg_journal_loss(a->r, &loss, &a->count.conflicts, err);
    a->journal = true;
}

/* What the deleted record says of lost writes to that field. */
static const sg_lost *lost_of(sg_apply *a, const sg_page_record *in, uint32_t name, int *err)
{
    static const sg_lost none;
    if (in == NULL) return NULL;
    sg_slice text = sg_name_text(a->r, name, err);
    for (size_t i = 0; i < in->count; i++)
        if (sg_slice_eq(in->fields[i].name, text)) return in->fields[i].lost;
    return &none;
}

void sg_loss_record(sg_apply *a, sg_table *t, const sg_page_record *in, const sg_mark *winner,
                    int *err)
{
    sg_buf_clear(&a->image);
    if (*err == SG_OK) *err = sg_row_to_json(a->r, t, sg_buf_view(&a->key), &a->image);
    sg_record *rec = &a->rec.record;
    for (size_t i = 0; i < rec->count && *err == SG_OK; i++) {
        const sg_field *f = &rec->fields[i];
        if (!sg_loss_is_own(a, &f->mark, err)) continue;
        int column = sg_table_column(a->r, t, f->name, err);
        sg_slice value;
        if (!own_json(a, t, f, column, &value, err)) continue;
        sg_loss loss = {.table = t,
                        .key = sg_buf_view(&a->key),
                        .field = f->name,
                        .deleted = true,
                        .own = &f->mark,
                        .value = value,
                        .winner = winner,
                        .now = SG_LIT("null"),
                        .lost = lost_of(a, in, f->name, err),
                        .snapshot = sg_buf_view(&a->image),
                        .hydrated = a->app.hydrated,
                        .restored = sg_app_restored(&a->app),
                        .proved = a->proved};
        sg_journal_loss(a->r, &loss, &a->count.conflicts, err);
        a->journal = true;
    }
}
