/*
 * Disks in memory for a simulation: a SQLite VFS whose files live in named disks, one for each
 * simulated machine. A disk knows which sectors were written since the last sync, and which files
 * deleted, so that a power loss can keep, drop or tear each; write N can fail, once or from then on.
 *
 * The VFS becomes the process's default; its time and randomness are the simulation's own, so that
 * one seed gives one run. One thread only. Paths are "/DISK/FILE"; disks are numbered.
 */
#ifndef SG_SIM_DISK_H
#define SG_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/prng.h"

#define DISKS_MAX 16
#define DISK_FILES_MAX 4 /* database, journal, wal, and one spare */
#define DISK_SECTOR 512

enum disk_fault {
    DISK_WELL,
    DISK_FULL_ONCE,  /* write N reports a full disk; the next one succeeds */
    DISK_ERROR_ONCE, /* write, sync or truncation N reports an I/O error */
    DISK_DIES        /* from operation N on nothing is done any more: the machine has crashed */
};

/* Make the VFS known and SQLite's default; harmless when done before. */
void disk_register(void);
/* Empty all disks, and begin randomness anew; now_us is read for the time of day. */
void disk_reset_all(uint64_t seed, const int64_t *now_us);
/* Begin randomness anew and give what it would have gone on with. */
uint64_t disk_reseed(uint64_t seed);
/* Take everything off a disk on which no file is open. */
void disk_wipe(int index);
/* Let operation n from now fail in that way; n = 0: none. */
void disk_fail(int index, enum disk_fault fault, uint64_t n);
/* Has the fault come? */
bool disk_failed(int index);
/* The machine runs again: what it wrote is there, and on the disk by now (only its processes had
 * died). */
void disk_revive(int index);
/* The machine runs again after a power loss: each sector that was not synced is there, is not, or is
 * there in part; a deleted file may be back. */
void disk_power_loss(int index, prng *g);
/* Everything on a disk as it is now, open files included. */
typedef struct disk_image disk_image;
disk_image *disk_snapshot(int index);
/* Put an image on a disk on which no file is open. */
void disk_restore(int index, const disk_image *image);
void disk_image_free(disk_image *image);
/* Operations that could fail, of all disks since the last reset: for the summary. */
uint64_t disk_operations(void);

#endif
