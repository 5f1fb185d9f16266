/*
 * Faults at a chosen moment: allocation N of ours or of SQLite's, write, read or opening N of any
 * file of SQLite's, or statement N fails. In the style of SQLite's own fault loops: let the first one fail, then the
 * second, until the work is done before it comes to that.
 *
 * One fault at a time for the process. Counting may be paused, so that a fault strikes one of two
 * sides that take turns.
 */
#ifndef SG_TESTS_FAULTS_H
#define SG_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

enum fault {
    FAULT_OURS,      /* an allocation through base/mem.h */
    FAULT_SQLITES,   /* an allocation of SQLite's */
    FAULT_DISK,      /* a write, sync, truncation or deletion */
    FAULT_STATEMENT, /* a statement is interrupted before it has done anything */
    FAULT_READ,
    FAULT_OPEN, /* a file is opened */
    FAULT_KINDS
};

/* Before anything else is asked of SQLite. Databases opened from then on can be struck. */
void faults_install(void);
/* Let the n-th from now fail (1: the next); `sticky`: and all after it, until disarmed or paused. */
void fault_arm(enum fault which, size_t n, bool sticky);
void fault_pause(void);
/* Go on counting. After it has struck, and unless it is sticky, nothing more fails. */
void fault_resume(void);
/* No more faults; true if it came to that one. */
bool fault_disarm(void);
const char *fault_name(enum fault which);

/* One try in which that fault may strike; false if it never came to it. */
typedef bool fault_try(void *ctx, enum fault which, size_t n, bool sticky);
/* Every fault of that kind one by one up to number `dense`, from there in ever larger steps, until
 * the work gets done; then the same, sticky. How many have struck. */
size_t fault_each(enum fault which, size_t dense, fault_try *attempt, void *ctx);

#endif
