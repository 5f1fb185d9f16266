#include "net/exchange.h"

#include "base/mem.h"
#include "net/net.h"

sg_exchange *sg_exchange_get(sg_net *net)
{
    sg_exchange *x = net->pool;
    if (x != NULL) {
        net->pool = x->next;
        net->pooled--;
    } else {
        x = sg_alloc(sizeof *x);
    }
    if (x == NULL) return NULL;
    memset(x, 0, offsetof(sg_exchange, head.headers));
    sg_buf_init(&x->keep, SG_HTTP_MAX_HEAD);
    return x;
}

void sg_exchange_put(sg_net *net, sg_exchange *x)
{
    sg_buf_deinit(&x->keep);
    sg_buf_deinit(&x->body);
    if (net->pooled == SG_EXCHANGE_POOL) {
        sg_free(x);
        return;
    }
    x->next = net->pool;
    net->pool = x;
    net->pooled++;
}

bool sg_exchange_keep(sg_exchange *x)
{
    if (x->keep.n != 0) return true;
    sg_buf_slice(&x->keep, x->head_bytes);
    if (x->keep.err != SG_OK) return false;
    sg_head_move(&x->head, x->head_bytes.p, x->keep.p);
    for (size_t i = 0; i < x->match.param_count; i++)
        x->match.params[i].p = x->keep.p + (x->match.params[i].p - x->head_bytes.p);
    x->head_bytes = sg_buf_view(&x->keep);
    return true;
}
