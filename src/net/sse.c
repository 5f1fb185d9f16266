#include "base/mem.h"
#include "net/net.h"

typedef struct sg_sse {
    sg_stream_spec spec;
    uint64_t id;
    bool sent;   /* something since the last `drained` */
    bool finish; /* close when all is out; takes no more events */
    int why;     /* of the finish */
} sg_sse;

static const char stream_fields[] = "Content-Type: text/event-stream\r\n"
                                    "Cache-Control: no-store\r\n"
                                    "X-Accel-Buffering: no\r\n";

void sg_sse_free(sg_conn *c, int why)
{
    sg_sse *s = c->stream;
    c->stream = NULL;
    if (!s->finish) s->why = why;
    sg_stat_take(&c->net->stats.streams);
    if (s->spec.closed != NULL) s->spec.closed(s->spec.user, s->id, s->why);
    sg_free(s);
}

/* A little earlier for some than for others, so that streams that were opened together don't all
 * want their heartbeat in the same moment. */
static void next_heartbeat(sg_conn *c)
{
    uint32_t beat = c->net->config.heartbeat_ms;
    sg_conn_due(c, beat - beat / 256 * (c->slot % 64));
}

/* The head of the response; it has no length, so the end of the connection ends it. */
static void put_head(sg_conn *c, const sg_reply *reply)
{
    char room[SG_HTTP_MAX_EXTRA + sizeof stream_fields];
    sg_buf fields = {.p = room, .cap = sizeof room, .max = sizeof room};
    sg_buf_str(&fields, stream_fields);
    sg_buf_slice(&fields, reply->extra);
    c->x->close = true;
    sg_reply_head(c, 200, sg_buf_view(&fields));
}

void sg_sse_open(sg_conn *c, sg_reply *reply)
{
    sg_net *net = c->net;
    uint64_t id = c->x->req.id;
    bool is_head = c->x->head.method == SG_HTTP_HEAD;
    sg_sse *s = sg_zalloc(sizeof *s);
    put_head(c, reply);
    sg_conn_finish(c);
    if (s == NULL || is_head || net->stopping) {
        sg_free(s);
        int why = s == NULL ? SG_NOMEM : net->stopping ? SG_SHUTDOWN : SG_OK;
        if (reply->spec.closed != NULL) reply->spec.closed(reply->spec.user, id, why);
        sg_conn_flush(c);
        return;
    }
    *s = (sg_sse){.spec = reply->spec, .id = id};
    if (s->spec.backlog_max == 0) s->spec.backlog_max = net->config.stream_backlog;
    c->stream = s;
    c->state = SG_CONN_STREAM;
    sg_stat_add(&net->stats.streams, 1);
    next_heartbeat(c);
    sg_net_dirty(net, c);
}

void sg_sse_send(sg_conn *c, sg_block *block)
{
    if (c->stream->finish) return;
    c->stream->sent = true;
    sg_outq_block(&c->out, block);
    sg_net_dirty(c->net, c);
}

void sg_sse_finish(sg_conn *c, int why, sg_block *last)
{
    sg_sse *s = c->stream;
    if (s->finish) return;
    s->finish = true;
    s->why = why;
    if (last != NULL) sg_outq_block(&c->out, last);
    sg_net_dirty(c->net, c);
}

void sg_sse_expire(sg_conn *c)
{
    next_heartbeat(c);
    /* A comment, which also finds out whether the client is still there. */
    if (c->out.bytes == 0) sg_outq_static(&c->out, SG_LIT(":\n\n"));
    sg_conn_flush(c);
}

/* What waits behind the event that is on its way counts: one event of any size may be sent. */
static bool lags(const sg_conn *c)
{
    return !c->stream->finish && sg_outq_waiting(&c->out) > c->stream->spec.backlog_max;
}

void sg_sse_flushed(sg_conn *c)
{
    sg_sse *s = c->stream;
    if (lags(c)) {
        sg_outq_drop_waiting(&c->out);
        sg_stat_add(&c->net->stats.resyncs, 1);
        sg_sse_finish(c, SG_LIMIT, c->net->resync);
        return;
    }
    if (c->out.bytes != 0) return;
    if (s->finish) {
        sg_conn_close(c, s->why);
    } else if (s->sent) {
        s->sent = false;
        next_heartbeat(c);
        if (s->spec.drained != NULL) s->spec.drained(s->spec.user, s->id);
    }
}
