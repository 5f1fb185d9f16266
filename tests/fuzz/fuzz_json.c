/*
 * Any bytes as JSON, as a pair of documents, as a SQLite value, as base64.
 *
 * Checked: jansson accepts the same documents with the same values; skipping and pulling agree;
 * sg_json_equal knows every document equal to itself and judges a pair as jansson's values say;
 * what a value became on the wire comes back as the same value; base64 has one spelling.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../lib/json_oracle.h"
#include "wire/value.h"

#define TEXT_MAX ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static void agree(const char *difference)
{
    require(difference == NULL, difference);
}

/* The whole document without the white space around it; nothing if it is not accepted. */
static sg_slice accepted(sg_slice text)
{
    sg_json j;
    sg_json_init(&j, text);
    sg_slice value = sg_json_skip(&j);
    return sg_json_end(&j) ? value : sg_slice_of(NULL, 0);
}

/* ---- documents ---- */

static void judge_pair(sg_slice a, sg_slice b)
{
    json_error_t error;
    json_t *x = oracle_load(a, &error), *y = oracle_load(b, &error);
    if (x != NULL && y != NULL && accepted(a).n != 0 && accepted(b).n != 0)
        require(sg_json_equal(a, b) == oracle_equal(x, y), "equality as jansson sees it");
    require(sg_json_equal(a, b) == sg_json_equal(b, a), "equality is symmetric");
    json_decref(x);
    json_decref(y);
}

/* jansson's spelling of a document must be equal to the document. */
static void respell(sg_slice text)
{
    json_error_t error;
    json_t *v = oracle_load(text, &error);
    if (v == NULL) return;
    char *again = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) | JSON_SORT_KEYS);
    if (again != NULL) require(sg_json_equal(text, sg_slice_str(again)), "equal when respelt");
    free(again);
    json_decref(v);
}

/* ---- values ---- */

static void same_after_the_wire(const sg_value *v, bool is_json_column)
{
    sg_buf json, scratch;
    sg_value back;
    sg_buf_init(&json, TEXT_MAX);
    sg_buf_init(&scratch, TEXT_MAX);
    sg_value_to_json(&json, v, is_json_column);
    require(json.err == SG_OK, "a value can be written");
    require(accepted(sg_buf_view(&json)).n == json.n, "a written value is one JSON value");
    int err = sg_value_from_json(&back, sg_buf_view(&json), is_json_column, &scratch);
    require(err == SG_OK && sg_value_same(v, &back), "a value comes back as it was");
    sg_buf_deinit(&json);
    sg_buf_deinit(&scratch);
}

/* Bytes as a column's content. */
static void store(sg_slice bytes)
{
    sg_value v = {.type = SG_TEXT, .bytes = bytes};
    same_after_the_wire(&v, false);
    same_after_the_wire(&v, true);
    v.type = SG_BLOB;
    same_after_the_wire(&v, false);
    same_after_the_wire(&v, true);
    if (bytes.n < sizeof v.i) return;
    v.type = SG_INT;
    memcpy(&v.i, bytes.p, sizeof v.i);
    same_after_the_wire(&v, false);
    v.type = SG_REAL;
    memcpy(&v.r, bytes.p, sizeof v.r);
    if (!isnan(v.r)) same_after_the_wire(&v, false);
}

/* A peer's JSON as a value: taken, or refused for a tag that is malformed. */
static void receive(sg_slice json, bool is_json_column)
{
    sg_buf scratch;
    sg_value v;
    sg_buf_init(&scratch, TEXT_MAX);
    int err = sg_value_from_json(&v, json, is_json_column, &scratch);
    if (err == SG_OK && (!is_json_column || v.type == SG_TEXT || v.type == SG_BLOB))
        same_after_the_wire(&v, is_json_column);
    else if (err != SG_OK)
        require(err == SG_BADVALUE && *json.p == '{', "only tags are refused");
    sg_buf_deinit(&scratch);
}

static void spell(sg_slice text, bool url)
{
    sg_buf bytes, again;
    sg_buf_init(&bytes, TEXT_MAX);
    sg_buf_init(&again, TEXT_MAX);
    int err = url ? sg_base64url_decode(&bytes, text) : sg_base64_decode(&bytes, text);
    if (url)
        sg_base64url_encode(&again, sg_buf_view(&bytes));
    else
        sg_base64_encode(&again, sg_buf_view(&bytes));
    if (err == SG_OK)
        require(sg_slice_eq(sg_buf_view(&again), text), "bytes have one spelling in base64");
    sg_buf_deinit(&bytes);
    sg_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice text = sg_slice_of((const char *)data, size);
    /* 0xFF is never part of JSON: it separates the two documents of a pair. */
    const char *separator = size != 0 ? memchr(text.p, 0xff, size) : NULL;
    if (separator != NULL) {
        size_t first = (size_t)(separator - text.p);
        judge_pair(sg_slice_of(text.p, first), sg_slice_of(separator + 1, text.n - first - 1));
    }
    agree(oracle_compare(text));
    sg_slice value = accepted(text);
    if (value.n != 0) {
        require(sg_json_equal(text, value), "equal to itself");
        respell(value);
        receive(value, false);
        receive(value, true);
    }
    store(text);
    spell(text, false);
    spell(text, true);
    return 0;
}
