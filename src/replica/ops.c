#include "replica/ops.h"

enum { VAL_NULL, VAL_INT, VAL_REAL, VAL_TEXT, VAL_BLOB, VAL_JSON };

/* A tag, a varint and bytes, in one step: every value that is written comes by here. */
static void put_tagged(sg_buf *out, uint8_t tag, uint64_t v, sg_slice bytes)
{
    char head[11];
    size_t n = 0;
    for (head[n++] = (char)tag; v >= 0x80; v >>= 7)
        head[n++] = (char)(v | 0x80);
    head[n++] = (char)v;
    char *at = sg_buf_extend(out, n + bytes.n);
    if (at == NULL) return;
    memcpy(at, head, n);
    if (bytes.n != 0) memcpy(at + n, bytes.p, bytes.n);
}

void sg_ops_put_value(sg_buf *out, const sg_value *v, bool json)
{
    switch (v->type) {
    case SG_NULL:
        sg_buf_byte(out, VAL_NULL);
        break;
    case SG_INT: {
        uint64_t zigzag = ((uint64_t)v->i << 1) ^ (uint64_t)(v->i < 0 ? -1 : 0);
        put_tagged(out, VAL_INT, zigzag, sg_slice_of(NULL, 0));
        break;
    }
    case SG_REAL:
        sg_buf_byte(out, VAL_REAL);
        sg_buf_put(out, &v->r, sizeof v->r);
        break;
    case SG_TEXT:
        put_tagged(out, json ? VAL_JSON : VAL_TEXT, v->bytes.n, v->bytes);
        break;
    case SG_BLOB:
        put_tagged(out, VAL_BLOB, v->bytes.n, v->bytes);
        break;
    }
}

sg_value sg_ops_value(sg_reader *in, bool *json)
{
    sg_value v = {.type = SG_NULL};
    uint8_t tag = sg_read_byte(in);
    *json = tag == VAL_JSON;
    if (tag == VAL_INT) {
        v.type = SG_INT;
        v.i = sg_read_zigzag(in);
    } else if (tag == VAL_REAL) {
        sg_slice bytes = sg_read_bytes(in, sizeof v.r);
        v.type = SG_REAL;
        if (in->err == SG_OK) memcpy(&v.r, bytes.p, sizeof v.r);
    } else if (tag == VAL_TEXT || tag == VAL_JSON) {
        v.type = SG_TEXT;
        v.bytes = sg_read_lenslice(in);
    } else if (tag == VAL_BLOB) {
        v.type = SG_BLOB;
        v.bytes = sg_read_lenslice(in);
    } else if (tag != VAL_NULL) {
        in->err = SG_CORRUPT;
    }
    return v;
}

void sg_ops_put_head(sg_buf *out, const sg_packed_op *op)
{
    sg_buf_varint(out, op->table);
    sg_buf_byte(out, (uint8_t)op->op);
    sg_buf_varint(out, op->actor);
    sg_buf_lenslice(out, op->key);
    sg_buf_varint(out, op->field_count);
}

static uint32_t read_name(sg_reader *in)
{
    uint64_t name = sg_read_varint(in);
    if (name > UINT32_MAX) in->err = SG_CORRUPT;
    return (uint32_t)name;
}

bool sg_ops_next(sg_ops *ops, sg_packed_op *op)
{
    sg_reader *in = &ops->in;
    if (in->left == 0 || in->err != SG_OK) return false;
    uint64_t table = sg_read_varint(in);
    uint8_t kind = sg_read_byte(in);
    uint64_t actor = sg_read_varint(in);
    op->key = sg_read_lenslice(in);
    uint64_t fields = sg_read_varint(in);
    if (table > UINT32_MAX || actor > UINT32_MAX || kind > SG_OP_DELETE || fields > SG_COLUMNS_MAX)
        in->err = SG_CORRUPT;
    op->table = (uint32_t)table;
    op->actor = (uint32_t)actor;
    op->op = (enum sg_op)kind;
    op->field_count = (size_t)fields;
    op->fields = *in;
    for (uint64_t i = 0; i < fields && in->err == SG_OK; i++) {
        bool json;
        (void)read_name(in);
        (void)sg_ops_value(in, &json);
    }
    return in->err == SG_OK;
}

bool sg_op_next_field(sg_packed_op *op, sg_op_field *f)
{
    if (op->field_count == 0 || op->fields.err != SG_OK) return false;
    op->field_count--;
    f->name = read_name(&op->fields);
    f->value = sg_ops_value(&op->fields, &f->json);
    return op->fields.err == SG_OK;
}
