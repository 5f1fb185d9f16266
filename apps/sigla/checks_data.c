/* A server's data directory: are the sums that it sends those of the records it holds? */
#include "checks.h"

#include <unistd.h>

#include "server/audit.h"
#include "server/datadir.h"

static const char fix[] = "sigla doctor DIRECTORY --repair counts them anew.";

typedef struct looking {
    sg_findings *found;
    sg_store *store;
    sg_writer *writer; /* of a repair; NULL: only look */
    int err;
} looking;

/* The sums again, as they should be: what is missing is added. */
static void put_right(looking *l, const sg_audited *t)
{
    const sg_store_ops *ops = l->store->ops;
    const sg_sum less = {t->found.marks - t->kept.marks, t->found.values - t->kept.values,
                         t->found.records - t->kept.records};
    if (l->err == SG_OK) l->err = ops->add_sum(l->writer, t->feed, t->number, &less);
}

static void add_table(void *ctx, const sg_audited *t)
{
    looking *l = ctx;
    const char *what =
        t->damaged != 0 ? "has records that cannot be read" : "has other sums than its records";
    if (sg_audited_sound(t)) return;
    if (t->damaged == 0 && l->writer != NULL) {
        put_right(l, t);
        sg_findings_add(l->found, "sums", SG_NOTE, NULL, "%.*s of %.*s in %.*s: counted anew",
                        (int)t->table.n, t->table.p, (int)t->scope.n, t->scope.p, (int)t->app.n,
                        t->app.p);
        return;
    }
    sg_findings_add(l->found, "sums", SG_PROBLEM,
                    t->damaged != 0 ? "Restore a backup: replicas send again what it lacks." : fix,
                    "%.*s of %.*s in %.*s %s", (int)t->table.n, t->table.p, (int)t->scope.n,
                    t->scope.p, (int)t->app.n, t->app.p, what);
}

static int look(looking *l, bool repair)
{
    const sg_store_ops *ops = l->store->ops;
    sg_commit newest;
    sg_view *view = NULL;
    int err = ops->view_new(l->store->impl, &view);
    if (err == SG_OK && repair) {
        l->writer = ops->writer(l->store->impl);
        err = ops->begin(l->writer, &newest);
    }
    if (err == SG_OK) err = sg_audit(l->store, view, add_table, l);
    if (err == SG_OK) err = l->err;
    if (repair && l->writer != NULL) {
        if (err == SG_OK) err = ops->commit(l->writer, &newest);
        if (err != SG_OK) ops->rollback(l->writer);
    }
    if (view != NULL) ops->view_free(view);
    return err;
}

void sg_check_data(const char *dir, bool repair, sg_findings *f)
{
    sg_store store = {NULL, NULL};
    looking l = {.found = f, .store = &store};
    sg_buf path;
    int lock = -1;
    sg_buf_init(&path, SG_PATH_BYTES_MAX);
    sg_datadir_path(dir, SG_STORE_FILE, &path);
    const char *file = sg_buf_cstr(&path);
    int err = file == NULL ? path.err : access(file, F_OK) != 0 ? SG_NOTFOUND : SG_OK;
    if (err == SG_OK) err = sg_datadir_lock(dir, &lock);
    if (err == SG_OK) err = sg_store_sqlite_open(file, &store);
    if (err == SG_OK) err = look(&l, repair);
    if (err != SG_OK)
        sg_findings_add(f, "data", SG_PROBLEM, err == SG_BUSY ? "Stop the server first." : NULL,
                        "cannot be looked at: %s",
                        err == SG_NOTFOUND ? "no server has kept its data there"
                                           : sg_err_text(err));
    else if (f->count == 0)
        sg_findings_add(f, "sums", SG_FINE, NULL, "those of every table are those of its records");
    sg_store_close(&store);
    if (lock >= 0) (void)close(lock);
    sg_buf_deinit(&path);
}
