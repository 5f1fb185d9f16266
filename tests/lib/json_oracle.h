/*
 * jansson as oracle for our JSON reader, for tests and the fuzzer: both must accept the same
 * documents and see the same values in them. A function gives NULL when they agree, else what they
 * disagree about.
 *
 * Where jansson goes by rules of its own it is not asked: it refuses integers beyond int64, reals
 * beyond the greatest double and keys that hold U+0000; we refuse nesting beyond
 * SG_JSON_MAX_DEPTH. A raw NUL byte jansson takes for the end of a document; we must refuse it. Of
 * members with the same key both keep the last.
 */
#ifndef SG_TESTS_JSON_ORACLE_H
#define SG_TESTS_JSON_ORACLE_H

#include <jansson.h>
#include <string.h>

#include "wire/json.h"
#include "wire/real.h"

#define ORACLE_TEXT_MAX ((size_t)64 << 20)

static inline json_t *oracle_load(sg_slice text, json_error_t *error)
{
    const char *p = text.n != 0 ? text.p : "";
    return json_loadb(p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
}

/* True if jansson refused for a rule that is not ours. */
static inline bool oracle_abstains(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow;
}

/* ---- values ---- */

static inline const char *oracle_value(sg_json *j, const json_t *v);

/* A complete slice, as sg_json_skip gave it, against jansson's value. */
static inline const char *oracle_slice(sg_slice text, const json_t *v)
{
    sg_json j;
    sg_json_init(&j, text);
    const char *difference = oracle_value(&j, v);
    if (difference != NULL) return difference;
    return sg_json_end(&j) ? NULL : "a skipped slice is not one whole value";
}

static inline const char *oracle_string(sg_json *j, const json_t *v)
{
    sg_buf scratch;
    sg_buf_init(&scratch, ORACLE_TEXT_MAX);
    sg_slice ours = sg_json_string(j, &scratch);
    sg_slice theirs = sg_slice_of(json_string_value(v), json_string_length(v));
    bool same = json_is_string(v) && sg_slice_eq(ours, theirs);
    sg_buf_deinit(&scratch);
    return same ? NULL : "strings differ";
}

static inline const char *oracle_number(sg_json *j, const json_t *v)
{
    sg_json again = *j;
    sg_slice digits = sg_json_number(j);
    if (json_is_integer(v))
        return sg_json_int(&again) == json_integer_value(v) ? NULL : "integers differ";
    if (!json_is_real(v)) return "a number for us only";
    double ours = sg_real_parse(digits), theirs = json_real_value(v);
    return memcmp(&ours, &theirs, sizeof ours) == 0 ? NULL : "reals differ in their bits";
}

static inline const char *oracle_array(sg_json *j, const json_t *v)
{
    if (!json_is_array(v)) return "an array for us only";
    const char *difference = NULL;
    size_t n = 0;
    sg_json_array(j);
    for (; sg_json_next(j) && difference == NULL; n++)
        difference = oracle_slice(sg_json_skip(j), json_array_get(v, n));
    if (difference != NULL) return difference;
    return n == json_array_size(v) ? NULL : "arrays differ in length";
}

/* True if a later member of the object that j is in has the same key. */
static inline bool oracle_overridden(sg_json j, sg_slice key)
{
    for (sg_slice raw; sg_json_next_key(&j, &raw); sg_json_skip(&j))
        if (sg_json_key_eq(raw, key)) return true;
    return false;
}

static inline const char *oracle_member(sg_json *j, sg_slice raw, const json_t *v, size_t *n)
{
    sg_buf key;
    sg_buf_init(&key, ORACLE_TEXT_MAX);
    sg_json_unescape(raw, &key);
    const char *difference = NULL;
    sg_slice member = sg_json_skip(j);
    if (!oracle_overridden(*j, sg_buf_view(&key))) {
        (*n)++;
        const json_t *theirs = json_object_getn(v, key.p != NULL ? key.p : "", key.n);
        difference = theirs != NULL ? oracle_slice(member, theirs) : "a key for us only";
    }
    sg_buf_deinit(&key);
    return difference;
}

static inline const char *oracle_object(sg_json *j, const json_t *v)
{
    if (!json_is_object(v)) return "an object for us only";
    const char *difference = NULL;
    size_t n = 0;
    sg_json_object(j);
    for (sg_slice raw; difference == NULL && sg_json_next_key(j, &raw);)
        difference = oracle_member(j, raw, v, &n);
    if (difference != NULL) return difference;
    return n == json_object_size(v) ? NULL : "a key for jansson only";
}

static inline const char *oracle_value(sg_json *j, const json_t *v)
{
    switch (sg_json_peek(j)) {
    case SG_JSON_NULL:
        sg_json_null(j);
        return json_is_null(v) ? NULL : "null for us only";
    case SG_JSON_FALSE:
    case SG_JSON_TRUE:
        return sg_json_bool(j) ? (json_is_true(v) ? NULL : "true for us only")
                               : (json_is_false(v) ? NULL : "false for us only");
    case SG_JSON_NUMBER:
        return oracle_number(j, v);
    case SG_JSON_STRING:
        return oracle_string(j, v);
    case SG_JSON_ARRAY:
        return oracle_array(j, v);
    case SG_JSON_OBJECT:
        return oracle_object(j, v);
    case SG_JSON_NONE:
        break;
    }
    return "no value for us";
}

/* ---- acceptance ---- */

/* Take a value with the pulling calls alone, sg_json_skip not used. */
static inline void oracle_pull(sg_json *j)
{
    switch (sg_json_peek(j)) {
    case SG_JSON_NULL:
        sg_json_null(j);
        break;
    case SG_JSON_FALSE:
    case SG_JSON_TRUE:
        sg_json_bool(j);
        break;
    case SG_JSON_NUMBER:
        sg_json_number(j);
        break;
    case SG_JSON_STRING:
        sg_json_raw_string(j);
        break;
    case SG_JSON_ARRAY:
        sg_json_array(j);
        while (sg_json_next(j))
            oracle_pull(j);
        break;
    case SG_JSON_OBJECT:
        sg_json_object(j);
        for (sg_slice key; sg_json_next_key(j, &key);)
            oracle_pull(j);
        break;
    case SG_JSON_NONE:
        break;
    }
}

/* The two ways to read a document must agree, also in where and why they give up. */
static inline const char *oracle_ways(sg_slice text, int *err)
{
    sg_json skipped, pulled;
    sg_json_init(&skipped, text);
    sg_json_init(&pulled, text);
    sg_json_skip(&skipped);
    sg_json_end(&skipped);
    oracle_pull(&pulled);
    sg_json_end(&pulled);
    *err = skipped.err;
    if (skipped.err != pulled.err) return "skipping and pulling end differently";
    if (skipped.at != pulled.at) return "skipping and pulling fail at different positions";
    return skipped.at <= text.n ? NULL : "the error is behind the end";
}

/* Acceptance and values of any bytes whatever. */
static inline const char *oracle_compare(sg_slice text)
{
    int err;
    const char *difference = oracle_ways(text, &err);
    if (difference != NULL || err == SG_LIMIT) return difference;
    if (text.n != 0 && memchr(text.p, '\0', text.n) != NULL)
        return err != SG_OK ? NULL : "a raw NUL byte was accepted";
    json_error_t error;
    json_t *theirs = oracle_load(text, &error);
    if (theirs == NULL) {
        if (err == SG_OK && !oracle_abstains(&error)) return "accepted by us only";
        return NULL;
    }
    if (err != SG_OK)
        difference = "accepted by jansson only";
    else
        difference = oracle_slice(text, theirs);
    json_decref(theirs);
    return difference;
}

/* ---- equality ---- */

static inline bool oracle_numbers_equal(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return json_integer_value(a) == json_integer_value(b);
    if (json_is_real(a) && json_is_real(b)) return json_real_value(a) == json_real_value(b);
    const json_t *integer = json_is_integer(a) ? a : b, *real = json_is_integer(a) ? b : a;
    double r = json_real_value(real);
    if (r < -0x1p63 || r >= 0x1p63 || r != (double)(json_int_t)r) return false;
    return (json_int_t)r == json_integer_value(integer);
}

static inline bool oracle_equal(const json_t *a, const json_t *b);

static inline bool oracle_objects_equal(const json_t *a, const json_t *b)
{
    if (json_object_size(a) != json_object_size(b)) return false;
    json_t *all = (json_t *)(uintptr_t)a; /* iterating takes it non-const but changes nothing */
    for (void *at = json_object_iter(all); at != NULL; at = json_object_iter_next(all, at)) {
        size_t n = json_object_iter_key_len(at);
        const json_t *other = json_object_getn(b, json_object_iter_key(at), n);
        if (other == NULL || !oracle_equal(json_object_iter_value(at), other)) return false;
    }
    return true;
}

static inline bool oracle_arrays_equal(const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b)) return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!oracle_equal(json_array_get(a, i), json_array_get(b, i))) return false;
    return true;
}

/* What sg_json_equal must say of two documents that jansson takes: json_equal of jansson has 1 and
 * 1.0 differ. */
static inline bool oracle_equal(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) return oracle_numbers_equal(a, b);
    if (json_typeof(a) != json_typeof(b)) return false;
    if (json_is_object(a)) return oracle_objects_equal(a, b);
    if (json_is_array(a)) return oracle_arrays_equal(a, b);
    return json_equal(a, b) == 1;
}

#endif
