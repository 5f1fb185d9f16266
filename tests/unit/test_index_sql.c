/* Terms and conditions out of the text of CREATE INDEX. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "replica/index_sql.h"

static void expect(sg_slice have, const char *want)
{
    if (sg_slice_eq(have, sg_slice_str(want))) return;
    print_error("have: %.*s\nwant: %s\n", (int)have.n, have.p, want);
    fail();
}

static void test_terms_and_conditions(void **state)
{
    static const struct {
        const char *sql, *terms[4], *where;
    } cases[] = {
        {"CREATE UNIQUE INDEX i ON t(a)", {"a", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t( a , b )", {"a", "b", ""}, ""},
        {"CREATE UNIQUE INDEX main.i ON t(a DESC,b asc)", {"a", "b", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t(lower(a), f(b, (c)) DESC)", {"lower(a)", "f(b, (c))", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t((a)DESC)", {"(a)", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t(a COLLATE NOCASE DESC)", {"a COLLATE NOCASE", ""}, ""},
        {"CREATE UNIQUE INDEX \"i(\" ON [t(](\")\"\"(\")", {"\")\"\"(\"", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t(a || ',)''(')", {"a || ',)''('", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t(a /* ,) */ , -- ),\n b)", {"a /* ,) */", "-- ),\n b", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t(a) WHERE b=1", {"a", ""}, "b=1"},
        {"CREATE UNIQUE INDEX i ON t(a)/*w*/where\n(b = ')') ", {"a", ""}, "(b = ')')"},
        {"CREATE UNIQUE INDEX `where` ON t(a)", {"a", ""}, ""},
        {"CREATE UNIQUE INDEX i ON t(asc, \"a desc\")", {"asc", "\"a desc\"", ""}, ""},
        {"", {""}, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sg_slice sql = sg_slice_str(cases[i].sql);
        for (size_t k = 0; k < 4 && cases[i].terms[k] != NULL; k++)
            expect(sg_index_term(sql, k), cases[i].terms[k]);
        expect(sg_index_where(sql), cases[i].where);
    }
    expect(sg_index_term(sg_slice_of(NULL, 0), 0), "");
    expect(sg_index_where(sg_slice_of(NULL, 0)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_terms_and_conditions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
