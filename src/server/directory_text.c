#include "server/directory_text.h"

#include "base/err.h"

int sg_text_fold(sg_slice text, sg_arena *arena, sg_slice *folded)
{
    *folded = sg_slice_of(NULL, 0);
    if (text.n == 0) return SG_OK;
    char *p = sg_arena_alloc(arena, text.n);
    if (p == NULL) return SG_NOMEM;
    for (size_t i = 0; i < text.n; i++) {
        bool upper = text.p[i] >= 'A' && text.p[i] <= 'Z';
        p[i] = (char)(upper ? text.p[i] - 'A' + 'a' : text.p[i]);
    }
    *folded = sg_slice_of(p, text.n);
    return SG_OK;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool sg_login_good(sg_slice login)
{
    if (login.n == 0 || login.n > SG_LOGIN_MAX || !is_letter_or_digit(login.p[0])) return false;
    for (size_t i = 0; i < login.n; i++) {
        char c = login.p[i];
        if (!is_letter_or_digit(c) && c != '.' && c != '_' && c != '-') return false;
    }
    return true;
}

/* Whether mail arrives there only mail can tell. */
bool sg_email_good(sg_slice email)
{
    const char *at = email.n != 0 ? memchr(email.p, '@', email.n) : NULL;
    if (at == NULL || email.n > SG_EMAIL_MAX) return false;
    size_t before = (size_t)(at - email.p), behind = email.n - before - 1;
    if (before == 0 || behind == 0 || memchr(at + 1, '@', behind) != NULL) return false;
    return sg_text_printable(email) && memchr(email.p, ' ', email.n) == NULL;
}

bool sg_text_printable(sg_slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f) return false;
    return true;
}
