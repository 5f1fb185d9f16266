#include "server/password.h"

#include <errno.h>
#include <sodium.h>

#include "base/err.h"

_Static_assert(SG_PASSWORD_TEXT == crypto_pwhash_STRBYTES, "room for what libsodium writes");

/* Of a password that nobody knows: checking it takes as long as checking somebody's, so that the
 * time of an answer does not tell who has an account. */
#define NOBODYS                                                                                    \
    "$argon2id$v=19$m=19456,t=2,p=1$F/5NrgaGPk4M+MEvesM"                                           \
    "OCQ$addSzqR/oXRIPdr2sy5V/LG2Hrv0VL/i4HEtMkig9S0"

int sg_password_hash(sg_slice password, char text[SG_PASSWORD_TEXT])
{
    if (sodium_init() < 0) return SG_INTERNAL;
    int code =
        crypto_pwhash_str(text, password.p, password.n, SG_PASSWORD_PASSES, SG_PASSWORD_BYTES);
    return code == 0 ? SG_OK : SG_NOMEM;
}

int sg_password_check(sg_slice text, sg_slice password, bool *good)
{
    char kept[SG_PASSWORD_TEXT] = {0};
    *good = false;
    if (sodium_init() < 0) return SG_INTERNAL;
    bool somebodys = text.n != 0 && text.n < sizeof kept;
    if (!somebodys) text = SG_LIT(NOBODYS);
    memcpy(kept, text.p, text.n);
    errno = 0;
    int code = crypto_pwhash_str_verify(kept, password.p, password.n);
    /* It says EINVAL of a password that is another one, and fails without memory. */
    if (code != 0 && errno != EINVAL) return SG_NOMEM;
    *good = somebodys && code == 0;
    return SG_OK;
}
