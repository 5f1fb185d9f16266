#include "cli.h"
#include "file.h"
#include "rows.h"
#include "show.h"
#include "text.h"

#define STATUS_MAX ((size_t)16 << 20)

static const sg_opt opts[] = {{"json", NULL, "print JSON"}, {0}};

static const sg_col tables[] = {{.title = "table", .style = SG_CYAN},
                                {.title = "app"},
                                {.title = "on the server"},
                                {.title = "state"},
                                {.title = "as the server's"}};

/* "3 changes are pending: sigla sync FILE", if there are any. */
static void say_count(sg_slice status, const char *member, const char *one, const char *many,
                      const char *verb, const char *path)
{
    sg_buf line;
    int64_t n = sg_show_member_int(status, member);
    if (n <= 0) return;
    sg_buf_init(&line, 64 * 1024);
    sg_text_count(&line, n);
    sg_buf_str(&line, n == 1 ? one : many);
    sg_buf_str(&line, ": sigla ");
    sg_buf_str(&line, verb);
    sg_buf_byte(&line, ' ');
    sg_buf_str(&line, path);
    const char *text = sg_buf_cstr(&line);
    if (text != NULL) sg_say("%s", text);
    sg_buf_deinit(&line);
}

static void say_owner(sg_slice status, const char *path)
{
    sg_buf user, server;
    sg_buf_init(&user, 4096);
    sg_buf_init(&server, 4096);
    (void)sg_show_member_text(status, "user", &user);
    (void)sg_show_member_text(status, "server", &server);
    const char *who = sg_buf_cstr(&user), *where = sg_buf_cstr(&server);
    if (who != NULL && where != NULL)
        sg_say("%s belongs to %s and syncs with %s", path, who,
               where[0] != '\0' ? where : "nothing");
    sg_buf_deinit(&user);
    sg_buf_deinit(&server);
}

static int show(sqlite3 *db, sg_slice status, const char *path)
{
    say_owner(status, path);
    if (sg_show_member_int(status, "pending") == 0) sg_say("nothing is pending");
    say_count(status, "pending", " change is pending", " changes are pending", "sync", path);
    say_count(status, "conflicts", " value of yours was overwritten unseen",
              " values of yours were overwritten unseen", "conflicts", path);
    say_count(status, "refused", " change was refused by the server",
              " changes were refused by the server", "refused", path);
    say_count(status, "parked", " record is kept out by this database's rules",
              " records are kept out by this database's rules", "parked", path);
    sg_say("%s", "");
    return sg_rows_query(db,
                         "SELECT t.value->>'name', t.value->>'app', t.value->>'as',"
                         " CASE WHEN t.value->>'missing' THEN 'gone from the database'"
                         "  WHEN NOT t.value->>'tracked' THEN 'not tracked any more'"
                         "  WHEN NOT t.value->>'current' THEN 'has columns not tracked yet'"
                         "  WHEN a.value->>'resync' THEN 'being pulled anew'"
                         "  WHEN a.value->>'hydrated' AND a.value->>'cursor' = ''"
                         "  THEN 'to be pulled anew'"
                         "  WHEN a.value->>'hydrated' THEN 'synced up to ' || (a.value->>'seq')"
                         "  ELSE 'never synced' END,"
                         " CASE t.value->>'$.server.state' WHEN 'equal' THEN 'yes' ||"
                         "   coalesce('; mended on ' || substr(t.value->>"
                         "   '$.server.difference.repairedAt', 1, 10), '')"
                         "  WHEN 'failed' THEN 'NO, and could not be mended: sigla doctor'"
                         "  WHEN 'differs' THEN 'no: the next sync mends it'"
                         "  WHEN 'repairing' THEN 'no: being mended'"
                         "  ELSE coalesce(t.value->>'$.server.notCompared', '') END"
                         " FROM json_each(sigla_status(), '$.tables') t"
                         " LEFT JOIN json_each(sigla_status(), '$.apps') a"
                         " ON a.value->>'name' = t.value->>'app' ORDER BY 2, 1",
                         NULL, NULL, tables, sizeof tables / sizeof tables[0], false,
                         "cannot list the tables",
                         "Nothing is tracked yet: sigla track FILE TABLE");
}

static int run(const sg_args *args)
{
    sqlite3 *db;
    sg_buf status;
    const char *path = sg_args_word(args, 0);
    int exit_code = sg_file_open_ready(path, &db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_buf_init(&status, STATUS_MAX);
    exit_code =
        sg_file_text(db, &status, "cannot read the status", "SELECT sigla_status()", NULL, NULL);
    if (exit_code == SG_EXIT_OK && sg_args_has(args, "json")) {
        sg_buf_byte(&status, '\n');
        sg_out(sg_buf_view(&status));
    } else if (exit_code == SG_EXIT_OK) {
        exit_code = show(db, sg_buf_view(&status), path);
    }
    sg_buf_deinit(&status);
    sg_file_close(db);
    return exit_code;
}

const sg_verb sg_verb_status = {.name = "status",
                                .words = "FILE",
                                .summary =
                                    "whose database this is, what is tracked, and what waits",
                                .examples = "sigla status notes.db\n"
                                            "sigla status notes.db --json",
                                .opts = opts,
                                .run = run};
