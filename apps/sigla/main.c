/*
 * The command line: which verbs there are, and their help.
 */
#include <string.h>

#include "cli.h"
#include "sigla.h"
#include "term.h"
#include "text.h"

static const sg_opt no_opts[] = {{0}};

const sg_verb sg_verb_serve = {
    .name = "serve", .summary = "run a server", .opts = no_opts, .raw = sg_cmd_serve};
const sg_verb sg_verb_token = {.name = "token",
                               .summary = "make a token for a user or an agent of a server",
                               .opts = no_opts,
                               .raw = sg_cmd_token};

static const struct {
    const char *title;
    const sg_verb *verbs[10];
} groups[] = {
    {"Begin", {&sg_verb_init, &sg_verb_track, &sg_verb_untrack}},
    {"Work", {&sg_verb_sync, &sg_verb_sql}},
    {"Look", {&sg_verb_status, &sg_verb_pending, &sg_verb_marks, &sg_verb_log}},
    {"Put right",
     {&sg_verb_conflicts, &sg_verb_restore, &sg_verb_dismiss, &sg_verb_refused, &sg_verb_retry,
      &sg_verb_parked, &sg_verb_doctor}},
    {"Serve", {&sg_verb_serve, &sg_verb_user, &sg_verb_token}},
};
#define GROUPS (sizeof groups / sizeof groups[0])
#define NAMES_MAX 64

/* What people coming from elsewhere type. */
static const struct {
    const char *typed, *verb;
} habits[] = {
    {"push", "sync"},    {"pull", "sync"},      {"fetch", "sync"},   {"add", "track"},
    {"clone", "init"},   {"blame", "marks"},    {"diff", "pending"}, {"outbox", "pending"},
    {"history", "log"},  {"check", "doctor"},   {"fsck", "doctor"},  {"exec", "sql"},
    {"server", "serve"}, {"revert", "restore"}, {"ls", "status"},    {"resolve", "restore"}};

static const char first_steps[] =
    "Sigla syncs SQLite databases field by field and knows who wrote what.\n"
    "\n"
    "Start here, with a server on this machine:\n"
    "\n"
    "  sigla serve --data srv --dev &\n"
    "  sigla init notes.db --server http://127.0.0.1:3050 --user ann \\\n"
    "      --token \"$(sigla token --data srv --user ann)\"\n"
    "  sigla sql notes.db \"CREATE TABLE tasks(id TEXT PRIMARY KEY, title TEXT, done INT)\"\n"
    "  sigla track notes.db tasks\n"
    "  sigla sql notes.db \"INSERT INTO tasks VALUES ('t1', 'Buy tea', 0)\"\n"
    "  sigla sync notes.db\n"
    "  sigla marks notes.db tasks t1\n"
    "\n"
    "sigla help lists everything; sigla help VERB explains one verb.\n";

static const char exit_codes[] =
    "Exit codes\n"
    "  0  done\n"
    "  1  the operation failed, or found problems\n"
    "  2  the command line is wrong\n"
    "  3  the server cannot be reached; what is pending stays pending\n"
    "  4  the server refused: token, payment, permission or version (401, 402, 403, 426)\n"
    "  5  the database file is missing, damaged, locked, full or cannot be written\n"
    "\n"
    "Environment\n"
    "  SIGLA_TOKEN  the token for sigla init\n"
    "  NO_COLOR     no colours, also on a terminal\n";

static const sg_verb *find_verb(const char *name)
{
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; groups[g].verbs[i] != NULL; i++)
            if (strcmp(groups[g].verbs[i]->name, name) == 0) return groups[g].verbs[i];
    return NULL;
}

static void put_heading(const char *text)
{
    bool colour = sg_term_get()->out_colour;
    printf("%s%s%s\n", colour ? "\x1b[1m" : "", text, colour ? "\x1b[0m" : "");
}

static int help_all(void)
{
    printf(
        "Sigla %s: syncs SQLite databases field by field and knows who wrote what.\n\n"
        "Usage: sigla VERB [WORDS] [--OPTIONS]; sigla help VERB or sigla VERB --help says more.\n",
        sigla_version());
    for (size_t g = 0; g < GROUPS; g++) {
        (void)putchar('\n');
        put_heading(groups[g].title);
        for (size_t i = 0; groups[g].verbs[i] != NULL; i++)
            printf("  %-10s %s\n", groups[g].verbs[i]->name, groups[g].verbs[i]->summary);
    }
    printf("\nExamples\n"
           "  sigla init notes.db --server https://sync.example.org --token \"$T\" --user ann\n"
           "  sigla track notes.db tasks --app todo\n"
           "  sigla sync notes.db --watch\n"
           "  sigla conflicts notes.db --json\n\n%s",
           exit_codes);
    return SG_EXIT_OK;
}

static void put_usage(const sg_verb *v)
{
    printf("Usage: sigla %s %s%s\n", v->name, v->words,
           v->opts[0].name != NULL ? " [OPTIONS]" : "");
}

static void put_indented(const char *lines)
{
    while (*lines != '\0') {
        size_t n = strcspn(lines, "\n");
        printf("  %.*s\n", (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static int help_verb(const sg_verb *v)
{
    char *argv[] = {(char *)(uintptr_t)v->name, (char *)(uintptr_t) "--help", NULL};
    if (v->raw != NULL) return v->raw(2, argv);
    printf("sigla %s: %s\n\n", v->name, v->summary);
    put_usage(v);
    if (v->opts[0].name != NULL) (void)putchar('\n');
    for (const sg_opt *o = v->opts; o->name != NULL; o++) {
        const char *value = o->value != NULL ? o->value : "";
        int pad = 16 - (int)strlen(o->name) - (int)strlen(value);
        printf("  --%s %s%*s %s\n", o->name, value, pad > 0 ? pad : 0, "", o->help);
    }
    if (v->more != NULL) printf("\n%s\n", v->more);
    printf("\n");
    put_heading("Examples");
    put_indented(v->examples);
    return SG_EXIT_OK;
}

static int unknown_verb(const char *name)
{
    const char *names[NAMES_MAX + 1], *meant = NULL;
    size_t n = 0;
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; groups[g].verbs[i] != NULL && n < NAMES_MAX; i++)
            names[n++] = groups[g].verbs[i]->name;
    names[n] = NULL;
    for (size_t i = 0; i < sizeof habits / sizeof habits[0]; i++)
        if (strcmp(habits[i].typed, name) == 0) meant = habits[i].verb;
    if (meant == NULL) meant = sg_args_meant(name, names);
    sg_fail(SG_EXIT_USAGE, "there is no verb %s", name);
    if (meant != NULL)
        sg_hint("Did you mean sigla %s: %s?", meant, find_verb(meant)->summary);
    else
        sg_hint("sigla help lists them.");
    return SG_EXIT_USAGE;
}

static bool asks_for_help(int argc, char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

/* argv[0] is the verb's name. */
static int run_verb(const sg_verb *v, int argc, char **argv)
{
    sg_args args;
    sg_buf why;
    if (asks_for_help(argc - 1, argv + 1)) return help_verb(v);
    if (v->raw != NULL) return v->raw(argc, argv);
    sg_buf_init(&why, 4096);
    bool ok = sg_args_parse(&args, v->words, v->opts, argc - 1, argv + 1, &why);
    const char *text = ok ? "" : sg_buf_cstr(&why);
    int exit_code = SG_EXIT_USAGE;
    if (ok) {
        exit_code = v->run(&args);
    } else {
        sg_fail(exit_code, "%s: %s", v->name, text != NULL ? text : "the command line is too long");
        sg_hint("Usage: sigla %s %s%s", v->name, v->words,
                v->opts[0].name != NULL ? " [OPTIONS]" : "");
        sg_hint("sigla %s --help says more.", v->name);
    }
    sg_buf_deinit(&why);
    return exit_code;
}

static int help(int argc, char **argv)
{
    if (argc < 3) return help_all();
    const sg_verb *v = find_verb(argv[2]);
    return v != NULL ? help_verb(v) : unknown_verb(argv[2]);
}

static int run(int argc, char **argv)
{
    if (argc < 2) {
        sg_out(sg_slice_str(first_steps));
        return SG_EXIT_OK;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0) return help(argc, argv);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) return help_all();
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        sg_say("sigla %s", sigla_version());
        return SG_EXIT_OK;
    }
    const sg_verb *v = find_verb(name);
    return v != NULL ? run_verb(v, argc - 1, argv + 1) : unknown_verb(name);
}

int main(int argc, char **argv)
{
    sg_text_setup();
    int exit_code = run(argc, argv);
    if (sg_out_flush() || exit_code != SG_EXIT_OK) return exit_code;
    return sg_fail(SG_EXIT_FAILED, "the output could not be written");
}
