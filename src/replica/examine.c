#include "replica/examine.h"

#include "replica/agree.h"
#include "replica/fold.h"
#include "replica/scan.h"
#include "wire/json.h"

static void put_verdict(sg_jsonw *w, const char *name, bool compared, bool same)
{
    sg_jsonw_k(w, name);
    if (compared)
        sg_jsonw_bool(w, same);
    else
        sg_jsonw_null(w);
}

static void put_scanned(sg_jsonw *w, const sg_scan *s, const sg_agree *a, int reason)
{
    bool told = a->told_seq >= 0, compared = reason == SG_UNCOMPARED_NOTHING;
    bool kept = a->kept.marks == s->sum.marks && a->kept.records == s->sum.records;
    sg_jsonw_kint(w, "records", s->sum.records);
    sg_jsonw_k(w, "serverRecords");
    if (told)
        sg_jsonw_int(w, a->told.records);
    else
        sg_jsonw_null(w);
    sg_jsonw_kbool(w, "kept", kept || a->recount);
    put_verdict(w, "marks", compared, a->told.marks == s->sum.marks);
    put_verdict(w, "values", compared && s->valueless == 0, a->told.values == s->sum.values);
    if (compared && s->valueless != 0) reason = SG_UNCOMPARED_DROPPED;
    sg_jsonw_kstr(w, "notCompared", sg_slice_str(sg_uncompared_text(reason)));
    sg_jsonw_kint(w, "missingRows", s->missing);
    sg_jsonw_kint(w, "damagedMarks", s->damaged);
}

static void examine_one(sg_replica *r, sg_table *t, sg_jsonw *w, int *err)
{
    sg_app app;
    sg_agree a;
    sg_scan scan;
    sg_app_load(r, t->app, &app, err);
    sg_agree_load(r, t->id, &a, err);
    int reason = (int)sg_agree_obstacle(r, &app, t, &a, err);
    sg_scan_begin(&scan, r, t);
    while (*err == SG_OK && !sg_scan_some(&scan, INT64_MAX, err))
        continue;
    int64_t unmarked = sg_scan_unmarked(&scan, err);
    sg_jsonw_object(w);
    sg_jsonw_kstr(w, "table", sg_slice_str(t->name));
    sg_jsonw_kstr(w, "app", sg_slice_str(app.name));
    put_scanned(w, &scan, &a, reason);
    sg_jsonw_kint(w, "unmarkedRows", unmarked);
    sg_jsonw_object_end(w);
    sg_scan_end(&scan);
}

int sg_examine(sg_replica *r, sg_slice table, sg_buf *out)
{
    sg_jsonw w;
    int err = sg_replica_begin(r);
    if (err != SG_OK) return err;
    err = sg_tables_load(r);
    if (err == SG_NOTTRACKED && table.n == 0) err = SG_OK;
    sg_table *only = err == SG_OK && table.n != 0 ? sg_table_need(r, table, &err) : NULL;
    if (err == SG_OK) sg_fold(r, &err);
    sg_jsonw_init(&w, out);
    sg_jsonw_array(&w);
    for (size_t i = 0; i < r->table_count && err == SG_OK; i++) {
        sg_table *t = r->tables[i];
        if (t->active && !t->missing && (only == NULL || only == t)) examine_one(r, t, &w, &err);
    }
    sg_jsonw_array_end(&w);
    /* Queued changes got their marks for the comparison alone: who looks changes nothing. */
    return sg_replica_abandon(r, err != SG_OK ? err : out->err);
}
