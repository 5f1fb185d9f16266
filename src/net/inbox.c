#include "net/inbox.h"

#include "base/mem.h"

static void free_event(sg_inbox_event *e)
{
    sg_free(e->ids);
    sg_block_unref(e->block);
}

void sg_reply_free(sg_reply *r)
{
    sg_free(r->extra_own);
    if (!r->body_static) sg_free(r->body);
    r->extra_own = NULL;
    r->body = NULL;
}

int sg_inbox_init(sg_inbox *q, size_t max_replies)
{
    *q = (sg_inbox){.max_replies = max_replies};
    for (int i = 0; i < 2; i++)
        q->batch[i].replies = sg_alloc(max_replies * sizeof(sg_reply));
    bool ok = q->batch[0].replies != NULL && q->batch[1].replies != NULL;
    if (ok && uv_mutex_init(&q->mutex) == 0) return SG_OK;
    sg_free(q->batch[0].replies);
    sg_free(q->batch[1].replies);
    return SG_NOMEM;
}

void sg_inbox_clear(sg_inbox_batch *b)
{
    for (size_t i = 0; i < b->reply_count; i++)
        sg_reply_free(&b->replies[i]);
    for (size_t i = 0; i < b->event_count; i++)
        free_event(&b->events[i]);
    b->reply_count = 0;
    b->event_count = 0;
    b->event_bytes = 0;
    b->overflow = false;
}

void sg_inbox_deinit(sg_inbox *q)
{
    for (int i = 0; i < 2; i++) {
        sg_inbox_clear(&q->batch[i]);
        sg_free(q->batch[i].replies);
        sg_free(q->batch[i].events);
    }
    uv_mutex_destroy(&q->mutex);
}

bool sg_inbox_push_reply(sg_inbox *q, const sg_reply *reply)
{
    uv_mutex_lock(&q->mutex);
    sg_inbox_batch *b = &q->batch[q->filling];
    bool ok = b->reply_count < q->max_replies;
    if (ok) b->replies[b->reply_count++] = *reply;
    uv_mutex_unlock(&q->mutex);
    if (!ok) {
        sg_reply drop = *reply;
        sg_reply_free(&drop);
    }
    return ok;
}

static bool grow(sg_inbox_batch *b)
{
    if (b->event_count < b->event_cap) return true;
    size_t cap = b->event_cap != 0 ? b->event_cap * 2 : 64;
    sg_inbox_event *v = sg_realloc(b->events, cap * sizeof *v);
    if (v == NULL) return false;
    b->events = v;
    b->event_cap = cap;
    return true;
}

static bool has_room(sg_inbox_batch *b, size_t bytes)
{
    return b->event_count < SG_HTTP_MAX_QUEUED && bytes <= SG_INBOX_MAX_BYTES - b->event_bytes &&
           grow(b);
}

void sg_inbox_push_event(sg_inbox *q, const sg_inbox_event *event)
{
    size_t bytes = event->block != NULL ? event->block->n : 0;
    uv_mutex_lock(&q->mutex);
    sg_inbox_batch *b = &q->batch[q->filling];
    bool ok = (event->n <= 1 || event->ids != NULL) && has_room(b, bytes);
    if (ok) {
        b->events[b->event_count++] = *event;
        b->event_bytes += bytes;
    } else {
        b->overflow = true;
    }
    uv_mutex_unlock(&q->mutex);
    if (!ok) {
        sg_inbox_event drop = *event;
        free_event(&drop);
    }
}

sg_inbox_batch *sg_inbox_take(sg_inbox *q)
{
    uv_mutex_lock(&q->mutex);
    sg_inbox_batch *b = &q->batch[q->filling];
    q->filling ^= 1;
    uv_mutex_unlock(&q->mutex);
    return b;
}
