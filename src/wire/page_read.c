#include "wire/page_json.h"
#include "wire/page_parts.h"

/* ---- what a push is answered ---- */

static void read_ack(sg_json *j, sg_ack *a)
{
    a->count = 1;
    (void)sg_json_object(j);
    for (sg_slice key; sg_json_next_key(j, &key);) {
        if (sg_slice_eq(key, SG_LIT("n")))
            a->n = sg_part_count(j);
        else if (sg_slice_eq(key, SG_LIT("seq")))
            a->seq = sg_part_count(j);
        else if (sg_slice_eq(key, SG_LIT("count")))
            a->count = sg_part_count(j);
        else
            (void)sg_json_skip(j);
    }
    if (j->err == SG_OK && (a->count > INT64_MAX - a->n || a->count > INT64_MAX - a->seq))
        sg_json_fail(j, SG_BADREQUEST);
}

static void read_acks(sg_json *j, sg_page *p)
{
    sg_part_vec v = sg_part_vec_of(p->arena, sizeof(sg_ack), SG_PAGE_ACKS_MAX);
    for ((void)sg_json_array(j); sg_json_next(j);) {
        sg_ack *a = sg_part_add(&v, j);
        if (a == NULL) return;
        read_ack(j, a);
    }
    p->acks = (const sg_ack *)(void *)v.p;
    p->ack_count = v.count;
}

static void read_rejection(sg_json *j, sg_rejection *r, sg_arena *arena)
{
    r->code = SG_INTERNAL;
    (void)sg_json_object(j);
    for (sg_slice key; sg_json_next_key(j, &key);) {
        if (sg_slice_eq(key, SG_LIT("n")))
            r->n = sg_part_count(j);
        else if (sg_slice_eq(key, SG_LIT("code")))
            r->text = sg_part_text(j, arena);
        else if (sg_slice_eq(key, SG_LIT("message")))
            r->message = sg_part_text(j, arena);
        else if (sg_slice_eq(key, SG_LIT("table")))
            r->table = sg_part_text(j, arena);
        else if (sg_slice_eq(key, SG_LIT("id")))
            r->id = sg_part_text(j, arena);
        else
            (void)sg_json_skip(j);
    }
    if (r->text.n != 0) r->code = sg_err_from_code(r->text.p, r->text.n);
}

static void read_rejected(sg_json *j, sg_page *p)
{
    sg_part_vec v = sg_part_vec_of(p->arena, sizeof(sg_rejection), SG_PAGE_ACKS_MAX);
    for ((void)sg_json_array(j); sg_json_next(j);) {
        sg_rejection *r = sg_part_add(&v, j);
        if (r == NULL) return;
        read_rejection(j, r, p->arena);
    }
    p->rejected = (const sg_rejection *)(void *)v.p;
    p->rejected_count = v.count;
}

static void read_restamped(sg_json *j, sg_page *p)
{
    sg_part_vec v = sg_part_vec_of(p->arena, sizeof(sg_restamp), SG_PAGE_ACKS_MAX);
    for ((void)sg_json_array(j); sg_json_next(j);) {
        sg_restamp *r = sg_part_add(&v, j);
        if (r == NULL) return;
        (void)sg_json_object(j);
        for (sg_slice key; sg_json_next_key(j, &key);) {
            if (sg_slice_eq(key, SG_LIT("n")))
                r->n = sg_part_count(j);
            else if (sg_slice_eq(key, SG_LIT("at")))
                r->at_us = sg_part_time(j);
            else
                (void)sg_json_skip(j);
        }
    }
    p->restamped = (const sg_restamp *)(void *)v.p;
    p->restamped_count = v.count;
}

/* ---- sums ---- */

static uint64_t read_hash(sg_json *j)
{
    uint64_t v = 0;
    sg_slice text = sg_json_raw_string(j);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter) sg_json_fail(j, SG_BADREQUEST);
        v = v << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    if (text.n != SG_SUM_TEXT) sg_json_fail(j, SG_BADREQUEST);
    return v;
}

static bool next_of(sg_json *j)
{
    bool more = sg_json_next(j);
    if (!more) sg_json_fail(j, SG_BADREQUEST);
    return more;
}

/* [table, marks, values, records, and what later versions may add] */
static void read_sum(sg_json *j, sg_page_sum *s, sg_arena *arena)
{
    (void)sg_json_array(j);
    if (next_of(j)) s->table = sg_part_text(j, arena);
    if (next_of(j)) s->sum.marks = read_hash(j);
    if (next_of(j)) s->sum.values = read_hash(j);
    if (next_of(j)) s->sum.records = sg_part_count(j);
    while (sg_json_next(j))
        (void)sg_json_skip(j);
}

static void read_sums(sg_json *j, sg_page *p)
{
    sg_part_vec v = sg_part_vec_of(p->arena, sizeof(sg_page_sum), SG_PAGE_SUMS_MAX);
    for ((void)sg_json_array(j); sg_json_next(j);) {
        sg_page_sum *s = sg_part_add(&v, j);
        if (s == NULL) return;
        read_sum(j, s, p->arena);
    }
    p->sums = (const sg_page_sum *)(void *)v.p;
    p->sum_count = v.count;
    p->summed = j->err == SG_OK;
}

/* ---- the page ---- */

static const sg_slice *read_texts(sg_json *j, sg_page *p, size_t max, size_t *count)
{
    sg_part_vec v = sg_part_vec_of(p->arena, sizeof(sg_slice), max);
    for ((void)sg_json_array(j); sg_json_next(j);) {
        sg_slice *s = sg_part_add(&v, j);
        if (s == NULL) return NULL;
        *s = sg_part_text(j, p->arena);
    }
    *count = v.count;
    return (const sg_slice *)(void *)v.p;
}

static void read_actors(sg_json *j, sg_page *p)
{
    sg_part_vec v = sg_part_vec_of(p->arena, sizeof(sg_slice), SG_PAGE_CLIENTS_MAX);
    for ((void)sg_json_array(j); sg_json_next(j);) {
        sg_slice *s = sg_part_add(&v, j);
        if (s == NULL) return;
        if (sg_json_peek(j) != SG_JSON_OBJECT) sg_json_fail(j, SG_BADREQUEST);
        *s = sg_json_skip(j);
    }
    p->actors = (const sg_slice *)(void *)v.p;
    p->actor_count = v.count;
}

/* Records need the two tables: if those came first, the records are read where they stand, else
 * they are passed over and read when the rest is known. */
static void read_records(sg_json *j, sg_page *p)
{
    if (sg_json_peek(j) != SG_JSON_ARRAY) sg_json_fail(j, SG_BADREQUEST);
    if (p->clients != NULL && p->actors != NULL) {
        p->inside = sg_json_array(j);
        return;
    }
    sg_slice records = sg_json_skip(j);
    if (j->err != SG_OK) return;
    sg_json_init(&p->records, records);
    p->done = !sg_json_array(&p->records);
}

static void read_member(sg_json *j, sg_slice key, sg_page *p)
{
    if (sg_json_peek(j) == SG_JSON_NULL)
        sg_json_null(j); /* the same as missing */
    else if (sg_slice_eq(key, SG_LIT("serverTime")))
        p->server_us = sg_part_time(j);
    else if (sg_slice_eq(key, SG_LIT("epoch")))
        p->epoch = sg_part_text(j, p->arena);
    else if (sg_slice_eq(key, SG_LIT("syncedUntil")))
        p->synced_until = sg_part_text(j, p->arena);
    else if (sg_slice_eq(key, SG_LIT("syncedSeq")))
        p->synced_seq = sg_part_count(j);
    else if (sg_slice_eq(key, SG_LIT("floor")))
        p->floor_seq = sg_part_count(j);
    else if (sg_slice_eq(key, SG_LIT("left")))
        p->left = read_texts(j, p, SG_PAGE_LEFT_MAX, &p->left_count);
    else if (sg_slice_eq(key, SG_LIT("hasMore")))
        p->has_more = sg_json_bool(j);
    else if (sg_slice_eq(key, SG_LIT("staged")))
        p->staged = sg_part_count(j);
    else if (sg_slice_eq(key, SG_LIT("acks")))
        read_acks(j, p);
    else if (sg_slice_eq(key, SG_LIT("rejected")))
        read_rejected(j, p);
    else if (sg_slice_eq(key, SG_LIT("restamped")))
        read_restamped(j, p);
    else if (sg_slice_eq(key, SG_LIT("sums")))
        read_sums(j, p);
    else if (sg_slice_eq(key, SG_LIT("clients")))
        p->clients = read_texts(j, p, SG_PAGE_CLIENTS_MAX, &p->client_count);
    else if (sg_slice_eq(key, SG_LIT("actors")))
        read_actors(j, p);
    else if (sg_slice_eq(key, SG_LIT("serverChanges")))
        read_records(j, p);
    else
        (void)sg_json_skip(j);
}

/* Members up to the records if they are to be read in place, else to the end. */
static int read_members(sg_page *p)
{
    for (sg_slice key; !p->inside && sg_json_next_key(&p->text, &key);)
        read_member(&p->text, key, p);
    if (p->inside) return p->text.err;
    (void)sg_json_end(&p->text);
    return p->text.err;
}

int sg_page_open(sg_page *p, sg_slice json, sg_arena *arena)
{
    *p = (sg_page){.done = true, .arena = arena};
    sg_json_init(&p->text, json);
    if (sg_json_peek(&p->text) != SG_JSON_OBJECT) sg_json_fail(&p->text, SG_BADREQUEST);
    (void)sg_json_object(&p->text);
    return read_members(p);
}

static int next_in_place(sg_page *p, sg_page_record *record, sg_arena *arena, bool *got)
{
    *got = sg_json_next(&p->text);
    if (*got) sg_page_read_record(p, &p->text, record, arena);
    if (*got || p->text.err != SG_OK) return p->text.err;
    p->inside = false;
    return read_members(p);
}

int sg_page_next(sg_page *p, sg_page_record *record, sg_arena *arena, bool *got)
{
    int err;
    if (p->inside) {
        err = next_in_place(p, record, arena, got);
    } else {
        *got = !p->done && sg_json_next(&p->records);
        p->done = !*got;
        if (*got) sg_page_read_record(p, &p->records, record, arena);
        err = p->records.err;
    }
    if (err != SG_OK) *got = false;
    return err;
}
