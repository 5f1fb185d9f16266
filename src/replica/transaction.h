/*
 * How Sigla hears of the user's transaction: an eponymous virtual table, sigla_tx, is enlisted in
 * it, and its xSync, xSavepoint, xRollbackTo, xCommit and xRollback are our hooks (what FTS5 does).
 */
#ifndef SG_TRANSACTION_H
#define SG_TRANSACTION_H

#include "replica/replica.h"

int sg_transaction_register(sg_replica *r);
/* Make the present transaction know of us. Cheap when it does already. */
int sg_transaction_enlist(sg_replica *r);

#endif
