#include "cli.h"
#include "file.h"
#include "rows.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const sg_opt opts[] = {{"json", NULL, "print JSON"}, {0}};

static const sg_col pending[] = {
    {.name = "n", .title = "n", .right = true, .keep = true, .style = SG_DIM},
    {.name = "app"},
    {.name = "table", .title = "table", .style = SG_CYAN},
    {.name = "key", .title = "key"},
    {.name = "op", .title = "op", .keep = true},
    {.name = "fields", .title = "fields", .kind = SG_COL_FIELDS},
    {.name = "at", .title = "written", .kind = SG_COL_TIME, .keep = true},
    {.name = "actor", .title = "by", .kind = SG_COL_ACTOR},
    {.name = "origin", .title = "origin"},
    {.name = "sent", .title = "sent", .kind = SG_COL_BOOL, .keep = true}};

static const sg_col refused[] = {
    {.name = "n", .title = "n", .right = true, .keep = true, .style = SG_DIM},
    {.name = "app"},
    {.name = "table", .title = "table", .style = SG_CYAN},
    {.name = "key", .title = "key"},
    {.name = "op", .title = "op", .keep = true},
    {.name = "fields", .title = "fields", .kind = SG_COL_FIELDS},
    {.name = "at", .title = "written", .kind = SG_COL_TIME, .keep = true},
    {.name = "code", .title = "code", .style = SG_RED},
    {.name = "message", .title = "why"}};

static const sg_col parked[] = {
    {.name = "table", .title = "table", .style = SG_CYAN},
    {.name = "key", .title = "key"},
    {.name = "fields", .title = "fields", .kind = SG_COL_FIELDS},
    {.name = "reason", .title = "why"},
    {.name = "since", .title = "since", .kind = SG_COL_TIME, .keep = true}};

static int list(const sg_args *args, const char *sql, const sg_col *cols, size_t n,
                const char *doing, const char *none)
{
    sqlite3 *db;
    int exit_code = sg_file_open_ready(sg_args_word(args, 0), &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    exit_code = sg_rows_query(db, sql, NULL, NULL, cols, n, sg_args_has(args, "json"), doing, none);
    sg_file_close(db);
    return exit_code;
}

static int run_pending(const sg_args *args)
{
    return list(args,
                "SELECT n, app, \"table\", key, op, fields, at, actor, origin, sent"
                " FROM sigla_pending()",
                pending, COUNT(pending), "cannot list what is pending",
                "Nothing is pending: the server has everything.");
}

static int run_refused(const sg_args *args)
{
    return list(args,
                "SELECT n, app, \"table\", key, op, fields, at, code, message"
                " FROM sigla_refused()",
                refused, COUNT(refused), "cannot list what was refused", "Nothing was refused.");
}

static int run_parked(const sg_args *args)
{
    return list(args, "SELECT \"table\", key, fields, reason, since FROM sigla_parked()", parked,
                COUNT(parked), "cannot list what is parked",
                "Nothing is parked: every record that came is in its table.");
}

const sg_verb sg_verb_pending = {
    .name = "pending",
    .words = "FILE",
    .summary = "changes the server has not acknowledged yet",
    .more = "Oldest first. `sent` changes are on their way: the answer has not arrived.",
    .examples = "sigla pending notes.db\n"
                "sigla pending notes.db --json",
    .opts = opts,
    .run = run_pending};

const sg_verb sg_verb_refused = {
    .name = "refused",
    .words = "FILE",
    .summary = "changes the server refused, and why",
    .more =
        "A refused change stands alone: nothing waits behind it, and the row here keeps it. When the\n"
        "cause is gone, sigla retry queues it again.",
    .examples = "sigla refused notes.db\n"
                "sigla retry notes.db 17",
    .opts = opts,
    .run = run_refused};

const sg_verb sg_verb_parked = {
    .name = "parked",
    .words = "FILE",
    .summary = "records that this database's own rules keep out",
    .more =
        "A record that came from the server but breaks a UNIQUE, CHECK or foreign key of this file\n"
        "waits here and is tried again whenever that can have changed.",
    .examples = "sigla parked notes.db",
    .opts = opts,
    .run = run_parked};
