/*
 * Packed changes, as the outbox holds them (spec/storage.md).
 *
 *   change := varint(table) byte(op) varint(actor) key fields
 *   key    := length bytes (packed key)
 *   fields := count, then per field: varint(name id) value
 *   value  := 0 NULL | 1 zigzag | 2 8 bytes of a double | 3 text | 4 blob | 5 text that is JSON
 */
#ifndef SG_OPS_H
#define SG_OPS_H

#include "base/reader.h"
#include "core/change.h"
#include "replica/replica.h"

typedef struct sg_op_field {
    uint32_t name;
    sg_value value;
    bool json; /* of a JSON column */
} sg_op_field;

typedef struct sg_packed_op {
    uint32_t table;
    uint32_t actor;
    enum sg_op op;
    sg_slice key;
    size_t field_count;
    sg_reader fields; /* read them with sg_op_next_field, all or none */
} sg_packed_op;

void sg_ops_put_value(sg_buf *out, const sg_value *v, bool json);
sg_value sg_ops_value(sg_reader *in, bool *json);
void sg_ops_put_head(sg_buf *out, const sg_packed_op *op);

/* Walks the changes of one outbox row. */
typedef struct sg_ops {
    sg_reader in;
} sg_ops;
static inline sg_ops sg_ops_of(sg_slice bytes)
{
    return (sg_ops){sg_reader_of(bytes)};
}
/* The next change; false at the end or on damage (err latched in ops->in.err). The reader has
 * already moved past its fields. */
bool sg_ops_next(sg_ops *ops, sg_packed_op *op);
bool sg_op_next_field(sg_packed_op *op, sg_op_field *f);

#endif
