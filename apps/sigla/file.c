#include "file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "replica/replica.h"
#include "sigla.h"

/* SQLite takes names such as ":memory:" to be no files; ours always are. */
static const char *as_file_name(const char *path, sg_buf *scratch)
{
    if (path[0] != ':') return path;
    sg_buf_str(scratch, "./");
    sg_buf_str(scratch, path);
    return sg_buf_cstr(scratch);
}

static int check_exists(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0) {
        if (!S_ISDIR(st.st_mode)) return SG_EXIT_OK;
        return sg_fail(SG_EXIT_DATABASE, "%s is a directory, not a database", path);
    }
    if (errno != ENOENT && errno != ENOTDIR)
        return sg_fail(SG_EXIT_DATABASE, "%s: %s", path, strerror(errno));
    sg_fail(SG_EXIT_DATABASE, "there is no file %s", path);
    sg_hint("Prepare one: sigla init %s --server URL --token TOKEN --user NAME", path);
    return SG_EXIT_DATABASE;
}

static int exit_of_sqlite(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
        return SG_EXIT_DATABASE;
    default:
        return SG_EXIT_FAILED;
    }
}

static void hint_for(int code, const char *path)
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        sg_hint("Another program holds the lock. Let it finish, then try again.");
        break;
    case SQLITE_NOTADB:
        sg_hint("The file is something else, or encrypted. Name an SQLite database.");
        break;
    case SQLITE_CORRUPT:
        sg_hint("Keep a copy of the file. What is damaged: sigla doctor %s", path);
        break;
    case SQLITE_FULL:
        sg_hint("Free some space, then try again: nothing was changed.");
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        sg_hint("Check that you may write the file and the directory it is in.");
        break;
    default:
        break;
    }
}

/* What an error's text tells people who type SQL, and what those at a shell do. */
static const struct {
    const char *sql, *hint;
} cures[] = {{": SELECT sigla_track(", "Which tables are tracked: sigla status %s"},
             {": sigla_untrack() it first", "Stop that first: sigla untrack %s TABLE"},
             {": see sigla_conflicts()", "Which there are: sigla conflicts %s"},
             {": see sigla_refused()", "Which there are: sigla refused %s"}};

int sg_file_fail(sqlite3 *db, const char *doing)
{
    /* Sigla's SQL functions say whose error it is; every line of ours does. */
    static const char ours[] = "sigla: ";
    int code = sqlite3_errcode(db);
    const char *why = sqlite3_errmsg(db), *path = sqlite3_db_filename(db, "main");
    const char *end = why + strlen(why), *hint = NULL;
    if (path == NULL || path[0] == '\0') path = "FILE";
    if (strncmp(why, ours, sizeof ours - 1) == 0) why += sizeof ours - 1;
    for (size_t i = 0; i < sizeof cures / sizeof *cures && hint == NULL; i++) {
        const char *sql = strstr(why, cures[i].sql);
        if (sql == NULL) continue;
        end = sql;
        hint = cures[i].hint;
    }
    int exit_code = sg_fail(exit_of_sqlite(code), "%s: %.*s", doing, (int)(end - why), why);
    if (hint != NULL) sg_hint(hint, path);
    hint_for(code, path);
    return exit_code;
}

static int open_at(const char *path, bool create, sqlite3 **db)
{
    int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(path, db, flags, NULL);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(*db, SG_FILE_BUSY_MS);
    /* Opening reads nothing yet: look at the header now, so that the error names the file. */
    if (code == SQLITE_OK) code = sqlite3_exec(*db, "PRAGMA schema_version", NULL, NULL, NULL);
    /* Damage is for those to tell of who go on to read it. */
    if (code == SQLITE_OK || (code & 0xff) == SQLITE_CORRUPT) return SG_EXIT_OK;
    if (*db == NULL) return sg_fail(SG_EXIT_DATABASE, "cannot open %s: memory ran out", path);
    return sg_file_fail(*db, path);
}

/* Sigla's tables are damaged, or of a format that is not ours. */
static int refuse(sqlite3 *db, const char *path)
{
    sqlite3_stmt *stmt = NULL;
    int64_t format = 0;
    if (sqlite3_prepare_v2(db, "SELECT v FROM sigla_state WHERE k = 'format'", -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        format = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    if (format > SG_FORMAT) {
        sg_fail(SG_EXIT_DATABASE, "%s was written by a newer sigla", path);
        sg_hint("Use that one here too: this one could damage what it does not know.");
    } else {
        sg_fail(SG_EXIT_DATABASE, "%s is damaged", path);
        hint_for(SQLITE_CORRUPT, path);
    }
    return SG_EXIT_DATABASE;
}

static int sigla_on(sqlite3 *db, const char *path)
{
    int err = sigla_register(db);
    if (err == SIGLA_OK) return SG_EXIT_OK;
    if (err == SIGLA_CORRUPT) return refuse(db, path);
    return sg_fail(sg_exit_of(err), "cannot use %s: %s", path, sigla_error_text(err));
}

enum how { PLAIN, REGISTERED, CREATED };

static int open_how(const char *path, enum how how, sqlite3 **db)
{
    sg_buf name;
    *db = NULL;
    if (path[0] == '\0') return sg_fail(SG_EXIT_USAGE, "the file's name is empty");
    sg_buf_init(&name, 64 * 1024);
    const char *at = as_file_name(path, &name);
    int exit_code = at != NULL ? SG_EXIT_OK : sg_fail(SG_EXIT_USAGE, "the file's name is too long");
    if (exit_code == SG_EXIT_OK && how != CREATED) exit_code = check_exists(at);
    if (exit_code == SG_EXIT_OK) exit_code = open_at(at, how == CREATED, db);
    if (exit_code == SG_EXIT_OK && how != PLAIN) exit_code = sigla_on(*db, at);
    sg_buf_deinit(&name);
    if (exit_code != SG_EXIT_OK) {
        sg_file_close(*db);
        *db = NULL;
    }
    return exit_code;
}

int sg_file_open(const char *path, bool create, sqlite3 **db)
{
    return open_how(path, create ? CREATED : REGISTERED, db);
}

int sg_file_open_plain(const char *path, sqlite3 **db)
{
    return open_how(path, PLAIN, db);
}

int sg_file_ready(sqlite3 *db, const char *path)
{
    sg_buf user;
    int exit_code = sigla_on(db, path);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_buf_init(&user, SG_FILE_TEXT_MAX);
    bool ready = sg_file_config(db, "user", &user);
    sg_buf_deinit(&user);
    if (ready) return SG_EXIT_OK;
    sg_fail(SG_EXIT_FAILED, "%s is not prepared for sync", path);
    sg_hint("Prepare it: sigla init %s --server URL --token TOKEN --user NAME", path);
    return SG_EXIT_FAILED;
}

int sg_file_open_ready(const char *path, sqlite3 **db)
{
    int exit_code = sg_file_open_plain(path, db);
    if (exit_code == SG_EXIT_OK) exit_code = sg_file_ready(*db, path);
    if (exit_code == SG_EXIT_OK) return exit_code;
    sg_file_close(*db);
    *db = NULL;
    return exit_code;
}

void sg_file_close(sqlite3 *db)
{
    (void)sqlite3_close_v2(db);
}

sqlite3_stmt *sg_file_prepare(sqlite3 *db, const char *sql, const char *doing, int *exit_code)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) return stmt;
    *exit_code = sg_file_fail(db, doing);
    return NULL;
}

void sg_file_bind_word(sqlite3_stmt *stmt, int i, const char *word)
{
    (void)sqlite3_bind_text(stmt, i, word, -1, SQLITE_STATIC);
}

static bool take_first(sqlite3_stmt *stmt, sg_buf *out)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
        const void *text = sqlite3_column_text(stmt, 0);
        sg_buf_put(out, text, (size_t)sqlite3_column_bytes(stmt, 0));
    }
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

int sg_file_text(sqlite3 *db, sg_buf *out, const char *doing, const char *sql, const char *first,
                 const char *second)
{
    int exit_code = SG_EXIT_OK;
    sqlite3_stmt *stmt = sg_file_prepare(db, sql, doing, &exit_code);
    if (stmt == NULL) return exit_code;
    int words = sqlite3_bind_parameter_count(stmt);
    if (words > 0) sg_file_bind_word(stmt, 1, first);
    if (words > 1) sg_file_bind_word(stmt, 2, second);
    if (!take_first(stmt, out)) exit_code = sg_file_fail(db, doing);
    (void)sqlite3_finalize(stmt);
    if (exit_code == SG_EXIT_OK && out->err != SG_OK)
        exit_code = sg_fail(sg_exit_of(out->err), "%s: %s", doing, sg_err_text(out->err));
    return exit_code;
}

bool sg_file_config(sqlite3 *db, const char *name, sg_buf *out)
{
    sqlite3_stmt *stmt = NULL;
    size_t before = out->n;
    if (sqlite3_prepare_v2(db, "SELECT sigla_config(?1)", -1, &stmt, NULL) != SQLITE_OK)
        return false;
    (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    bool ok = take_first(stmt, out);
    (void)sqlite3_finalize(stmt);
    return ok && out->err == SG_OK && out->n > before;
}
