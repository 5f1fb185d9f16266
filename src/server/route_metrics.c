/* GET /metrics: Prometheus text. Numbers only, of nobody in particular. */
#include "base/mem.h"
#include "server/routes.h"

#define METRICS_MAX ((size_t)1 << 20)

typedef struct metrics_job {
    sg_job job;
    sg_server *server;
    uint64_t id;
} metrics_job;

static void write_all(sg_server *s, const sg_store_counts *counts, sg_buf *out)
{
    sg_ingest_stats in;
    sg_hub_stats hub;
    sg_ingest_stats_get(s->ingest, &in);
    sg_hub_stats_get(s->hub, &hub);
    const sg_metric all[] = {
        {"sigla_changes_committed_total", "counter", "Changes given a seq.", in.committed},
        {"sigla_changes_rejected_total", "counter", "Changes refused alone.", in.refused},
        {"sigla_pushes_total", "counter", "Pushes committed.", in.pushes},
        {"sigla_pushes_failed_total", "counter", "Pushes that failed inside.", in.failed},
        {"sigla_commit_groups_total", "counter", "Transactions of the store.", in.groups},
        {"sigla_commit_microseconds_total", "counter", "Time spent in them.", in.commit_us},
        {"sigla_purged_rows_total", "counter", "Rows purged by age.", in.purged},
        {"sigla_ingest_queue", "gauge", "Pushes and tasks waiting for the writer.", in.waiting},
        {"sigla_reader_queue", "gauge", "Jobs waiting for a reader.", sg_pool_waiting(s->pool)},
        {"sigla_streams", "gauge", "Event streams open.", hub.streams},
        {"sigla_websockets", "gauge", "WebSockets signed in.", hub.sockets},
        {"sigla_events_total", "counter", "Events sent.", hub.events},
        {"sigla_feed_runs_total", "counter", "Times a feed looked for news.", hub.runs},
        {"sigla_store_bytes", "gauge", "Size of the database.", (uint64_t)counts->bytes},
        {"sigla_store_seq", "gauge", "Newest seq.", (uint64_t)counts->newest},
    };
    sg_metrics_write(s->metrics, all, sizeof all / sizeof *all, out);
}

static void run(sg_job *job, sg_worker *w)
{
    metrics_job *m = (metrics_job *)(void *)job;
    sg_store_counts counts = {0};
    int64_t newest;
    int err = w->store->ops->view_begin(w->view, &newest);
    if (err == SG_OK) {
        err = w->store->ops->counts(w->view, &counts);
        w->store->ops->view_end(w->view);
    }
    sg_buf text;
    sg_buf_init(&text, METRICS_MAX);
    write_all(m->server, &counts, &text);
    sg_answer answer = {.status = 200, .content_type = "text/plain; version=0.0.4"};
    answer.body = sg_buf_take(&text, &answer.body_len);
    if (answer.body != NULL && err == SG_OK)
        sg_http_answer(m->server->http, m->id, &answer);
    else
        sg_http_answer_error(m->server->http, m->id, err != SG_OK ? err : text.err, SG_LIT(""));
    if (err != SG_OK) sg_free(answer.body);
    sg_buf_deinit(&text);
    sg_free(m);
}

void sg_route_metrics(void *ctx, const sg_http *http, const sg_http_req *req)
{
    sg_server *s = ctx;
    metrics_job *m = sg_zalloc(sizeof *m);
    int err = m != NULL ? SG_OK : SG_NOMEM;
    if (m != NULL) {
        m->job.run = run;
        m->server = s;
        m->id = req->id;
        err = sg_pool_submit(s->pool, &m->job, false);
    }
    if (err == SG_OK) return;
    sg_free(m);
    sg_http_answer_error(http, req->id, err, SG_LIT(""));
}
