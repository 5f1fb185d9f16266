/* What sigla doctor has found, said line by line or collected as JSON. */
#ifndef SG_FINDINGS_H
#define SG_FINDINGS_H

#include <stdbool.h>

#include "base/buf.h"

enum sg_finding_state { SG_FINE, SG_NOTE, SG_PROBLEM };

typedef struct sg_findings {
    const char *path; /* of the database: stands for FILE in what to do */
    bool json;
    int count;
    int problems;
} sg_findings;

void sg_findings_begin(sg_findings *f, const char *path, bool json);
/* check: its stable name; fix: what to do (FILE in it becomes the path), NULL if nothing; then the
 * detail, as printf's. */
void sg_findings_add(sg_findings *f, const char *check, enum sg_finding_state state,
                     const char *fix, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void sg_findings_end(sg_findings *f);

#endif
