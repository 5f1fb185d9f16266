#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "advice.h"
#include "base/mem.h"
#include "cli.h"
#include "net/http_server.h"
#include "server/duration.h"
#include "server/log.h"
#include "server/server.h"

#define LISTEN_DEFAULT "127.0.0.1:3050"
#define HOST_MAX 255
#define RATE_MAX 1000000
#define CONNECTIONS_MAX 20000u /* idle streams cost little; descriptors are raised to match */
/* Of freed memory, and of the blocks that are taken from it: giving bodies and pages back to the
 * system at once costs more than it saves, since every other thread is interrupted for it. */
#define KEEP_FREE_BYTES (32 << 20)
#define KEEP_BLOCK_BYTES (4 << 20)

static const char usage[] =
    "sigla serve: run a server\n"
    "\n"
    "Usage: sigla serve --data DIR [OPTIONS]\n"
    "\n"
    "  --data DIR           where everything is kept; made if it is missing\n"
    "  --listen HOST:PORT   where to listen (" LISTEN_DEFAULT "); port 0 picks a free one\n"
    "  --dev                take tokens made by sigla token\n"
    "  --no-sign-up         accounts are made by sigla user add alone\n"
    "  --tombstone-age AGE  forget deletes after this long (90d); 0 never\n"
    "  --history-age AGE    forget history after this long (365d); 0 never\n"
    "  --rate N             requests a second for one address; over it 429 (no limit)\n"
    "  --origin URL         allow this web origin, and no others but those named; may be repeated\n"
    "\n"
    "The first line on standard output is `listening on http://HOST:PORT`; the log goes to standard\n"
    "error. TLS is the business of a proxy in front. SIGTERM or Ctrl-C stops it cleanly.\n"
    "\n"
    "Examples\n"
    "  sigla serve --data srv --dev\n"
    "  sigla serve --data /var/lib/sigla --listen 0.0.0.0:3050 --tombstone-age 180d\n";

static const sg_opt opts[] = {{"data", "DIR", ""},        {"listen", "HOST:PORT", ""},
                              {"dev", NULL, ""},          {"tombstone-age", "AGE", ""},
                              {"history-age", "AGE", ""}, {"rate", "N", ""},
                              {"origin", "URL", ""},      {"no-sign-up", NULL, ""},
                              {"help", NULL, ""},         {0}};

/* ---- the command line ---- */

typedef struct settings {
    sg_server_config server;
    sg_http_config http;
    char host[HOST_MAX + 1];
    const char *origins[SG_ARGS_MAX_GIVEN];
} settings;

/* "127.0.0.1:3050", "[::1]:3050", "localhost:0" */
static bool parse_listen(const char *text, settings *s)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0') return false;
    size_t n = (size_t)(colon - text);
    if (n > 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        n -= 2;
    }
    unsigned long port = 0;
    for (const char *p = colon + 1; *p != '\0'; p++) {
        if (*p < '0' || *p > '9' || p - colon > 5) return false;
        port = port * 10 + (unsigned long)(*p - '0');
    }
    if (n == 0 || n > HOST_MAX || port > UINT16_MAX) return false;
    memcpy(s->host, text, n);
    s->host[n] = '\0';
    s->http.host = s->host;
    s->http.port = (uint16_t)port;
    return true;
}

static int parse_age(const sg_args *args, const char *name, int64_t *us)
{
    const char *text = sg_args_value(args, name);
    if (text == NULL || sg_duration_parse(text, us)) return SG_EXIT_OK;
    return sg_fail(SG_EXIT_USAGE, "serve: --%s takes a time such as 90d, 12h or 0, not %s", name,
                   text);
}

static int parse_rate(const sg_args *args, settings *s)
{
    const char *text = sg_args_value(args, "rate");
    if (text == NULL) return SG_EXIT_OK;
    unsigned long rate = 0;
    for (const char *p = text; *p != '\0'; p++) {
        bool digit = *p >= '0' && *p <= '9' && rate <= RATE_MAX;
        if (!digit) return sg_fail(SG_EXIT_USAGE, "serve: --rate takes a number, not %s", text);
        rate = rate * 10 + (unsigned long)(*p - '0');
    }
    if (rate == 0 || rate > RATE_MAX)
        return sg_fail(SG_EXIT_USAGE, "serve: --rate is from 1 to %d", RATE_MAX);
    s->http.rate_per_s = (uint32_t)rate;
    return SG_EXIT_OK;
}

static int parse(const sg_args *args, settings *s)
{
    const char *listen = sg_args_value(args, "listen");
    sg_server_config_init(&s->server);
    sg_http_config_init(&s->http);
    s->server.dir = sg_args_value(args, "data");
    s->server.dev = sg_args_has(args, "dev");
    s->server.no_sign_up = sg_args_has(args, "no-sign-up");
    if (s->server.dir == NULL) {
        sg_fail(SG_EXIT_USAGE, "serve: --data is missing");
        sg_hint("sigla serve --data DIR --dev; sigla serve --help says more");
        return SG_EXIT_USAGE;
    }
    if (!parse_listen(listen != NULL ? listen : LISTEN_DEFAULT, s))
        return sg_fail(SG_EXIT_USAGE, "serve: --listen takes HOST:PORT, not %s", listen);
    for (; s->http.origin_count < SG_ARGS_MAX_GIVEN; s->http.origin_count++) {
        const char *origin = sg_args_nth(args, "origin", s->http.origin_count);
        if (origin == NULL) break;
        s->origins[s->http.origin_count] = origin;
    }
    s->http.origins = s->http.origin_count != 0 ? s->origins : NULL;
    int exit_code = parse_age(args, "tombstone-age", &s->server.tombstone_age_us);
    if (exit_code == SG_EXIT_OK)
        exit_code = parse_age(args, "history-age", &s->server.history_age_us);
    return exit_code == SG_EXIT_OK ? parse_rate(args, s) : exit_code;
}

/* ---- running ---- */

static sg_http_server *running; /* what a signal stops */

static void on_signal(int signal_number)
{
    (void)signal_number;
    sg_http_server_stop(running);
}

static void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

static void on_done(void *ctx, const sg_http_done *done)
{
    const sg_server *s = ctx;
    sg_metrics_request(s->metrics, done->method, done->pattern, done->status, done->micros);
    if (done->status < 500) return;
    sg_log line;
    sg_log_begin(&line, SG_LOG_WARN, "request_failed");
    sg_log_text(&line, "method", sg_slice_str(sg_http_method_name(done->method)));
    sg_log_text(&line, "route", sg_slice_str(done->pattern));
    sg_log_int(&line, "status", done->status);
    sg_log_int(&line, "micros", (int64_t)done->micros);
    sg_log_text(&line, "request", done->request_id);
    sg_log_end(&line);
}

/* As many descriptors as the system lets us have. */
static void raise_limits(void)
{
    struct rlimit files;
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_FREE_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, KEEP_BLOCK_BYTES);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* What to do first where nobody has an account. */
static void show_first_step(const settings *s, const char *url)
{
    sg_say("nobody has an account here yet; the first one is made like this:");
    if (s->server.no_sign_up)
        sg_say("  (stop this server)  sigla user add ann --data %s", s->server.dir);
    else
        sg_say("  curl %s/api/v1/auth/sign-up -d '{\"login\":\"ann\",\"password\":\"…\"}'", url);
}

static void announce(const settings *s, const sg_server *server, uint16_t port)
{
    char url[HOST_MAX + 32];
    bool v6 = strchr(s->host, ':') != NULL;
    (void)snprintf(url, sizeof url, "http://%s%s%s:%u", v6 ? "[" : "", s->host, v6 ? "]" : "",
                   (unsigned)port);
    sg_say("listening on %s", url);
    if (!server->has_persons) show_first_step(s, url);
    (void)sg_out_flush();
    sg_log line;
    sg_log_begin(&line, SG_LOG_INFO, "started");
    sg_log_text(&line, "version", SG_LIT(SIGLA_VERSION));
    sg_log_text(&line, "data", sg_slice_str(s->server.dir));
    sg_log_int(&line, "port", port);
    sg_log_end(&line);
}

static int run(settings *s, sg_server *server)
{
    size_t route_count;
    const sg_http_route *routes = sg_server_routes(server, &route_count);
    s->http.max_connections = CONNECTIONS_MAX;
    s->http.done = on_done;
    s->http.ctx = server;
    int err = sg_http_server_new(&s->http, routes, route_count, &running);
    if (err != SG_OK) {
        sg_fail(SG_EXIT_FAILED, "serve: cannot listen on %s port %u: %s", s->host,
                (unsigned)s->http.port,
                err == SG_BUSY ? "the address is in use" : sg_err_text(err));
        sg_hint("--listen HOST:PORT chooses another one; port 0 picks a free one");
        sg_server_free(server);
        return SG_EXIT_FAILED;
    }
    sg_server_attach(server, sg_http_server_http(running));
    catch_signals();
    announce(s, server, sg_http_server_port(running));
    err = sg_http_server_run(running);
    sg_server_free(server);
    sg_http_server_free(running);
    sg_log line;
    sg_log_begin(&line, SG_LOG_INFO, "stopped");
    sg_log_end(&line);
    return err == SG_OK ? SG_EXIT_OK : sg_fail(SG_EXIT_FAILED, "serve: %s", sg_err_text(err));
}

static int open_and_run(settings *s)
{
    sg_server *server;
    const char *problem;
    int err = sg_server_new(&s->server, &server, &problem);
    return err == SG_OK ? run(s, server) : sg_advise_data(problem, s->server.dir, err);
}

int sg_cmd_serve(int argc, char **argv)
{
    sg_args args;
    sg_buf why;
    settings s = {0};
    sg_buf_init(&why, 4096);
    bool good = sg_args_parse(&args, "", opts, argc - 1, argv + 1, &why);
    int exit_code = SG_EXIT_OK;
    if (!good) {
        const char *text = sg_buf_cstr(&why);
        exit_code = sg_fail(SG_EXIT_USAGE, "serve: %s", text != NULL ? text : "malformed");
        sg_hint("sigla serve --help says more.");
    } else if (sg_args_has(&args, "help")) {
        sg_out(sg_slice_str(usage));
    } else {
        exit_code = parse(&args, &s);
        raise_limits();
        if (exit_code == SG_EXIT_OK) exit_code = open_and_run(&s);
    }
    sg_buf_deinit(&why);
    return exit_code;
}
