#include "report.h"

#include "text.h"
#include "wire/json.h"

static void put_part(sg_buf *out, const char *before, int64_t n, const char *one, const char *many)
{
    if (n <= 0) return;
    if (out->n != 0) sg_buf_str(out, ", ");
    sg_buf_str(out, before);
    sg_text_count(out, n);
    sg_buf_str(out, n == 1 ? one : many);
}

void sg_report_text(sg_buf *out, const sigla_progress *did)
{
    size_t before = out->n;
    put_part(out, "pushed ", did->pushed, " change", " changes");
    put_part(out, "received ", did->pulled, " record", " records");
    put_part(out, "", did->conflicts, " conflict", " conflicts");
    put_part(out, "", did->refused, " change refused", " changes refused");
    put_part(out, "", did->parked, " record parked", " records parked");
    if (out->n == before) sg_buf_str(out, "nothing new");
}

void sg_report_json(sg_buf *out, const sigla_progress *did)
{
    sg_jsonw w;
    sg_jsonw_init(&w, out);
    sg_jsonw_object(&w);
    sg_jsonw_kint(&w, "pushed", did->pushed);
    sg_jsonw_kint(&w, "refused", did->refused);
    sg_jsonw_kint(&w, "pulled", did->pulled);
    sg_jsonw_kint(&w, "applied", did->applied);
    sg_jsonw_kint(&w, "conflicts", did->conflicts);
    sg_jsonw_kint(&w, "parked", did->parked);
    sg_jsonw_kint(&w, "pending", did->pending);
    sg_jsonw_object_end(&w);
}

sigla_progress sg_report_since(const sigla_progress *now, const sigla_progress *before)
{
    return (sigla_progress){.pending = now->pending,
                            .pushed = now->pushed - before->pushed,
                            .refused = now->refused - before->refused,
                            .pulled = now->pulled - before->pulled,
                            .applied = now->applied - before->applied,
                            .conflicts = now->conflicts - before->conflicts,
                            .parked = now->parked != before->parked ? now->parked : 0};
}

bool sg_report_any(const sigla_progress *did)
{
    return did->pushed > 0 || did->refused > 0 || did->pulled > 0 || did->conflicts > 0 ||
           did->parked > 0;
}
