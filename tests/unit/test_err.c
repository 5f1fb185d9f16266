/* The one list of errors: codes are unique and stable, statuses fit HTTP, unknown codes are safe.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"

static void test_every_code_comes_back_from_its_name(void **state)
{
    (void)state;
    for (int e = 0; e < SG_ERR_COUNT; e++)
        assert_int_equal(sg_err_from_code(sg_err_code(e), strlen(sg_err_code(e))), e);
}

/* Names travel; others store them. A change of one of these is a change of the protocol. */
static void test_names_on_the_wire_do_not_change(void **state)
{
    (void)state;
    assert_int_equal(SG_OK, 0);
    assert_string_equal(sg_err_code(SG_OK), "ok");
    assert_string_equal(sg_err_code(SG_BADJSON), "bad_json");
    assert_string_equal(sg_err_code(SG_LIMIT), "limit");
    assert_string_equal(sg_err_code(SG_CLIENTCOPIED), "client_copied");
    assert_string_equal(sg_err_code(SG_RESYNC), "resync_required");
    assert_string_equal(sg_err_code(SG_ACTOR), "actor_refused");
    assert_string_equal(sg_err_code(SG_NOTFOUND), "not_found");
}

static void test_names_are_plain_and_texts_are_sentences(void **state)
{
    (void)state;
    for (int e = 0; e < SG_ERR_COUNT; e++) {
        const char *code = sg_err_code(e), *text = sg_err_text(e);
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_"), strlen(code));
        assert_true(strlen(code) != 0 && strlen(text) > strlen("error"));
        assert_true(text[strlen(text) - 1] != '.');
    }
}

static void test_a_prefix_or_more_than_a_name_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(sg_err_from_code("bad_json", 7), SG_INTERNAL);
    assert_int_equal(sg_err_from_code("bad_json", 3), SG_INTERNAL);
    assert_int_equal(sg_err_from_code("bad_json_x", 10), SG_INTERNAL);
    assert_int_equal(sg_err_from_code("no_such_thing", 13), SG_INTERNAL);
    assert_int_equal(sg_err_from_code(NULL, 0), SG_INTERNAL);
}

static void test_codes_out_of_range_are_internal(void **state)
{
    (void)state;
    const int bad[] = {-1, SG_ERR_COUNT, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_string_equal(sg_err_code(bad[i]), "internal");
        assert_string_equal(sg_err_text(bad[i]), sg_err_text(SG_INTERNAL));
        assert_int_equal(sg_err_http(bad[i]), 500);
        assert_false(sg_err_retryable(bad[i]));
    }
}

static void test_every_error_has_a_status_to_answer_with(void **state)
{
    (void)state;
    assert_int_equal(sg_err_http(SG_OK), 200);
    for (int e = SG_OK + 1; e < SG_ERR_COUNT; e++)
        assert_in_range(sg_err_http(e), 400, 599);
    assert_int_equal(sg_err_http(SG_RESYNC), 410);
    assert_int_equal(sg_err_http(SG_SCHEMA), 500); /* never leaves a device */
}

/* Retrying what cannot get better would never end; not retrying what can would lose a push. */
static void test_only_what_may_pass_is_retried(void **state)
{
    (void)state;
    assert_true(sg_err_retryable(SG_NOMEM));
    assert_true(sg_err_retryable(SG_NETWORK));
    assert_true(sg_err_retryable(SG_TIMEOUT));
    assert_true(sg_err_retryable(SG_RATE));
    assert_true(sg_err_retryable(SG_BUSY));
    assert_false(sg_err_retryable(SG_OK));
    assert_false(sg_err_retryable(SG_BADCHANGE));
    assert_false(sg_err_retryable(SG_UNAUTHORIZED));
    assert_false(sg_err_retryable(SG_CORRUPT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_comes_back_from_its_name),
        cmocka_unit_test(test_names_on_the_wire_do_not_change),
        cmocka_unit_test(test_names_are_plain_and_texts_are_sentences),
        cmocka_unit_test(test_a_prefix_or_more_than_a_name_is_unknown),
        cmocka_unit_test(test_codes_out_of_range_are_internal),
        cmocka_unit_test(test_every_error_has_a_status_to_answer_with),
        cmocka_unit_test(test_only_what_may_pass_is_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
