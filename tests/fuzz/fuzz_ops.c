/*
 * Any bytes as an outbox row of packed changes.
 *
 * Checked: the walk ends; every change it gives has all of its fields; a change written again reads
 * the same; keys and values stay inside the bytes; damage is latched and said.
 */
#include <stdio.h>
#include <stdlib.h>

#include "replica/ops.h"

#define ROW_MAX ((size_t)1 << 26)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static bool is_inside(sg_slice part, sg_slice whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* As sg_value_same, but any NaN too: bytes from a disk may hold one. */
static bool is_same(const sg_op_field *a, const sg_op_field *b)
{
    return a->name == b->name && a->json == b->json && a->value.type == b->value.type &&
           a->value.i == b->value.i && memcmp(&a->value.r, &b->value.r, sizeof a->value.r) == 0 &&
           sg_slice_eq(a->value.bytes, b->value.bytes);
}

/* The change and its fields, written again. */
static void rewrite(sg_packed_op op, sg_slice row, sg_buf *out)
{
    sg_op_field f;
    size_t fields = op.field_count;
    sg_ops_put_head(out, &op);
    require(is_inside(op.key, row), "a key lies inside its row");
    for (; sg_op_next_field(&op, &f); fields--) {
        require(is_inside(f.value.bytes, row), "a value lies inside its row");
        sg_buf_varint(out, f.name);
        sg_ops_put_value(out, &f.value, f.json);
    }
    require(fields == 0 && op.fields.err == SG_OK, "a change has all of its fields");
    require(out->err == SG_OK, "a change can be written");
}

static void compare(sg_packed_op a, sg_packed_op b)
{
    sg_op_field f, g;
    require(a.table == b.table && a.actor == b.actor && a.op == b.op, "heads are the same");
    require(sg_slice_eq(a.key, b.key) && a.field_count == b.field_count, "heads are the same");
    while (sg_op_next_field(&a, &f))
        require(sg_op_next_field(&b, &g) && is_same(&f, &g), "fields are the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice row = sg_slice_of((const char *)data, size);
    sg_ops ops = sg_ops_of(row);
    sg_packed_op op, again;
    sg_buf out;
    sg_buf_init(&out, ROW_MAX);
    size_t left = size;
    while (sg_ops_next(&ops, &op)) {
        require(ops.in.left < left, "the walk goes on");
        left = ops.in.left;
        require(op.op <= SG_OP_DELETE && op.field_count <= SG_COLUMNS_MAX, "a change can be");
        sg_buf_clear(&out);
        rewrite(op, row, &out);
        sg_ops second = sg_ops_of(sg_buf_view(&out));
        require(sg_ops_next(&second, &again), "a rewritten change can be read");
        require(second.in.left == 0, "a rewritten change is read to its end");
        compare(op, again);
    }
    require(ops.in.err == SG_CORRUPT || ops.in.left == 0, "the walk ends at the end or at damage");
    int err = ops.in.err;
    require(!sg_ops_next(&ops, &op) && ops.in.err == err, "after its end the walk gives nothing");
    sg_buf_deinit(&out);
    return 0;
}
