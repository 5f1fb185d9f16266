#include "args.h"

#include <string.h>

#define NAME_MAX_MEANT 24 /* longer words are not compared */
#define DAY_MS INT64_C(86400000)
#define NAMES_MAX 64 /* options of one verb that are looked at for a hint */

/* Damerau-Levenshtein distance: a swapped pair of letters is one slip, as people make it. */
static size_t slips(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    size_t d[NAME_MAX_MEANT + 1][NAME_MAX_MEANT + 1];
    if (n > NAME_MAX_MEANT || m > NAME_MAX_MEANT) return SIZE_MAX;
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *sg_args_meant(const char *typed, const char *const *names)
{
    size_t length = strlen(typed), least = length <= 4 ? 2 : 3;
    const char *found = NULL;
    for (size_t i = 0; names[i] != NULL; i++) {
        if (length >= 2 && strncmp(names[i], typed, length) == 0) return names[i];
        size_t n = slips(typed, names[i]);
        if (n < least && n < strlen(names[i])) {
            least = n;
            found = names[i];
        }
    }
    return found;
}

/* One word of the description at *p: its name, whether it may be missing and may repeat. */
typedef struct word_spec {
    sg_slice name;
    bool optional, many;
} word_spec;

static bool next_word(const char **p, word_spec *w)
{
    while (**p == ' ')
        (*p)++;
    size_t n = strcspn(*p, " ");
    if (n == 0) return false;
    w->name = sg_slice_of(*p, n);
    *p += n;
    w->optional = w->name.p[0] == '[';
    if (w->optional) w->name = sg_slice_of(w->name.p + 1, n - 2);
    w->many = w->name.n > 3 && memcmp(w->name.p + w->name.n - 3, "...", 3) == 0;
    if (w->many) w->name.n -= 3;
    return true;
}

static void unknown_option(const char *name, const sg_opt *opts, sg_buf *why)
{
    const char *names[NAMES_MAX + 2];
    size_t n = 0;
    for (; n < NAMES_MAX && opts[n].name != NULL; n++)
        names[n] = opts[n].name;
    names[n++] = "help";
    names[n] = NULL;
    const char *meant = sg_args_meant(name, names);
    sg_buf_str(why, "there is no option --");
    sg_buf_str(why, name);
    if (meant == NULL) return;
    sg_buf_str(why, "; did you mean --");
    sg_buf_str(why, meant);
    sg_buf_str(why, "?");
}

static const sg_opt *find_option(sg_slice name, const sg_opt *opts)
{
    for (; opts->name != NULL; opts++)
        if (sg_slice_eq(sg_slice_str(opts->name), name)) return opts;
    return NULL;
}

static bool complain(sg_buf *why, const char *before, const char *name, const char *after)
{
    sg_buf_str(why, before);
    sg_buf_str(why, name);
    sg_buf_str(why, after);
    return false;
}

/* argv[*i] is "--name…"; takes the next one too if that is its value. */
static bool take_option(sg_args *a, const sg_opt *opts, int argc, char *const *argv, int *i,
                        sg_buf *why)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const sg_opt *opt = find_option(sg_slice_of(name, length), opts);
    if (opt == NULL) {
        unknown_option(name, opts, why);
        return false;
    }
    if (opt->value == NULL && equals != NULL)
        return complain(why, "--", opt->name, " takes no value");
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (opt->value != NULL && value == NULL) {
        if (*i + 1 >= argc) {
            complain(why, "--", opt->name, " needs a value: --");
            return complain(why, opt->name, " ", opt->value);
        }
        value = argv[++*i];
    }
    if (a->given_count == SG_ARGS_MAX_GIVEN) return complain(why, "too many options", "", "");
    a->given[a->given_count++] = (sg_given){opt, value};
    return true;
}

static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0' && !(arg[1] >= '0' && arg[1] <= '9');
}

static bool check_words(const sg_args *a, const char *words, sg_buf *why)
{
    word_spec w;
    size_t n = 0;
    while (next_word(&words, &w)) {
        if (n >= a->word_count && !w.optional) {
            sg_buf_slice(why, w.name);
            sg_buf_str(why, " is missing");
            return false;
        }
        if (w.many) return true;
        n++;
    }
    if (a->word_count <= n) return true;
    return complain(why, "there is one word too many: ", a->words[n], "");
}

bool sg_args_parse(sg_args *a, const char *words, const sg_opt *opts, int argc, char *const *argv,
                   sg_buf *why)
{
    *a = (sg_args){0};
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && is_option(argv[i])) {
            if (argv[i][1] != '-')
                return complain(why, "there is no option ", argv[i], "; options are --words");
            if (!take_option(a, opts, argc, argv, &i, why)) return false;
        } else if (a->word_count == SG_ARGS_MAX_WORDS) {
            return complain(why, "too many words", "", "");
        } else {
            a->words[a->word_count++] = argv[i];
        }
    }
    return check_words(a, words, why);
}

const char *sg_args_word(const sg_args *a, size_t i)
{
    return i < a->word_count ? a->words[i] : NULL;
}

bool sg_args_has(const sg_args *a, const char *name)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].opt->name, name) == 0) return true;
    return false;
}

const char *sg_args_value(const sg_args *a, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].opt->name, name) == 0) value = a->given[i].value;
    return value;
}

const char *sg_args_nth(const sg_args *a, const char *name, size_t nth)
{
    for (size_t i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].opt->name, name) == 0 && nth-- == 0) return a->given[i].value;
    return NULL;
}

bool sg_args_duration(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
    int64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && n <= DAY_MS; p++)
        n = n * 10 + (*p - '0');
    if (p == text) return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(p, units[i].unit) != 0) continue;
        *ms = n * units[i].ms;
        return n <= DAY_MS / units[i].ms;
    }
    return false;
}
