/*
 * The server's numbers, against the real binary over loopback: changes a second in batches, single
 * requests a second, hydration, delivery to another stream, memory of idle streams.
 *
 *     bench_server [path to sigla; $SIGLA_BUILD/sigla or build/sigla by default]
 *
 * Rates are of this machine with the client on it. The *_cpu_us are user and system time of all the
 * server's threads, and *_client_us the client's: they tell what a busy machine hides. A push counts
 * when its answer has come, which is after its group's commit was synced. Each part has a server of
 * its own, because memory that an earlier part has used and freed would hide what a later one needs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "base/buf.h"
#include "core/time.h"

#define BODY_MAX ((size_t)64 << 20)
#define LINKS_MAX 128
#define BATCH 200

static const char *binary;
static char dir[4096];
static pid_t server;
static uint16_t port;
static char token[4096];

static void die(const char *what)
{
    perror(what);
    if (server > 0) kill(server, SIGKILL);
    exit(1);
}

/* User and system time of the server so far. */
static double server_cpu_s(void)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)server);
    FILE *f = fopen(path, "re");
    if (f == NULL || fgets(line, sizeof line, f) == NULL) die(path);
    fclose(f);
    const char *p = strrchr(line, ')') + 2;
    unsigned long user = 0, sys = 0;
    sscanf(p, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static long server_rss_kb(void)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)server);
    FILE *f = fopen(path, "re");
    if (f == NULL) die(path);
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kb) == 1) break;
    fclose(f);
    return kb;
}

/* ---- the server ---- */

static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/sigla-bench-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL) die("mkdtemp");
}

static FILE *run(pid_t *pid, char *const *argv)
{
    int out[2];
    if (pipe(out) != 0) die("pipe");
    *pid = fork();
    if (*pid == 0) {
        int quiet = open("/dev/null", O_WRONLY);
        dup2(out[1], 1);
        if (quiet >= 0) dup2(quiet, 2);
        close(out[0]);
        execv(binary, argv);
        _exit(127);
    }
    close(out[1]);
    return fdopen(out[0], "r");
}

static void start(void)
{
    char *serve[] = {"sigla", "serve", "--data", dir, "--listen", "127.0.0.1:0", "--dev", NULL};
    char *make[] = {"sigla", "token", "--data", dir, "--user", "ann", "--ttl", "8h", NULL};
    char line[256];
    pid_t pid;
    make_dir();
    FILE *f = run(&pid, make);
    if (fgets(token, sizeof token, f) == NULL) die("token");
    token[strcspn(token, "\n")] = '\0';
    fclose(f);
    waitpid(pid, NULL, 0);
    f = run(&server, serve);
    if (fgets(line, sizeof line, f) == NULL) die("serve");
    port = (uint16_t)atoi(strrchr(line, ':') + 1);
    fclose(f);
}

static void stop(void)
{
    char command[8192];
    int status = 0;
    kill(server, SIGTERM);
    waitpid(server, &status, 0);
    server = 0;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || system(command) != 0) die("stop");
}

/* ---- connections ---- */

typedef struct wire {
    int fd;
    char *in;
    size_t n, cap;
} wire;

static wire dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    wire l = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int one = 1;
    if (l.fd < 0 || connect(l.fd, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
    setsockopt(l.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return l;
}

static void hang_up(wire *l)
{
    close(l->fd);
    free(l->in);
}

static void send_all(wire *l, sg_slice s)
{
    while (s.n != 0) {
        ssize_t n = write(l->fd, s.p, s.n);
        if (n <= 0) die("write");
        s = sg_slice_of(s.p + n, s.n - (size_t)n);
    }
}

static void receive(wire *l)
{
    if (l->n + 65536 + 1 > l->cap) {
        l->cap = l->cap * 2 + 131072;
        l->in = realloc(l->in, l->cap);
        if (l->in == NULL) die("realloc");
    }
    ssize_t n = read(l->fd, l->in + l->n, l->cap - l->n - 1);
    if (n <= 0) die("read");
    l->n += (size_t)n;
    l->in[l->n] = '\0';
}

/* The whole of one answer; its body is at the end of l->in. Gives the body's length. */
static size_t answer(wire *l, int want)
{
    l->n = 0;
    for (;;) {
        receive(l);
        char *head = strstr(l->in, "\r\n\r\n");
        if (head == NULL) continue;
        const char *length = strcasestr(l->in, "content-length:");
        size_t body = length != NULL ? strtoul(length + 15, NULL, 10) : 0;
        size_t total = (size_t)(head + 4 - l->in) + body;
        while (l->n < total)
            receive(l);
        if (atoi(l->in + 9) != want) {
            fprintf(stderr, "%.*s\n", (int)(l->n < 600 ? l->n : 600), l->in);
            exit(1);
        }
        return body;
    }
}

static void put_request(sg_buf *b, const char *method, const char *path, bool zstd, sg_slice body)
{
    sg_buf_str(b, method);
    sg_buf_str(b, " ");
    sg_buf_str(b, path);
    sg_buf_str(b, " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ");
    sg_buf_str(b, token);
    if (zstd) sg_buf_str(b, "\r\nAccept-Encoding: zstd");
    sg_buf_str(b, "\r\nContent-Length: ");
    sg_buf_int(b, (int64_t)body.n);
    sg_buf_str(b, "\r\n\r\n");
    sg_buf_slice(b, body);
}

/* ---- what is pushed ---- */

static void put_at(sg_buf *b, int64_t at_us)
{
    char text[SG_TIME_TEXT_MAX];
    sg_time_format(at_us, text);
    sg_buf_str(b, ",\"at\":\"");
    sg_buf_str(b, text);
    sg_buf_str(b, "\"");
}

static void put_padded(sg_buf *b, int64_t v, int width)
{
    char digits[24];
    for (int i = width - 1; i >= 0; i--, v /= 10)
        digits[i] = (char)('0' + v % 10);
    sg_buf_put(b, digits, (size_t)width);
}

static void put_id(sg_buf *b, int64_t record)
{
    sg_buf_str(b, "0193c1f0-0000-7000-8000-");
    put_padded(b, record, 12);
}

typedef struct shape {
    int64_t client;  /* number in the client's name */
    int64_t n;       /* first number */
    int64_t record;  /* first record */
    int64_t records; /* modulo */
    size_t count;
    bool insert; /* 8 fields; else an update of one */
} shape;

static void put_change(sg_buf *b, const shape *s, size_t i)
{
    int64_t n = s->n + (int64_t)i;
    sg_buf_str(b, i == 0 ? "{\"n\":" : ",{\"n\":");
    sg_buf_int(b, n);
    sg_buf_str(b, ",\"base\":9007199254740991,\"table\":\"tasks\",\"id\":\"");
    put_id(b, (s->record + (int64_t)i) % s->records);
    sg_buf_str(b, s->insert ? "\",\"op\":\"insert\"" : "\",\"op\":\"update\"");
    put_at(b, INT64_C(1767323045678000) + n * 1000);
    sg_buf_str(b,
               ",\"actor\":{\"kind\":\"user\",\"principalId\":\"u:ann\",\"displayName\":\"Ann\"},"
               "\"origin\":\"user\",\"fields\":{");
    for (int f = 0; f < (s->insert ? 8 : 1); f++) {
        sg_buf_str(b, f == 0 ? "\"column" : ",\"column");
        sg_buf_int(b, s->insert ? f : n / 3333 % 8);
        sg_buf_str(b, "\":{\"value\":\"value ");
        sg_buf_int(b, n * 7919 % 1000003);
        sg_buf_str(b, "\"}");
    }
    sg_buf_str(b, "}}");
}

static void put_push(sg_buf *request, sg_buf *body, const char *app, const shape *s)
{
    sg_buf_clear(body);
    sg_buf_str(body, "{\"clientId\":\"bench-");
    sg_buf_int(body, s->client);
    sg_buf_str(body, "\",\"schemaVersion\":2,\"pull\":false,\"changes\":[");
    for (size_t i = 0; i < s->count; i++)
        put_change(body, s, i);
    sg_buf_str(body, "]}");
    sg_buf_clear(request);
    char path[64];
    snprintf(path, sizeof path, "/sync/%s", app);
    put_request(request, "POST", path, false, sg_buf_view(body));
}

/* ---- loads ---- */

typedef struct load {
    size_t links;
    size_t requests; /* of each link */
    shape first;     /* of link 0 */
    const char *app;
    int64_t apart; /* records between links */
} load;

/* All requests of one link, prepared: the client should cost little. */
typedef struct script {
    sg_slice *requests;
    size_t next;
} script;

static script prepare(const load *l, size_t link_index)
{
    sg_buf request, body;
    script s = {.requests = calloc(l->requests, sizeof(sg_slice))};
    sg_buf_init(&request, BODY_MAX);
    sg_buf_init(&body, BODY_MAX);
    shape shape_now = l->first;
    shape_now.client += (int64_t)link_index;
    shape_now.record += l->apart * (int64_t)link_index;
    for (size_t i = 0; i < l->requests; i++) {
        size_t n;
        put_push(&request, &body, l->app, &shape_now);
        char *bytes = sg_buf_take(&request, &n);
        s.requests[i] = sg_slice_of(bytes, n);
        shape_now.n += (int64_t)shape_now.count;
        shape_now.record += (int64_t)shape_now.count;
    }
    sg_buf_deinit(&request);
    sg_buf_deinit(&body);
    return s;
}

static void figure(const char *of, const char *what, double value)
{
    char name[128];
    snprintf(name, sizeof name, "server.%s.%s", of, what);
    bench_figure(name, value);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Commits so far: groups of pushes. */
static double commits(void)
{
    static const char key[] = "\nsigla_commit_groups_total ";
    wire l = dial();
    sg_buf request;
    sg_buf_init(&request, BODY_MAX);
    put_request(&request, "GET", "/metrics", false, SG_LIT(""));
    send_all(&l, sg_buf_view(&request));
    (void)answer(&l, 200);
    const char *at = strstr(l.in, key);
    if (at == NULL) die(key);
    double n = strtod(at + sizeof key - 1, NULL);
    sg_buf_deinit(&request);
    hang_up(&l);
    return n;
}

/* Every link has one request on its way, until all are done. */
static void run_load(const char *name, const load *l)
{
    wire links[LINKS_MAX];
    script scripts[LINKS_MAX];
    struct pollfd polls[LINKS_MAX];
    double began[LINKS_MAX];
    double *took = calloc(l->links * l->requests, sizeof *took);
    size_t done = 0, total = l->links * l->requests;
    for (size_t i = 0; i < l->links; i++) {
        links[i] = dial();
        scripts[i] = prepare(l, i);
        polls[i] = (struct pollfd){links[i].fd, POLLIN, 0};
    }
    double groups = commits();
    double start_s = bench_wall_s(), cpu_s = server_cpu_s(), client_s = bench_cpu_s();
    for (size_t i = 0; i < l->links; i++) {
        began[i] = bench_wall_s();
        send_all(&links[i], scripts[i].requests[scripts[i].next++]);
    }
    while (done < total) {
        if (poll(polls, l->links, 20000) <= 0) die("poll");
        for (size_t i = 0; i < l->links; i++) {
            if (!(polls[i].revents & POLLIN)) continue;
            (void)answer(&links[i], 200);
            took[done++] = bench_wall_s() - began[i];
            if (scripts[i].next == l->requests) {
                polls[i].fd = -1;
                continue;
            }
            began[i] = bench_wall_s();
            send_all(&links[i], scripts[i].requests[scripts[i].next++]);
        }
    }
    double wall = bench_wall_s() - start_s, cpu = server_cpu_s() - cpu_s;
    client_s = bench_cpu_s() - client_s;
    groups = commits() - groups;
    double changes = (double)(total * l->first.count);
    qsort(took, total, sizeof *took, compare);
    figure(name, "changes_per_s", changes / wall);
    figure(name, "change_cpu_us", cpu * 1e6 / changes);
    figure(name, "requests_per_s", (double)total / wall);
    figure(name, "request_cpu_us", cpu * 1e6 / (double)total);
    figure(name, "request_client_us", client_s * 1e6 / (double)total);
    figure(name, "requests_per_commit", (double)total / groups);
    figure(name, "latency_median_ms", took[total / 2] * 1000);
    for (size_t i = 0; i < l->links; i++) {
        hang_up(&links[i]);
        for (size_t k = 0; k < l->requests; k++)
            free((void *)(uintptr_t)scripts[i].requests[k].p);
        free(scripts[i].requests);
    }
    free(took);
}

/* ---- reading ---- */

/* The same page once more, as a client that takes zstd gets it. Gives the CPU it took. */
static double packed_page(wire *l, const char *path, size_t *bytes)
{
    sg_buf request;
    double cpu_s = server_cpu_s();
    sg_buf_init(&request, BODY_MAX);
    put_request(&request, "GET", path, true, SG_LIT(""));
    send_all(l, sg_buf_view(&request));
    *bytes += answer(l, 200);
    sg_buf_deinit(&request);
    return server_cpu_s() - cpu_s;
}

static void hydrate(const char *app)
{
    wire l = dial();
    sg_buf request;
    char path[256], cursor[128] = "";
    size_t bytes = 0, packed = 0, pages = 0;
    sg_buf_init(&request, BODY_MAX);
    double cpu_s = server_cpu_s();
    for (bool more = true; more; pages++) {
        snprintf(path, sizeof path, "/sync/%s/pull?v=2&since=%s", app, cursor);
        sg_buf_clear(&request);
        put_request(&request, "GET", path, false, SG_LIT(""));
        send_all(&l, sg_buf_view(&request));
        bytes += answer(&l, 200);
        more = strstr(l.in, "\"hasMore\":true") != NULL;
        const char *until = strstr(l.in, "\"syncedUntil\":\"") + 15;
        snprintf(cursor, sizeof cursor, "%.*s", (int)strcspn(until, "\""), until);
        cpu_s += packed_page(&l, path, &packed);
    }
    figure(app, "cpu_ms", (server_cpu_s() - cpu_s) * 1000);
    figure(app, "bytes", (double)bytes);
    figure(app, "bytes_zstd", (double)packed);
    figure(app, "pages", (double)pages);
    sg_buf_deinit(&request);
    hang_up(&l);
}

static wire open_stream(const char *path)
{
    wire l = dial();
    sg_buf request;
    sg_buf_init(&request, BODY_MAX);
    put_request(&request, "GET", path, false, SG_LIT(""));
    send_all(&l, sg_buf_view(&request));
    sg_buf_deinit(&request);
    while (l.n == 0 || strstr(l.in, "\r\n\r\n") == NULL)
        receive(&l);
    return l;
}

/* One push after another; how long until another device's stream has it? */
static void deliver(void)
{
    enum { ROUNDS = 500 };
    static double took[ROUNDS], pushed[ROUNDS];
    sg_buf request, body;
    sg_buf_init(&request, BODY_MAX);
    sg_buf_init(&body, BODY_MAX);
    wire writer = dial(), reader = open_stream("/sync/live/stream?v=2&client=reader");
    shape s = {.client = 9000, .n = 1, .records = 1000000, .count = 1, .insert = true};
    for (int i = 0; i < ROUNDS; i++, s.n++, s.record++) {
        char mark[32];
        put_push(&request, &body, "live", &s);
        snprintf(mark, sizeof mark, "000%09lld\"", (long long)s.record);
        reader.n = 0;
        double start_s = bench_wall_s();
        send_all(&writer, sg_buf_view(&request));
        do
            receive(&reader);
        while (strstr(reader.in, mark) == NULL || strstr(reader.in, "\n\n") == NULL);
        took[i] = bench_wall_s() - start_s;
        (void)answer(&writer, 200);
        pushed[i] = bench_wall_s() - start_s;
    }
    qsort(took, ROUNDS, sizeof *took, compare);
    qsort(pushed, ROUNDS, sizeof *pushed, compare);
    figure("deliver", "to_stream_median_ms", took[ROUNDS / 2] * 1000);
    figure("deliver", "to_stream_99th_ms", took[ROUNDS * 99 / 100] * 1000);
    figure("deliver", "to_answer_median_ms", pushed[ROUNDS / 2] * 1000);
    hang_up(&writer);
    hang_up(&reader);
    sg_buf_deinit(&request);
    sg_buf_deinit(&body);
}

static void idle_streams(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    size_t count = files.rlim_cur > 10300 ? 10000 : (size_t)files.rlim_cur - 200;
    wire *links = calloc(count, sizeof *links);
    long before = server_rss_kb();
    double cpu_s = server_cpu_s();
    size_t opened = 0;
    for (; opened < count; opened++) {
        links[opened] = open_stream("/sync/quiet/stream?v=2&client=idle");
        free(links[opened].in);
        links[opened].in = NULL;
    }
    figure("idle_streams", "count", (double)opened);
    figure("idle_streams", "bytes_each",
           (double)(server_rss_kb() - before) * 1024 / (double)opened);
    figure("idle_streams", "open_cpu_us", (server_cpu_s() - cpu_s) * 1e6 / (double)opened);
    for (size_t i = 0; i < opened; i++)
        hang_up(&links[i]);
    free(links);
}

static void raise_files(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 20000 ? files.rlim_max : 20000;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void run_loads(void)
{
    const shape inserts = {.n = 1, .records = 1000000000, .count = BATCH, .insert = true};
    const shape updates = {.client = 100, .n = 1, .records = 100000, .count = BATCH};
    const shape singles = {.client = 200, .n = 1, .records = 100000, .count = 1};
    const load loads[] = {{32, 32, inserts, "todo", 6400},
                          {32, 32, updates, "todo", 3111},
                          {128, 250, singles, "todo", 777}};
    run_load("insert_8_fields_by_200", &loads[0]);
    run_load("update_by_200", &loads[1]);
    run_load("update_single", &loads[2]);
}

int main(int argc, char **argv)
{
    char path[4096];
    const char *build = getenv("SIGLA_BUILD");
    snprintf(path, sizeof path, "%s/sigla", build != NULL ? build : "build");
    binary = argc > 1 ? argv[1] : path;
    raise_files();
    signal(SIGPIPE, SIG_IGN);
    start();
    run_loads();
    hydrate("todo");
    stop();
    start();
    deliver();
    stop();
    start();
    idle_streams();
    stop();
    return 0;
}
