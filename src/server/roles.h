/*
 * What a member of a space may do: the table of spec/spaces.md, section 4, but for reading and writing
 * records, which server/reach.h knows. Pure.
 */
#ifndef SG_ROLES_H
#define SG_ROLES_H

#include <stdbool.h>

#include "base/slice.h"

/* In the order of what they may. */
enum sg_role { SG_ROLE_NONE, SG_ROLE_VIEWER, SG_ROLE_MEMBER, SG_ROLE_ADMIN, SG_ROLE_OWNER };

/* SG_ROLE_NONE: there is no such role. */
enum sg_role sg_role_of(sg_slice name);
/* Empty for SG_ROLE_NONE. */
sg_slice sg_role_name(enum sg_role role);

bool sg_role_renames(enum sg_role role);
bool sg_role_deletes(enum sg_role role); /* the space */
/* Make a link that gives this role. */
bool sg_role_invites(enum sg_role role, enum sg_role given);
bool sg_role_removes(enum sg_role role, enum sg_role whose);
/* Give somebody who has one role another. */
bool sg_role_gives(enum sg_role role, enum sg_role from, enum sg_role to);

/* One of personal, brand, club, family, team, practice. */
bool sg_space_type_good(sg_slice type);
bool sg_space_type_is_personal(sg_slice type);

#endif
