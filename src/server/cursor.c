#include "server/cursor.h"

#define SEQ_AT 1
#define EPOCH_AT (SEQ_AT + 16 + 1)
#define PROOF_AT (EPOCH_AT + SG_EPOCH_TEXT + 1)
#define FROM_AT (SG_CURSOR_PLAIN + 1)
#define JOINS_AT (SG_CURSOR_BETWEEN + 1)
#define SENT_AT (JOINS_AT + 16 + 1)
#define PROVING_BYTES 256u /* of an entry's data: who wrote, when and which number come first */

static void put_hex(char *out, size_t digits, uint64_t v)
{
    for (size_t i = digits; i-- > 0; v >>= 4)
        out[i] = "0123456789abcdef"[v & 15];
}

static bool get_hex(const char *p, size_t digits, uint64_t *v)
{
    *v = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *digit = memchr("0123456789abcdef", p[i], 16);
        if (digit == NULL) return false;
        *v = *v << 4 | (uint64_t)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
    }
    return true;
}

void sg_epoch_format(sg_epoch epoch, char out[SG_EPOCH_TEXT])
{
    put_hex(out, SG_EPOCH_TEXT, epoch.id);
}

int sg_epoch_parse(sg_slice text, sg_epoch *epoch)
{
    bool good = text.n == SG_EPOCH_TEXT && get_hex(text.p, SG_EPOCH_TEXT, &epoch->id);
    return good ? SG_OK : SG_BADREQUEST;
}

size_t sg_cursor_format(sg_cursor cursor, sg_epoch epoch, char out[SG_CURSOR_TEXT])
{
    bool joining = cursor.joins != 0;
    out[0] = 'c';
    put_hex(out + SEQ_AT, 16, (uint64_t)cursor.seq);
    out[EPOCH_AT - 1] = '-';
    put_hex(out + EPOCH_AT, SG_EPOCH_TEXT, epoch.id);
    out[PROOF_AT - 1] = '-';
    put_hex(out + PROOF_AT, 8, cursor.proof > 0 ? (uint64_t)cursor.proof : 0);
    if (cursor.from == cursor.seq && !joining) return SG_CURSOR_PLAIN;
    out[FROM_AT - 1] = '-';
    put_hex(out + FROM_AT, 16, (uint64_t)cursor.from);
    if (!joining) return SG_CURSOR_BETWEEN;
    out[JOINS_AT - 1] = out[SENT_AT - 1] = '-';
    put_hex(out + JOINS_AT, 16, (uint64_t)cursor.joins);
    put_hex(out + SENT_AT, 16, (uint64_t)cursor.at);
    return SG_CURSOR_TEXT;
}

static bool get_seq(const char *p, int64_t *seq)
{
    uint64_t v;
    if (!get_hex(p, 16, &v) || v > INT64_MAX) return false;
    *seq = (int64_t)v;
    return true;
}

/* What stands behind the proof. */
static bool get_rest(sg_slice text, sg_cursor *c)
{
    const char *p = text.p;
    c->from = c->seq;
    c->joins = c->at = 0;
    if (text.n == SG_CURSOR_PLAIN) return true;
    if (p[FROM_AT - 1] != '-' || !get_seq(p + FROM_AT, &c->from) || c->from > c->seq) return false;
    if (text.n == SG_CURSOR_BETWEEN) return true;
    return p[JOINS_AT - 1] == '-' && p[SENT_AT - 1] == '-' && get_seq(p + JOINS_AT, &c->joins) &&
           get_seq(p + SENT_AT, &c->at) && c->joins > c->seq &&
           (c->at <= c->seq || c->at == SG_CURSOR_SENT);
}

int sg_cursor_parse(sg_slice text, sg_epoch epoch, sg_cursor *cursor)
{
    *cursor = sg_cursor_at(0);
    if (text.n == 0 || sg_slice_eq(text, SG_LIT("1970-01-01T00:00:00.000Z"))) return SG_OK;
    uint64_t id, proof;
    sg_cursor c;
    if (text.n != SG_CURSOR_PLAIN && text.n != SG_CURSOR_BETWEEN && text.n != SG_CURSOR_TEXT)
        return SG_BADCURSOR;
    if (text.p[0] != 'c' || text.p[EPOCH_AT - 1] != '-' || text.p[PROOF_AT - 1] != '-')
        return SG_BADCURSOR;
    if (!get_seq(text.p + SEQ_AT, &c.seq) || !get_hex(text.p + EPOCH_AT, SG_EPOCH_TEXT, &id) ||
        !get_hex(text.p + PROOF_AT, 8, &proof))
        return SG_BADCURSOR;
    c.proof = (int64_t)proof;
    if (!get_rest(text, &c)) return SG_BADCURSOR;
    if (id != epoch.id) return SG_RESTORED;
    *cursor = c;
    return SG_OK;
}

/* ---- proofs ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * UINT64_C(1099511628211);
    return h;
}

/* Never 0, which stands for what was purged. */
static int64_t proof_of(const sg_history_row *row)
{
    size_t n = row->data.n < PROVING_BYTES ? row->data.n : PROVING_BYTES;
    uint64_t h = UINT64_C(1469598103934665603);
    for (int shift = 0; shift < 64; shift += 8) {
        unsigned char byte = (unsigned char)((uint64_t)row->received_us >> shift);
        h = mix(h, &byte, 1);
    }
    h = mix(h, row->data.p, n);
    uint32_t folded = (uint32_t)(h ^ h >> 32);
    return folded != 0 ? folded : 1;
}

int sg_cursor_prove(const sg_store *store, sg_view *view, sg_cursor *cursor)
{
    sg_history_row row;
    bool found = false;
    int err = store->ops->get_history(view, cursor->seq, &row, &found);
    cursor->proof = found ? proof_of(&row) : 0;
    return err;
}

int sg_cursor_check(const sg_store *store, sg_view *view, int64_t newest, const sg_cursor *cursor)
{
    if (cursor->seq == 0) return SG_OK;
    if (cursor->seq > newest) return SG_RESTORED;
    if (cursor->proof == SG_PROOF_NONE) return SG_OK;
    sg_cursor here = *cursor;
    int err = sg_cursor_prove(store, view, &here);
    if (err != SG_OK) return err;
    return here.proof == 0 || here.proof == cursor->proof ? SG_OK : SG_RESTORED;
}
