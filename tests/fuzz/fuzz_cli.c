/*
 * What the command line reads of others: a server's answer with a history, texts that go to a
 * terminal; and a command line itself, its words one a line. Tokens have a fuzzer of their own.
 *
 * Checked: whatever comes, what is shown is UTF-8 without controls and no wider than there is room; a
 * command line is taken, or refused in words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../apps/sigla/args.h"
#include "../../apps/sigla/entries.h"
#include "../../apps/sigla/show.h"
#include "../../apps/sigla/text.h"
#include "wire/json.h"
#include "wire/utf8.h"

#define TEXT_MAX ((size_t)16 << 20)
#define WORDS_MAX 80 /* more than a command line takes */
#define WIDTH 40

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

/* ---- texts for a terminal ---- */

static void require_harmless(sg_slice text)
{
    if (text.n == 0) return;
    for (const char *p = text.p, *end = p + text.n; p < end;) {
        size_t n = sg_utf8_step(p, end);
        require(n != 0, "what is shown is UTF-8");
        uint32_t c = sg_utf8_get(p, n);
        require(c >= 0x20 && (c < 0x7f || c >= 0xa0), "what is shown has no controls");
        require(c < 0x202a || c > 0x202e, "what is shown turns no direction");
        p += n;
    }
}

static void clean(sg_slice text)
{
    sg_buf once, twice, cut;
    sg_buf_init(&once, TEXT_MAX);
    sg_buf_init(&twice, TEXT_MAX);
    sg_buf_init(&cut, TEXT_MAX);
    sg_text_clean(&once, text);
    require_harmless(sg_buf_view(&once));
    sg_text_clean(&twice, sg_buf_view(&once));
    require(sg_slice_eq(sg_buf_view(&once), sg_buf_view(&twice)), "a clean text stays as it is");
    size_t used = sg_text_fit(&cut, sg_buf_view(&once), WIDTH);
    require(used <= WIDTH && used == sg_text_width(sg_buf_view(&cut)), "a cut text fits");
    require_harmless(sg_buf_view(&cut));
    sg_buf_deinit(&once);
    sg_buf_deinit(&twice);
    sg_buf_deinit(&cut);
}

/* What a grid writes beyond the texts themselves: line ends. */
static void written(void *ctx, sg_slice text)
{
    (void)ctx;
    size_t n = text.n;
    while (n != 0 && text.p[n - 1] == '\n')
        n--;
    if (n == 0) return;
    for (const char *p = text.p, *end = p + n; p < end;) {
        const char *line = memchr(p, '\n', (size_t)(end - p));
        if (line == NULL) line = end;
        require_harmless(sg_slice_of(p, (size_t)(line - p)));
        p = line + 1;
    }
}

static void draw(sg_slice text)
{
    static const sg_grid_column columns[] = {
        {.title = "one"}, {.title = "two", .keep = true}, {.title = "three", .right = true}};
    sg_grid grid;
    sg_grid_init(&grid, columns, 3, WIDTH, false, written, NULL);
    for (size_t i = 0; i < 3 * 4; i++) {
        size_t from = text.n * i / 12, to = text.n * (i + 1) / 12;
        sg_grid_cell(&grid, sg_slice_of(text.p + from, to - from));
    }
    require(sg_grid_end(&grid) == SG_OK, "a table is drawn");
}

/* ---- answers ---- */

static void list(sg_slice history, bool json)
{
    sg_json j;
    sg_entries entries;
    sg_entries_begin(&entries, json);
    sg_json_init(&j, history);
    (void)sg_json_array(&j);
    while (sg_json_next(&j))
        sg_entries_put(&entries, sg_json_skip(&j), entries.count % 2 == 1);
    (void)sg_entries_end(&entries, true);
}

static void look_at_answer(sg_slice body)
{
    sg_slice value;
    sg_buf text;
    sg_buf_init(&text, TEXT_MAX);
    if (sg_show_member(body, "history", &value)) {
        list(value, false);
        list(value, true);
    }
    if (sg_show_member(body, "error", &value)) {
        (void)sg_show_member_text(value, "message", &text);
        (void)sg_show_member_text(value, "detail", &text);
    }
    sg_json j;
    sg_json_init(&j, body);
    (void)sg_json_skip(&j);
    if (sg_json_end(&j)) {
        sg_show_fields(&text, body);
        sg_show_actor(&text, body);
    }
    sg_buf_deinit(&text);
}

/* ---- command lines ---- */

static void parse(sg_slice lines)
{
    static const sg_opt opts[] = {
        {"app", "NAME", ""}, {"timeout", "TIME", ""}, {"json", NULL, ""}, {0}};
    char *copy = malloc(lines.n + 1), *words[WORDS_MAX];
    int n = 0;
    require(copy != NULL, "there is memory");
    memcpy(copy, lines.p, lines.n);
    copy[lines.n] = '\0';
    for (char *p = copy; p != NULL && n < WORDS_MAX; n++) {
        words[n] = p;
        p = strchr(p, '\n');
        if (p != NULL) *p++ = '\0';
    }
    sg_args args;
    sg_buf why;
    int64_t ms;
    sg_buf_init(&why, TEXT_MAX);
    if (!sg_args_parse(&args, "FILE [TABLE] [KEY...]", opts, n, words, &why))
        require(why.n != 0, "a refusal says why");
    else if (sg_args_value(&args, "timeout") != NULL &&
             sg_args_duration(sg_args_value(&args, "timeout"), &ms))
        require(ms >= 0 && ms <= 86400000, "a time is within its bounds");
    sg_buf_deinit(&why);
    free(copy);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    sg_text_setup();
    require(freopen("/dev/null", "w", stdout) != NULL, "there is somewhere to write");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice text = sg_slice_of((const char *)data, size);
    clean(text);
    draw(text);
    look_at_answer(text);
    parse(text);
    sg_buf shown;
    sg_buf_init(&shown, TEXT_MAX);
    sg_show_time(&shown, text);
    sg_buf_deinit(&shown);
    return 0;
}
