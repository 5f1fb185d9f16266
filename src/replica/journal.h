/*
 * The conflict journal: people's values that lost (L5, L6).
 *
 * States: doubt (its push is not acknowledged: not judged yet; doubt-quiet while hydrating; winner_seq
 * is minus its seq while it stands at the server after all), open
 * (a conflict), quiet (lost during the first hydration: kept, not announced), restored, dismissed.
 * An open conflict is shown only while its value differs from what is there now, so one whose value
 * comes back by itself is withdrawn.
 */
#ifndef SG_JOURNAL_H
#define SG_JOURNAL_H

#include "core/conflict.h"
#include "replica/table.h"

#define SG_JOURNAL_AGE_US (INT64_C(365) * 86400 * 1000000) /* default of "journal_age_us" */

/* One value of one's own about to be replaced by what the server has. */
typedef struct sg_loss {
    const sg_table *table;
    sg_slice key;
    uint32_t field; /* interned name */
    bool deleted;   /* with the whole record, not overwritten */
    const sg_mark *own;
    sg_slice value; /* JSON */
    const sg_mark *winner;
    sg_slice now;        /* JSON of what is there now; null for a delete */
    const sg_lost *lost; /* NULL: nobody knows any more who saw what */
    sg_slice snapshot;   /* JSON object of the row before a delete; empty otherwise */
    bool hydrated;
    bool restored; /* the server was put back: acknowledgements above `proved` are not its own */
    int64_t proved;
} sg_loss;

/* True if the journal holds anything at all. */
bool sg_journal_any(sg_replica *r, int *err);
/* Judge the loss and write down what must not be lost. *raised counts new conflicts. */
void sg_journal_loss(sg_replica *r, const sg_loss *loss, int64_t *raised, int *err);
/* Write down, unannounced, a value that nobody is known to have written: it was shown here, and is not
 * what its mark stands for. However often that happens. */
void sg_journal_keep(sg_replica *r, const sg_loss *loss, int *err);
/* What is there now, for entries of that field. */
void sg_journal_now(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field, sg_slice now,
                    const sg_mark *mark, int *err);
/* What a field shows is overwritten or deleted here, by the hand that sees it: what was said of that
 * value is settled, be it there under one's own change n (0: it is not) or because somebody else wrote
 * the same (L5: withdrawn). */
void sg_journal_superseded(sg_replica *r, const sg_table *t, sg_slice key, const sg_field *shown,
                           int64_t n, int *err);
/* The record was deleted: nothing is there now in any of its fields. */
void sg_journal_gone(sg_replica *r, const sg_table *t, sg_slice key, const sg_mark *mark, int *err);
/* The record has come anew, and alive: what was deleted in doubt is judged by this list alone. */
void sg_journal_relist(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field,
                       const sg_lost *lost, int *err);
/* Of such a value the server says that it stands in the field after all: `own` is its mark there. Here a
 * later write lies over it, which the server has yet to get. Nothing can be said before it is gone. */
void sg_journal_stands(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field,
                       const sg_mark *own, int *err);
/* What stood in the field so is not there any more, but for change n (0: none): judged by this list. */
void sg_journal_removed(sg_replica *r, const sg_table *t, sg_slice key, uint32_t field, int64_t n,
                        const sg_lost *lost, int64_t *raised, int *err);
/* The same of the record's other fields, which were removed seen. */
void sg_journal_stood(sg_replica *r, const sg_table *t, sg_slice key, int *err);
/* Acknowledgements or pages have come: judge what was in doubt and can be judged now. */
void sg_journal_settle(sg_replica *r, int64_t *raised, int *err);
/* Doubts of an app that no acknowledgement will settle any more: the server was put back, and what
 * was on its way is not sent again because something newer is there. They lost. */
void sg_journal_unsettled(sg_replica *r, uint32_t app, int64_t *raised, int *err);
/* Drop what is older than the configured age (L6), by the time the server has just told. */
void sg_journal_expire(sg_replica *r, int64_t server_us, int *err);

/* SQL: sigla_restore(id), sigla_dismiss(id). */
int sg_journal_restore(sg_replica *r, int64_t id);
int sg_journal_dismiss(sg_replica *r, int64_t id);

#endif
