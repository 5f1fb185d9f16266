/* Properties of the JSON reader and writer on generated and damaged documents, jansson judging. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "../lib/json_oracle.h"
#include "../lib/prng.h"
#include "wire/real.h"

#define TEXT_MAX (1 << 20)
#define SEED 20240917
#define DOCUMENTS 4000
#define DAMAGES 12 /* for each document */

/* ---- generated values ---- */

static size_t random_text(prng *g, char *text, size_t max)
{
    static const char *const pieces[] = {"a",
                                         "key",
                                         "\"",
                                         "\\",
                                         "/",
                                         "\b",
                                         "\f",
                                         "\n",
                                         "\r",
                                         "\t",
                                         "\x01",
                                         "\x7f",
                                         "0123456789abcdef",
                                         "\xc2\x80",
                                         "\xc3\xa9",
                                         "\xdf\xbf",
                                         "\xe0\xa0\x80",
                                         "\xe2\x82\xac",
                                         "\xed\x9f\xbf",
                                         "\xef\xbf\xbf",
                                         "\xf0\x90\x80\x80",
                                         "\xf0\x9f\x98\x80",
                                         "\xf4\x8f\xbf\xbf",
                                         "$json",
                                         " "};
    size_t n = 0;
    for (size_t left = prng_below(g, 6); left > 0; left--) {
        const char *piece = pieces[prng_below(g, sizeof pieces / sizeof pieces[0])];
        if (n + strlen(piece) > max) break;
        memcpy(text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return n;
}

static double random_real(prng *g)
{
    uint64_t bits = prng_next(g);
    double r;
    memcpy(&r, &bits, sizeof r);
    if (isnan(r) || isinf(r) || prng_below(g, 2) == 0) return (double)(int64_t)bits / 1e6;
    return r;
}

static json_t *random_value(prng *g, int depth);

static json_t *random_container(prng *g, int depth)
{
    bool object = prng_below(g, 2) == 0;
    json_t *v = object ? json_object() : json_array();
    for (size_t left = prng_below(g, 6); left > 0; left--) {
        char key[64];
        if (object)
            json_object_setn_new(v, key, random_text(g, key, sizeof key),
                                 random_value(g, depth - 1));
        else
            json_array_append_new(v, random_value(g, depth - 1));
    }
    return v;
}

static json_t *random_value(prng *g, int depth)
{
    char text[64];
    switch (prng_below(g, depth > 0 ? 10 : 6)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(prng_below(g, 2));
    case 2:
        return json_integer((json_int_t)(prng_next(g) >> prng_below(g, 64)));
    case 3:
        return json_real(random_real(g));
    case 4:
    case 5:
        return json_stringn(text, random_text(g, text, sizeof text));
    default:
        return random_container(g, depth);
    }
}

/* The value's text as jansson writes it, in one of its ways; free it. */
static char *dump(prng *g, const json_t *v)
{
    size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    if (prng_below(g, 2) == 0) flags |= JSON_COMPACT;
    if (prng_below(g, 3) == 0) flags |= JSON_INDENT(2);
    if (prng_below(g, 2) == 0) flags |= JSON_ENSURE_ASCII;
    if (prng_below(g, 2) == 0) flags |= JSON_ESCAPE_SLASH;
    if (prng_below(g, 2) == 0) flags |= JSON_SORT_KEYS;
    char *text = json_dumps(v, flags);
    assert_non_null(text);
    return text;
}

/* The value as our writer writes it. */
static void write_value(sg_jsonw *w, json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_NULL:
        sg_jsonw_null(w);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        sg_jsonw_bool(w, json_is_true(v));
        break;
    case JSON_INTEGER:
        sg_jsonw_int(w, json_integer_value(v));
        break;
    case JSON_REAL: {
        sg_buf digits;
        sg_buf_init(&digits, 64);
        sg_real_put(&digits, json_real_value(v));
        sg_jsonw_raw(w, sg_buf_view(&digits));
        sg_buf_deinit(&digits);
        break;
    }
    case JSON_STRING:
        sg_jsonw_string(w, sg_slice_of(json_string_value(v), json_string_length(v)));
        break;
    case JSON_ARRAY:
        sg_jsonw_array(w);
        for (size_t i = 0; i < json_array_size(v); i++)
            write_value(w, json_array_get(v, i));
        sg_jsonw_array_end(w);
        break;
    case JSON_OBJECT:
        sg_jsonw_object(w);
        for (void *at = json_object_iter(v); at != NULL; at = json_object_iter_next(v, at)) {
            sg_jsonw_key(w, sg_slice_of(json_object_iter_key(at), json_object_iter_key_len(at)));
            write_value(w, json_object_iter_value(at));
        }
        sg_jsonw_object_end(w);
        break;
    }
}

static void check_agreement(sg_slice text)
{
    const char *difference = oracle_compare(text);
    if (difference != NULL) fail_msg("%s: %.*s", difference, (int)text.n, text.p);
}

/* ---- properties ---- */

static void we_read_what_jansson_wrote(void **state)
{
    (void)state;
    prng g = {SEED};
    for (int i = 0; i < DOCUMENTS; i++) {
        json_t *v = random_value(&g, 5);
        char *text = dump(&g, v);
        const char *difference = oracle_slice(sg_slice_str(text), v);
        if (difference != NULL) fail_msg("%s: %s", difference, text);
        free(text);
        json_decref(v);
    }
}

static void jansson_reads_what_we_wrote(void **state)
{
    (void)state;
    prng g = {SEED + 1};
    sg_buf out;
    sg_jsonw w;
    sg_buf_init(&out, TEXT_MAX);
    for (int i = 0; i < DOCUMENTS; i++) {
        json_t *v = random_value(&g, 5);
        json_error_t error;
        sg_buf_clear(&out);
        sg_jsonw_init(&w, &out);
        write_value(&w, v);
        assert_int_equal(out.err, SG_OK);
        json_t *back = oracle_load(sg_buf_view(&out), &error);
        if (back == NULL) fail_msg("%s: %s", error.text, sg_buf_cstr(&out));
        if (!json_equal(v, back)) fail_msg("came back changed: %s", sg_buf_cstr(&out));
        check_agreement(sg_buf_view(&out));
        json_decref(back);
        json_decref(v);
    }
    sg_buf_deinit(&out);
}

static void spelling_does_not_change_equality(void **state)
{
    (void)state;
    prng g = {SEED + 2};
    for (int i = 0; i < DOCUMENTS; i++) {
        json_t *v = random_value(&g, 5), *other = random_value(&g, 2);
        char *a = dump(&g, v), *b = dump(&g, v), *c = dump(&g, other);
        if (!sg_json_equal(sg_slice_str(a), sg_slice_str(b))) fail_msg("not equal: %s %s", a, b);
        bool same = oracle_equal(v, other);
        if (sg_json_equal(sg_slice_str(a), sg_slice_str(c)) != same)
            fail_msg("must %sbe equal: %s %s", same ? "" : "not ", a, c);
        free(a);
        free(b);
        free(c);
        json_decref(v);
        json_decref(other);
    }
}

/* Replace one value somewhere inside by a number; an empty array is left as it is. */
static void change_one(prng *g, json_t *v)
{
    while (json_is_array(v) && json_array_size(v) > 0) {
        size_t index = (size_t)prng_below(g, json_array_size(v));
        json_t *child = json_array_get(v, index);
        if (!json_is_array(child) && !json_is_object(child)) {
            json_array_set_new(v, index, json_integer(-42));
            return;
        }
        v = child;
    }
    if (json_is_object(v)) json_object_set_new(v, "changed", json_integer(-42));
}

static void one_changed_value_is_noticed(void **state)
{
    (void)state;
    prng g = {SEED + 3};
    size_t changed = 0;
    for (int i = 0; i < DOCUMENTS; i++) {
        json_t *v = random_container(&g, 4), *copy = json_deep_copy(v);
        change_one(&g, copy);
        char *a = dump(&g, v), *b = dump(&g, copy);
        bool same = oracle_equal(v, copy);
        changed += !same;
        if (sg_json_equal(sg_slice_str(a), sg_slice_str(b)) != same)
            fail_msg("must %sbe equal: %s %s", same ? "" : "not ", a, b);
        free(a);
        free(b);
        json_decref(v);
        json_decref(copy);
    }
    assert_in_range(changed, DOCUMENTS / 4, DOCUMENTS);
}

/* ---- damaged documents ---- */

/* Put bytes over, into or out of the text, drawn from what JSON is made of. */
static void damage(prng *g, sg_buf *text)
{
    static const char likely[] =
        "{}[]\",:\\u0dD8bcEe+-.19tfn \n\x01\x80\xbf\xc0\xe0\xed\xf0\xf4\xff";
    size_t at = (size_t)prng_below(g, text->n + 1);
    char c = prng_below(g, 4) != 0 ? likely[prng_below(g, sizeof likely - 1)] : (char)prng_next(g);
    switch (prng_below(g, 4)) {
    case 0:
        if (at < text->n) text->p[at] = c;
        break;
    case 1:
        sg_buf_byte(text, (uint8_t)c);
        memmove(text->p + at + 1, text->p + at, text->n - 1 - at);
        text->p[at] = c;
        break;
    case 2:
        if (at < text->n) {
            memmove(text->p + at, text->p + at + 1, text->n - 1 - at);
            sg_buf_truncate(text, text->n - 1);
        }
        break;
    default:
        sg_buf_truncate(text, prng_below(g, 4) == 0 ? at : text->n);
        break;
    }
}

static void damaged_documents_are_judged_as_jansson_judges_them(void **state)
{
    (void)state;
    prng g = {SEED + 4};
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    size_t refused = 0;
    for (int i = 0; i < DOCUMENTS; i++) {
        json_t *v = random_value(&g, 4);
        char *whole = dump(&g, v);
        for (int n = 0; n < DAMAGES; n++) {
            int err;
            if (n % 3 == 0) {
                sg_buf_clear(&text);
                sg_buf_str(&text, whole);
            }
            damage(&g, &text);
            check_agreement(sg_buf_view(&text));
            oracle_ways(sg_buf_view(&text), &err);
            refused += err != SG_OK;
        }
        free(whole);
        json_decref(v);
    }
    sg_buf_deinit(&text);
    assert_in_range(refused, DOCUMENTS, DOCUMENTS * (DAMAGES - 1));
}

/* Every beginning of a container or string is refused, at its end or inside an escape cut in two.
 */
static void documents_cut_short_are_refused(void **state)
{
    (void)state;
    prng g = {SEED + 5};
    for (int i = 0; i < DOCUMENTS / 40; i++) {
        json_t *v = random_container(&g, 3);
        char *whole = dump(&g, v);
        for (size_t n = 0; n < strlen(whole); n++) {
            int err;
            const char *difference = oracle_ways(sg_slice_of(whole, n), &err);
            if (difference != NULL) fail_msg("%s: %.*s", difference, (int)n, whole);
            if (err != SG_BADJSON) fail_msg("taken: %.*s", (int)n, whole);
        }
        free(whole);
        json_decref(v);
    }
}

int main(void)
{
    json_object_seed(SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(we_read_what_jansson_wrote),
        cmocka_unit_test(jansson_reads_what_we_wrote),
        cmocka_unit_test(spelling_does_not_change_equality),
        cmocka_unit_test(one_changed_value_is_noticed),
        cmocka_unit_test(damaged_documents_are_judged_as_jansson_judges_them),
        cmocka_unit_test(documents_cut_short_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
