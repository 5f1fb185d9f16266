#include "replica/functions.h"

#include "core/time.h"
#include "replica/ack.h"
#include "replica/actor_stack.h"
#include "replica/examine.h"
#include "replica/fold.h"
#include "replica/identity.h"
#include "replica/intern.h"
#include "replica/journal.h"
#include "replica/key.h"
#include "replica/refresh.h"
#include "replica/repair.h"
#include "replica/status.h"
#include "replica/sweep.h"
#include "replica/track.h"
#include "sigla.h"
#include "wire/change_json.h"

void sg_result_error(sqlite3_context *ctx, const sg_replica *r, int err)
{
    if (err == SG_NOMEM) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    char *text = sqlite3_mprintf("sigla: %s", sg_replica_message(r, err));
    sqlite3_result_error(ctx, text != NULL ? text : "sigla", -1);
    sqlite3_free(text);
    if (sg_sql_code(err) != SQLITE_ERROR) sqlite3_result_error_code(ctx, sg_sql_code(err));
}

static sg_replica *begin(sqlite3_context *ctx)
{
    sg_replica *r = sqlite3_user_data(ctx);
    r->message[0] = '\0';
    return r;
}

static void finish(sqlite3_context *ctx, const sg_replica *r, int err)
{
    if (err != SG_OK) sg_result_error(ctx, r, err);
}

static sg_slice text_of(sqlite3_value *v)
{
    const char *p = (const char *)sqlite3_value_text(v);
    return p != NULL ? sg_slice_of(p, (size_t)sqlite3_value_bytes(v)) : SG_LIT("");
}

static void f_version(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    sqlite3_result_text(ctx, SIGLA_VERSION, -1, SQLITE_STATIC);
}

static void f_applying(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    sqlite3_result_int(ctx, begin(ctx)->applying);
}

static void f_init(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_identity_init(r, text_of(argv[0])));
}

static void f_config(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = begin(ctx);
    if (argc == 2) {
        finish(ctx, r, sg_identity_config(r, text_of(argv[0]), argv[1]));
        return;
    }
    sg_buf out;
    sg_buf_init(&out, 1 << 20);
    int err = sg_identity_read(r, text_of(argv[0]), &out);
    if (err == SG_OK && out.n != 0)
        sqlite3_result_text64(ctx, out.p, out.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    finish(ctx, r, err);
    sg_buf_deinit(&out);
}

static void f_track(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_track(r, text_of(argv[0]), argc > 1 ? text_of(argv[1]) : SG_LIT("")));
}

static void f_untrack(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_untrack(r, text_of(argv[0])));
}

static void f_sweep(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_sweep(r, text_of(argv[0])));
}

static void f_check(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = begin(ctx);
    sg_buf out;
    sg_buf_init(&out, (size_t)64 << 20);
    int err = sg_examine(r, argc > 0 ? text_of(argv[0]) : SG_LIT(""), &out);
    if (err == SG_OK) sqlite3_result_text64(ctx, out.p, out.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    finish(ctx, r, err);
    sg_buf_deinit(&out);
}

static void f_repair(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_repair_ask(r, argc > 0 ? text_of(argv[0]) : SG_LIT("")));
}

static void f_index(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_track_index(r, text_of(argv[0])));
}

static void f_refresh(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_refresh(r));
}

static int as(sg_replica *r, sg_slice json)
{
    sg_arena arena;
    sg_arena_init(&arena);
    sg_actor_info who;
    const char *problem = "";
    int err = sg_replica_install(r);
    if (err == SG_OK) err = sg_actor_from_json(json, &arena, &who, &problem);
    if (err == SG_BADCHANGE || err == SG_LIMIT)
        sg_replica_fail(
            r, err,
            "sigla_as(): the actor %s; it is JSON such as "
            "{\"kind\":\"ai\",\"principalId\":\"agent:helper\",\"displayName\":\"Helper\"}",
            problem);
    if (err == SG_OK) {
        enum sg_origin origin = sg_origin_of(who.kind, who.principal);
        err = sg_actor_push(r, who.json, origin);
    }
    sg_arena_deinit(&arena);
    return err;
}

static void f_as(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sg_replica *r = begin(ctx);
    finish(ctx, r, as(r, text_of(argv[0])));
}

static void f_as_end(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    sg_replica *r = begin(ctx);
    int err = SG_OK;
    if (!sg_actor_pop(r))
        err = sg_replica_fail(r, SG_MISUSE,
                              "sigla_as_end() without a sigla_as() before it (one set "
                              "inside a transaction ends with it)");
    finish(ctx, r, err);
}

/* The table and the key that (table, key…) name; NULL after an error. */
static sg_table *record_named(sg_replica *r, int argc, sqlite3_value **argv, const char *usage,
                              sg_buf *key, int *err)
{
    if (argc < 2) *err = sg_replica_fail(r, SG_MISUSE, "%s", usage);
    sg_table *t = argc < 2 ? NULL : sg_table_need(r, text_of(argv[0]), err);
    if (t != NULL) *err = sg_key_from_args(r, t, argc - 1, argv + 1, key);
    return *err == SG_OK ? t : NULL;
}

static void f_id(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = begin(ctx);
    int err = SG_OK;
    sg_buf key, id;
    sg_buf_init(&key, SG_TX_BYTES_MAX);
    sg_buf_init(&id, SG_TX_BYTES_MAX);
    const sg_table *t = record_named(r, argc, argv, "sigla_id(table, key)", &key, &err);
    if (t != NULL) err = sg_key_to_id(t, sg_buf_view(&key), &id);
    if (err == SG_OK) sqlite3_result_text64(ctx, id.p, id.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    sg_buf_deinit(&key);
    sg_buf_deinit(&id);
    finish(ctx, r, err);
}

static void f_updated_at(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = begin(ctx);
    int err = SG_OK;
    sg_buf key;
    sg_buf_init(&key, SG_TX_BYTES_MAX);
    sg_rec rec;
    sg_rec_init(&rec);
    sg_table *t = record_named(r, argc, argv, "sigla_updated_at(table, key)", &key, &err);
    if (t != NULL) sg_fold_view(r, &rec, t, sg_buf_view(&key), &err);
    if (err == SG_OK && rec.exists && !rec.record.dead) {
        char text[SG_TIME_TEXT_MAX];
        size_t n = sg_time_format(sg_record_updated_at(&rec.record), text);
        sqlite3_result_text(ctx, text, (int)n, SQLITE_TRANSIENT);
    }
    sg_rec_deinit(&rec);
    sg_buf_deinit(&key);
    finish(ctx, r, err);
}

static void f_restore(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_journal_restore(r, sqlite3_value_int64(argv[0])));
}

static void f_dismiss(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_journal_dismiss(r, sqlite3_value_int64(argv[0])));
}

static void f_retry(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    sg_replica *r = begin(ctx);
    finish(ctx, r, sg_ack_retry(r, argc > 0 ? sqlite3_value_int64(argv[0]) : 0));
}

static void f_status(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc, (void)argv;
    sg_replica *r = begin(ctx);
    sg_buf out;
    sg_buf_init(&out, 1 << 24);
    int err = sg_status(r, &out);
    if (err == SG_OK) sqlite3_result_text64(ctx, out.p, out.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    finish(ctx, r, err);
    sg_buf_deinit(&out);
}

typedef void (*sql_function)(sqlite3_context *, int, sqlite3_value **);

int sg_functions_own(sg_replica *r, void (*destroy)(void *))
{
    return sg_sql_error(sqlite3_create_function_v2(r->db, "sigla_replica", 0,
                                                   SQLITE_UTF8 | SQLITE_DIRECTONLY, r, f_version,
                                                   NULL, NULL, destroy));
}

int sg_functions_register(sg_replica *r)
{
    static const struct {
        const char *name;
        int argc;
        sql_function run;
    } functions[] = {
        {"sigla_version", 0, f_version}, {"sigla_applying", 0, f_applying},
        {"sigla_init", 1, f_init},       {"sigla_config", 1, f_config},
        {"sigla_config", 2, f_config},   {"sigla_track", 1, f_track},
        {"sigla_track", 2, f_track},     {"sigla_untrack", 1, f_untrack},
        {"sigla_check", -1, f_check},    {"sigla_repair", -1, f_repair},
        {"sigla_sweep", 1, f_sweep},     {"sigla_index_updated", 1, f_index},
        {"sigla_refresh", 0, f_refresh}, {"sigla_as", 1, f_as},
        {"sigla_as_end", 0, f_as_end},   {"sigla_updated_at", -1, f_updated_at},
        {"sigla_restore", 1, f_restore}, {"sigla_dismiss", 1, f_dismiss},
        {"sigla_retry", 0, f_retry},     {"sigla_retry", 1, f_retry},
        {"sigla_status", 0, f_status},   {"sigla_id", -1, f_id},
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof functions / sizeof *functions && rc == SQLITE_OK; i++) {
        int flags = SQLITE_UTF8;
        /* Readable from triggers and views; all that change something are for the top level. */
        if (functions[i].run == f_applying || functions[i].run == f_version ||
            functions[i].run == f_updated_at || functions[i].run == f_id)
            flags |= SQLITE_INNOCUOUS;
        else
            flags |= SQLITE_DIRECTONLY;
        rc = sqlite3_create_function_v2(r->db, functions[i].name, functions[i].argc, flags, r,
                                        functions[i].run, NULL, NULL, NULL);
    }
    return sg_sql_error(rc);
}
