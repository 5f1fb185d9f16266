#include "server/cursor.h"

static void put_hex(char *out, uint64_t v)
{
    for (int i = 15; i >= 0; i--, v >>= 4)
        out[i] = "0123456789abcdef"[v & 15];
}

static bool get_hex(const char *p, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 16; i++) {
        const char *digit = memchr("0123456789abcdef", p[i], 16);
        if (digit == NULL) return false;
        *v = *v << 4 | (uint64_t)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
    }
    return true;
}

void sg_epoch_format(sg_epoch epoch, char out[SG_EPOCH_TEXT])
{
    put_hex(out, epoch.id);
}

int sg_epoch_parse(sg_slice text, sg_epoch *epoch)
{
    return text.n == SG_EPOCH_TEXT && get_hex(text.p, &epoch->id) ? SG_OK : SG_BADREQUEST;
}

size_t sg_cursor_format(sg_cursor cursor, sg_epoch epoch, char out[SG_CURSOR_TEXT])
{
    out[0] = 'c';
    put_hex(out + 1, (uint64_t)cursor.seq);
    out[17] = '-';
    put_hex(out + 18, epoch.id);
    if (cursor.from == cursor.seq) return SG_CURSOR_PLAIN;
    out[SG_CURSOR_PLAIN] = '-';
    put_hex(out + SG_CURSOR_PLAIN + 1, (uint64_t)cursor.from);
    return SG_CURSOR_TEXT;
}

static bool get_seq(const char *p, int64_t *seq)
{
    uint64_t v;
    if (!get_hex(p, &v) || v > INT64_MAX) return false;
    *seq = (int64_t)v;
    return true;
}

int sg_cursor_parse(sg_slice text, sg_epoch epoch, sg_cursor *cursor)
{
    *cursor = (sg_cursor){0, 0};
    if (text.n == 0 || sg_slice_eq(text, SG_LIT("1970-01-01T00:00:00.000Z"))) return SG_OK;
    uint64_t id;
    sg_cursor c;
    bool between = text.n == SG_CURSOR_TEXT;
    if ((!between && text.n != SG_CURSOR_PLAIN) || text.p[0] != 'c' || text.p[17] != '-')
        return SG_BADCURSOR;
    if (!get_seq(text.p + 1, &c.seq) || !get_hex(text.p + 18, &id)) return SG_BADCURSOR;
    c.from = c.seq;
    if (between &&
        (text.p[SG_CURSOR_PLAIN] != '-' || !get_seq(text.p + SG_CURSOR_PLAIN + 1, &c.from)))
        return SG_BADCURSOR;
    if (c.from > c.seq) return SG_BADCURSOR;
    if (id != epoch.id) return SG_RESYNC;
    *cursor = c;
    return SG_OK;
}
