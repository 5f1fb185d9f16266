#include <string.h>

#include "advice.h"
#include "base/mem.h"
#include "cli.h"
#include "server/datadir.h"
#include "server/duration.h"
#include "server/now.h"
#include "server/token.h"

#define TTL_DEFAULT "15m"

static const char usage[] =
    "sigla token: make a token for a user or an agent of a server\n"
    "\n"
    "Usage: sigla token --data DIR --user NAME [OPTIONS]\n"
    "\n"
    "  --data DIR         the server's data directory, whose key signs; both are made if missing\n"
    "  --user NAME        whose data it opens\n"
    "  --agent ID         a token for this agent of the user's\n"
    "  --agent-name TEXT  how the agent is shown\n"
    "  --ttl TIME         how long it lasts (" TTL_DEFAULT "), such as 30s, 8h or 30d\n"
    "\n"
    "Prints a JWT. Such tokens are for development: only a server started with --dev takes them.\n"
    "\n"
    "Examples\n"
    "  sigla token --data srv --user ann\n"
    "  sigla token --data srv --user ann --agent planner --ttl 8h\n";

static const sg_opt opts[] = {{"data", "DIR", ""},
                              {"user", "NAME", ""},
                              {"agent", "ID", ""},
                              {"agent-name", "TEXT", ""},
                              {"ttl", "TIME", ""},
                              {"help", NULL, ""},
                              {0}};

static int open_key(const char *dir, sg_key **key)
{
    sg_buf path;
    sg_buf_init(&path, SG_PATH_BYTES_MAX);
    sg_datadir_path(dir, SG_KEY_FILE, &path);
    const char *name = sg_buf_cstr(&path);
    int err = name != NULL ? sg_datadir_make(dir) : path.err;
    if (err == SG_OK) err = sg_key_open(name, key);
    sg_buf_deinit(&path);
    return err;
}

static int print_token(const char *dir, const sg_claims *claims, int64_t now_s)
{
    sg_key *key = NULL;
    int err = open_key(dir, &key);
    if (err != SG_OK) return sg_advise_data("read or make the signing key", dir, err);
    sg_buf token;
    sg_buf_init(&token, SG_TOKEN_MAX);
    err = sg_token_make(key, claims, now_s, &token);
    sg_buf_byte(&token, '\n');
    if (err == SG_OK) err = token.err;
    if (err == SG_OK) sg_out(sg_buf_view(&token));
    sg_buf_deinit(&token);
    sg_key_free(key);
    if (err == SG_OK) return SG_EXIT_OK;
    return sg_fail(SG_EXIT_USAGE, "token: names are UTF-8 of 1 to 200 bytes");
}

static int missing(const char *name)
{
    sg_fail(SG_EXIT_USAGE, "token: --%s is missing", name);
    sg_hint("sigla token --data DIR --user NAME; sigla token --help says more");
    return SG_EXIT_USAGE;
}

static int run(const sg_args *args)
{
    const char *dir = sg_args_value(args, "data"), *user = sg_args_value(args, "user");
    const char *ttl = sg_args_value(args, "ttl");
    int64_t ttl_us, now_s = sg_now_us() / 1000000;
    if (dir == NULL) return missing("data");
    if (user == NULL) return missing("user");
    if (ttl == NULL) ttl = TTL_DEFAULT;
    if (!sg_duration_parse(ttl, &ttl_us) || ttl_us < 1000000)
        return sg_fail(SG_EXIT_USAGE, "token: --ttl takes a time such as 15m or 8h, not %s", ttl);
    const sg_claims claims = {.user = sg_user_name(sg_slice_str(user)),
                              .agent = sg_slice_str(sg_args_value(args, "agent")),
                              .agent_name = sg_slice_str(sg_args_value(args, "agent-name")),
                              .expires_s = now_s + ttl_us / 1000000,
                              .dev = true};
    return print_token(dir, &claims, now_s);
}

int sg_cmd_token(int argc, char **argv)
{
    sg_args args;
    sg_buf why;
    sg_buf_init(&why, 4096);
    bool good = sg_args_parse(&args, "", opts, argc - 1, argv + 1, &why);
    int exit_code = SG_EXIT_OK;
    if (!good) {
        const char *text = sg_buf_cstr(&why);
        exit_code = sg_fail(SG_EXIT_USAGE, "token: %s", text != NULL ? text : "malformed");
        sg_hint("sigla token --help says more.");
    } else if (sg_args_has(&args, "help")) {
        sg_out(sg_slice_str(usage));
    } else {
        exit_code = run(&args);
    }
    sg_buf_deinit(&why);
    return exit_code;
}
