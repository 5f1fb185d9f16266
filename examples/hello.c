/* A synced note in C: cc hello.c $(pkg-config --cflags --libs sigla), `./a.out notes.db`, then
 * `sigla sync notes.db`; `sigla marks notes.db notes hello` tells who wrote it, and when. */
#include <sigla.h>
#include <sqlite3.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    sqlite3 *db;
    if (argc != 2 || sqlite3_open(argv[1], &db) != SQLITE_OK) return 2;
    if (sigla_register(db) != SIGLA_OK) return 3;
    const char *sql = "CREATE TABLE IF NOT EXISTS notes(id TEXT PRIMARY KEY, text TEXT);"
                      "SELECT sigla_track('notes');"
                      "INSERT OR REPLACE INTO notes VALUES('hello', 'Hello from C')";
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    printf("%s\n", rc == SQLITE_OK ? "written, and queued for sync" : sqlite3_errmsg(db));
    return sqlite3_close(db) != SQLITE_OK;
}
