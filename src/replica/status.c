#include "replica/status.h"

#include "replica/agree.h"
#include "replica/app.h"
#include "replica/intern.h"
#include "replica/table.h"
#include "core/time.h"
#include "sigla.h"
#include "wire/json.h"

static int64_t count(sg_replica *r, const char *sql, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, sql, err);
    int64_t n = sg_sql_row(s, err) ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return n;
}

static void put_text(sg_replica *r, sg_jsonw *w, const char *name, const char *key, int *err)
{
    sg_buf text;
    sg_buf_init(&text, 1 << 16);
    sg_jsonw_k(w, name);
    if (sg_state_text(r, key, &text, err))
        sg_jsonw_string(w, sg_buf_view(&text));
    else
        sg_jsonw_null(w);
    sg_buf_deinit(&text);
}

static void put_apps(sg_replica *r, sg_jsonw *w, int *err)
{
    sg_jsonw_k(w, "apps");
    sg_jsonw_array(w);
    for (uint32_t id = 0; (id = sg_app_after(r, id, err)) != 0 && *err == SG_OK;) {
        sg_app app;
        sg_app_load(r, id, &app, err);
        sg_jsonw_object(w);
        sg_jsonw_kstr(w, "name", sg_slice_str(app.name));
        sg_jsonw_kstr(w, "cursor", sg_slice_str(app.cursor));
        sg_jsonw_kint(w, "seq", app.seq);
        sg_jsonw_kbool(w, "hydrated", app.hydrated);
        sg_jsonw_kbool(w, "resync", app.resync);
        sg_jsonw_object_end(w);
    }
    sg_jsonw_array_end(w);
}

static void put_time(sg_jsonw *w, const char *name, int64_t at_us)
{
    char text[SG_TIME_TEXT_MAX];
    if (at_us != 0) sg_jsonw_kstr(w, name, sg_slice_of(text, sg_time_format(at_us, text)));
}

static void put_bit(sg_jsonw *w, int what, int bit, const char *text)
{
    if (what & bit) sg_jsonw_string(w, sg_slice_str(text));
}

/* The last difference that was found, and what has become of it. */
static void put_difference(sg_jsonw *w, const sg_agree *a)
{
    sg_jsonw_k(w, "difference");
    if (a->found_us == 0) {
        sg_jsonw_null(w);
        return;
    }
    sg_jsonw_object(w);
    sg_jsonw_k(w, "what");
    sg_jsonw_array(w);
    put_bit(w, a->what, SG_DIFFERS_MARKS, "marks");
    put_bit(w, a->what, SG_DIFFERS_VALUES, "values");
    put_bit(w, a->what, SG_DIFFERS_KEPT, "sums");
    put_bit(w, a->what, SG_DIFFERS_ROWS, "rows");
    put_bit(w, a->what, SG_DIFFERS_ASKED, "asked");
    sg_jsonw_array_end(w);
    sg_jsonw_kint(w, "seq", a->found_seq);
    put_time(w, "foundAt", a->found_us);
    put_time(w, "repairedAt", a->mended_us);
    sg_jsonw_object_end(w);
}

static void put_agreement(sg_replica *r, sg_jsonw *w, const sg_table *t, int *err)
{
    static const char *const states[] = {"unknown", "equal", "differs", "repairing", "failed"};
    sg_agree a;
    sg_agree_load(r, t->id, &a, err);
    bool known = a.state >= 0 && a.state < (int)(sizeof states / sizeof *states);
    sg_jsonw_k(w, "server");
    sg_jsonw_object(w);
    sg_jsonw_kstr(w, "state", sg_slice_str(states[known ? a.state : 0]));
    sg_jsonw_kstr(w, "notCompared", sg_slice_str(sg_uncompared_text(a.reason)));
    put_difference(w, &a);
    sg_jsonw_object_end(w);
}

static void put_tables(sg_replica *r, sg_jsonw *w, int *err)
{
    if (*err == SG_OK) *err = sg_tables_load(r);
    if (*err == SG_NOTTRACKED) *err = SG_OK;
    sg_jsonw_k(w, "tables");
    sg_jsonw_array(w);
    for (size_t i = 0; i < r->table_count && *err == SG_OK; i++) {
        const sg_table *t = r->tables[i];
        sg_app app;
        sg_app_load(r, t->app, &app, err);
        sg_jsonw_object(w);
        sg_jsonw_kstr(w, "name", sg_slice_str(t->name));
        sg_jsonw_kstr(w, "app", sg_slice_str(app.name));
        sg_jsonw_kstr(w, "as", sg_slice_str(t->wire));
        sg_jsonw_kbool(w, "tracked", t->active);
        sg_jsonw_kbool(w, "missing", t->missing);
        sg_jsonw_kbool(w, "current", t->captured_count == t->column_count);
        sg_jsonw_kraw(w, "options", sg_slice_str(t->options));
        if (t->active && !t->missing) put_agreement(r, w, t, err);
        sg_jsonw_object_end(w);
    }
    sg_jsonw_array_end(w);
}

int sg_status(sg_replica *r, sg_buf *out)
{
    int err = SG_OK;
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_jsonw_kstr(&w, "version", SG_LIT(SIGLA_VERSION));
    bool installed = sg_replica_installed(r, &err);
    sg_jsonw_kbool(&w, "initialised", installed);
    if (installed) {
        put_text(r, &w, "user", "user", &err);
        put_text(r, &w, "server", "server", &err);
        sg_jsonw_kstr(&w, "client", sg_client_text(r, sg_self_client(r, &err), &err));
        sg_jsonw_kint(&w, "pending", sg_app_count_pending(r, &err));
        sg_jsonw_kint(&w, "refused", count(r, "SELECT count(*) FROM sigla_set_aside", &err));
        sg_jsonw_kint(&w, "parked", count(r, "SELECT count(*) FROM sigla_parking", &err));
        sg_jsonw_kint(&w, "conflicts", count(r, "SELECT count(*) FROM sigla_conflicts", &err));
        sg_jsonw_kint(&w, "clockOffsetUs", sg_state_int(r, "offset_us", 0, &err));
        put_apps(r, &w, &err);
        put_tables(r, &w, &err);
    }
    sg_jsonw_object_end(&w);
    return err != SG_OK ? err : out->err;
}
