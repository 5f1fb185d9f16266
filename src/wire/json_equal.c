#include "wire/json_scan.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/real.h"

/* Members are sorted by key rather than searched for, so that no pair of documents costs more than
 * n log n. All objects open at one time share one growing list. */
struct member {
    sg_slice key;   /* raw */
    sg_slice value; /* trimmed, valid */
};

struct members {
    struct member *v;
    size_t n;
    size_t cap;
    struct member few[32]; /* v until it no longer suffices: most objects need no allocation */
};

static bool add(struct members *list, struct member m)
{
    if (list->n == list->cap) {
        if (list->cap > SIZE_MAX / 2 / sizeof m) return false;
        bool moved = list->v != list->few;
        struct member *v = sg_realloc(moved ? list->v : NULL, list->cap * 2 * sizeof m);
        if (v == NULL) return false;
        if (!moved) memcpy(v, list->few, sizeof list->few);
        list->v = v;
        list->cap *= 2;
    }
    list->v[list->n++] = m;
    return true;
}

/* By key; the later one of the same key first. */
static int member_cmp(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = sg_json_raw_cmp(x->key, y->key);
    return c != 0 ? c : (x->key.p < y->key.p) - (x->key.p > y->key.p);
}

/* Append a valid object's members, sorted, one for each key; false when memory ran out. */
static bool load(struct members *list, sg_slice object)
{
    size_t from = list->n;
    sg_json j;
    sg_json_init(&j, object);
    sg_json_object(&j);
    for (struct member m; sg_json_next_key(&j, &m.key);) {
        m.value = sg_json_skip(&j);
        if (!add(list, m)) return false;
    }
    struct member *v = list->v + from;
    size_t n = list->n - from, kept = 0;
    if (n > 1) qsort(v, n, sizeof *v, member_cmp);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || sg_json_raw_cmp(v[kept - 1].key, v[i].key) != 0) v[kept++] = v[i];
    list->n = from + kept;
    return true;
}

/* ---- numbers ---- */

static bool is_zero(sg_slice digits)
{
    for (size_t i = 0; i < digits.n; i++)
        if (digits.p[i] != '0' && digits.p[i] != '-') return false;
    return true;
}

/* An integer against a double, without rounding the integer. */
static bool int_real_equal(int64_t i, double r)
{
    return r >= -0x1p63 && r < 0x1p63 && r == trunc(r) && (int64_t)r == i;
}

static bool numbers_equal(sg_slice a, sg_slice b)
{
    bool a_integral = sg_json_integral(a), b_integral = sg_json_integral(b);
    /* JSON has no leading zeros, so the same integer has the same digits; but for the sign of 0. */
    if (a_integral && b_integral) return sg_slice_eq(a, b) || (is_zero(a) && is_zero(b));
    int64_t i;
    if (a_integral && sg_json_to_int(a, &i)) return int_real_equal(i, sg_real_parse(b));
    if (b_integral && sg_json_to_int(b, &i)) return int_real_equal(i, sg_real_parse(a));
    return sg_real_parse(a) == sg_real_parse(b);
}

/* ---- values ---- */

static bool equal(struct members *list, sg_slice a, sg_slice b);

static bool arrays_equal(struct members *list, sg_slice a, sg_slice b)
{
    sg_json x, y;
    sg_json_init(&x, a);
    sg_json_init(&y, b);
    sg_json_array(&x);
    sg_json_array(&y);
    for (;;) {
        bool more = sg_json_next(&x);
        if (more != sg_json_next(&y)) return false;
        if (!more) return true;
        if (!equal(list, sg_json_skip(&x), sg_json_skip(&y))) return false;
    }
}

static bool objects_equal(struct members *list, sg_slice a, sg_slice b)
{
    size_t at_a = list->n;
    bool loaded = load(list, a);
    size_t at_b = list->n;
    loaded = loaded && load(list, b);
    size_t n = at_b - at_a;
    bool same = loaded && list->n - at_b == n;
    for (size_t i = 0; i < n && same; i++) {
        struct member x = list->v[at_a + i], y = list->v[at_b + i];
        same = sg_json_raw_cmp(x.key, y.key) == 0 && equal(list, x.value, y.value);
    }
    list->n = at_a;
    return same;
}

static sg_slice unquoted(sg_slice s)
{
    return sg_slice_of(s.p + 1, s.n - 2);
}

/* Recursion is bounded by SG_JSON_MAX_DEPTH: what is nested deeper sg_json_skip refuses. */
static bool equal(struct members *list, sg_slice a, sg_slice b)
{
    if (sg_slice_eq(a, b)) return a.n != 0;
    sg_json x, y;
    sg_json_init(&x, a);
    sg_json_init(&y, b);
    enum sg_json_type type = sg_json_peek(&x);
    if (type != sg_json_peek(&y)) return false;
    switch (type) {
    case SG_JSON_NUMBER:
        return numbers_equal(a, b);
    case SG_JSON_STRING:
        return sg_json_raw_cmp(unquoted(a), unquoted(b)) == 0;
    case SG_JSON_ARRAY:
        return arrays_equal(list, a, b);
    case SG_JSON_OBJECT:
        return objects_equal(list, a, b);
    default: /* words have one spelling */
        return false;
    }
}

/* One whole value without the white space around it; nothing if it is not valid. */
static sg_slice trimmed(sg_slice text)
{
    sg_json j;
    sg_json_init(&j, text);
    sg_slice value = sg_json_skip(&j);
    return sg_json_end(&j) ? value : sg_slice_of(NULL, 0);
}

bool sg_json_equal(sg_slice a, sg_slice b)
{
    struct members list;
    list.v = list.few;
    list.n = 0;
    list.cap = sizeof list.few / sizeof list.few[0];
    bool same = equal(&list, trimmed(a), trimmed(b));
    if (list.v != list.few) sg_free(list.v);
    return same;
}
