#include "entries.h"

#include "base/err.h"
#include "cli.h"
#include "show.h"
#include "term.h"
#include "wire/json.h"

#define ENTRY_MAX ((size_t)64 << 20) /* bytes of one entry, as JSON or as text */
#define TEXT_MAX ((size_t)1 << 20)   /* of a name or a time in it */

static const sg_grid_column columns[] = {
    {.title = "seq", .right = true, .keep = true, .style = SG_DIM},
    {.title = "written", .keep = true},
    {.title = "by", .style = SG_CYAN},
    {.title = "op", .keep = true},
    {.title = "fields"},
    {.title = "origin"}};
#define COLUMNS (sizeof columns / sizeof columns[0])

static sg_slice member(sg_slice entry, const char *name)
{
    sg_slice v = SG_LIT("null");
    (void)sg_show_member(entry, name, &v);
    return v;
}

/* Fields of a pending change are bare values; those of the history say how they fared. */
static void write_fields(sg_jsonw *w, sg_slice fields, bool pending)
{
    sg_json j;
    sg_json_init(&j, fields);
    sg_jsonw_object(w);
    if (sg_json_peek(&j) == SG_JSON_OBJECT) (void)sg_json_object(&j);
    for (sg_slice name; sg_json_next_key(&j, &name);) {
        sg_slice field = sg_json_skip(&j);
        sg_buf plain;
        sg_buf_init(&plain, TEXT_MAX);
        sg_json_unescape(name, &plain);
        sg_jsonw_key(w, sg_buf_view(&plain));
        sg_buf_deinit(&plain);
        sg_jsonw_object(w);
        sg_jsonw_kraw(w, "value", pending ? field : member(field, "value"));
        sg_jsonw_kraw(w, "outcome", pending ? SG_LIT("null") : member(field, "outcome"));
        sg_jsonw_object_end(w);
    }
    sg_jsonw_object_end(w);
}

static void write_entry(sg_entries *o, sg_slice entry, bool pending)
{
    static const char *const copied[][2] = {
        {"seq", "seq"},       {"at", "at"},           {"op", "op"}, {"actor", "actor"},
        {"origin", "origin"}, {"client", "clientId"}, {"n", "n"}};
    sg_buf line;
    sg_jsonw w;
    sg_buf_init(&line, ENTRY_MAX);
    sg_buf_str(&line, o->count == 0 ? "[\n" : ",\n");
    sg_jsonw_init(&w, &line);
    sg_jsonw_object(&w);
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++)
        sg_jsonw_kraw(&w, copied[i][0], member(entry, copied[i][1]));
    sg_jsonw_k(&w, "fields");
    write_fields(&w, member(entry, "fields"), pending);
    sg_jsonw_kbool(&w, "pending", pending);
    sg_jsonw_object_end(&w);
    if (line.err == SG_OK) sg_out(sg_buf_view(&line));
    if (o->err == SG_OK) o->err = line.err;
    sg_buf_deinit(&line);
}

/* "title=Tea", and "(lost)" behind what did not win. */
static void show_outcomes(sg_buf *out, sg_slice fields)
{
    sg_json j;
    bool first = true;
    sg_json_init(&j, fields);
    if (sg_json_peek(&j) != SG_JSON_OBJECT || !sg_json_object(&j)) return;
    for (sg_slice name; sg_json_next_key(&j, &name); first = false) {
        sg_slice field = sg_json_skip(&j);
        if (!first) sg_buf_byte(out, ' ');
        sg_json_unescape(name, out);
        sg_buf_byte(out, '=');
        sg_show_value(out, member(field, "value"));
        if (sg_slice_eq(member(field, "outcome"), SG_LIT("\"lost\""))) sg_buf_str(out, " (lost)");
    }
}

static void show_entry(sg_entries *o, sg_slice entry, bool pending)
{
    sg_buf text, at;
    sg_buf_init(&text, ENTRY_MAX);
    sg_buf_init(&at, TEXT_MAX);
    sg_grid_cell(&o->grid, pending ? SG_LIT("pending") : member(entry, "seq"));
    (void)sg_show_member_text(entry, "at", &at);
    sg_show_time(&text, sg_buf_view(&at));
    sg_grid_cell(&o->grid, sg_buf_view(&text));
    sg_buf_clear(&text);
    sg_show_actor(&text, member(entry, "actor"));
    sg_grid_cell(&o->grid, sg_buf_view(&text));
    sg_buf_clear(&text);
    (void)sg_show_member_text(entry, "op", &text);
    sg_grid_cell(&o->grid, sg_buf_view(&text));
    sg_buf_clear(&text);
    (pending ? sg_show_fields : show_outcomes)(&text, member(entry, "fields"));
    sg_grid_cell(&o->grid, sg_buf_view(&text));
    sg_buf_clear(&text);
    (void)sg_show_member_text(entry, "origin", &text);
    sg_grid_cell(&o->grid, sg_buf_view(&text));
    if (o->err == SG_OK) o->err = text.err != SG_OK ? text.err : o->grid.err;
    sg_buf_deinit(&text);
    sg_buf_deinit(&at);
}

void sg_entries_put(sg_entries *o, sg_slice entry, bool pending)
{
    (o->json ? write_entry : show_entry)(o, entry, pending);
    o->count++;
}

static void write_out(void *ctx, sg_slice text)
{
    (void)ctx;
    sg_out(text);
}

void sg_entries_begin(sg_entries *o, bool json)
{
    *o = (sg_entries){.json = json};
    const sg_term *term = sg_term_get();
    sg_grid_init(&o->grid, columns, COLUMNS, term->out_width, term->out_colour, write_out, NULL);
}

int sg_entries_end(sg_entries *o, bool complete)
{
    int err = sg_grid_end(&o->grid);
    if (o->json && o->count != 0)
        sg_out(SG_LIT("\n]\n"));
    else if (o->json && complete)
        sg_out(SG_LIT("[]\n"));
    return o->err != SG_OK ? o->err : err;
}
