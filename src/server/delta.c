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
    sg_reach reach;
    uint32_t app;
    uint32_t self; /* the reading client; 0: not known */
    int64_t upto;  /* of a joined space: its records up to here, whole; 0: what is new */
    bool passed;   /* there are none of them any more */
    sg_cursor at;  /* how far the page has come */
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

static void put_record(reading *r, uint32_t scope, sg_slice table, sg_slice key)
{
    sg_delta_part *part = part_of(r, table);
    if (part == NULL) return;
    size_t from = part->records.n, actors = r->writer.actors.count;
    size_t clients = r->writer.clients.count;
    part->w.out = &part->records; /* it has moved if the parts have */
    r->writer.w = &part->w;
    r->writer.space = sg_reach_space(&r->reach, scope);
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
    r->passed = r->upto != 0 && stored->seq > r->upto;
    if (r->passed || r->page->count >= r->spec->limit || r->bytes >= bytes) return false;
    if (wanted(r, ref->table)) {
        sg_slice table = r->store->ops->text(r->view, SG_TEXT_OF_TABLE, ref->table, &r->err);
        if (r->err == SG_OK) r->err = sg_record_unpack(&r->record, stored->data);
        if (r->err == SG_OK) put_record(r, stored->scope, table, ref->key);
    }
    if (r->upto != 0)
        r->at.at = stored->seq;
    else
        r->at.seq = stored->seq;
    return r->err == SG_OK;
}

/* ---- the page ---- */

/* What was purged behind the last page would be missed, wherever the pages began; of a space that was
 * joined since, everything comes. */
static void check_floor(reading *r, const sg_reach_scope *in)
{
    sg_floor floor = {0};
    const sg_cursor *since = &r->spec->since;
    if (in->scope == 0 || r->app == 0 || r->err != SG_OK) return;
    r->err = r->store->ops->floor(r->view, (sg_feed){in->scope, r->app}, &floor);
    if (floor.seq > r->page->floor_seq) r->page->floor_seq = floor.seq;
    if (r->err == SG_OK && since->seq != 0 && in->joined_seq <= since->seq &&
        since->seq < floor.seq)
        r->err = SG_RESYNC;
}

static void check_cursor(reading *r, int64_t newest)
{
    if (r->err == SG_OK) r->err = sg_cursor_check(r->store, r->view, newest, &r->spec->since);
    for (size_t i = 0; i < r->reach.count; i++)
        check_floor(r, &r->reach.in[i]);
}

/* The delta to read: of one scope, or of all that have records. False: there are none. */
static bool wanted_delta(reading *r, const sg_reach_scope *one, sg_delta *what)
{
    uint32_t *scopes = sg_arena_alloc(r->arena, (r->reach.count + 1) * sizeof *scopes);
    size_t n = 0;
    if (scopes == NULL) r->err = SG_NOMEM;
    if (r->err != SG_OK || r->app == 0) return false;
    if (r->spec->table_count != 0 && r->table_count == 0) return false;
    for (size_t i = 0; i < r->reach.count; i++)
        if (r->reach.in[i].scope != 0 && (one == NULL || one == &r->reach.in[i]))
            scopes[n++] = r->reach.in[i].scope;
    if (n == 0) return false;
    *what = (sg_delta){.feed = {scopes[0], r->app},
                       .table = r->table_count == 1 ? r->tables[0] : 0,
                       .limit = SG_PAGE_SCAN_MAX,
                       .others = scopes + 1,
                       .other_count = n - 1};
    return true;
}

static bool read_some(reading *r, sg_delta *what)
{
    bool more = false;
    int err = r->store->ops->delta(r->view, what, take_record, r, &more);
    if (r->err == SG_OK) r->err = err;
    return more && r->err == SG_OK;
}

/* The space to send whole next: the one that is being sent, or the first that was joined after. */
static const sg_reach_scope *next_joined(const reading *r)
{
    const sg_reach_scope *next = NULL;
    int64_t after = r->at.joins;
    if (after != 0 && r->at.at != SG_CURSOR_SENT) after--;
    if (after < r->spec->since.seq) after = r->spec->since.seq;
    for (size_t i = 1; i < r->reach.count; i++) {
        const sg_reach_scope *in = &r->reach.in[i];
        if (in->joined_seq > after && (next == NULL || in->joined_seq < next->joined_seq))
            next = in;
    }
    return next;
}

/* Spaces that were joined since the cursor, up to where it stands (spec/spaces.md, section 3). True:
 * the page is full. */
static bool read_joined(reading *r)
{
    bool full = false;
    sg_delta what;
    if (r->upto == 0) return false;
    for (const sg_reach_scope *in; !full && (in = next_joined(r)) != NULL;) {
        if (r->at.joins != in->joined_seq) r->at.at = 0;
        r->at.joins = in->joined_seq;
        r->passed = false;
        if (wanted_delta(r, in, &what)) {
            what.since = r->at.at;
            full = read_some(r, &what) && !r->passed;
        }
        if (r->err != SG_OK) return true;
        if (!full) r->at.at = SG_CURSOR_SENT;
        r->page->alone = false; /* its writers need it as well */
    }
    return full;
}

static void read_records(reading *r, int64_t newest)
{
    r->at = r->spec->since;
    r->upto = r->spec->since.seq;
    r->writer.since = 0;
    bool more = read_joined(r);
    r->upto = 0;
    r->writer.since = r->spec->since.from;
    r->writer.self = r->self;
    sg_delta what;
    if (!more && r->reach.count > 1) {
        /* Who has joined by now gets the rest with the others. */
        r->at.joins = newest;
        r->at.at = SG_CURSOR_SENT;
    }
    if (!more && wanted_delta(r, NULL, &what)) {
        what.since = r->spec->since.seq;
        more = read_some(r, &what);
    }
    r->page->more = more;
    if (!more) r->at = sg_cursor_at(newest);
    if (r->at.joins <= r->at.seq) r->at.joins = r->at.at = 0;
    r->page->until = r->at;
}

static void prove_cursors(reading *r)
{
    r->page->since = r->spec->since;
    if (r->err == SG_OK) r->err = sg_cursor_prove(r->store, r->view, &r->page->since);
    if (r->err == SG_OK) r->err = sg_cursor_prove(r->store, r->view, &r->page->until);
}

/* The sums of one table over all scopes. */
typedef struct table_sum {
    uint32_t table;
    sg_sum sum;
} table_sum;

typedef struct summing {
    reading *r;
    table_sum *all;
    size_t count, cap;
} summing;

static void put_hash(sg_jsonw *w, uint64_t v)
{
    char text[SG_SUM_TEXT];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    sg_jsonw_string(w, sg_slice_of(text, sizeof text));
}

static void add_sum(void *ctx, uint32_t table, const sg_sum *sum)
{
    summing *m = ctx;
    size_t i = 0;
    if (!wanted(m->r, table)) return;
    while (i < m->count && m->all[i].table != table)
        i++;
    if (i == m->cap) {
        size_t cap = m->cap != 0 ? 2 * m->cap : 16;
        table_sum *all = sg_arena_alloc(m->r->arena, cap * sizeof *all);
        if (all == NULL) {
            m->r->err = SG_NOMEM;
            return;
        }
        if (m->count != 0) memcpy(all, m->all, m->count * sizeof *all);
        m->all = all;
        m->cap = cap;
    }
    if (i == m->count) m->all[m->count++] = (table_sum){.table = table};
    sg_sum_add(&m->all[i].sum, sum);
}

static void put_sum(reading *r, sg_jsonw *w, const table_sum *t)
{
    sg_jsonw_array(w);
    sg_jsonw_string(w, r->store->ops->text(r->view, SG_TEXT_OF_TABLE, t->table, &r->err));
    put_hash(w, t->sum.marks);
    put_hash(w, t->sum.values);
    sg_jsonw_int(w, t->sum.records);
    sg_jsonw_array_end(w);
}

/* They are those of the snapshot, and so of the cursor that the last page ends with. */
static void put_sums(reading *r)
{
    summing m = {.r = r};
    sg_jsonw w;
    if (r->err != SG_OK || r->spec->version < 2 || r->page->more) return;
    for (size_t i = 0; i < r->reach.count && r->err == SG_OK && r->app != 0; i++) {
        sg_feed feed = {r->reach.in[i].scope, r->app};
        int err = feed.scope != 0 ? r->store->ops->sums(r->view, feed, add_sum, &m) : SG_OK;
        if (r->err == SG_OK) r->err = err;
    }
    sg_jsonw_init(&w, &r->page->sums);
    sg_jsonw_array(&w);
    for (size_t i = 0; i < m.count; i++)
        put_sum(r, &w, &m.all[i]);
    sg_jsonw_array_end(&w);
    if (r->err == SG_OK) r->err = r->page->sums.err;
}

/* Spaces that the reader may still hold records of. */
static void note_left(reading *r)
{
    const sg_reach *reach = &r->reach;
    if (r->spec->version < 2 || r->spec->since.seq == 0) return;
    size_t n = 0;
    /* What has been sent of a space that was joined again must stay. */
    int64_t told = r->spec->since.joins;
    if (told < r->spec->since.seq) told = r->spec->since.seq;
    for (size_t i = 0; i < reach->left_count; i++)
        if (reach->left[i].left_seq > told) reach->left[n++] = reach->left[i];
    r->page->left = reach->left;
    r->page->left_count = n;
    r->page->count += n;
    if (n != 0) r->page->alone = false;
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

static void begin(reading *r, int64_t newest)
{
    const sg_delta_spec *spec = r->spec;
    *r->page = (sg_delta_page){.until = sg_cursor_at(newest), .alone = true};
    sg_buf_init(&r->page->names, SG_PAGE_BYTES_MAX);
    sg_buf_init(&r->page->sums, SG_PAGE_BYTES_MAX);
    r->texts = (sg_texts){r, name_text, client_text, actor_text};
    sg_page_writer_init(&r->writer, &r->unused, &r->texts);
    sg_record_init(&r->record);
    r->writer.version = spec->version;
    r->err = sg_reach_read(r->store, r->view, spec->scope, r->arena, &r->reach);
    r->app = find(r, SG_TEXT_OF_APP, spec->app);
    r->self = find(r, SG_TEXT_OF_CLIENT, spec->self);
    for (size_t i = 0; i < spec->table_count && i < SG_COLLECTIONS_MAX; i++) {
        uint32_t id = find(r, SG_TEXT_OF_TABLE, spec->tables[i]);
        if (id != 0) r->tables[r->table_count++] = id;
    }
}

int sg_delta_read(const sg_store *store, sg_view *view, int64_t newest, const sg_delta_spec *spec,
                  sg_arena *arena, sg_delta_page *page)
{
    reading r = {.store = store, .view = view, .spec = spec, .page = page, .arena = arena};
    begin(&r, newest);
    check_cursor(&r, newest);
    if (r.err == SG_OK) read_records(&r, newest);
    note_left(&r);
    put_sums(&r);
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
    if (page->left_count != 0) {
        sg_jsonw_k(w, "left");
        sg_jsonw_array(w);
        for (size_t i = 0; i < page->left_count; i++)
            sg_jsonw_string(w, page->left[i].space);
        sg_jsonw_array_end(w);
    }
    if (page->sums.n != 0) sg_jsonw_kraw(w, "sums", sg_buf_view(&page->sums));
    /* Inside an object of their own, of which the braces stay behind. */
    if (page->names.n > 2) {
        sg_buf_byte(w->out, ',');
        sg_buf_put(w->out, page->names.p + 1, page->names.n - 2);
    }
    sg_jsonw_kraw(w, "serverChanges", sg_buf_view(&page->parts[0].records));
}
