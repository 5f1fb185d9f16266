/*
 * Any bytes as the token that a user gives the command line, and any JSON as the claims in one.
 *
 * Checked: what is taken for claims is an object, and the same object that a token was made of; its
 * members can be shown.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../apps/sigla/jwt.h"
#include "../../apps/sigla/show.h"
#include "wire/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

/* As the command line does with what it has got. */
static bool look(sg_slice token, sg_buf *claims)
{
    static const char *const texts[] = {"sub", "agent", "agentName", "iss"};
    sg_buf out;
    sg_buf_clear(claims);
    if (!sg_jwt_claims(token, claims)) return false;
    sg_buf_init(&out, (size_t)1 << 20);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        (void)sg_show_member_text(sg_buf_view(claims), texts[i], &out);
    sg_show_fields(&out, sg_buf_view(claims));
    sg_buf_deinit(&out);
    require(sg_jwt_seconds_left(sg_buf_view(claims)) != 0 || claims->n > 2,
            "a token that says no end has none");
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sg_slice text = sg_slice_of((const char *)data, size);
    sg_buf token, claims;
    sg_buf_init(&token, (size_t)1 << 20);
    sg_buf_init(&claims, (size_t)1 << 20);
    (void)look(text, &claims);
    sg_buf_str(&token, "e30.");
    sg_base64url_encode(&token, text);
    require(!look(sg_buf_view(&token), &claims), "a token has three parts");
    sg_buf_str(&token, ".AA");
    if (token.err == SG_OK && look(sg_buf_view(&token), &claims))
        require(sg_slice_eq(sg_buf_view(&claims), text), "claims are what was put in");
    sg_buf_deinit(&claims);
    sg_buf_deinit(&token);
    return 0;
}
