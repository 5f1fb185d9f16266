/* What tables hold, against what the server says they should (spec/storage.md, "Sums"). */
#include "checks.h"

#include <stdio.h>

#define DETAIL_MAX 500

static const char mend[] = "sigla sync FILE mends it; sigla doctor FILE --repair has it done anew.";
static const char cannot[] =
    "Back up the file and look at what is told below. It is tried again each day; if a new device says "
    "the same, ask whoever runs the server: sigla doctor DIRECTORY looks at its data.";

/* Each table once, with what its last repair has come to. */
static const char examine[] =
    "SELECT c.value->>'table', coalesce(c.value->>'notCompared', ''), c.value->>'marks',"
    " c.value->>'values', c.value->>'kept', c.value->>'records', c.value->>'serverRecords',"
    " c.value->>'missingRows', c.value->>'damagedMarks', c.value->>'unmarkedRows',"
    " s.value->>'$.server.state', s.value->>'$.server.difference.foundAt',"
    " s.value->>'$.server.difference.repairedAt'"
    " FROM json_each(sigla_check()) c JOIN json_each(sigla_status(), '$.tables') s"
    " ON s.value->>'name' = c.value->>'table' ORDER BY 1";

enum column {
    TABLE,
    WHY_NOT,
    SAME_MARKS,
    SAME_VALUES,
    KEPT,
    RECORDS,
    SERVER_RECORDS,
    MISSING,
    DAMAGED,
    UNMARKED,
    STATE,
    FOUND_AT,
    REPAIRED_AT
};

typedef struct words {
    char text[DETAIL_MAX];
    size_t n;
} words;

/* "; 2 records have lost their row" */
static void say(words *w, int64_t n, const char *one, const char *many)
{
    if (n <= 0 || w->n >= sizeof w->text) return;
    int len = snprintf(w->text + w->n, sizeof w->text - w->n, "; %lld %s", (long long)n,
                       n == 1 ? one : many);
    w->n += len > 0 ? (size_t)len : 0;
}

static bool is_false(sqlite3_stmt *s, int c)
{
    return sqlite3_column_type(s, c) != SQLITE_NULL && sqlite3_column_int(s, c) == 0;
}

static const char *text(sqlite3_stmt *s, int c)
{
    const char *t = (const char *)sqlite3_column_text(s, c);
    return t != NULL ? t : "";
}

static const char *what_differs(sqlite3_stmt *s)
{
    bool marks = is_false(s, SAME_MARKS), values = is_false(s, SAME_VALUES);
    if (marks && values) return "marks and values are";
    if (marks) return "marks are";
    return values ? "values are" : "what Sigla keeps of it is";
}

static void add_table(sqlite3_stmt *s, sg_findings *f)
{
    words w = {"", 0};
    bool differs = is_false(s, SAME_MARKS) || is_false(s, SAME_VALUES);
    int64_t records = sqlite3_column_int64(s, RECORDS),
            told = sqlite3_column_int64(s, SERVER_RECORDS);
    say(&w, sqlite3_column_int64(s, MISSING), "record has lost its row",
        "records have lost their rows");
    say(&w, sqlite3_column_int64(s, DAMAGED), "record has marks that cannot be read",
        "records have marks that cannot be read");
    say(&w, sqlite3_column_int64(s, UNMARKED), "row is in no record", "rows are in no record");
    if (differs)
        say(&w, told - records, "record less than the server", "records less than the server");
    if (differs)
        say(&w, records - told, "record more than the server", "records more than the server");
    bool vain = strcmp(text(s, STATE), "failed") == 0;
    if (differs && vain)
        sg_findings_add(f, "data", SG_PROBLEM, cannot,
                        "%s: its %s not the server's, and could not be mended%s", text(s, TABLE),
                        what_differs(s), w.text);
    else if (differs || is_false(s, KEPT) || w.n != 0)
        sg_findings_add(f, "data", SG_PROBLEM, mend, "%s: its %s not %s%s", text(s, TABLE),
                        what_differs(s), differs ? "the server's" : "as it should be", w.text);
    else if (*text(s, WHY_NOT) != '\0')
        sg_findings_add(f, "data", SG_NOTE, "sigla sync FILE",
                        "%s is not compared with the server: %s", text(s, TABLE), text(s, WHY_NOT));
    else if (sqlite3_column_type(s, REPAIRED_AT) != SQLITE_NULL)
        sg_findings_add(f, "data", SG_FINE, NULL,
                        "%s is as on the server; it had differed on %s, and was mended",
                        text(s, TABLE), text(s, FOUND_AT));
    else
        sg_findings_add(f, "data", SG_FINE, NULL, "%s is as on the server", text(s, TABLE));
}

void sg_check_sums(sqlite3 *db, sg_findings *f)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db, examine, -1, &s, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(s);
        if (code == SQLITE_ROW) add_table(s, f);
    }
    if (code != SQLITE_DONE)
        sg_findings_add(f, "data", SG_PROBLEM, mend, "cannot be compared: %s", sqlite3_errmsg(db));
    (void)sqlite3_finalize(s);
}

void sg_check_repair(sqlite3 *db, sg_findings *f)
{
    if (sqlite3_exec(db, "SELECT sigla_repair()", NULL, NULL, NULL) == SQLITE_OK)
        sg_findings_add(f, "repair", SG_NOTE, "sigla sync FILE",
                        "the next sync pulls everything and puts every table right");
    else
        sg_findings_add(f, "repair", SG_PROBLEM, NULL, "cannot be asked for: %s",
                        sqlite3_errmsg(db));
}
