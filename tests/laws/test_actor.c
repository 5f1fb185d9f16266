/* Actors, origins and operations: their names on the wire, and the origin that follows from an
 * actor (L11: what a token may claim is checked against it). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/actor.h"
#include "core/change.h"

static const char *const origins[] = {"user", "agent", "system", "migration", "server-replay"};
static const char *const kinds[] = {"user", "ai", "system"};
static const char *const ops[] = {"insert", "update", "delete"};

/* The numbers are in stored records (core/record_pack.c) and may not change either. */
static void test_names_and_numbers_are_fixed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        enum sg_origin o = (enum sg_origin)9;
        assert_string_equal(sg_origin_name((enum sg_origin)i), origins[i]);
        assert_true(sg_origin_parse(sg_slice_str(origins[i]), &o));
        assert_int_equal(o, i);
    }
    for (unsigned i = 0; i < 3; i++) {
        enum sg_actor_kind k = (enum sg_actor_kind)9;
        enum sg_op op = (enum sg_op)9;
        assert_true(sg_actor_kind_parse(sg_slice_str(kinds[i]), &k));
        assert_int_equal(k, i);
        assert_string_equal(sg_op_name((enum sg_op)i), ops[i]);
        assert_true(sg_op_parse(sg_slice_str(ops[i]), &op));
        assert_int_equal(op, i);
    }
}

static void test_other_names_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "User", "users", "use", "user ", "agent\n", "upsert"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum sg_origin o = SG_ORIGIN_MIGRATION;
        enum sg_actor_kind k = SG_ACTOR_AI;
        enum sg_op op = SG_OP_UPDATE;
        assert_false(sg_origin_parse(sg_slice_str(bad[i]), &o));
        assert_false(sg_actor_kind_parse(sg_slice_str(bad[i]), &k));
        assert_false(sg_op_parse(sg_slice_str(bad[i]), &op));
        assert_true(o == SG_ORIGIN_MIGRATION && k == SG_ACTOR_AI && op == SG_OP_UPDATE);
    }
}

/* L11 */
static void test_l11_the_origin_follows_from_the_actor(void **state)
{
    (void)state;
    sg_slice migration = SG_LIT("system:migration");
    assert_int_equal(sg_origin_of(SG_ACTOR_USER, SG_LIT("u:ann")), SG_ORIGIN_USER);
    assert_int_equal(sg_origin_of(SG_ACTOR_USER, migration), SG_ORIGIN_USER);
    assert_int_equal(sg_origin_of(SG_ACTOR_AI, SG_LIT("agent:1")), SG_ORIGIN_AGENT);
    assert_int_equal(sg_origin_of(SG_ACTOR_AI, migration), SG_ORIGIN_AGENT);
    assert_int_equal(sg_origin_of(SG_ACTOR_SYSTEM, migration), SG_ORIGIN_MIGRATION);
    assert_int_equal(sg_origin_of(SG_ACTOR_SYSTEM, SG_LIT("system:migration2")), SG_ORIGIN_SYSTEM);
    assert_int_equal(sg_origin_of(SG_ACTOR_SYSTEM, SG_LIT("system:rule")), SG_ORIGIN_SYSTEM);
    assert_int_equal(sg_origin_of(SG_ACTOR_SYSTEM, SG_LIT("system:bootstrap")), SG_ORIGIN_SYSTEM);
    assert_int_equal(sg_origin_of(SG_ACTOR_SYSTEM, SG_LIT("")), SG_ORIGIN_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_numbers_are_fixed),
        cmocka_unit_test(test_other_names_are_refused),
        cmocka_unit_test(test_l11_the_origin_follows_from_the_actor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
