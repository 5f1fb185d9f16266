/*
 * The simulator: runs seeds, says what it met, and makes a failing history short.
 *
 *     sim [--seeds N] [--from S] [--jobs J] [--seconds T] [--most F]
 *                                                             run seeds, in J processes, until F fail
 *     sim --seed S                                            one seed; its steps if it fails
 *     sim --case FILE…                                        histories kept from earlier failures
 *     sim --trace FILE                                        a history, step by step
 *     sim --shrink FILE --seed S                              find a short one, write it down
 *
 * Exit status 0: all passed. The last line is "N passed, N failed".
 */
#include "sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/memory.h"

#define JOBS_MAX 64
#define REPORT_MS 500

typedef struct options {
    uint64_t from, seeds, seed;
    uint64_t most; /* failing seeds after which it ends */
    bool one;
    int jobs;
    int64_t seconds;
    const char *shrink;
    const char *trace;
    char **cases;
    int case_count;
} options;

static sim run; /* large; one at a time */

/* ---- histories as text ---- */

static void print_plan(FILE *f, const sim_plan *p)
{
    fprintf(f, "seed %" PRIu64 "\ntrouble %u #", p->seed, p->trouble);
    for (int bit = 0; bit < TROUBLE_COUNT; bit++)
        if (p->trouble >> bit & 1) fprintf(f, " %s", sim_trouble_name(bit));
    fprintf(f, "\ndevices %d\nusers %d\nagents %u\n", p->devices, p->users, p->agents);
    for (int i = 0; i < p->count; i++)
        fprintf(f, "%s %d %" PRIu64 "\n", sim_kind_name(p->steps[i].kind), p->steps[i].device,
                p->steps[i].r);
}

static int kind_named(const char *name)
{
    for (int k = 0; k < STEP_KINDS; k++)
        if (strcmp(sim_kind_name((enum sim_kind)k), name) == 0) return k;
    return -1;
}

static bool read_line(sim_plan *p, const char *line)
{
    char word[40];
    int device;
    uint64_t number;
    if (line[0] == '#' || line[0] == '\n') return true;
    if (sscanf(line, "%39s %d %" SCNu64, word, &device, &number) == 3 && kind_named(word) >= 0 &&
        p->count < SIM_STEPS_MAX) {
        p->steps[p->count++] = (sim_step){(enum sim_kind)kind_named(word), device, number};
        return true;
    }
    if (sscanf(line, "%39s %" SCNu64, word, &number) != 2) return false;
    if (strcmp(word, "seed") == 0)
        p->seed = number;
    else if (strcmp(word, "trouble") == 0)
        p->trouble = (unsigned)number;
    else if (strcmp(word, "devices") == 0)
        p->devices = (int)number;
    else if (strcmp(word, "agents") == 0)
        p->agents = (unsigned)number;
    else if (strcmp(word, "users") == 0)
        p->users = (int)number;
    else
        return false;
    return true;
}

static bool read_plan(const char *path, sim_plan *p)
{
    FILE *f = fopen(path, "r");
    char line[300];
    *p = (sim_plan){.users = 1};
    bool good = f != NULL;
    while (good && fgets(line, sizeof line, f) != NULL)
        good = read_line(p, line);
    if (f != NULL) fclose(f);
    if (!good) fprintf(stderr, "%s: not a history of the simulator\n", path);
    return good && p->devices > 0 && p->devices <= SIM_DEVICES_MAX;
}

/* ---- one history in a process of its own ---- */

/* True if it fails, by a finding or a crash; its message in out. */
static bool fails_apart(const sim_plan *p, char *out, size_t n)
{
    int ends[2];
    out[0] = '\0';
    if (pipe(ends) != 0) return false;
    pid_t child = fork();
    if (child == 0) {
        sim_counters counters = {0};
        close(ends[0]);
        bool passed = sim_run(&run, p, &counters);
        if (!passed && write(ends[1], run.message, strlen(run.message)) < 0) _exit(2);
        _exit(passed ? 0 : 1);
    }
    close(ends[1]);
    size_t got = 0;
    for (ssize_t k; got + 1 < n && (k = read(ends[0], out + got, n - 1 - got)) > 0;)
        got += (size_t)k;
    out[got] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) snprintf(out, n, "crashed with signal %d", WTERMSIG(status));
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* The law a message begins with: a history made shorter must fail for the same reason. */
static bool same_reason(const char *a, const char *b)
{
    return strncmp(a, b, 6) == 0;
}

/* Delta debugging (Zeller, Hildebrandt: "Simplifying and Isolating Failure-Inducing Input", 2002),
 * by halves of halves down to single steps. */
static void shorten(sim_plan *p, const char *reason)
{
    char message[sizeof run.message];
    for (int part = p->count / 2; part > 0; part /= 2)
        for (int at = 0; at < p->count;) {
            sim_plan less = *p;
            int cut = part < p->count - at ? part : p->count - at;
            memmove(&less.steps[at], &less.steps[at + cut],
                    (size_t)(p->count - at - cut) * sizeof *less.steps);
            less.count -= cut;
            if (fails_apart(&less, message, sizeof message) && same_reason(reason, message))
                *p = less;
            else
                at += cut;
        }
    for (int devices = p->devices - 1; devices > 0; devices--) {
        sim_plan less = *p;
        less.devices = devices;
        if (!fails_apart(&less, message, sizeof message) || !same_reason(reason, message)) break;
        *p = less;
    }
}

static int run_one(const options *o)
{
    static sim_plan p;
    char message[sizeof run.message];
    sim_plan_make(&p, o->seed);
    if (!fails_apart(&p, message, sizeof message)) {
        printf("seed %" PRIu64 " passes: %d steps, %d devices\n1 passed, 0 failed\n", o->seed,
               p.count, p.devices);
        return 0;
    }
    fprintf(stderr, "seed %" PRIu64 ": %s\nmaking its %d steps fewer…\n", o->seed, message,
            p.count);
    char reason[sizeof message];
    strcpy(reason, message);
    shorten(&p, reason);
    (void)fails_apart(&p, message, sizeof message);
    print_plan(stdout, &p);
    printf("# %d steps: ", p.count);
    for (const char *c = message; *c != '\0'; c++)
        printf(*c == '\n' ? "\n#   " : "%c", *c);
    printf("\n");
    if (o->shrink != NULL) {
        FILE *f = fopen(o->shrink, "w");
        if (f == NULL) {
            fprintf(stderr, "%s: %s\n", o->shrink, strerror(errno));
            return 2;
        }
        print_plan(f, &p);
        fclose(f);
    }
    printf("0 passed, 1 failed\n");
    return 1;
}

/* One history, step by step, in this process: for a debugger, too. */
static int trace(const options *o)
{
    static sim_plan p;
    sim_counters counters = {0};
    if (!read_plan(o->trace, &p)) return 2;
    sim_tracing = true;
    bool passed = sim_run(&run, &p, &counters);
    printf("%s\n%d passed, %d failed\n", passed ? "" : run.message, passed, !passed);
    return !passed;
}

static int run_cases(const options *o)
{
    static sim_plan p;
    char message[sizeof run.message];
    int failed = 0;
    for (int i = 0; i < o->case_count; i++) {
        if (!read_plan(o->cases[i], &p)) return 2;
        if (!fails_apart(&p, message, sizeof message)) continue;
        printf("%s: %s\n", o->cases[i], message);
        failed++;
    }
    printf("%d passed, %d failed\n", o->case_count - failed, failed);
    return failed != 0;
}

/* ---- many seeds ---- */

typedef struct worker {
    pid_t pid;
    int pipe;
    uint64_t next, end; /* its seeds */
    char line[8192];
    size_t have;
} worker;

typedef struct totals {
    uint64_t passed, failed, steps;
    sim_counters counters;
    uint64_t failing[20];
} totals;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What a worker sends: seeds that passed, with what they met; one that failed ends it. */
typedef struct report {
    uint64_t seeds, steps;
    uint64_t failed_seed; /* 0: none */
    sim_counters counters;
    char message[1500];
} report;

static void send_report(int pipe, const report *r)
{
    const char *p = (const char *)r;
    for (size_t n = sizeof *r; n != 0;) {
        ssize_t k = write(pipe, p, n);
        if (k <= 0) _exit(3);
        p += k;
        n -= (size_t)k;
    }
}

static void work(int pipe, uint64_t from, uint64_t end, int64_t until_ms)
{
    static sim_plan p;
    report r = {0};
    int64_t told = now_ms();
    for (uint64_t seed = from; seed < end; seed++) {
        int64_t now = now_ms();
        if (until_ms != 0 && now > until_ms) break;
        sim_plan_make(&p, seed);
        /* Known beforehand: a crash must not take the seed with it. */
        r.failed_seed = seed;
        if (now - told > REPORT_MS / 2 || seed == from) {
            report done = r;
            done.failed_seed = 0;
            send_report(pipe, &done);
            r = (report){.failed_seed = seed};
            told = now;
        }
        if (!sim_run(&run, &p, &r.counters)) {
            snprintf(r.message, sizeof r.message, "%.1400s", run.message);
            send_report(pipe, &r);
            _exit(1);
        }
        r.seeds++;
        r.steps += (uint64_t)p.count;
    }
    r.failed_seed = 0;
    send_report(pipe, &r);
    _exit(0);
}

static void start(worker *w, int64_t until_ms)
{
    int ends[2];
    if (pipe(ends) != 0) exit(2);
    fflush(stdout);
    w->pid = fork();
    if (w->pid == 0) {
        close(ends[0]);
        work(ends[1], w->next, w->end, until_ms);
    }
    close(ends[1]);
    w->pipe = ends[0];
}

static void add_counters(sim_counters *to, const sim_counters *from)
{
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
}

static void fail_seed(totals *t, uint64_t seed, const char *message)
{
    if (t->failed < 20) {
        t->failing[t->failed] = seed;
        printf("\r\033[Kseed %" PRIu64 ": %s\n", seed, message);
        printf("  again, and shorter: sim --seed %" PRIu64 "\n", seed);
        fflush(stdout);
    }
    t->failed++;
}

static bool read_report(worker *w, report *r)
{
    size_t have = 0;
    while (have < sizeof *r) {
        ssize_t k = read(w->pipe, (char *)r + have, sizeof *r - have);
        if (k <= 0) return false;
        have += (size_t)k;
    }
    return true;
}

/* One worker's range, to its end; a seed that fails costs its process, and the next goes on. */
static bool listen(worker *w, totals *t, uint64_t most, int64_t until_ms)
{
    report r;
    if (read_report(w, &r)) {
        t->passed += r.seeds;
        t->steps += r.steps;
        add_counters(&t->counters, &r.counters);
        w->next += r.seeds;
        if (r.failed_seed == 0) return true;
        fail_seed(t, r.failed_seed, r.message);
        w->next++;
        close(w->pipe);
        waitpid(w->pid, NULL, 0);
    } else {
        int status = 0;
        close(w->pipe);
        waitpid(w->pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return false;
        /* Somewhere in its last stretch. */
        for (uint64_t seed = w->next; seed < w->end; seed++) {
            static sim_plan p;
            char message[sizeof run.message];
            sim_plan_make(&p, seed);
            w->next = seed + 1;
            if (!fails_apart(&p, message, sizeof message)) {
                t->passed++;
                continue;
            }
            fail_seed(t, seed, message);
            break;
        }
    }
    if (w->next >= w->end || t->failed >= most) return false;
    start(w, until_ms);
    return true;
}

static void stop(worker *workers, int count)
{
    for (int i = 0; i < count; i++)
        if (workers[i].pid != 0) kill(workers[i].pid, SIGKILL);
}

static void print_summary(const totals *t, int64_t ms)
{
    const sim_counters *c = &t->counters;
    printf("\n%" PRIu64 " seeds, %" PRIu64 " steps, %.1f s, %.0f seeds/s\n", t->passed + t->failed,
           t->steps, (double)ms / 1000.0, (double)t->passed * 1000.0 / (double)(ms != 0 ? ms : 1));
    for (int k = 0; k < STEP_KINDS; k++)
        printf("  %-15s%12" PRIu64 "%s", sim_kind_name((enum sim_kind)k), c->kinds[k],
               k % 3 == 2 ? "\n" : "");
    const struct {
        const char *name;
        uint64_t n;
    } more[] = {{"requests", c->requests},
                {"lost", c->lost},
                {"late", c->late},
                {"half-written", c->cut},
                {"repeated", c->repeated},
                {"crashes", c->crashes},
                {"power lost", c->power_losses},
                {"disk errors", c->disk_errors},
                {"no memory", c->memory_errors},
                {"conflicts", c->conflicts},
                {"restamped", c->restamped},
                {"refused", c->refused},
                {"copies found", c->copies_found},
                {"pages", c->pages},
                {"events", c->events},
                {"commits", c->commits}};
    printf("\n");
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        printf("  %-15s%12" PRIu64 "%s", more[i].name, more[i].n, i % 3 == 2 ? "\n" : "");
    printf("\n%" PRIu64 " passed, %" PRIu64 " failed\n", t->passed, t->failed);
}

static int run_many(const options *o)
{
    static totals t;
    static worker workers[JOBS_MAX];
    int64_t began = now_ms(), told = began;
    int64_t until = o->seconds != 0 ? began + o->seconds * 1000 : 0;
    int alive = 0;
    for (int i = 0; i < o->jobs; i++) {
        worker *w = &workers[i];
        w->next = o->from + o->seeds * (uint64_t)i / (uint64_t)o->jobs;
        w->end = o->from + o->seeds * (uint64_t)(i + 1) / (uint64_t)o->jobs;
        if (w->next == w->end) continue;
        start(w, until);
        alive++;
    }
    bool terminal = isatty(STDERR_FILENO);
    while (alive > 0)
        for (int i = 0; i < o->jobs; i++) {
            worker *w = &workers[i];
            if (w->pid == 0) continue;
            if (!listen(w, &t, o->most, until)) {
                w->pid = 0;
                alive--;
            }
            if (t.failed >= o->most) {
                stop(workers, o->jobs);
                alive = 0;
                break;
            }
            int64_t now = now_ms();
            if (!terminal || now - told < REPORT_MS) continue;
            told = now;
            fprintf(stderr, "\r\033[K%" PRIu64 " of %" PRIu64 " seeds, %.0f/s, %" PRIu64 " failed",
                    t.passed + t.failed, o->seeds,
                    (double)t.passed * 1000.0 / (double)(now - began + 1), t.failed);
        }
    if (terminal) fprintf(stderr, "\r\033[K");
    print_summary(&t, now_ms() - began);
    return t.failed != 0 || t.passed == 0;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t v = text != NULL ? strtoull(text, &end, 10) : 0;
    if (text == NULL || *end != '\0') {
        fprintf(stderr, "sim: a number is needed, not %s\n", text != NULL ? text : "nothing");
        exit(2);
    }
    return v;
}

static void read_options(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(name, "--case") == 0) {
            o->cases = argv + i + 1;
            o->case_count = argc - i - 1;
            return;
        }
        if (strcmp(name, "--trace") == 0)
            o->trace = value;
        else if (strcmp(name, "--shrink") == 0)
            o->shrink = value;
        else if (strcmp(name, "--seeds") == 0)
            o->seeds = number(value);
        else if (strcmp(name, "--from") == 0)
            o->from = number(value);
        else if (strcmp(name, "--most") == 0)
            o->most = number(value);
        else if (strcmp(name, "--jobs") == 0)
            o->jobs = (int)number(value);
        else if (strcmp(name, "--seconds") == 0)
            o->seconds = (int64_t)number(value);
        else if (strcmp(name, "--seed") == 0) {
            o->seed = number(value);
            o->one = true;
        } else {
            fprintf(stderr,
                    "sim: --seeds N, --from S, --jobs J, --seconds T, --most N, --seed S [--shrink "
                    "FILE], --trace FILE, --case FILE…\n");
            exit(2);
        }
    }
    if (o->jobs < 1 || o->jobs > JOBS_MAX) o->jobs = 2;
}

int main(int argc, char **argv)
{
    options o = {.from = 1, .seeds = 1000, .most = 20, .jobs = 2};
    read_options(&o, argc, argv);
    memory_register();
    disk_register();
    if (o.trace != NULL) return trace(&o);
    if (o.cases != NULL) return run_cases(&o);
    return o.one ? run_one(&o) : run_many(&o);
}
