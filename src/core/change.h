/*
 * A change: what one writer did to one record in one transaction. It travels as one const pointer.
 */
#ifndef SG_CHANGE_H
#define SG_CHANGE_H

#include <stdint.h>

#include "base/slice.h"
#include "core/actor.h"

enum sg_op { SG_OP_INSERT, SG_OP_UPDATE, SG_OP_DELETE };

#define SG_BASE_UNKNOWN INT64_C(-1)

/* Limits of one change (L20); beyond them it is refused alone, with code "limit". */
#define SG_CHANGE_FIELDS_MAX 2000
#define SG_NAME_MAX 256         /* bytes of a table's, field's, app's name */
#define SG_KEY_MAX 1024         /* bytes of a record's id */
#define SG_CLIENT_MAX 64        /* bytes of a client's id */
#define SG_VALUE_MAX (4u << 20) /* bytes of one value's JSON */

typedef struct sg_change_field {
    sg_slice name;
    sg_slice value; /* JSON, as it came */
    int64_t at_us;
} sg_change_field;

typedef struct sg_change {
    int64_t n;       /* the client's number, from 1; 0 if the client sends none */
    int64_t tx_last; /* number of the last change of the same transaction; n if it stands alone */
    int64_t base;    /* highest seq the writer had applied; SG_BASE_UNKNOWN if it does not say */
    int64_t at_us;   /* stamp of the operation itself: of an insert's or delete's life or death */
    enum sg_op op;
    enum sg_origin origin;
    sg_slice table;
    sg_slice id;    /* the record's key, as text */
    sg_slice actor; /* JSON object */
    sg_slice space; /* empty: the writer's own */
    const sg_change_field *fields;
    size_t field_count;
} sg_change;

const char *sg_op_name(enum sg_op op);
bool sg_op_parse(sg_slice text, enum sg_op *op);

#endif
