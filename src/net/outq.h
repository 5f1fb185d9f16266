/*
 * What a connection still has to send: a queue of runs of bytes, each copied, owned or shared.
 *
 * Small things (response heads, short bodies, WebSocket frames) are copied into chunks; bodies are
 * moved in; blocks are shared by reference. Everything idle costs nothing: the queue's memory goes
 * when it runs empty. Errors latch: after SG_NOMEM the connection is of no use any more.
 * Threads: the loop's.
 */
#ifndef SG_NET_OUTQ_H
#define SG_NET_OUTQ_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/slice.h"
#include "server/block.h"

#define SG_OUTQ_CHUNK 4096u /* bytes of a chunk for copies */

struct sg_out_item;

typedef struct sg_outq {
    struct sg_out_item *v;
    uint32_t head;  /* index of the first item */
    uint32_t count; /* items from head on */
    uint32_t cap;
    int err;      /* latched enum sg_err */
    size_t bytes; /* left to send */
    bool begun;   /* the first item has been sent in part */
} sg_outq;

void sg_outq_deinit(sg_outq *q);
void sg_outq_copy(sg_outq *q, sg_slice bytes);
/* Bytes that live as long as the process. */
void sg_outq_static(sg_outq *q, sg_slice bytes);
/* Moved in also when it fails. */
void sg_outq_heap(sg_outq *q, char *p, size_t n);
/* Takes a reference of its own. */
void sg_outq_block(sg_outq *q, sg_block *block);
/* Fill in at most max runs from the front; returns how many. */
int sg_outq_runs(const sg_outq *q, struct iovec *v, int max);
/* The first n bytes have been sent. */
void sg_outq_advance(sg_outq *q, size_t n);
/* Bytes behind the item at the front: what waits for others than itself. */
size_t sg_outq_waiting(const sg_outq *q);
/* Forget what has not begun to be sent. */
void sg_outq_drop_waiting(sg_outq *q);

#endif
