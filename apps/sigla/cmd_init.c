#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "file.h"
#include "jwt.h"
#include "show.h"
#include "wire/json.h"

#define TOKEN_MAX ((size_t)64 * 1024)

static const sg_opt opts[] = {
    {"server", "URL", "where it syncs, such as https://sync.example.org"},
    {"token", "TOKEN", "the server's token; - reads it from standard input"},
    {"user", "NAME", "whose database this is"},
    {"name", "TEXT", "how that user is shown, such as \"Ann Smith\""},
    {0}};

static void read_input(sg_buf *out)
{
    char block[4096];
    for (ssize_t n; (n = read(STDIN_FILENO, block, sizeof block)) > 0;)
        sg_buf_put(out, block, (size_t)n);
    while (out->n != 0 && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        sg_buf_truncate(out, out->n - 1);
}

/* From the option, standard input or the environment; NULL if there is none. */
static const char *find_token(const sg_args *args, sg_buf *scratch)
{
    const char *token = sg_args_value(args, "token");
    if (token == NULL) token = getenv("SIGLA_TOKEN");
    if (token != NULL && strcmp(token, "-") == 0) {
        read_input(scratch);
        token = sg_buf_cstr(scratch);
    }
    return token != NULL && token[0] != '\0' ? token : NULL;
}

/* A token made for somebody else would only be refused later, change by change. */
static int check_token(const char *token, const char *user)
{
    sg_buf claims, subject;
    int exit_code = SG_EXIT_OK;
    sg_buf_init(&claims, TOKEN_MAX);
    sg_buf_init(&subject, TOKEN_MAX);
    if (!sg_jwt_claims(sg_slice_str(token), &claims)) {
        exit_code = sg_fail(SG_EXIT_FAILED, "the token is not a JWT");
    } else if (sg_show_member_text(sg_buf_view(&claims), "sub", &subject) && user != NULL &&
               !sg_slice_eq(sg_buf_view(&subject), sg_slice_str(user))) {
        const char *who = sg_buf_cstr(&subject);
        exit_code = sg_fail(SG_EXIT_FAILED, "the token is for %s, not for %s",
                            who != NULL ? who : "somebody else", user);
    } else if (sg_jwt_seconds_left(sg_buf_view(&claims)) <= 0) {
        exit_code = sg_fail(SG_EXIT_FAILED, "the token has expired");
    }
    if (exit_code != SG_EXIT_OK) sg_hint("Get one from the server: sigla token --help");
    sg_buf_deinit(&claims);
    sg_buf_deinit(&subject);
    return exit_code;
}

static void put_setting(sg_jsonw *w, const char *member, const char *given)
{
    if (given != NULL) sg_jsonw_kstr(w, member, sg_slice_str(given));
}

/* The name that is shown belongs to the user: it is set together with them. */
static void put_user(sg_jsonw *w, sqlite3 *db, const sg_args *args)
{
    const char *user = sg_args_value(args, "user"), *name = sg_args_value(args, "name");
    sg_buf kept;
    sg_buf_init(&kept, TOKEN_MAX);
    if (user == NULL && name != NULL && sg_file_config(db, "user", &kept))
        user = sg_buf_cstr(&kept);
    put_setting(w, "user", user);
    put_setting(w, "displayName", name);
    sg_buf_deinit(&kept);
}

static int init(sqlite3 *db, const sg_args *args, const char *token)
{
    sg_buf json, ignored;
    sg_jsonw w;
    sg_buf_init(&json, 4 * TOKEN_MAX);
    sg_buf_init(&ignored, TOKEN_MAX);
    sg_jsonw_init(&w, &json);
    sg_jsonw_object(&w);
    put_setting(&w, "server", sg_args_value(args, "server"));
    put_setting(&w, "token", token);
    put_user(&w, db, args);
    sg_jsonw_object_end(&w);
    const char *text = sg_buf_cstr(&json);
    int exit_code = text != NULL ? sg_file_text(db, &ignored, "cannot prepare the database",
                                                "SELECT sigla_init(?1)", text, NULL)
                                 : sg_fail(SG_EXIT_FAILED, "the settings are too long");
    sg_buf_deinit(&json);
    sg_buf_deinit(&ignored);
    return exit_code;
}

static int missing(const char *what)
{
    sg_fail(SG_EXIT_USAGE, "--%s is missing", what);
    sg_hint("sigla init FILE --server URL --token TOKEN --user NAME; sigla init --help says more");
    return SG_EXIT_USAGE;
}

/* Settings may be left out only if the file has them from before. */
static int check_complete(sqlite3 *db, const sg_args *args, const char *token)
{
    static const char *const needed[] = {"server", "user", "token"};
    for (size_t i = 0; i < 3; i++) {
        sg_buf kept;
        sg_buf_init(&kept, TOKEN_MAX);
        bool there = (i == 2 ? token : sg_args_value(args, needed[i])) != NULL ||
                     sg_file_config(db, needed[i], &kept);
        sg_buf_deinit(&kept);
        if (!there) return missing(needed[i]);
    }
    return SG_EXIT_OK;
}

/* A new file is created only for a command line that can succeed. */
static int check_before_create(const char *path, const sg_args *args, const char *token)
{
    if (access(path, F_OK) == 0) return SG_EXIT_OK;
    if (sg_args_value(args, "server") == NULL) return missing("server");
    if (token == NULL) return missing("token");
    return sg_args_value(args, "user") == NULL ? missing("user") : SG_EXIT_OK;
}

/* What somebody who was given an agent's token has to know. */
static void say_how_an_agent_writes(const char *token)
{
    sg_buf claims, agent;
    sg_buf_init(&claims, TOKEN_MAX);
    sg_buf_init(&agent, TOKEN_MAX);
    if (sg_jwt_claims(sg_slice_str(token), &claims) &&
        sg_show_member_text(sg_buf_view(&claims), "agent", &agent) && agent.n != 0) {
        sg_say("The token is an agent's: the server takes what is written as that agent, after");
        sg_say("  SELECT sigla_as('{\"kind\":\"ai\",\"principalId\":\"%.*s\"}')", (int)agent.n,
               agent.p);
    }
    sg_buf_deinit(&claims);
    sg_buf_deinit(&agent);
}

static int open_and_init(const sg_args *args, const char *token)
{
    sqlite3 *db = NULL;
    const char *path = sg_args_word(args, 0), *user = sg_args_value(args, "user");
    int exit_code = check_before_create(path, args, token);
    if (exit_code == SG_EXIT_OK && token != NULL) exit_code = check_token(token, user);
    if (exit_code == SG_EXIT_OK) exit_code = sg_file_open(path, true, &db);
    if (exit_code == SG_EXIT_OK) exit_code = check_complete(db, args, token);
    if (exit_code == SG_EXIT_OK) exit_code = init(db, args, token);
    sg_file_close(db);
    if (exit_code != SG_EXIT_OK) return exit_code;
    sg_say("%s is ready. Next: sigla track %s TABLE, then sigla sync %s", path, path, path);
    if (token != NULL) say_how_an_agent_writes(token);
    return SG_EXIT_OK;
}

static int run(const sg_args *args)
{
    sg_buf scratch;
    sg_buf_init(&scratch, TOKEN_MAX);
    const char *token = find_token(args, &scratch);
    int exit_code = open_and_init(args, token);
    sg_buf_deinit(&scratch);
    return exit_code;
}

const sg_verb sg_verb_init = {
    .name = "init",
    .words = "FILE",
    .summary = "prepare a database for sync",
    .more =
        "Creates FILE if it is missing; an existing SQLite database keeps all it has. Called again it\n"
        "changes what is given (a new token, another server) and keeps the rest; a database stays\n"
        "with its user. The token may also come from the environment, as SIGLA_TOKEN: what is on a\n"
        "command line can be seen by others on the same machine.",
    .examples =
        "sigla init notes.db --server https://sync.example.org --token \"$T\" --user ann\n"
        "sigla token --data srv --user ann | sigla init notes.db --server http://127.0.0.1:3050 \\\n"
        "    --token - --user ann\n"
        "sigla init notes.db --token \"$NEW\"",
    .opts = opts,
    .run = run};
