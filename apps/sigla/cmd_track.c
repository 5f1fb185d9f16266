#include <string.h>

#include "cli.h"
#include "file.h"
#include "show.h"
#include "wire/json.h"

#define OPTIONS_MAX ((size_t)1 << 20)

static const sg_opt opts[] = {
    {"app", "NAME", "the app it belongs to on the server (default: \"default\")"},
    {"as", "NAME", "what the table is called on the server (default: its name here)"},
    {"json", "COL,COL", "columns that hold JSON and travel as JSON"},
    {"local", "COL,COL", "columns that never leave this file"},
    {"space", "COL", "the column that says which space a record belongs to"},
    {"group", "COL,COL", "columns that win or lose together; may be given several times"},
    {0}};

static const sg_opt untrack_opts[] = {{0}};

/* "a,b" as ["a","b"]. */
static void put_list(sg_jsonw *w, const char *names)
{
    sg_jsonw_array(w);
    while (names != NULL && *names != '\0') {
        size_t n = strcspn(names, ",");
        if (n != 0) sg_jsonw_string(w, sg_slice_of(names, n));
        names += n + (names[n] == ',');
    }
    sg_jsonw_array_end(w);
}

static void put_member(sg_jsonw *w, const char *member, const char *value)
{
    if (value != NULL) sg_jsonw_kstr(w, member, sg_slice_str(value));
}

static void put_columns(sg_jsonw *w, const sg_args *args, const char *name)
{
    if (!sg_args_has(args, name)) return;
    sg_jsonw_k(w, name);
    put_list(w, sg_args_value(args, name));
}

static void put_groups(sg_jsonw *w, const sg_args *args)
{
    if (!sg_args_has(args, "group")) return;
    sg_jsonw_k(w, "groups");
    sg_jsonw_array(w);
    const char *group;
    for (size_t i = 0; (group = sg_args_nth(args, "group", i)) != NULL; i++)
        put_list(w, group);
    sg_jsonw_array_end(w);
}

static int track(sqlite3 *db, const sg_args *args, const char *table)
{
    sg_buf options, ignored;
    sg_jsonw w;
    sg_buf_init(&options, OPTIONS_MAX);
    sg_buf_init(&ignored, OPTIONS_MAX);
    sg_jsonw_init(&w, &options);
    sg_jsonw_object(&w);
    put_member(&w, "app", sg_args_value(args, "app"));
    put_member(&w, "as", sg_args_value(args, "as"));
    put_member(&w, "space", sg_args_value(args, "space"));
    put_columns(&w, args, "json");
    put_columns(&w, args, "local");
    put_groups(&w, args);
    sg_jsonw_object_end(&w);
    const char *text = sg_buf_cstr(&options);
    int exit_code = text != NULL
                        ? sg_file_text(db, &ignored, "cannot track the table",
                                       "SELECT sigla_track(?1, ?2)", table, text)
                        : sg_fail(SG_EXIT_USAGE, "the options are not valid UTF-8, or too long");
    sg_buf_deinit(&options);
    sg_buf_deinit(&ignored);
    return exit_code;
}

static int64_t count_pending(sqlite3 *db)
{
    sg_buf n;
    int64_t count = 0;
    sg_buf_init(&n, 64);
    if (sg_file_text(db, &n, "cannot count what is pending", "SELECT count(*) FROM sigla_pending()",
                     NULL, NULL) == SG_EXIT_OK)
        for (size_t i = 0; i < n.n; i++)
            count = count * 10 + (n.p[i] - '0');
    sg_buf_deinit(&n);
    return count;
}

static int run(const sg_args *args)
{
    sqlite3 *db;
    const char *path = sg_args_word(args, 0), *table = sg_args_word(args, 1);
    int exit_code = sg_file_open_ready(path, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    exit_code = track(db, args, table);
    if (exit_code == SG_EXIT_OK) {
        int64_t n = count_pending(db);
        sg_say("tracking %s; %lld change%s pending", table, (long long)n, n == 1 ? "" : "s");
    }
    sg_file_close(db);
    return exit_code;
}

static int run_untrack(const sg_args *args)
{
    sqlite3 *db;
    sg_buf ignored;
    const char *table = sg_args_word(args, 1);
    int exit_code = sg_file_open_ready(sg_args_word(args, 0), &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_buf_init(&ignored, OPTIONS_MAX);
    exit_code = sg_file_text(db, &ignored, "cannot stop tracking the table",
                             "SELECT sigla_untrack(?1)", table, NULL);
    if (exit_code == SG_EXIT_OK)
        sg_say("no longer tracking %s; its data, marks and pending changes stay", table);
    sg_buf_deinit(&ignored);
    sg_file_close(db);
    return exit_code;
}

const sg_verb sg_verb_track = {
    .name = "track",
    .words = "FILE TABLE",
    .summary = "mark and sync every change of a table from now on",
    .more =
        "The table must have a primary key. Rows that are there already are queued under origin\n"
        "migration, and never overwrite what somebody wrote elsewhere. Calling it again is harmless\n"
        "and can change the options. Columns added later are followed by themselves.",
    .examples = "sigla track notes.db tasks\n"
                "sigla track notes.db tasks --app todo --as task\n"
                "sigla track notes.db places --group lat,lon --json tags --local cached_at",
    .opts = opts,
    .run = run};

const sg_verb sg_verb_untrack = {.name = "untrack",
                                 .words = "FILE TABLE",
                                 .summary = "stop marking and syncing a table",
                                 .more = "The data, its marks and what is already queued stay.",
                                 .examples = "sigla untrack notes.db tasks",
                                 .opts = untrack_opts,
                                 .run = run_untrack};
