/* Inside the change reader: one change while it is being read, and what its files share. */
#ifndef SG_CHANGE_DRAFT_H
#define SG_CHANGE_DRAFT_H

#include "wire/change_json.h"

#define SG_DRAFT_NO_TIME INT64_C(-1)

typedef struct sg_change_draft {
    sg_change_reader *r;
    sg_json *j; /* where a latched error ends everything */
    sg_change_in *out;
    int64_t at_us;      /* of the change, SG_DRAFT_NO_TIME if it says none */
    int64_t deleted_us; /* the same */
    size_t fields;      /* in r->fields, those of `data` last */
    size_t data_from;   /* index of the first one of `data` */
    bool has_tx;
    bool has_op;
} sg_change_draft;

/* Refuse the change: "changes[3].fields.title.at is not a time". field and member may be empty
 * and NULL. The first refusal stays. */
void sg_draft_refuse(sg_change_draft *d, int err, sg_slice field, const char *member,
                     const char *problem);
/* Is the next value of this type? If not, it is taken, and refused unless it is null. */
bool sg_draft_wanted(sg_change_draft *d, enum sg_json_type type, sg_slice field, const char *member,
                     const char *problem);
/* A validated raw string, its escapes undone in the arena if it has any. */
sg_slice sg_draft_unescape(sg_change_draft *d, sg_slice raw);
int64_t sg_draft_time(sg_change_draft *d, sg_slice field, const char *member);

/* change_fields.c: read the members `fields` and `data`; then, when all members are known, give
 * every stamp its value and hand the fields over to d->out. */
void sg_draft_read_fields(sg_change_draft *d);
void sg_draft_read_data(sg_change_draft *d, sg_slice data);
void sg_draft_settle_fields(sg_change_draft *d);

#endif
