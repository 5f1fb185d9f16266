#include "sim/memory.h"

#include <malloc.h>
#include <sqlite3.h>

#include "base/mem.h"

static sqlite3_mem_methods plain;
static size_t ours_at, sqlites_left;
static bool failed;

static bool fails(void)
{
    if (sqlites_left == 0 || --sqlites_left != 0) return false;
    failed = true;
    return true;
}

static void *failing_malloc(int n)
{
    return fails() ? NULL : plain.xMalloc(n);
}

static void *failing_realloc(void *p, int n)
{
    return fails() ? NULL : plain.xRealloc(p, n);
}

void memory_register(void)
{
    static bool done;
    if (done) return;
    done = true;
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
    sqlite3_mem_methods failing = plain;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    /* Memory that one run gives back is for the next one. */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
}

void memory_fail(size_t ours, size_t sqlites)
{
    ours_at = ours;
    sqlites_left = sqlites;
    failed = false;
    (void)sg_mem_fail_at(ours, 0);
}

bool memory_failed(void)
{
    if (failed || ours_at == 0) return failed;
    /* Asking ends the counting. */
    failed = sg_mem_fail_at(0, 0) >= ours_at;
    ours_at = 0;
    return failed;
}
