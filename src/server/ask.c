#include "server/routes.h"

void sg_ask_refuse(const sg_ask *r, int err, const char *detail)
{
    sg_http_answer_error(r->http, r->req->id, err, sg_slice_str(detail));
}

static bool copy(const sg_ask *r, sg_slice from, sg_slice *to)
{
    int err = SG_OK;
    *to = sg_arena_copy(r->arena, from, &err);
    if (err != SG_OK) sg_ask_refuse(r, err, NULL);
    return err == SG_OK;
}

bool sg_ask_claims(const sg_ask *r, const sg_claims *from, sg_claims *claims, sg_slice *scope)
{
    sg_buf text;
    *claims = *from;
    sg_buf_init(&text, SG_USER_MAX + 2);
    sg_buf_str(&text, "u:");
    sg_buf_slice(&text, from->user);
    bool good = text.err == SG_OK && copy(r, sg_buf_view(&text), scope) &&
                copy(r, from->user, &claims->user) && copy(r, from->name, &claims->name) &&
                copy(r, from->session, &claims->session) && copy(r, from->agent, &claims->agent) &&
                copy(r, from->agent_name, &claims->agent_name);
    if (text.err != SG_OK) sg_ask_refuse(r, text.err, NULL);
    sg_buf_deinit(&text);
    return good;
}

bool sg_ask_app(const sg_ask *r, size_t param, sg_slice *app)
{
    sg_buf scratch;
    sg_slice value;
    sg_buf_init(&scratch, 4 * SG_APP_MAX);
    bool good = sg_http_param(r->req, param, &scratch, &value) && sg_app_good(value);
    if (!good) sg_ask_refuse(r, SG_BADREQUEST, "an app is named by 1 to 64 of A-Z a-z 0-9 . _ -");
    if (good) good = copy(r, value, app);
    sg_buf_deinit(&scratch);
    return good;
}

bool sg_ask_query(const sg_ask *r, const char *name, size_t max, sg_slice *value)
{
    sg_buf scratch;
    sg_slice found = {NULL, 0};
    bool good = true;
    sg_buf_init(&scratch, max + 1);
    bool any = sg_http_query_get(r->req, name, &scratch, &found);
    if (scratch.err == SG_LIMIT || (any && found.n > max)) {
        sg_ask_refuse(r, SG_BADREQUEST, "a value of the query is too long");
        good = false;
    } else if (scratch.err != SG_OK) {
        sg_ask_refuse(r, scratch.err, NULL);
        good = false;
    }
    *value = sg_slice_of(NULL, 0);
    if (good && any) good = copy(r, found, value);
    sg_buf_deinit(&scratch);
    return good;
}

bool sg_ask_int(const sg_ask *r, const char *name, int64_t low, int64_t high, int64_t *v)
{
    sg_slice text;
    if (!sg_ask_query(r, name, 20, &text)) return false;
    if (text.n == 0) return true;
    int64_t n = 0;
    bool good = text.n <= 16;
    for (size_t i = 0; good && i < text.n; i++) {
        good = text.p[i] >= '0' && text.p[i] <= '9';
        n = n * 10 + (text.p[i] - '0');
    }
    if (!good || n < low || n > high) {
        sg_ask_refuse(r, SG_BADREQUEST, "a number of the query is malformed or out of range");
        return false;
    }
    *v = n;
    return true;
}

bool sg_ask_cursor(const sg_ask *r, sg_slice text, sg_cursor *cursor)
{
    int err = sg_cursor_parse(text, r->server->epoch, cursor);
    if (err != SG_OK) sg_ask_refuse(r, err, "since");
    return err == SG_OK;
}

bool sg_ask_client(const sg_ask *r, sg_slice *client)
{
    sg_slice header = sg_http_header_get(r->req, "X-Client-Id");
    if (header.n != 0 ? !copy(r, header, client)
                      : !sg_ask_query(r, "client", SG_CLIENT_MAX, client))
        return false;
    if (client->n == 0 || sg_client_good(*client)) return true;
    sg_ask_refuse(r, SG_BADREQUEST, "a client is named by 1 to 64 of A-Z a-z 0-9 . _ : -");
    return false;
}

bool sg_ask_tables(const sg_ask *r, const char *name, sg_slice **tables, size_t *count)
{
    sg_slice list;
    *count = 0;
    *tables = NULL;
    if (!sg_ask_query(r, name, SG_COLLECTIONS_MAX * (SG_NAME_MAX + 1), &list)) return false;
    if (list.n == 0) return true;
    *tables = sg_arena_alloc(r->arena, SG_COLLECTIONS_MAX * sizeof **tables);
    if (*tables == NULL) {
        sg_ask_refuse(r, SG_NOMEM, NULL);
        return false;
    }
    while (list.n != 0) {
        const char *comma = memchr(list.p, ',', list.n);
        size_t n = comma != NULL ? (size_t)(comma - list.p) : list.n;
        size_t gone = comma != NULL ? n + 1 : n;
        if (*count == SG_COLLECTIONS_MAX) {
            sg_ask_refuse(r, SG_LIMIT, "at most 64 collections can be asked for at once");
            return false;
        }
        if (n != 0) (*tables)[(*count)++] = sg_slice_of(list.p, n);
        list = sg_slice_of(list.p + gone, list.n - gone);
    }
    return true;
}
