/* Packed changes and the numbers of a damaged database: what cannot be a number of ours is damage,
 * never another one's number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/db.h"
#include "replica/ops.h"

#define BEYOND (UINT64_C(1) << 32)

static void put_change(sg_buf *out, uint64_t table, uint64_t actor, uint64_t name)
{
    sg_buf_clear(out);
    sg_buf_varint(out, table);
    sg_buf_byte(out, SG_OP_UPDATE);
    sg_buf_varint(out, actor);
    sg_buf_lenslice(out, SG_LIT("k"));
    sg_buf_varint(out, 1);
    sg_buf_varint(out, name);
    sg_buf_byte(out, 0);
}

static int walk(const sg_buf *row)
{
    sg_ops ops = sg_ops_of(sg_buf_view(row));
    sg_packed_op op;
    while (sg_ops_next(&ops, &op)) {
        sg_op_field f;
        while (sg_op_next_field(&op, &f))
            continue;
        if (op.fields.err != SG_OK) return op.fields.err;
    }
    return ops.in.err;
}

static void a_number_beyond_32_bits_is_damage(void **state)
{
    (void)state;
    sg_buf row;
    sg_buf_init(&row, 1000);
    put_change(&row, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    assert_int_equal(walk(&row), SG_OK);
    put_change(&row, BEYOND + 1, 1, 1);
    assert_int_equal(walk(&row), SG_CORRUPT);
    put_change(&row, 1, BEYOND + 1, 1);
    assert_int_equal(walk(&row), SG_CORRUPT);
    put_change(&row, 1, 1, BEYOND + 1);
    assert_int_equal(walk(&row), SG_CORRUPT);
    sg_buf_deinit(&row);
}

static void an_interned_id_that_cannot_be_is_damage(void **state)
{
    db_fixture *f = *state;
    static const char *const ids[] = {"4294967297", "4294967295", "3000000000", "-5"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        db_exec(f->db, "CREATE TABLE t%d(id TEXT PRIMARY KEY, c%d); SELECT sigla_track('t%d')",
                (int)i, (int)i, (int)i);
        db_exec(f->db, "DELETE FROM sigla_name WHERE name='c%d'", (int)i);
        db_exec(f->db, "INSERT INTO sigla_name(id,name) VALUES(%s,'c%d')", ids[i], (int)i);
        sqlite3 *other = db_open(f);
        db_fails(other, 0, "INSERT INTO t%d(id,c%d) VALUES('k',1)", (int)i, (int)i);
        db_close(other);
        db_exec(f->db, "DELETE FROM sigla_name WHERE id=%s", ids[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_beyond_32_bits_is_damage),
        cmocka_unit_test_setup_teardown(an_interned_id_that_cannot_be_is_damage, db_setup,
                                        db_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
