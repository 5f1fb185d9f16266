#include "server/answer.h"

#include "core/time.h"

/* Version 2 reads a run as one entry; version 1 gets an entry for each number. */
static void put_acks(sg_jsonw *w, const sg_push *p)
{
    sg_jsonw_k(w, "acks");
    sg_jsonw_array(w);
    for (size_t i = 0; i < p->result.ack_count; i++) {
        const sg_push_ack *a = &p->result.acks[i];
        int64_t step = p->version >= 2 ? a->count : 1;
        for (int64_t k = 0; k < a->count; k += step) {
            sg_jsonw_object(w);
            sg_jsonw_kint(w, "n", a->n + k);
            sg_jsonw_kint(w, "seq", a->seq + k);
            if (step > 1) sg_jsonw_kint(w, "count", step);
            sg_jsonw_object_end(w);
        }
    }
    sg_jsonw_array_end(w);
}

static void put_which(sg_jsonw *w, int64_t n, sg_slice table, sg_slice id)
{
    if (n != 0) {
        sg_jsonw_kint(w, "n", n);
        return;
    }
    sg_jsonw_kstr(w, "table", table);
    sg_jsonw_kstr(w, "id", id);
}

static void put_refusals(sg_jsonw *w, const sg_push_result *r)
{
    sg_jsonw_k(w, "rejected");
    sg_jsonw_array(w);
    for (size_t i = 0; i < r->refusal_count; i++) {
        const sg_push_refusal *f = &r->refusals[i];
        sg_jsonw_object(w);
        put_which(w, f->n, f->table, f->id);
        sg_jsonw_kstr(w, "code", sg_slice_str(sg_err_code(f->code)));
        sg_jsonw_kstr(w, "message", f->message);
        sg_jsonw_object_end(w);
    }
    sg_jsonw_array_end(w);
}

static void put_restamps(sg_jsonw *w, const sg_push_result *r)
{
    sg_jsonw_k(w, "restamped");
    sg_jsonw_array(w);
    for (size_t i = 0; i < r->restamp_count; i++) {
        const sg_push_restamp *s = &r->restamps[i];
        char at[SG_TIME_TEXT_MAX];
        size_t n = sg_time_format(s->at_us, at);
        sg_jsonw_object(w);
        put_which(w, s->n, s->table, s->id);
        sg_jsonw_kstr(w, "at", sg_slice_of(at, n));
        sg_jsonw_object_end(w);
    }
    sg_jsonw_array_end(w);
}

void sg_answer_push(const sg_push *p, const sg_delta_page *page, sg_epoch epoch, int64_t now_us,
                    sg_buf *out)
{
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_delta_put_head(&w, epoch, now_us);
    put_acks(&w, p);
    sg_jsonw_kint(&w, "staged", p->result.staged);
    put_refusals(&w, &p->result);
    put_restamps(&w, &p->result);
    sg_jsonw_k(&w, "conflicts");
    sg_jsonw_array(&w);
    sg_jsonw_array_end(&w);
    if (page != NULL) sg_delta_put(&w, page, epoch);
    sg_jsonw_object_end(&w);
}

void sg_answer_page(const sg_delta_page *page, sg_epoch epoch, int64_t now_us, sg_buf *out)
{
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_delta_put_head(&w, epoch, now_us);
    sg_delta_put(&w, page, epoch);
    sg_jsonw_object_end(&w);
}
