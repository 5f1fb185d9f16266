#include "server/roles.h"

static const char *const names[] = {"", "viewer", "member", "admin", "owner"};
static const char *const types[] = {"personal", "brand", "club", "family", "team", "practice"};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum sg_role sg_role_of(sg_slice name)
{
    for (size_t i = SG_ROLE_VIEWER; i < COUNT(names); i++)
        if (sg_slice_eq(name, sg_slice_str(names[i]))) return (enum sg_role)i;
    return SG_ROLE_NONE;
}

sg_slice sg_role_name(enum sg_role role)
{
    return sg_slice_str(names[role]);
}

bool sg_role_renames(enum sg_role role)
{
    return role >= SG_ROLE_ADMIN;
}

bool sg_role_deletes(enum sg_role role)
{
    return role == SG_ROLE_OWNER;
}

/* Owners may do anything to anybody, admins to those below them. */
static bool commands(enum sg_role role, enum sg_role whom)
{
    return role == SG_ROLE_OWNER || (role == SG_ROLE_ADMIN && whom < SG_ROLE_ADMIN);
}

bool sg_role_invites(enum sg_role role, enum sg_role given)
{
    /* A link is passed on; an owner is made by name. */
    return given != SG_ROLE_NONE && given != SG_ROLE_OWNER && commands(role, given);
}

bool sg_role_removes(enum sg_role role, enum sg_role whose)
{
    return commands(role, whose);
}

bool sg_role_gives(enum sg_role role, enum sg_role from, enum sg_role to)
{
    return to != SG_ROLE_NONE && commands(role, from) && commands(role, to);
}

bool sg_space_type_good(sg_slice type)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (sg_slice_eq(type, sg_slice_str(types[i]))) return true;
    return false;
}

bool sg_space_type_is_personal(sg_slice type)
{
    return sg_slice_eq(type, sg_slice_str(types[0]));
}
