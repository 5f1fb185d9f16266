#include <strings.h>

#include "base/mem.h"
#include "server/push.h"

/* What the body says of itself, beside its changes. */
typedef struct head {
    sg_slice client;
    sg_slice since;
    sg_slice epoch;
    int64_t version;
} head;

static bool refuse_all(sg_push *p, int err, const char *detail)
{
    p->result.err = err;
    p->result.detail = detail;
    return false;
}

static bool is_name(sg_slice s, size_t max, const char *punctuation)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (c == '\0' || strchr(punctuation, c) == NULL)) return false;
    }
    return s.n != 0 && s.n <= max;
}

bool sg_client_good(sg_slice client)
{
    return is_name(client, SG_CLIENT_MAX, "._:-");
}

bool sg_app_good(sg_slice app)
{
    return is_name(app, SG_APP_MAX, "._-");
}

/* ---- the checks of one change ---- */

/* Tables that belong to a database's own workings never travel (L16). */
static bool table_refused(sg_slice table)
{
    return (table.n >= 6 && strncasecmp(table.p, "sigla_", 6) == 0) ||
           (table.n >= 7 && strncasecmp(table.p, "sqlite_", 7) == 0);
}

static void refuse(sg_change_in *in, int err, const char *message)
{
    in->err = err;
    in->message = sg_slice_str(message);
}

static void check_change(const sg_push *p, sg_slice own_actor, sg_change_in *in)
{
    if (in->err != SG_OK) return;
    if (table_refused(in->c.table)) {
        refuse(in, SG_TABLE, "names beginning with sigla_ or sqlite_ are not synced");
    } else {
        const char *problem = sg_actor_check(&p->claims, own_actor, in);
        if (problem != NULL) refuse(in, SG_ACTOR, problem);
    }
}

/* ---- the body ---- */

static sg_change_in *add_change(sg_push *p, size_t *cap, sg_json *j)
{
    if (p->count == SG_PUSH_CHANGES_MAX) {
        sg_json_fail(j, SG_LIMIT);
        return NULL;
    }
    if (p->count == *cap) {
        size_t more = *cap != 0 ? *cap * 4 : 4;
        sg_change_in *changes = sg_realloc(p->changes, more * sizeof *changes);
        if (changes == NULL) {
            sg_json_fail(j, SG_NOMEM);
            return NULL;
        }
        p->changes = changes;
        *cap = more;
    }
    return &p->changes[p->count];
}

static void read_changes(sg_push *p, sg_json *j, int64_t now_us)
{
    sg_change_reader r;
    size_t cap = 0;
    int64_t before = 0;
    sg_change_reader_init(&r, &p->arena, now_us);
    for ((void)sg_json_array(j); sg_json_next(j);) {
        sg_change_in *in = add_change(p, &cap, j);
        if (in == NULL || !sg_change_read(&r, j, in)) break;
        p->count++;
        if (in->c.n != 0 && in->c.n <= before) {
            p->result.detail = "changes[].n must ascend";
            sg_json_fail(j, SG_BADREQUEST);
        }
        if (in->c.n != 0) before = in->c.n;
    }
    sg_change_reader_deinit(&r);
}

/* The value that comes next is of this type, or the whole body is refused. */
static bool expect(sg_push *p, sg_json *j, enum sg_json_type type, const char *detail)
{
    enum sg_json_type got = sg_json_peek(j);
    if (got == SG_JSON_FALSE) got = SG_JSON_TRUE;
    if (got == type || j->err != SG_OK) return j->err == SG_OK;
    p->result.detail = detail;
    sg_json_fail(j, SG_BADREQUEST);
    return false;
}

static sg_slice read_text(sg_push *p, sg_json *j, const char *detail)
{
    if (!expect(p, j, SG_JSON_STRING, detail)) return sg_slice_of(NULL, 0);
    sg_buf scratch;
    int err = SG_OK;
    sg_buf_init(&scratch, SG_NAME_MAX);
    sg_slice text = sg_arena_copy(&p->arena, sg_json_string(j, &scratch), &err);
    sg_buf_deinit(&scratch);
    if (err != SG_OK) sg_json_fail(j, err);
    return text;
}

static int64_t read_int(sg_push *p, sg_json *j, const char *detail)
{
    if (!expect(p, j, SG_JSON_NUMBER, detail)) return 0;
    sg_json digits;
    sg_json_init(&digits, sg_json_number(j));
    int64_t v = sg_json_int(&digits);
    if (j->err != SG_OK || (digits.err == SG_OK && v >= 0)) return v;
    p->result.detail = detail;
    sg_json_fail(j, SG_BADREQUEST);
    return 0;
}

static bool read_bool(sg_push *p, sg_json *j, const char *detail)
{
    return expect(p, j, SG_JSON_TRUE, detail) && sg_json_bool(j);
}

static void read_member(sg_push *p, sg_json *j, sg_slice key, head *h, int64_t now_us)
{
    if (sg_json_peek(j) == SG_JSON_NULL)
        sg_json_null(j); /* the same as missing */
    else if (sg_slice_eq(key, SG_LIT("clientId")))
        h->client = read_text(p, j, "clientId is not a string");
    else if (sg_slice_eq(key, SG_LIT("since")))
        h->since = read_text(p, j, "since is not a string");
    else if (sg_slice_eq(key, SG_LIT("epoch")))
        h->epoch = read_text(p, j, "epoch is not a string");
    else if (sg_slice_eq(key, SG_LIT("schemaVersion")))
        h->version = read_int(p, j, "schemaVersion is not a version");
    else if (sg_slice_eq(key, SG_LIT("sent")))
        p->sent = read_int(p, j, "sent is not a number");
    else if (sg_slice_eq(key, SG_LIT("staged")))
        p->staged = read_int(p, j, "staged is not a number");
    else if (sg_slice_eq(key, SG_LIT("ackedN")))
        p->acked_n = read_int(p, j, "ackedN is not a number");
    else if (sg_slice_eq(key, SG_LIT("ackedSeq")))
        p->acked_seq = read_int(p, j, "ackedSeq is not a number");
    else if (sg_slice_eq(key, SG_LIT("pull")))
        p->pull = read_bool(p, j, "pull is not true or false");
    else if (sg_slice_eq(key, SG_LIT("changes")) && p->changes == NULL) {
        if (expect(p, j, SG_JSON_ARRAY, "changes is not an array")) read_changes(p, j, now_us);
    } else {
        (void)sg_json_skip(j);
    }
}

static bool settle_head(sg_push *p, const head *h, sg_epoch epoch)
{
    if (h->version > SG_VERSION_MAX)
        return refuse_all(p, SG_TOONEW, "this server speaks schemaVersion 1 and 2");
    if (h->version < 1) return refuse_all(p, SG_BADREQUEST, "schemaVersion is not 1 or more");
    p->version = (int)h->version;
    p->client = p->header_client.n != 0 ? p->header_client : h->client;
    if (!sg_client_good(p->client))
        return refuse_all(p, SG_BADREQUEST, "clientId must be 1 to 64 of A-Z a-z 0-9 . _ : -");
    sg_epoch theirs = epoch;
    if (h->epoch.n != 0 && sg_epoch_parse(h->epoch, &theirs) != SG_OK)
        return refuse_all(p, SG_BADREQUEST, "epoch is not 16 hex digits");
    if (theirs.id != epoch.id) return refuse_all(p, SG_RESTORED, NULL);
    int err = sg_cursor_parse(h->since, epoch, &p->since);
    return err == SG_OK || refuse_all(p, err, "since");
}

bool sg_push_read(sg_push *p, sg_epoch epoch, int64_t now_us)
{
    sg_json j;
    head h = {.version = 1};
    sg_slice own_actor;
    if (sg_actor_own(&p->claims, &p->arena, &own_actor) != SG_OK)
        return refuse_all(p, SG_NOMEM, NULL);
    sg_json_init(&j, sg_slice_of(p->body, p->body_len));
    if (sg_json_peek(&j) != SG_JSON_OBJECT && j.err == SG_OK)
        return refuse_all(p, SG_BADREQUEST, "the body is not an object");
    (void)sg_json_object(&j);
    for (sg_slice key; sg_json_next_key(&j, &key);)
        read_member(p, &j, key, &h, now_us);
    if (!sg_json_end(&j)) return refuse_all(p, j.err, p->result.detail);
    for (size_t i = 0; i < p->count; i++)
        check_change(p, own_actor, &p->changes[i]);
    return settle_head(p, &h, epoch);
}
