/* The operator's way to accounts: on the data directory, while no server has it. */
#include <string.h>
#include <unistd.h>

#include "advice.h"
#include "cli.h"
#include "core/time.h"
#include "server/datadir.h"
#include "server/directory.h"
#include "server/directory_text.h"
#include "server/keys.h"
#include "server/now.h"
#include "server/password.h"
#include "wire/json.h"
#include "wire/value.h"

#define MADE_PASSWORD_BYTES 15 /* 20 characters */

static const sg_opt opts[] = {
    {"data", "DIR", "the server's data directory; add makes it if it is missing"},
    {"email", "ADDRESS", "add: another name to sign in with"},
    {"name", "TEXT", "add: how the person is shown"},
    {"password-stdin", NULL, "add, password: read it, one line; without, one is made and printed"},
    {0}};

/* ---- the data ---- */

typedef struct opened {
    const char *dir;
    int lock_fd;
    sg_store store;
    sg_arena arena;
    sg_commit newest;
    sg_directory d;
} opened;

static int open_store(opened *o)
{
    sg_buf path;
    sg_buf_init(&path, SG_PATH_BYTES_MAX);
    sg_datadir_path(o->dir, SG_STORE_FILE, &path);
    const char *name = sg_buf_cstr(&path);
    int err = name != NULL ? sg_store_sqlite_open(name, &o->store) : path.err;
    sg_buf_deinit(&path);
    return err;
}

static int say_busy(const char *dir)
{
    sg_fail(SG_EXIT_FAILED, "a server has the data directory %s", dir);
    sg_hint("Stop it, and run this again; or sign up at the server:");
    sg_hint("curl URL/api/v1/auth/sign-up -d '{\"login\":\"ann\",\"password\":\"…\"}'");
    return SG_EXIT_FAILED;
}

/* Everything between this and close_data is one transaction. */
static int open_data(opened *o, const char *dir)
{
    *o = (opened){.dir = dir, .lock_fd = -1};
    sg_arena_init(&o->arena);
    int err = sg_datadir_make(dir);
    if (err == SG_OK) err = sg_datadir_lock(dir, &o->lock_fd);
    if (err == SG_BUSY) return say_busy(dir);
    if (err == SG_OK) err = open_store(o);
    if (err != SG_OK) return sg_advise_data("open the database", dir, err);
    const sg_store_ops *ops = o->store.ops;
    sg_writer *w = ops->writer(o->store.impl);
    err = ops->begin(w, &o->newest);
    if (err != SG_OK) return sg_advise_data("write", dir, err);
    o->d = (sg_directory){.store = &o->store,
                          .view = ops->writer_view(w),
                          .writer = w,
                          .newest = &o->newest,
                          .now_us = sg_now_us(),
                          .arena = &o->arena};
    return SG_EXIT_OK;
}

static int commit(opened *o, int err)
{
    int64_t now_us = o->d.now_us;
    if (now_us > o->newest.at_us) o->newest.at_us = now_us;
    return err == SG_OK ? o->store.ops->commit(o->d.writer, &o->newest) : err;
}

static void close_data(opened *o)
{
    if (o->d.writer != NULL) o->store.ops->rollback(o->d.writer); /* nothing, once committed */
    sg_store_close(&o->store);
    sg_arena_deinit(&o->arena);
    if (o->lock_fd >= 0) (void)close(o->lock_fd);
}

/* ---- passwords ---- */

typedef struct password {
    char text[SG_PASSWORD_MAX + 2]; /* a line, with its end */
    char hash[SG_PASSWORD_TEXT];
    bool made;
} password;

static int make_password(password *p)
{
    uint8_t bytes[MADE_PASSWORD_BYTES];
    sg_buf text;
    sg_buf_init(&text, sizeof p->text);
    int err = sg_random(bytes, sizeof bytes);
    sg_base64url_encode(&text, sg_slice_of((const char *)bytes, sizeof bytes));
    if (err == SG_OK) err = text.err;
    if (err == SG_OK) memcpy(p->text, text.p, text.n);
    p->text[err == SG_OK ? text.n : 0] = '\0';
    sg_buf_deinit(&text);
    p->made = true;
    return err;
}

static bool read_password(password *p)
{
    if (fgets(p->text, (int)sizeof p->text, stdin) == NULL) return false;
    size_t n = strcspn(p->text, "\r\n");
    bool whole = p->text[n] != '\0' || feof(stdin) != 0;
    p->text[n] = '\0';
    return whole && n >= SG_PASSWORD_MIN;
}

static int get_password(const sg_args *args, password *p)
{
    *p = (password){0};
    if (sg_args_has(args, "password-stdin") && !read_password(p))
        return sg_fail(SG_EXIT_USAGE, "user: a password is a line of %u to %u bytes",
                       SG_PASSWORD_MIN, SG_PASSWORD_MAX);
    int err = p->text[0] != '\0' ? SG_OK : make_password(p);
    if (err == SG_OK) err = sg_password_hash(sg_slice_str(p->text), p->hash);
    return err == SG_OK ? SG_EXIT_OK : sg_fail(SG_EXIT_FAILED, "user: %s", sg_err_text(err));
}

static void show_password(const password *p)
{
    if (p->made) sg_say("password: %s", p->text);
}

/* ---- what can be done ---- */

/* NAME as it is kept; empty if it is neither a login nor an e-mail. */
static sg_slice folded(opened *o, const char *name)
{
    sg_slice text = {NULL, 0};
    if (name != NULL) (void)sg_text_fold(sg_slice_str(name), &o->arena, &text);
    return sg_login_good(text) || sg_email_good(text) ? text : sg_slice_of(NULL, 0);
}

static int say_names(void)
{
    return sg_fail(SG_EXIT_USAGE,
                   "user: NAME is 1 to 64 of a-z 0-9 . _ - or an e-mail address, --email an "
                   "e-mail address");
}

static int failed(const opened *o, const char *name, int err)
{
    if (err == SG_CONFLICT)
        return sg_fail(SG_EXIT_FAILED, "%s, or that e-mail, has an account already", name);
    if (err == SG_NOTFOUND) return sg_fail(SG_EXIT_FAILED, "nobody is called %s", name);
    return sg_advise_data("change accounts", o->dir, err);
}

/* NAME may be the e-mail itself. */
static bool name_person(opened *o, const sg_args *args, sg_person *p)
{
    const char *email = sg_args_value(args, "email"), *shown = sg_args_value(args, "name");
    sg_slice name = folded(o, sg_args_word(args, 1)), other = folded(o, email);
    bool is_email = sg_email_good(name);
    p->login = is_email ? other : name;
    p->email = is_email ? name : other;
    p->name = shown != NULL && shown[0] != '\0' ? sg_slice_str(shown) : name;
    bool good = name.n != 0 && (email == NULL || (!is_email && sg_email_good(other)));
    return good && p->name.n <= SG_TITLE_MAX && sg_utf8_valid(p->name) &&
           sg_text_printable(p->name);
}

static int add(opened *o, const sg_args *args)
{
    sg_person p = {0};
    password secret;
    sg_slice id;
    if (!name_person(o, args, &p)) return say_names();
    int exit_code = get_password(args, &secret);
    if (exit_code != SG_EXIT_OK) return exit_code;
    p.password = sg_slice_str(secret.hash);
    int err = commit(o, sg_person_add(&o->d, &p, &id));
    if (err != SG_OK) return failed(o, sg_args_word(args, 1), err);
    sg_say("%s has an account: %.*s", sg_args_word(args, 1), (int)id.n, id.p);
    show_password(&secret);
    return SG_EXIT_OK;
}

static int set_password(opened *o, const sg_args *args)
{
    sg_person p;
    password secret;
    sg_slice *ended;
    size_t n;
    int err = sg_person_find(&o->d, folded(o, sg_args_word(args, 1)), &p);
    if (err != SG_OK) return failed(o, sg_args_word(args, 1), err);
    int exit_code = get_password(args, &secret);
    if (exit_code != SG_EXIT_OK) return exit_code;
    err = sg_person_set_password(&o->d, p.id, sg_slice_str(secret.hash));
    if (err == SG_OK) err = sg_session_revoke_others(&o->d, p.id, SG_LIT(""), &ended, &n);
    err = commit(o, err);
    if (err != SG_OK) return failed(o, sg_args_word(args, 1), err);
    sg_say("%s has another password, and is signed out everywhere", sg_args_word(args, 1));
    show_password(&secret);
    return SG_EXIT_OK;
}

static int set_disabled(opened *o, const sg_args *args, bool disabled)
{
    sg_person p;
    sg_slice *ended;
    size_t n;
    int err = sg_person_find(&o->d, folded(o, sg_args_word(args, 1)), &p);
    if (err == SG_OK) err = sg_person_disable(&o->d, p.id, disabled);
    if (err == SG_OK && disabled)
        err = sg_session_revoke_others(&o->d, p.id, SG_LIT(""), &ended, &n);
    err = commit(o, err);
    if (err != SG_OK) return failed(o, sg_args_word(args, 1), err);
    sg_say(disabled ? "%s cannot sign in any more" : "%s can sign in again", sg_args_word(args, 1));
    return SG_EXIT_OK;
}

static void show(const sg_person *p)
{
    char made[SG_TIME_TEXT_MAX];
    (void)sg_time_format(p->made_us, made);
    sg_slice login = p->login.n != 0 ? p->login : p->email;
    bool both = p->login.n != 0 && p->email.n != 0;
    sg_say("%.*s  %.*s%s%.*s  since %.10s%s", (int)p->id.n, p->id.p, (int)login.n, login.p,
           both ? " " : "", both ? (int)p->email.n : 0, both ? p->email.p : "", made,
           p->disabled_us != 0 ? "  disabled" : "");
}

static int list(opened *o)
{
    sg_person *persons;
    sg_slice after = SG_LIT("");
    size_t n;
    do {
        int err = sg_person_list(&o->d, after, &persons, &n);
        if (err != SG_OK) return failed(o, "", err);
        for (size_t i = 0; i < n; i++)
            show(&persons[i]);
        if (n != 0) after = persons[n - 1].id;
    } while (n != 0);
    if (after.n == 0) sg_hint("Nobody has an account: sigla user add NAME --data %s", o->dir);
    return SG_EXIT_OK;
}

/* ---- the verb ---- */

static int act(opened *o, const char *action, const sg_args *args)
{
    if (strcmp(action, "list") == 0) return list(o);
    if (strcmp(action, "add") == 0) return add(o, args);
    if (strcmp(action, "password") == 0) return set_password(o, args);
    return set_disabled(o, args, strcmp(action, "disable") == 0);
}

static int run(const sg_args *args)
{
    static const char *const actions[] = {"add", "list", "password", "disable", "enable", NULL};
    const char *action = sg_args_word(args, 0), *dir = sg_args_value(args, "data");
    size_t i = 0;
    while (actions[i] != NULL && strcmp(actions[i], action) != 0)
        i++;
    if (actions[i] == NULL)
        return sg_fail(SG_EXIT_USAGE, "user: it is add, list, password, disable or enable, not %s",
                       action);
    if (dir == NULL) {
        sg_fail(SG_EXIT_USAGE, "user: --data is missing");
        sg_hint("sigla user %s NAME --data DIR; sigla user --help says more", action);
        return SG_EXIT_USAGE;
    }
    if (strcmp(action, "list") != 0 && sg_args_word(args, 1) == NULL)
        return sg_fail(SG_EXIT_USAGE, "user: name the person: sigla user %s NAME", action);
    opened o;
    int exit_code = open_data(&o, dir);
    if (exit_code == SG_EXIT_OK) exit_code = act(&o, action, args);
    close_data(&o);
    return exit_code;
}

const sg_verb sg_verb_user = {
    .name = "user",
    .words = "ACTION [NAME]",
    .summary = "make and look after a server's accounts",
    .more =
        "ACTION is add, list, password, disable or enable; NAME a login or an e-mail address.\n"
        "It works on the data directory while no server has it. People make accounts themselves\n"
        "while the server runs: POST /api/v1/auth/sign-up, unless it has --no-sign-up.",
    .examples = "sigla user add ann --email ann@example.org --data srv\n"
                "sigla user password ann --data srv\n"
                "sigla user list --data srv",
    .opts = opts,
    .run = run};
