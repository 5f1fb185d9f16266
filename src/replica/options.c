#include "replica/options.h"

#include "core/change.h"
#include "replica/table.h"
#include "wire/json.h"

#define OPTIONS_MAX ((size_t)1 << 16) /* bytes of stored options */

/* ---- what sigla_track was given ---- */

static int bad(sg_replica *r, const char *what)
{
    return sg_replica_fail(r, SG_BADREQUEST,
                           "options of sigla_track: %s (known: {\"app\":name, \"as\":name, "
                           "\"local\":[columns], \"groups\":[[columns]], \"json\":[columns], "
                           "\"space\":column})",
                           what);
}

/* 1 if it is a column of the key, 0 of the rest; -1 if there is none of that name, or an error. */
static int key_column(sg_replica *r, sg_slice table, sg_slice column, int *err)
{
    sqlite3_stmt *s = NULL;
    sg_sql_prepare(r->db, &s,
                   "SELECT pk<>0 FROM pragma_table_xinfo(?1,'main') WHERE name=?2 COLLATE NOCASE",
                   err);
    if (s == NULL) return -1;
    sg_sql_bind_text(s, 1, table);
    sg_sql_bind_text(s, 2, column);
    int is_key = sg_sql_row(s, err) ? sqlite3_column_int(s, 0) : -1;
    sqlite3_finalize(s);
    return is_key;
}

static int check_column(sg_replica *r, sg_slice table, sg_slice column, sg_slice member)
{
    int err = SG_OK, is_key = key_column(r, table, column, &err);
    if (err != SG_OK || is_key == 0) return err;
    const char *why =
        is_key < 0 ? "the table has no such column" : "the key travels as the record's id";
    return sg_replica_fail(r, SG_BADREQUEST, "options of sigla_track: \"%.*s\" in \"%.*s\": %s",
                           (int)(column.n < 80 ? column.n : 80), column.p, (int)member.n, member.p,
                           why);
}

/* An array of column names, or with `deep` of arrays of them, copied to w. */
static int read_columns(sg_replica *r, sg_slice table, sg_json *j, sg_slice member, bool deep,
                        sg_jsonw *w)
{
    int err = SG_OK;
    if (sg_json_peek(j) != SG_JSON_ARRAY) return bad(r, "a list of column names is not one");
    sg_json_array(j);
    sg_jsonw_array(w);
    while (err == SG_OK && sg_json_next(j)) {
        if (deep) {
            err = read_columns(r, table, j, member, false, w);
            continue;
        }
        if (sg_json_peek(j) != SG_JSON_STRING) return bad(r, "a column's name is not a text");
        sg_buf scratch;
        sg_buf_init(&scratch, OPTIONS_MAX);
        sg_slice name = sg_json_string(j, &scratch);
        err = scratch.err;
        if (err == SG_OK) err = check_column(r, table, name, member);
        sg_jsonw_string(w, name);
        sg_buf_deinit(&scratch);
    }
    sg_jsonw_array_end(w);
    return err;
}

static int read_name(sg_replica *r, sg_json *j, sg_buf *out, const char *what)
{
    sg_buf scratch;
    sg_buf_init(&scratch, OPTIONS_MAX);
    bool text = sg_json_peek(j) == SG_JSON_STRING;
    sg_slice name = text ? sg_json_string(j, &scratch) : sg_slice_of(NULL, 0);
    sg_buf_clear(out);
    sg_buf_slice(out, name);
    bool fits = text && name.n != 0 && name.n <= SG_NAME_MAX && memchr(name.p, 0, name.n) == NULL;
    sg_buf_deinit(&scratch);
    return fits ? out->err : bad(r, what);
}

static int read_space(sg_replica *r, sg_slice table, sg_json *j, sg_jsonw *w)
{
    sg_buf name;
    sg_buf_init(&name, SG_NAME_MAX);
    int err = read_name(r, j, &name, "\"space\" is not the name of a column");
    if (err == SG_OK) err = check_column(r, table, sg_buf_view(&name), SG_LIT("space"));
    sg_jsonw_kstr(w, "space", sg_buf_view(&name));
    sg_buf_deinit(&name);
    return err;
}

static int read_member(sg_replica *r, sg_slice table, sg_json *j, sg_slice key, sg_jsonw *w,
                       sg_track_options *o)
{
    if (sg_json_key_eq(key, SG_LIT("app")))
        return read_name(r, j, &o->app, "\"app\" is not a name of 1..256 bytes");
    if (sg_json_key_eq(key, SG_LIT("as")))
        return read_name(r, j, &o->wire, "\"as\" is not a name of 1..256 bytes");
    if (sg_json_key_eq(key, SG_LIT("space"))) {
        o->given = true;
        return read_space(r, table, j, w);
    }
    static const char *const members[] = {"local", "json", "groups"};
    for (int i = 0; i < 3; i++) {
        sg_slice member = sg_slice_str(members[i]);
        if (!sg_json_key_eq(key, member)) continue;
        sg_jsonw_key(w, member);
        o->given = true;
        return read_columns(r, table, j, member, i == 2, w);
    }
    return bad(r, "there is an unknown member");
}

/* A column cannot win or lose with two groups. */
static int check_groups(sg_replica *r, sg_slice stored)
{
    sg_json j;
    sg_json_init(&j, stored);
    int group = 0;
    sg_slice key;
    sg_json_object(&j);
    while (sg_json_next_key(&j, &key)) {
        if (!sg_slice_eq(key, SG_LIT("groups"))) {
            sg_json_skip(&j);
            continue;
        }
        sg_json_array(&j);
        for (group = 1; sg_json_next(&j); group++) {
            sg_json_array(&j);
            while (sg_json_next(&j)) {
                sg_buf scratch;
                sg_buf_init(&scratch, OPTIONS_MAX);
                sg_column_options o = {0};
                sg_slice name = sg_json_string(&j, &scratch);
                int err = sg_options_of(stored, name, &o);
                sg_buf_deinit(&scratch);
                if (err != SG_OK) return err;
                if (o.group != group) return bad(r, "a column is in two groups");
            }
        }
    }
    return SG_OK;
}

static int read_object(sg_replica *r, sg_slice table, sg_slice json, sg_jsonw *w,
                       sg_track_options *o)
{
    sg_json j;
    sg_json_init(&j, json);
    sg_slice key;
    int err = SG_OK;
    if (!sg_json_object(&j)) return bad(r, "this is not a JSON object");
    while (err == SG_OK && sg_json_next_key(&j, &key))
        err = read_member(r, table, &j, key, w, o);
    if (err == SG_OK && !sg_json_end(&j)) err = bad(r, "this is not a JSON object");
    return err;
}

int sg_options_read(sg_replica *r, sg_slice table, sg_slice json, sg_track_options *o)
{
    *o = (sg_track_options){0};
    sg_buf_init(&o->app, SG_NAME_MAX);
    sg_buf_init(&o->wire, SG_NAME_MAX);
    sg_buf_init(&o->rest, OPTIONS_MAX);
    sg_jsonw w;
    sg_jsonw_init(&w, &o->rest);
    sg_jsonw_object(&w);
    int err = json.n != 0 ? read_object(r, table, json, &w, o) : SG_OK;
    sg_jsonw_object_end(&w);
    if (err == SG_OK) err = o->rest.err;
    return err == SG_OK ? check_groups(r, sg_buf_view(&o->rest)) : err;
}

void sg_options_deinit(sg_track_options *o)
{
    sg_buf_deinit(&o->app);
    sg_buf_deinit(&o->wire);
    sg_buf_deinit(&o->rest);
}

/* ---- what is stored ---- */

/* Take a string; is it that column's name, as SQLite compares names? */
static int take_name(sg_json *j, sg_slice column, bool *same)
{
    sg_buf scratch;
    sg_buf_init(&scratch, OPTIONS_MAX);
    sg_slice name = sg_json_string(j, &scratch);
    *same = name.n == column.n && sqlite3_strnicmp(name.p, column.p, (int)name.n) == 0;
    int err = scratch.err;
    sg_buf_deinit(&scratch);
    return err;
}

/* The place of the column in an array of names, or of arrays of them: 1…, or 0. */
static int place_of(sg_json *j, sg_slice column, int *err)
{
    int found = 0;
    bool same = false;
    sg_json_array(j);
    for (int place = 1; *err == SG_OK && sg_json_next(j); place++) {
        if (sg_json_peek(j) == SG_JSON_ARRAY) {
            same = place_of(j, column, err) != 0;
        } else {
            *err = take_name(j, column, &same);
        }
        if (same && found == 0) found = place;
    }
    return found;
}

int sg_options_of(sg_slice stored, sg_slice column, sg_column_options *o)
{
    *o = (sg_column_options){0};
    int err = SG_OK;
    sg_json j;
    sg_json_init(&j, stored);
    sg_slice key;
    if (stored.n == 0 || !sg_json_object(&j)) return SG_OK;
    while (err == SG_OK && sg_json_next_key(&j, &key)) {
        if (sg_slice_eq(key, SG_LIT("local")))
            o->local = place_of(&j, column, &err) != 0;
        else if (sg_slice_eq(key, SG_LIT("json")))
            o->json = place_of(&j, column, &err) != 0;
        else if (sg_slice_eq(key, SG_LIT("groups")))
            o->group = place_of(&j, column, &err);
        else if (sg_slice_eq(key, SG_LIT("space")))
            err = take_name(&j, column, &o->space);
        else
            sg_json_skip(&j);
    }
    return err;
}

bool sg_options_indexed(sg_slice stored)
{
    sg_json j;
    sg_json_init(&j, stored);
    bool on = false;
    sg_slice key;
    if (!sg_json_object(&j)) return false;
    while (sg_json_next_key(&j, &key)) {
        if (sg_slice_eq(key, SG_LIT("index"))) on = sg_json_peek(&j) == SG_JSON_TRUE;
        sg_json_skip(&j);
    }
    return on;
}

/* Copy the stored object up to its end, without one member. */
static sg_slice copy_members(sg_slice stored, sg_slice without, sg_jsonw *w)
{
    sg_json j;
    sg_json_init(&j, stored);
    sg_slice key, left_out = {NULL, 0};
    sg_json_object(&j);
    while (sg_json_next_key(&j, &key)) {
        if (sg_slice_eq(key, without)) {
            left_out = sg_json_skip(&j);
            continue;
        }
        sg_jsonw_key(w, key);
        sg_jsonw_raw(w, sg_json_skip(&j));
    }
    if (!sg_json_end(&j)) w->out->err = SG_CORRUPT;
    return left_out;
}

int sg_options_set_local(sg_slice stored, sg_slice column, sg_buf *out)
{
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_slice local = copy_members(stored, SG_LIT("local"), &w);
    sg_json j;
    sg_json_init(&j, local.n != 0 ? local : SG_LIT("[]"));
    sg_jsonw_k(&w, "local");
    sg_jsonw_array(&w);
    sg_json_array(&j);
    while (sg_json_next(&j))
        sg_jsonw_raw(&w, sg_json_skip(&j));
    sg_jsonw_string(&w, column);
    sg_jsonw_array_end(&w);
    sg_jsonw_object_end(&w);
    return out->err;
}

int sg_options_set_index(sg_slice stored, sg_buf *out)
{
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    (void)copy_members(stored, SG_LIT("index"), &w);
    sg_jsonw_kbool(&w, "index", true);
    sg_jsonw_object_end(&w);
    return out->err;
}
