/* What names, logins and the like may look like (spec/spaces.md, section 1). Pure. */
#ifndef SG_DIRECTORY_TEXT_H
#define SG_DIRECTORY_TEXT_H

#include "base/arena.h"
#include "server/claims.h"

#define SG_LOGIN_MAX 64u                   /* bytes */
#define SG_EMAIL_MAX 254u                  /* RFC 5321 */
#define SG_TITLE_MAX ((size_t)SG_USER_MAX) /* of a person's, a device's, a space's name */

/* In lower case, as far as ASCII goes. SG_NOMEM. */
int sg_text_fold(sg_slice text, sg_arena *arena, sg_slice *folded);
/* Of a folded one. */
bool sg_login_good(sg_slice login);
bool sg_email_good(sg_slice email);
/* No control characters. */
bool sg_text_printable(sg_slice text);

#endif
