/* What a sync did, said in one line or as JSON. */
#ifndef SG_REPORT_H
#define SG_REPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "sigla.h"

/* "pushed 3 changes, received 12 records, 1 conflict"; "nothing new" if nothing happened. */
void sg_report_text(sg_buf *out, const sigla_progress *did);
/* {"pushed":3,"refused":0,"pulled":12,…} */
void sg_report_json(sg_buf *out, const sigla_progress *did);
/* What has happened since `before`; pending and parked are not differences. */
sigla_progress sg_report_since(const sigla_progress *now, const sigla_progress *before);
/* True if there is something in it to tell. */
bool sg_report_any(const sigla_progress *did);

#endif
