/* The CLI's pure helpers: options, tables, text for terminals, progress, values as people read
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "../../apps/sigla/args.h"
#include "../../apps/sigla/grid.h"
#include "../../apps/sigla/jwt.h"
#include "../../apps/sigla/meter.h"
#include "../../apps/sigla/show.h"
#include "../../apps/sigla/text.h"

#define BIG ((size_t)1 << 20)
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static int setup(void **state)
{
    (void)state;
    sg_text_setup();
    return 0;
}

/* ---- options ---- */

static const sg_opt opts[] = {{"app", "NAME", ""}, {"group", "COLS", ""}, {"json", NULL, ""}, {0}};

typedef struct parsed {
    bool ok;
    sg_args args;
    sg_buf why;
} parsed;

static parsed parse(const char *words, const char *line[])
{
    parsed p;
    int n = 0;
    char *argv[16];
    for (; line[n] != NULL; n++)
        argv[n] = (char *)(uintptr_t)line[n];
    sg_buf_init(&p.why, BIG);
    p.ok = sg_args_parse(&p.args, words, opts, n, argv, &p.why);
    assert_non_null(sg_buf_cstr(&p.why));
    return p;
}
#define PARSE(words, ...) parse(words, (const char *[]){__VA_ARGS__, NULL})

static void assert_refused(parsed p, const char *why)
{
    assert_false(p.ok);
    assert_string_equal(p.why.p, why);
    sg_buf_deinit(&p.why);
}

static void options_may_stand_anywhere(void **state)
{
    (void)state;
    parsed p = PARSE("FILE TABLE", "--app", "todo", "a.db", "--json", "tasks", "--group=a,b",
                     "--group", "c,d");
    assert_true(p.ok);
    assert_string_equal(sg_args_word(&p.args, 0), "a.db");
    assert_string_equal(sg_args_word(&p.args, 1), "tasks");
    assert_null(sg_args_word(&p.args, 2));
    assert_string_equal(sg_args_value(&p.args, "app"), "todo");
    assert_true(sg_args_has(&p.args, "json"));
    assert_string_equal(sg_args_nth(&p.args, "group", 0), "a,b");
    assert_string_equal(sg_args_nth(&p.args, "group", 1), "c,d");
    assert_null(sg_args_nth(&p.args, "group", 2));
    assert_string_equal(sg_args_value(&p.args, "group"), "c,d");
    sg_buf_deinit(&p.why);
}

static void the_last_of_an_option_given_twice_counts(void **state)
{
    (void)state;
    parsed p = PARSE("FILE", "f", "--app", "a", "--app=b");
    assert_true(p.ok);
    assert_string_equal(sg_args_value(&p.args, "app"), "b");
    sg_buf_deinit(&p.why);
}

static void a_negative_number_and_a_dash_are_words(void **state)
{
    (void)state;
    parsed p = PARSE("FILE KEY X", "f", "-5", "-");
    assert_true(p.ok);
    assert_string_equal(sg_args_word(&p.args, 1), "-5");
    assert_string_equal(sg_args_word(&p.args, 2), "-");
    sg_buf_deinit(&p.why);
}

static void after_two_dashes_everything_is_a_word(void **state)
{
    (void)state;
    parsed p = PARSE("FILE KEY", "--", "f", "--json");
    assert_true(p.ok);
    assert_string_equal(sg_args_word(&p.args, 1), "--json");
    assert_false(sg_args_has(&p.args, "json"));
    sg_buf_deinit(&p.why);
}

static void wrong_command_lines_are_refused_with_the_reason(void **state)
{
    (void)state;
    assert_refused(PARSE("FILE", "f", "--jsn"), "there is no option --jsn; did you mean --json?");
    assert_refused(PARSE("FILE", "f", "--colour"), "there is no option --colour");
    assert_refused(PARSE("FILE", "f", "-j"), "there is no option -j; options are --words");
    assert_refused(PARSE("FILE", "f", "--json=yes"), "--json takes no value");
    assert_refused(PARSE("FILE", "f", "--app"), "--app needs a value: --app NAME");
    assert_refused(PARSE("FILE TABLE", "f"), "TABLE is missing");
    assert_refused(PARSE("FILE", "f", "g"), "there is one word too many: g");
}

static void bracketed_words_may_be_missing(void **state)
{
    (void)state;
    parsed p = PARSE("FILE [N]", "f");
    assert_true(p.ok);
    sg_buf_deinit(&p.why);
    p = PARSE("FILE [N]", "f", "3");
    assert_true(p.ok);
    sg_buf_deinit(&p.why);
    p = PARSE("FILE ID [ID...]", "f", "1", "2", "3");
    assert_true(p.ok);
    assert_int_equal(p.args.word_count, 4);
    sg_buf_deinit(&p.why);
    assert_refused(PARSE("FILE [N]", "f", "3", "4"), "there is one word too many: 4");
    assert_refused(PARSE("FILE ID [ID...]", "f"), "ID is missing");
}

static void too_many_words_and_options_are_refused(void **state)
{
    (void)state;
    static char *words[SG_ARGS_MAX_WORDS + 1], *given[SG_ARGS_MAX_GIVEN + 1];
    static char w[] = "w", j[] = "--json";
    sg_args a;
    sg_buf why;
    sg_buf_init(&why, BIG);
    for (size_t i = 0; i < COUNT(words); i++)
        words[i] = w;
    for (size_t i = 0; i < COUNT(given); i++)
        given[i] = j;
    assert_true(sg_args_parse(&a, "[W...]", opts, SG_ARGS_MAX_WORDS, words, &why));
    assert_false(sg_args_parse(&a, "[W...]", opts, SG_ARGS_MAX_WORDS + 1, words, &why));
    assert_true(sg_args_parse(&a, "", opts, SG_ARGS_MAX_GIVEN, given, &why));
    assert_false(sg_args_parse(&a, "", opts, SG_ARGS_MAX_GIVEN + 1, given, &why));
    sg_buf_deinit(&why);
}

static void the_nearest_name_is_what_was_meant(void **state)
{
    (void)state;
    static const char *const names[] = {"sync", "status", "conflicts", "track", "sql", NULL};
    static const struct {
        const char *typed, *meant;
    } cases[] = {{"snyc", "sync"},      {"stauts", "status"},
                 {"conf", "conflicts"}, {"conflict", "conflicts"},
                 {"trakc", "track"},    {"banana", NULL},
                 {"x", NULL},           {"", NULL},
                 {"synchronize", NULL}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *meant = sg_args_meant(cases[i].typed, names);
        if (cases[i].meant == NULL)
            assert_null(meant);
        else
            assert_string_equal(meant, cases[i].meant);
    }
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"30", 30000}, {"30s", 30000}, {"500ms", 500}, {"2m", 120000}, {"24h", 86400000}};
    static const char *const bad[] = {"", "s", "1d", "-1s", "1.5s", "25h", "99999999999999999999"};
    int64_t ms;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(sg_args_duration(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(sg_args_duration(bad[i], &ms));
}

/* ---- text ---- */

static void widths_are_those_of_a_terminal(void **state)
{
    (void)state;
    assert_int_equal(sg_text_width(SG_LIT("Tea")), 3);
    assert_int_equal(sg_text_width(SG_LIT("Zoë")), 3);
    assert_int_equal(sg_text_width(SG_LIT("中文")), 4);
    assert_int_equal(sg_text_width(SG_LIT("e\xCC\x81")), 1);
    assert_int_equal(sg_text_width(SG_LIT("😀")), 2);
    assert_int_equal(sg_text_width(SG_LIT("")), 0);
}

static void assert_clean(sg_slice text, const char *clean)
{
    sg_buf out;
    sg_buf_init(&out, BIG);
    sg_text_clean(&out, text);
    assert_string_equal(sg_buf_cstr(&out), clean);
    sg_buf_deinit(&out);
}

static void what_could_steer_a_terminal_is_made_visible(void **state)
{
    (void)state;
    assert_clean(SG_LIT("a\x1b[31mb"), "a\xEF\xBF\xBD[31mb");
    assert_clean(SG_LIT("one\ntwo\r\nthree\tfour"), "one↵two↵three four");
    assert_clean(SG_LIT("a\xC2\x9B"
                        "31mb"),
                 "a\xEF\xBF\xBD"
                 "31mb"); /* C1 control sequence */
    assert_clean(SG_LIT("a\xE2\x80\xAE"
                        "b"),
                 "a\xEF\xBF\xBD"
                 "b"); /* right-to-left override */
    assert_clean(SG_LIT("a\xFF"
                        "b"),
                 "a\xEF\xBF\xBD"
                 "b");
    assert_clean(SG_LIT("Zoë 中 😀"), "Zoë 中 😀");
    assert_clean(sg_slice_of("a\0b", 3), "a\xEF\xBF\xBD"
                                         "b");
}

static void assert_fit(const char *text, size_t width, const char *fit, size_t used)
{
    sg_buf out;
    sg_buf_init(&out, BIG);
    size_t n = sg_text_fit(&out, sg_slice_str(text), width);
    assert_non_null(sg_buf_cstr(&out));
    assert_string_equal(out.p, fit);
    assert_int_equal(n, used);
    sg_buf_deinit(&out);
}

static void text_that_does_not_fit_ends_with_an_ellipsis(void **state)
{
    (void)state;
    assert_fit("Tea", 3, "Tea", 3);
    assert_fit("Teas", 3, "Te…", 3);
    assert_fit("中文字", 5, "中文…", 5);
    assert_fit("中文字", 4, "中…", 3); /* half a character is none */
    assert_fit("Tea", 1, "…", 1);
    assert_fit("Tea", 0, "", 0);
}

static void counts_have_commas(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        const char *text;
    } cases[] = {{0, "0"},
                 {999, "999"},
                 {1000, "1,000"},
                 {1002003, "1,002,003"},
                 {-12345, "-12,345"},
                 {INT64_MAX, "9,223,372,036,854,775,807"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        sg_buf out;
        sg_buf_init(&out, BIG);
        sg_text_count(&out, cases[i].n);
        assert_string_equal(sg_buf_cstr(&out), cases[i].text);
        sg_buf_deinit(&out);
    }
}

/* ---- tables ---- */

static void collect(void *ctx, sg_slice text)
{
    sg_buf_slice(ctx, text);
}

static const sg_grid_column columns[] = {
    {.title = "id", .right = true, .keep = true}, {.title = "title"}, {.title = "by"}};

/* The table of cells (three a row, NULL at the end), as it is written. */
static int draw(sg_buf *out, size_t width, bool colour, const char *const *cells)
{
    sg_grid g;
    sg_grid_init(&g, columns, COUNT(columns), width, colour, collect, out);
    for (; *cells != NULL; cells++)
        sg_grid_cell(&g, sg_slice_str(*cells));
    return sg_grid_end(&g);
}

static void assert_drawn(size_t width, const char *const *cells, const char *table)
{
    sg_buf out;
    sg_buf_init(&out, BIG);
    assert_int_equal(draw(&out, width, false, cells), SG_OK);
    assert_non_null(sg_buf_cstr(&out));
    assert_string_equal(out.p, table);
    sg_buf_deinit(&out);
}

static void columns_line_up_whatever_the_characters(void **state)
{
    (void)state;
    static const char *const cells[] = {"1", "Tea", "Zoë", "12", "中文", "Bob", NULL};
    assert_drawn(80, cells,
                 "id  title  by\n"
                 " 1  Tea    Zoë\n"
                 "12  中文   Bob\n");
}

static void the_widest_column_gives_way_first(void **state)
{
    (void)state;
    static const char *const cells[] = {"123456789", "a long title that is too wide", "Ann", NULL};
    assert_drawn(30, cells,
                 "       id  title           by\n"
                 "123456789  a long title …  Ann\n");
}

static void no_line_is_wider_than_the_terminal(void **state)
{
    (void)state;
    static const char *const cells[] = {"123456789",
                                        "a long title 中文 that is too wide",
                                        "Ann of Somewhere Else",
                                        "7",
                                        "short",
                                        "Bob",
                                        NULL};
    for (size_t width = 20; width < 100; width++) {
        sg_buf out;
        sg_buf_init(&out, BIG);
        assert_int_equal(draw(&out, width, false, cells), SG_OK);
        const char *p = sg_buf_cstr(&out);
        while (*p != '\0') {
            size_t n = strcspn(p, "\n");
            assert_in_range(sg_text_width(sg_slice_of(p, n)), 0, width);
            p += n + 1;
        }
        sg_buf_deinit(&out);
    }
}

static void where_nothing_fits_records_go_down_the_page(void **state)
{
    (void)state;
    static const char *const cells[] = {"123456789",     "a long title", "Ann", "2",
                                        "another title", "Bob Jones",    NULL};
    assert_drawn(16, cells,
                 "id     123456789\n"
                 "title  a long t…\n"
                 "by     Ann\n"
                 "\n"
                 "id     2\n"
                 "title  another …\n"
                 "by     Bob Jones\n");
}

static void without_a_terminal_nothing_is_cut(void **state)
{
    (void)state;
    char wide[2 * SG_GRID_PAD_MAX + 1];
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    const char *const cells[] = {"1", wide, "Ann", NULL};
    sg_buf out;
    sg_buf_init(&out, BIG);
    assert_int_equal(draw(&out, 0, false, cells), SG_OK);
    assert_non_null(strstr(sg_buf_cstr(&out), wide));
    sg_buf_deinit(&out);
}

static void an_empty_table_prints_nothing(void **state)
{
    (void)state;
    static const char *const cells[] = {NULL};
    assert_drawn(80, cells, "");
}

static void colours_do_not_move_columns(void **state)
{
    (void)state;
    static const char *const cells[] = {"1", "Tea", "Ann", NULL};
    sg_buf out;
    sg_buf_init(&out, BIG);
    assert_int_equal(draw(&out, 80, true, cells), SG_OK);
    assert_string_equal(sg_buf_cstr(&out),
                        "\x1b[1mid\x1b[0m  \x1b[1mtitle\x1b[0m  \x1b[1mby\x1b[0m\n"
                        " 1  Tea    Ann\n");
    sg_buf_deinit(&out);
}

static void rows_past_the_sample_follow_its_widths(void **state)
{
    (void)state;
    sg_buf out;
    sg_grid g;
    sg_buf_init(&out, BIG);
    sg_grid_init(&g, columns, COUNT(columns), 80, false, collect, &out);
    for (int i = 0; i < SG_GRID_SAMPLE; i++)
        for (size_t c = 0; c < COUNT(columns); c++)
            sg_grid_cell(&g, SG_LIT("ab"));
    assert_true(out.n > 0); /* the sample is written at once */
    sg_grid_cell(&g, SG_LIT("1"));
    sg_grid_cell(&g, SG_LIT("longer than before"));
    sg_grid_cell(&g, SG_LIT("Ann"));
    assert_int_equal(sg_grid_end(&g), SG_OK);
    assert_non_null(strstr(sg_buf_cstr(&out), "\n 1  long…  Ann\n"));
    sg_buf_deinit(&out);
}

static void a_table_without_memory_ends_in_an_error(void **state)
{
    (void)state;
    static const char *const cells[] = {"1", "Tea", "Ann", NULL};
    size_t n = 1;
    for (int err = SG_NOMEM; err != SG_OK; n++) {
        sg_buf out;
        sg_buf_init(&out, BIG);
        (void)sg_mem_fail_at(n, 0);
        err = draw(&out, 80, false, cells);
        (void)sg_mem_fail_at(0, 0);
        if (out.err != SG_OK) err = out.err; /* the collector's own allocation */
        if (err != SG_OK) assert_int_equal(err, SG_NOMEM);
        sg_buf_deinit(&out);
    }
    assert_in_range(n, 4, 1000);
}

/* ---- progress ---- */

static void assert_line(int64_t done, int64_t total, int64_t lately, int64_t elapsed_ms,
                        const char *line)
{
    sg_buf out;
    sg_buf_init(&out, BIG);
    sg_meter_line(&out, "pushing", done, total, lately, elapsed_ms);
    assert_string_equal(sg_buf_cstr(&out), line);
    sg_buf_deinit(&out);
}

static void progress_tells_share_rate_and_time_left(void **state)
{
    (void)state;
    assert_line(1200, 5000, 1200, 500, "pushing  1,200 of 5,000 (24 %)");
    assert_line(1200, 5000, 1200, 2000, "pushing  1,200 of 5,000 (24 %)  600/s  7 s left");
    assert_line(1000, 1000000, 1000, 1000,
                "pushing  1,000 of 1,000,000 (0 %)  1,000/s  16 min 39 s left");
    assert_line(100, 1000000, 100, 1000, "pushing  100 of 1,000,000 (0 %)  100/s  2 h 46 min left");
    assert_line(5000, 5000, 5000, 2000, "pushing  5,000 of 5,000 (100 %)  2,500/s");
    assert_line(7, 0, 7, 2000, "pushing  7  3/s");
    assert_line(0, 5, 0, 2000, "pushing  0 of 5 (0 %)");
    /* 4,000 had been pushed before, of another app. */
    assert_line(4200, 5000, 200, 1000, "pushing  4,200 of 5,000 (84 %)  200/s  4 s left");
}

/* ---- values ---- */

typedef void show_fn(sg_buf *out, sg_slice json);

static void assert_shown(show_fn *show, const char *json, const char *text)
{
    sg_buf out;
    sg_buf_init(&out, BIG);
    show(&out, sg_slice_str(json));
    assert_string_equal(sg_buf_cstr(&out), text);
    sg_buf_deinit(&out);
}

static void strings_are_bare_unless_they_could_be_mistaken(void **state)
{
    (void)state;
    assert_shown(sg_show_value, "\"Tea\"", "Tea");
    assert_shown(sg_show_value, "\"a \\\"b\\\"\"", "a \"b\"");
    assert_shown(sg_show_value, "\"1\"", "\"1\"");
    assert_shown(sg_show_value, "\"null\"", "\"null\"");
    assert_shown(sg_show_value, "\"\"", "\"\"");
    assert_shown(sg_show_value, "1", "1");
    assert_shown(sg_show_value, "null", "null");
    assert_shown(sg_show_value, "{\"a\":[1]}", "{\"a\":[1]}");
}

static void fields_actors_and_times_read_well(void **state)
{
    (void)state;
    assert_shown(sg_show_fields, "{\"title\":\"Tea\",\"done\":1}", "title=Tea done=1");
    assert_shown(sg_show_fields, "[\"title\",\"done\"]", "title, done");
    assert_shown(sg_show_fields, "{}", "");
    assert_shown(sg_show_actor,
                 "{\"kind\":\"user\",\"principalId\":\"u:ann\",\"displayName\":\"Ann\"}", "Ann");
    assert_shown(sg_show_actor, "{\"kind\":\"ai\",\"principalId\":\"scribe\"}", "scribe (agent)");
    assert_shown(sg_show_actor, "{\"kind\":\"system\",\"principalId\":\"system:migration\"}",
                 "system:migration");
    assert_int_equal(setenv("TZ", "UTC-2", 1), 0);
    tzset();
    assert_shown(sg_show_time, "2026-01-02T03:04:05.678Z", "2026-01-02 05:04:05");
    assert_shown(sg_show_time, "1970-01-01T00:00:00.000Z", "default");
    assert_shown(sg_show_time, "yesterday", "yesterday");
}

static void a_token_tells_when_it_expires(void **state)
{
    (void)state;
    /* {"alg":"none"} . {"sub":"ann","exp":1} */
    sg_slice token = SG_LIT("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjF9.x");
    sg_buf claims;
    sg_buf_init(&claims, BIG);
    assert_true(sg_jwt_claims(token, &claims));
    assert_true(sg_jwt_seconds_left(sg_buf_view(&claims)) < 0);
    assert_int_equal(sg_jwt_seconds_left(SG_LIT("{}")), INT64_MAX);
    assert_false(sg_jwt_claims(SG_LIT("nonsense"), &claims));
    assert_false(sg_jwt_claims(SG_LIT("a.!!.b"), &claims));
    assert_false(sg_jwt_claims(SG_LIT(""), &claims));
    sg_buf_deinit(&claims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_anywhere),
        cmocka_unit_test(the_last_of_an_option_given_twice_counts),
        cmocka_unit_test(a_negative_number_and_a_dash_are_words),
        cmocka_unit_test(after_two_dashes_everything_is_a_word),
        cmocka_unit_test(wrong_command_lines_are_refused_with_the_reason),
        cmocka_unit_test(bracketed_words_may_be_missing),
        cmocka_unit_test(too_many_words_and_options_are_refused),
        cmocka_unit_test(the_nearest_name_is_what_was_meant),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(widths_are_those_of_a_terminal),
        cmocka_unit_test(what_could_steer_a_terminal_is_made_visible),
        cmocka_unit_test(text_that_does_not_fit_ends_with_an_ellipsis),
        cmocka_unit_test(counts_have_commas),
        cmocka_unit_test(columns_line_up_whatever_the_characters),
        cmocka_unit_test(the_widest_column_gives_way_first),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(where_nothing_fits_records_go_down_the_page),
        cmocka_unit_test(without_a_terminal_nothing_is_cut),
        cmocka_unit_test(an_empty_table_prints_nothing),
        cmocka_unit_test(colours_do_not_move_columns),
        cmocka_unit_test(rows_past_the_sample_follow_its_widths),
        cmocka_unit_test(a_table_without_memory_ends_in_an_error),
        cmocka_unit_test(progress_tells_share_rate_and_time_left),
        cmocka_unit_test(strings_are_bare_unless_they_could_be_mistaken),
        cmocka_unit_test(fields_actors_and_times_read_well),
        cmocka_unit_test(a_token_tells_when_it_expires),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
