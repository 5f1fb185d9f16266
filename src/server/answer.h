/*
 * What pushes and pulls are answered with.
 *
 * Threads: any; the worker's view is used for the page.
 */
#ifndef SG_ANSWER_H
#define SG_ANSWER_H

#include "server/delta.h"
#include "server/push.h"

#define SG_ANSWER_MAX (2 * SG_PAGE_BYTES_MAX) /* bytes: a page, and acknowledgements of a body */

/* An answer of a push that has been applied; page is NULL if none is wanted. Errors latch in out.
 */
void sg_answer_push(const sg_push *p, const sg_delta_page *page, sg_epoch epoch, int64_t now_us,
                    sg_buf *out);
/* An answer of a pull; also the data of a version 2 stream's event. */
void sg_answer_page(const sg_delta_page *page, sg_epoch epoch, int64_t now_us, sg_buf *out);

#endif
