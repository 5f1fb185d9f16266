#include "core/change.h"

static const char *const op_names[] = {"insert", "update", "delete"};

const char *sg_op_name(enum sg_op op)
{
    return op_names[op];
}

bool sg_op_parse(sg_slice text, enum sg_op *op)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!sg_slice_eq(text, sg_slice_str(op_names[i]))) continue;
        *op = (enum sg_op)i;
        return true;
    }
    return false;
}
