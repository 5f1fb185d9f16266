#include "replica/index_sql.h"

#include <strings.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* A cursor over the statement, which SQLite has parsed before: it is well-formed. */
typedef struct scan {
    const char *p, *end;
    int depth; /* open parentheses */
} scan;

static void skip_quoted(scan *s)
{
    char close = *s->p == '[' ? ']' : *s->p;
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p != close) continue;
        s->p++;
        /* A quote within is written twice; brackets have no such way. */
        if (close == ']' || s->p == s->end || *s->p != close) return;
    }
}

static void skip_past(scan *s, const char *mark)
{
    size_t n = strlen(mark);
    for (; s->p < s->end; s->p++) {
        if ((size_t)(s->end - s->p) < n || memcmp(s->p, mark, n) != 0) continue;
        s->p += n;
        return;
    }
}

/* Past one token, or one byte of a longer one. */
static void step(scan *s)
{
    char c = *s->p, next = s->end - s->p > 1 ? s->p[1] : '\0';
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
        skip_quoted(s);
    } else if (c == '-' && next == '-') {
        skip_past(s, "\n");
    } else if (c == '/' && next == '*') {
        skip_past(s, "*/");
    } else {
        s->depth += (c == '(') - (c == ')');
        s->p++;
    }
}

/* The index that stands for a UNIQUE in CREATE TABLE has no text at all. */
static scan to_terms(sg_slice sql)
{
    if (sql.n == 0) sql = SG_LIT("");
    scan s = {sql.p, sql.p + sql.n, 0};
    while (s.p < s.end && s.depth == 0)
        step(&s);
    return s;
}

static sg_slice trimmed(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    while (p < end && is_space(end[-1]))
        end--;
    return sg_slice_of(p, (size_t)(end - p));
}

static sg_slice without_word(sg_slice term, const char *word)
{
    size_t n = strlen(word);
    if (term.n <= n || strncasecmp(term.p + term.n - n, word, n) != 0) return term;
    char before = term.p[term.n - n - 1];
    if (!is_space(before) && before != ')') return term;
    return trimmed(term.p, term.p + term.n - n);
}

sg_slice sg_index_term(sg_slice sql, size_t i)
{
    scan s = to_terms(sql);
    const char *start = s.p;
    while (s.p < s.end) {
        const char *at = s.p;
        char c = *at;
        bool top = s.depth == 1;
        step(&s);
        if (!top || (c != ',' && c != ')')) continue;
        if (i-- == 0) return without_word(without_word(trimmed(start, at), "desc"), "asc");
        if (c == ')') break;
        start = s.p;
    }
    return sg_slice_of(NULL, 0);
}

sg_slice sg_index_where(sg_slice sql)
{
    scan s = to_terms(sql);
    while (s.p < s.end && s.depth > 0)
        step(&s);
    while (s.p < s.end && *s.p != 'w' && *s.p != 'W')
        step(&s);
    if (s.end - s.p < 5) return sg_slice_of(NULL, 0);
    return trimmed(s.p + 5, s.end);
}
