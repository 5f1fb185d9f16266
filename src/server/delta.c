#include "server/delta.h"

#include "base/mem.h"
#include "core/change.h"
#include "core/time.h"

typedef struct reading {
    const sg_store *store;
    sg_view *view;
    const sg_delta_spec *spec;
    sg_delta_page *page;
    sg_arena *arena;
    sg_texts texts;
    sg_page_writer writer;
    sg_jsonw unused; /* where the writer stands before the first record */
    sg_record record;
    uint32_t tables[SG_COLLECTIONS_MAX]; /* the wanted ones that exist */
    size_t table_count;
    size_t bytes;
    uint32_t sole; /* client of all that is new so far; 0: none yet */
    int err;
} reading;

/* ---- texts ---- */

static sg_slice name_text(void *ctx, uint32_t id)
{
    reading *r = ctx;
    return r->store->ops->text(r->view, SG_TEXT_OF_NAME, id, &r->err);
}

static sg_slice client_text(void *ctx, uint32_t id)
{
    reading *r = ctx;
    return r->store->ops->text(r->view, SG_TEXT_OF_CLIENT, id, &r->err);
}

static sg_slice actor_text(void *ctx, uint32_t id)
{
    reading *r = ctx;
    return r->store->ops->text(r->view, SG_TEXT_OF_ACTOR, id, &r->err);
}

static uint32_t find(reading *r, enum sg_text_kind kind, sg_slice text)
{
    uint32_t id = 0;
    int err = text.n != 0 ? r->store->ops->find_text(r->view, kind, text, &id) : SG_OK;
    if (r->err == SG_OK) r->err = err;
    return id;
}

/* ---- parts ---- */

static sg_delta_part *add_part(reading *r, sg_slice table)
{
    sg_delta_page *page = r->page;
    sg_delta_part *parts = sg_realloc(page->parts, (page->part_count + 1) * sizeof *parts);
    if (parts == NULL) {
        r->err = SG_NOMEM;
        return NULL;
    }
    page->parts = parts;
    sg_delta_part *part = &parts[page->part_count++];
    *part = (sg_delta_part){.table = sg_arena_copy(r->arena, table, &r->err)};
    sg_buf_init(&part->records, SG_PAGE_BYTES_MAX);
    sg_jsonw_init(&part->w, &part->records);
    sg_jsonw_array(&part->w);
    return r->err == SG_OK ? part : NULL;
}

static sg_delta_part *part_of(reading *r, sg_slice table)
{
    sg_delta_page *page = r->page;
    if (!r->spec->by_table) return page->part_count != 0 ? page->parts : add_part(r, SG_LIT(""));
    for (size_t i = 0; i < page->part_count; i++)
        if (sg_slice_eq(page->parts[i].table, table)) return &page->parts[i];
    return add_part(r, table);
}

/* ---- records ---- */

static void note_writer(reading *r, const sg_mark *m)
{
    if (m->seq <= r->spec->since.from) return;
    if (r->sole == 0) r->sole = m->client;
    if (r->sole != m->client) r->page->alone = false;
}

static void note_writers(reading *r)
{
    /* Who wrote it last needs it as well. */
    if (r->record.again_seq > r->spec->since.from) r->page->alone = false;
    if (r->record.has_life) note_writer(r, &r->record.life);
    for (size_t i = 0; i < r->record.count; i++)
        note_writer(r, &r->record.fields[i].mark);
}

/* The two tables are part of a page's size: an agent's every step may be an actor of its own. */
static size_t table_bytes(reading *r, size_t actors, size_t clients)
{
    size_t n = (r->writer.clients.count - clients) * SG_CLIENT_MAX;
    for (size_t i = actors; i < r->writer.actors.count; i++)
        n += actor_text(r, r->writer.actors.ids[i]).n;
    return n;
}

static void put_record(reading *r, sg_slice table, sg_slice key)
{
    sg_delta_part *part = part_of(r, table);
    if (part == NULL) return;
    size_t from = part->records.n, actors = r->writer.actors.count;
    size_t clients = r->writer.clients.count;
    part->w.out = &part->records; /* it has moved if the parts have */
    r->writer.w = &part->w;
    if (sg_page_put(&r->writer, table, key, &r->record)) {
        part->count++;
        r->page->count++;
        note_writers(r);
    }
    if (r->err == SG_OK) r->err = part->records.err;
    r->bytes += part->records.n - from + table_bytes(r, actors, clients);
}

static bool wanted(const reading *r, uint32_t table)
{
    if (r->spec->table_count == 0) return true;
    for (size_t i = 0; i < r->table_count; i++)
        if (r->tables[i] == table) return true;
    return false;
}

static bool take_record(void *ctx, const sg_ref *ref, const sg_stored *stored)
{
    reading *r = ctx;
    size_t bytes = r->spec->bytes != 0 ? r->spec->bytes : SG_PAGE_BYTES;
    if (r->page->count >= r->spec->limit || r->bytes >= bytes) return false;
    if (wanted(r, ref->table)) {
        sg_slice table = r->store->ops->text(r->view, SG_TEXT_OF_TABLE, ref->table, &r->err);
        if (r->err == SG_OK) r->err = sg_record_unpack(&r->record, stored->data);
        if (r->err == SG_OK) put_record(r, table, ref->key);
    }
    r->page->until.seq = stored->seq;
    return r->err == SG_OK;
}

/* ---- the page ---- */

static int check_cursor(reading *r, sg_feed feed, int64_t newest)
{
    sg_floor floor = {0};
    int err = sg_cursor_check(r->store, r->view, newest, &r->spec->since);
    if (err != SG_OK || feed.scope == 0 || feed.app == 0) return err;
    err = r->store->ops->floor(r->view, feed, &floor);
    r->page->floor_seq = floor.seq;
    if (err != SG_OK || r->spec->since.seq == 0) return err;
    /* What was purged behind the last page would be missed, wherever the pages began. */
    return r->spec->since.seq < floor.seq ? SG_RESYNC : SG_OK;
}

static void read_records(reading *r, sg_feed feed, int64_t newest)
{
    sg_delta what = {.feed = feed, .since = r->spec->since.seq, .limit = SG_PAGE_SCAN_MAX};
    if (r->spec->table_count != 0 && r->table_count == 0) return;
    if (r->table_count == 1) what.table = r->tables[0];
    bool more = false;
    int err = r->store->ops->delta(r->view, &what, take_record, r, &more);
    if (r->err == SG_OK) r->err = err;
    r->page->more = more;
    r->page->until = more ? (sg_cursor){r->page->until.seq, r->spec->since.from, SG_PROOF_NONE}
                          : sg_cursor_at(newest);
}

static void prove_cursors(reading *r)
{
    r->page->since = r->spec->since;
    if (r->err == SG_OK) r->err = sg_cursor_prove(r->store, r->view, &r->page->since);
    if (r->err == SG_OK) r->err = sg_cursor_prove(r->store, r->view, &r->page->until);
}

typedef struct summing {
    reading *r;
    sg_jsonw w;
} summing;

static void put_hash(sg_jsonw *w, uint64_t v)
{
    char text[SG_SUM_TEXT];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    sg_jsonw_string(w, sg_slice_of(text, sizeof text));
}

static void put_sum(void *ctx, uint32_t table, const sg_sum *sum)
{
    summing *m = ctx;
    if (!wanted(m->r, table)) return;
    sg_jsonw_array(&m->w);
    reading *r = m->r;
    sg_jsonw_string(&m->w, r->store->ops->text(r->view, SG_TEXT_OF_TABLE, table, &r->err));
    put_hash(&m->w, sum->marks);
    put_hash(&m->w, sum->values);
    sg_jsonw_int(&m->w, sum->records);
    sg_jsonw_array_end(&m->w);
}

/* They are those of the snapshot, and so of the cursor that the last page ends with. */
static void put_sums(reading *r, sg_feed feed)
{
    summing m = {.r = r};
    if (r->err != SG_OK || r->spec->version < 2 || r->page->more) return;
    sg_jsonw_init(&m.w, &r->page->sums);
    sg_jsonw_array(&m.w);
    int err = SG_OK;
    if (feed.scope != 0 && feed.app != 0) err = r->store->ops->sums(r->view, feed, put_sum, &m);
    if (r->err == SG_OK) r->err = err;
    sg_jsonw_array_end(&m.w);
    if (r->err == SG_OK) r->err = r->page->sums.err;
}

static void put_names(reading *r)
{
    sg_jsonw w;
    if (r->spec->version < 2) return;
    sg_jsonw_init(&w, &r->page->names);
    sg_jsonw_object(&w);
    r->writer.w = &w;
    sg_page_put_tables(&r->writer);
    sg_jsonw_object_end(&w);
    if (r->err == SG_OK) r->err = r->page->names.err;
}

static void close_parts(reading *r)
{
    sg_delta_page *page = r->page;
    if (page->part_count == 0 && !r->spec->by_table) (void)add_part(r, SG_LIT(""));
    for (size_t i = 0; i < page->part_count; i++) {
        page->parts[i].w.out = &page->parts[i].records;
        sg_jsonw_array_end(&page->parts[i].w);
        if (r->err == SG_OK) r->err = page->parts[i].records.err;
    }
}

int sg_delta_read(const sg_store *store, sg_view *view, int64_t newest, const sg_delta_spec *spec,
                  sg_arena *arena, sg_delta_page *page)
{
    reading r = {.store = store, .view = view, .spec = spec, .page = page, .arena = arena};
    *page = (sg_delta_page){.until = sg_cursor_at(newest), .alone = true};
    sg_buf_init(&page->names, SG_PAGE_BYTES_MAX);
    sg_buf_init(&page->sums, SG_PAGE_BYTES_MAX);
    r.texts = (sg_texts){&r, name_text, client_text, actor_text};
    sg_page_writer_init(&r.writer, &r.unused, &r.texts);
    sg_record_init(&r.record);
    r.writer.since = spec->since.from;
    r.writer.version = spec->version;
    sg_feed feed = {find(&r, SG_TEXT_OF_SCOPE, spec->scope), find(&r, SG_TEXT_OF_APP, spec->app)};
    r.writer.self = find(&r, SG_TEXT_OF_CLIENT, spec->self);
    for (size_t i = 0; i < spec->table_count && i < SG_COLLECTIONS_MAX; i++) {
        uint32_t id = find(&r, SG_TEXT_OF_TABLE, spec->tables[i]);
        if (id != 0) r.tables[r.table_count++] = id;
    }
    if (r.err == SG_OK) r.err = check_cursor(&r, feed, newest);
    if (r.err == SG_OK && feed.scope != 0 && feed.app != 0) read_records(&r, feed, newest);
    put_sums(&r, feed);
    prove_cursors(&r);
    if (r.err == SG_OK) put_names(&r);
    if (r.err == SG_OK) close_parts(&r);
    if (r.sole != 0 && page->alone)
        page->writer = sg_arena_copy(arena, client_text(&r, r.sole), &r.err);
    sg_record_deinit(&r.record);
    sg_page_writer_deinit(&r.writer);
    return r.err;
}

void sg_delta_deinit(sg_delta_page *page)
{
    for (size_t i = 0; i < page->part_count; i++)
        sg_buf_deinit(&page->parts[i].records);
    sg_free(page->parts);
    sg_buf_deinit(&page->names);
    sg_buf_deinit(&page->sums);
    *page = (sg_delta_page){0};
}

void sg_delta_put_head(sg_jsonw *w, sg_epoch epoch, int64_t now_us)
{
    char time[SG_TIME_TEXT_MAX], id[SG_EPOCH_TEXT];
    size_t n = sg_time_format(now_us, time);
    sg_epoch_format(epoch, id);
    sg_jsonw_kstr(w, "serverTime", sg_slice_of(time, n));
    sg_jsonw_kstr(w, "epoch", sg_slice_of(id, sizeof id));
}

void sg_delta_put(sg_jsonw *w, const sg_delta_page *page, sg_epoch epoch)
{
    char cursor[SG_CURSOR_TEXT];
    size_t n = sg_cursor_format(page->until, epoch, cursor);
    sg_jsonw_kstr(w, "syncedUntil", sg_slice_of(cursor, n));
    sg_jsonw_kint(w, "syncedSeq", page->until.from);
    sg_jsonw_kbool(w, "hasMore", page->more);
    if (page->floor_seq != 0) sg_jsonw_kint(w, "floor", page->floor_seq);
    if (page->sums.n != 0) sg_jsonw_kraw(w, "sums", sg_buf_view(&page->sums));
    /* Inside an object of their own, of which the braces stay behind. */
    if (page->names.n > 2) {
        sg_buf_byte(w->out, ',');
        sg_buf_put(w->out, page->names.p + 1, page->names.n - 2);
    }
    sg_jsonw_kraw(w, "serverChanges", sg_buf_view(&page->parts[0].records));
}
