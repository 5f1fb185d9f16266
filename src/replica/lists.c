#include "replica/lists.h"

#include "replica/app.h"
#include "replica/fold.h"
#include "replica/intern.h"
#include "replica/key.h"
#include "replica/listing.h"
#include "replica/outbox.h"
#include "replica/updated.h"
#include "wire/json.h"

static sg_slice text_of(sqlite3_value *v)
{
    const char *p = (const char *)sqlite3_value_text(v);
    return sg_slice_of(p, p != NULL ? (size_t)sqlite3_value_bytes(v) : 0);
}

/* ---- sigla_marks ---- */

static void put_mark(sg_replica *r, sg_rows *rows, const sg_mark *m, int *err)
{
    bool own = m->client == sg_self_client(r, err);
    int64_t seq = m->seq != 0 ? m->seq : sg_ack_seq(r, m->client, m->n, err);
    sg_rows_time(rows, m->at_us);
    sg_rows_text(rows, sg_actor_text(r, m->actor, err));
    /* What came from the server is a replay of it here, whatever it was there. */
    enum sg_origin origin = own ? (enum sg_origin)m->origin : SG_ORIGIN_SERVER_REPLAY;
    sg_rows_text(rows, sg_slice_str(sg_origin_name(origin)));
    sg_rows_int(rows, seq);
    sg_rows_text(rows, sg_client_text(r, m->client, err));
    sg_rows_int(rows, m->n);
}

static void put_field_mark(sg_replica *r, sg_rows *rows, sg_table *t, const sg_field *f,
                           sqlite3_stmt *row, int *err)
{
    sg_rows_text(rows, sg_name_text(r, f->name, err));
    int column = sg_table_column(r, t, f->name, err);
    if (f->has_value) {
        sg_rows_text(rows, f->value);
    } else if (column >= 0 && row != NULL) {
        sg_buf json;
        sg_buf_init(&json, (size_t)1 << 30);
        sg_value v = sg_sql_value(sqlite3_column_value(row, column));
        sg_value_to_json(&json, &v, t->columns[column].json);
        sg_rows_text(rows, sg_buf_view(&json));
        if (*err == SG_OK) *err = json.err;
        sg_buf_deinit(&json);
    } else {
        sg_rows_text(rows, SG_LIT("null"));
    }
    put_mark(r, rows, &f->mark, err);
}

static void put_marks(sg_replica *r, sg_rows *rows, sg_table *t, sg_slice key, int *err)
{
    sg_rec rec;
    sg_rec_init(&rec);
    sg_fold_view(r, &rec, t, key, err);
    if (*err == SG_OK && rec.record.dead) {
        sg_rows_null(rows);
        sg_rows_text(rows, SG_LIT("null"));
        put_mark(r, rows, &rec.record.life, err);
    } else if (*err == SG_OK) {
        sqlite3_stmt *row = sg_table_row(r, t, key, err);
        bool here = row != NULL && sg_sql_row(row, err);
        for (size_t i = 0; i < rec.record.count && *err == SG_OK; i++)
            put_field_mark(r, rows, t, &rec.record.fields[i], here ? row : NULL, err);
        if (here) sqlite3_reset(row);
    }
    sg_rec_deinit(&rec);
}

static int fill_marks(sg_replica *r, sg_rows *rows, int argc, sqlite3_value **argv)
{
    if (argc < 2) return sg_replica_fail(r, SG_MISUSE, "sigla_marks(table, key)");
    int err = SG_OK;
    sg_table *t = sg_table_need(r, text_of(argv[0]), &err);
    if (t == NULL) return err;
    sg_buf key;
    sg_buf_init(&key, SG_TX_BYTES_MAX);
    err = sg_key_from_args(r, t, argc - 1, argv + 1, &key);
    if (err == SG_OK) put_marks(r, rows, t, sg_buf_view(&key), &err);
    sg_buf_deinit(&key);
    return err;
}

/* ---- sigla_pending, sigla_refused ---- */

static void put_op_fields(sg_replica *r, sg_rows *rows, sg_packed_op *op, int *err)
{
    sg_buf json;
    sg_buf_init(&json, (size_t)1 << 30);
    sg_jsonw w;
    sg_jsonw_init(&w, &json);
    sg_buf value;
    sg_buf_init(&value, (size_t)1 << 30);
    sg_jsonw_object(&w);
    sg_op_field f;
    while (sg_op_next_field(op, &f)) {
        sg_buf_clear(&value);
        sg_value_to_json(&value, &f.value, f.json);
        if (*err == SG_OK) *err = value.err;
        sg_jsonw_key(&w, sg_name_text(r, f.name, err));
        sg_jsonw_raw(&w, sg_buf_view(&value));
    }
    sg_jsonw_object_end(&w);
    if (*err == SG_OK) *err = json.err;
    sg_rows_text(rows, sg_buf_view(&json));
    sg_buf_deinit(&value);
    sg_buf_deinit(&json);
}

/* n, app, table, key, op, fields, at: what both lists begin with. */
static void put_op(sg_replica *r, sg_rows *rows, const sg_outbox_row *row, int64_t n,
                   sg_packed_op *op, int *err)
{
    sg_app app;
    sg_app_load(r, row->app, &app, err);
    const sg_table *t = sg_table_id(r, op->table);
    sg_rows_int(rows, n);
    sg_rows_text(rows, sg_slice_str(app.name));
    sg_rows_text(rows, sg_slice_str(t != NULL ? t->name : ""));
    sg_rows_key(rows, op->key);
    sg_rows_text(rows, sg_slice_str(sg_op_name(op->op)));
    put_op_fields(r, rows, op, err);
    sg_rows_time(rows, row->at_us);
}

static int load_if_installed(sg_replica *r, bool *there)
{
    int err = SG_OK;
    *there = sg_replica_installed(r, &err);
    return *there ? sg_tables_load(r) : err;
}

static int fill_pending(sg_replica *r, sg_rows *rows, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    bool there;
    int err = load_if_installed(r, &there);
    if (!there || err != SG_OK) return err;
    int64_t sent = sg_state_int(r, "sent_n", 0, &err);
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(
        r->db, &s,
        "SELECT o.n,o.cnt,o.tx_last,o.app,o.at,o.base,o.ops,a.settled FROM sigla_outbox o "
        "JOIN sigla_app a ON a.id=o.app ORDER BY o.n",
        &err);
    while (sg_sql_row(s, &err)) {
        sg_outbox_row row = sg_outbox_read(s, &err);
        if (err != SG_OK) break;
        int64_t settled = sqlite3_column_int64(s, 7);
        sg_ops ops = sg_ops_of(row.ops);
        sg_packed_op op;
        for (int64_t n = row.n; sg_ops_next(&ops, &op) && err == SG_OK; n++) {
            if (n <= settled) continue;
            uint32_t actor = op.actor;
            put_op(r, rows, &row, n, &op, &err);
            sg_rows_text(rows, sg_actor_text(r, actor, &err));
            sg_rows_text(rows, sg_slice_str(sg_origin_name(sg_actor_origin(r, actor, &err))));
            sg_rows_int(rows, n <= sent);
        }
        if (ops.in.err != SG_OK) err = ops.in.err;
    }
    sqlite3_finalize(s);
    return err;
}

static int fill_refused(sg_replica *r, sg_rows *rows, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    bool there;
    int err = load_if_installed(r, &there);
    if (!there || err != SG_OK) return err;
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s, "SELECT n,app,at,ops,code,message FROM sigla_set_aside ORDER BY n",
                   &err);
    while (sg_sql_row(s, &err)) {
        sg_outbox_row row = {.n = sqlite3_column_int64(s, 0),
                             .app = sg_sql_u32(s, 1, &err),
                             .at_us = sqlite3_column_int64(s, 2)};
        sg_ops ops = sg_ops_of(sg_sql_blob(s, 3));
        sg_packed_op op;
        if (!sg_ops_next(&ops, &op)) {
            err = SG_CORRUPT;
            break;
        }
        put_op(r, rows, &row, row.n, &op, &err);
        sg_rows_text(rows, sg_sql_text(s, 4));
        sg_rows_text(rows, sg_sql_text(s, 5));
    }
    sqlite3_finalize(s);
    return err;
}

/* ---- sigla_conflicts, sigla_parked ---- */

static bool is_shown(sqlite3_stmt *s, bool all, sg_slice *state)
{
    *state = sg_sql_text(s, 11);
    bool differs = !sg_json_equal(sg_sql_text(s, 4), sg_sql_text(s, 5));
    if (sg_slice_eq(*state, SG_LIT("open")) && !differs) *state = SG_LIT("withdrawn");
    return all || sg_slice_eq(*state, SG_LIT("open"));
}

static int fill_conflicts(sg_replica *r, sg_rows *rows, int argc, sqlite3_value **argv)
{
    bool there, all = argc > 0 && sqlite3_value_int(argv[0]) != 0;
    int err = load_if_installed(r, &there);
    if (!there || err != SG_OK) return err;
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s,
                   "SELECT id,tbl,key,field,value,now_value,at,now_at,actor,now_actor,now_origin,"
                   "state,raised_at,kind FROM sigla_journal ORDER BY id",
                   &err);
    while (sg_sql_row(s, &err)) {
        sg_slice state;
        if (!is_shown(s, all, &state)) continue;
        const sg_table *t = sg_table_id(r, sg_sql_u32(s, 1, &err));
        int origin = sqlite3_column_int(s, 10);
        if (origin < 0 || origin > SG_ORIGIN_SERVER_REPLAY) err = SG_CORRUPT;
        if (err != SG_OK) break;
        sg_rows_int(rows, sqlite3_column_int64(s, 0));
        sg_rows_text(rows, sg_slice_str(t != NULL ? t->name : ""));
        sg_rows_key(rows, sg_sql_blob(s, 2));
        sg_rows_text(rows, sg_name_text(r, sg_sql_u32(s, 3, &err), &err));
        sg_rows_text(rows, sg_sql_text(s, 13));
        sg_rows_text(rows, sg_sql_text(s, 4));
        sg_rows_text(rows, sg_sql_text(s, 5));
        sg_rows_time(rows, sqlite3_column_int64(s, 6));
        sg_rows_time(rows, sqlite3_column_int64(s, 7));
        sg_rows_text(rows, sg_actor_text(r, sg_sql_u32(s, 8, &err), &err));
        sg_rows_text(rows, sg_actor_text(r, sg_sql_u32(s, 9, &err), &err));
        sg_rows_text(rows, sg_slice_str(sg_origin_name((enum sg_origin)origin)));
        sg_rows_time(rows, sqlite3_column_int64(s, 12));
        sg_rows_text(rows, state);
    }
    sqlite3_finalize(s);
    return err;
}

static int fill_parked(sg_replica *r, sg_rows *rows, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    bool there;
    int err = load_if_installed(r, &there);
    if (!there || err != SG_OK) return err;
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(
        r->db, &s,
        "SELECT p.tbl,p.key,p.reason,p.since,r.m FROM sigla_parking p LEFT JOIN sigla_rec r "
        "USING(tbl,key) ORDER BY since",
        &err);
    sg_record rec;
    sg_record_init(&rec);
    while (sg_sql_row(s, &err)) {
        const sg_table *t = sg_table_id(r, sg_sql_u32(s, 0, &err));
        sg_record_clear(&rec);
        if (sg_sql_blob(s, 4).n != 0) err = sg_record_unpack(&rec, sg_sql_blob(s, 4));
        sg_buf json;
        sg_buf_init(&json, (size_t)1 << 30);
        sg_jsonw w;
        sg_jsonw_init(&w, &json);
        sg_jsonw_object(&w);
        for (size_t i = 0; i < rec.count && err == SG_OK; i++) {
            if (!rec.fields[i].has_value) continue;
            sg_jsonw_key(&w, sg_name_text(r, rec.fields[i].name, &err));
            sg_jsonw_raw(&w, rec.fields[i].value);
        }
        sg_jsonw_object_end(&w);
        sg_rows_text(rows, sg_slice_str(t != NULL ? t->name : ""));
        sg_rows_key(rows, sg_sql_blob(s, 1));
        sg_rows_text(rows, sg_buf_view(&json));
        sg_rows_text(rows, sg_sql_text(s, 2));
        sg_rows_time(rows, sqlite3_column_int64(s, 3));
        if (err == SG_OK) err = json.err;
        sg_buf_deinit(&json);
    }
    sg_record_deinit(&rec);
    sqlite3_finalize(s);
    return err;
}

static const sg_list lists[] = {
    {"sigla_marks",
     "CREATE TABLE x(field,value,at,actor,origin,seq,client,n,tbl HIDDEN,k1 HIDDEN,k2 HIDDEN,k3 "
     "HIDDEN,k4 HIDDEN,k5 HIDDEN,k6 HIDDEN,k7 HIDDEN,k8 HIDDEN,k9 HIDDEN,k10 HIDDEN,k11 HIDDEN,k12 "
     "HIDDEN,k13 HIDDEN,k14 HIDDEN,k15 HIDDEN,k16 HIDDEN)",
     8, 17, fill_marks},
    {"sigla_pending", "CREATE TABLE x(n,app,\"table\",key,op,fields,at,actor,origin,sent)", 10, 0,
     fill_pending},
    {"sigla_refused", "CREATE TABLE x(n,app,\"table\",key,op,fields,at,code,message)", 9, 0,
     fill_refused},
    {"sigla_conflicts",
     "CREATE TABLE x(id,\"table\",key,field,kind,wasLocal,nowServer,localAt,serverAt,localActor,"
     "serverActor,serverOrigin,raisedAt,state,everything HIDDEN)",
     14, 1, fill_conflicts},
    {"sigla_parked", "CREATE TABLE x(\"table\",key,fields,reason,since)", 5, 0, fill_parked},
};

int sg_lists_register(sg_replica *r)
{
    int err = SG_OK;
    for (size_t i = 0; i < sizeof lists / sizeof *lists && err == SG_OK; i++)
        err = sg_list_register(r, &lists[i]);
    return err == SG_OK ? sg_updated_register(r) : err;
}
