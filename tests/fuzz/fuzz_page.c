/*
 * Any bytes as a page or the answer of a push, as a replica reads them.
 *
 * Checked: a page is read to its end or refused; every part of a record is there to be used: names,
 * marks, values that are JSON.
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire/page_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static bool is_json(sg_slice text)
{
    sg_json j;
    sg_json_init(&j, text);
    (void)sg_json_skip(&j);
    return sg_json_end(&j);
}

static void check_mark(const sg_page_mark *m)
{
    require(m != NULL, "there is a mark");
    require(m->at_us >= 0 && m->n >= 0 && m->seq >= 0, "its numbers are in range");
    require(m->actor.n != 0 && is_json(m->actor), "its actor is an object");
}

static void check_record(const sg_page_record *r)
{
    require(r->table.n != 0 && r->id.n != 0, "a record is named");
    if (r->life != NULL) check_mark(r->life);
    for (size_t i = 0; i < r->count; i++) {
        check_mark(r->fields[i].mark);
        require(r->fields[i].lost != NULL, "there is a list");
        require(is_json(r->fields[i].value), "a value is JSON");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_arena arena, one;
    sg_page page;
    sg_page_record record;
    bool got = true;
    sg_arena_init(&arena);
    sg_arena_init(&one);
    int err = sg_page_open(&page, sg_slice_of((const char *)data, size), &arena);
    while (err == SG_OK && got) {
        err = sg_page_next(&page, &record, &one, &got);
        if (err == SG_OK && got) check_record(&record);
        sg_arena_reset(&one);
    }
    sg_arena_deinit(&arena);
    sg_arena_deinit(&one);
    return 0;
}
