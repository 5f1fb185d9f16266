/* SQL: sigla_sweep. A column of old that is now derived is emptied and stays local (L15). */
#ifndef SG_SWEEP_H
#define SG_SWEEP_H

#include "replica/table.h"

/* In every tracked table that has it, under origin migration. A table that does not take it is left
 * as it is and named in the message; the others are done. */
int sg_sweep(sg_replica *r, sg_slice column);

#endif
