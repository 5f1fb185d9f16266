#include "core/stamp.h"

int sg_stamp_cmp(const sg_stamp *a, const sg_stamp *b)
{
    if (a->at_us != b->at_us) return a->at_us < b->at_us ? -1 : 1;
    int c = sg_slice_cmp(a->client, b->client);
    if (c != 0) return c;
    return (a->n > b->n) - (a->n < b->n);
}

int sg_stamp_cmp_value(const sg_stamp *a, sg_slice a_value, const sg_stamp *b, sg_slice b_value)
{
    int c = sg_stamp_cmp(a, b);
    return c != 0 ? c : sg_slice_cmp(a_value, b_value);
}
