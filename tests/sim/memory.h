/* Allocations that fail, Sigla's own and SQLite's: one counter, one fault at a time. */
#ifndef SG_SIM_MEMORY_H
#define SG_SIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Before SQLite is first used. */
void memory_register(void);
/* The n-th allocation of ours (or of SQLite's) from now fails; 0 and 0: none. */
void memory_fail(size_t ours, size_t sqlites);
/* Has one failed since? */
bool memory_failed(void);

#endif
