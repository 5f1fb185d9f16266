/*
 * Sending again what a server lacks that was put back from a copy, or is an empty one.
 *
 * After everything was pulled, a mark without a seq is one the server does not have. What this
 * replica wrote goes out under the stamp it had; what others wrote, as far as it is known here, as
 * a migration one microsecond below its stamp, so that it wins over what the copy has, and their
 * writers' own copies win over it (L2, L4). None of it says what its writer had seen: the server
 * derives that from the time (L5).
 */
#ifndef SG_RESEND_H
#define SG_RESEND_H

#include "replica/apply.h"

#define SG_RESEND_TX_CHANGES 50000            /* of one transaction (L20) */
#define SG_RESEND_TX_BYTES ((size_t)64 << 20) /* after which another one begins */

/* Inside the apply's transaction, everything folded. What was pending goes with the rest. */
int sg_resend(sg_apply *a);

#endif
