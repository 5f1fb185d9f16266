#include "jwt.h"

#include <string.h>
#include <time.h>

#include "show.h"
#include "wire/json.h"
#include "wire/value.h"

bool sg_jwt_claims(sg_slice token, sg_buf *claims)
{
    size_t before = claims->n;
    const char *first = token.n != 0 ? memchr(token.p, '.', token.n) : NULL;
    if (first == NULL) return false;
    first++;
    const char *second = memchr(first, '.', (size_t)(token.p + token.n - first));
    if (second == NULL) return false;
    if (sg_base64url_decode(claims, sg_slice_of(first, (size_t)(second - first))) != SG_OK)
        return false;
    sg_json j;
    sg_json_init(&j, sg_slice_of(claims->p + before, claims->n - before));
    bool object = sg_json_peek(&j) == SG_JSON_OBJECT;
    (void)sg_json_skip(&j);
    return object && sg_json_end(&j);
}

int64_t sg_jwt_seconds_left(sg_slice claims)
{
    int64_t exp = sg_show_member_int(claims, "exp");
    return exp > 0 ? exp - (int64_t)time(NULL) : INT64_MAX;
}
