/*
 * The directory: persons, their sessions, spaces, who belongs to them, and invitations
 * (spec/spaces.md).
 *
 * Functions over a store's `query` and `execute`. What reads works on any view; what changes is run
 * inside a transaction of the one writer, that is, as a task of the ingest, and takes a seq of its
 * own where somebody joins or leaves. Who asks is a person's id; whether they may is decided here, in
 * the same transaction (L11, L17).
 *
 * Errors: SG_NOTFOUND also of what the person may not know of; SG_FORBIDDEN: known, but not allowed;
 * SG_CONFLICT: not as things stand; SG_LIMIT: a bound below; else the store's. On an error a change
 * has to be rolled back. Slices that come out live in the directory's arena, texts that go in are
 * checked by their callers (directory_text.h).
 *
 * Threads: as the view and the writer.
 */
#ifndef SG_DIRECTORY_H
#define SG_DIRECTORY_H

#include "server/roles.h"
#include "store/store.h"

#define SG_ID_TEXT 36        /* a UUIDv7 in lower case */
#define SG_DIGEST_BYTES 32   /* of a secret: SHA-256 */
#define SG_SPACES_MAX 1000u  /* spaces one belongs to, or has belonged to: SG_REACH_MAX at most */
#define SG_MEMBERS_MAX 1000u /* members of one space */
#define SG_SESSIONS_MAX 100u /* of one person: the one unused for longest goes first */
#define SG_INVITES_MAX 100u  /* open ones of one space */
#define SG_INVITES_LISTED 1000u
#define SG_TWINS_MAX 4u         /* refresh tokens given for one whose answers may have been lost */
#define SG_PERSONS_LISTED 1000u /* in one answer */
#define SG_SESSION_IDLE_US (INT64_C(90) * 86400 * 1000000) /* unused for so long, it has ended */

typedef struct sg_directory {
    const sg_store *store;
    sg_view *view;     /* in a task: the writer's own */
    sg_writer *writer; /* NULL: nothing can be changed */
    sg_commit *newest; /* of a task; raised by what takes a seq */
    int64_t now_us;
    sg_arena *arena;
} sg_directory;

/* ---- persons (directory_person.c) ---- */

typedef struct sg_person {
    sg_slice id;
    sg_slice login; /* lower case; empty: none */
    sg_slice email; /* lower case; empty: none */
    sg_slice name;  /* as it is shown */
    sg_slice password;
    int64_t made_us;
    int64_t disabled_us; /* 0: not disabled */
} sg_person;

/* Make an account and its personal space. In: login, email (one of them), name, password. SG_CONFLICT:
 * the login or the e-mail is somebody's. */
int sg_person_add(sg_directory *d, const sg_person *p, sg_slice *id);
int sg_person_get(sg_directory *d, sg_slice id, sg_person *p);
/* By login or e-mail, in lower case. */
int sg_person_find(sg_directory *d, sg_slice login, sg_person *p);
int sg_person_set_password(sg_directory *d, sg_slice id, sg_slice password);
/* A disabled person can neither sign in nor refresh. */
int sg_person_disable(sg_directory *d, sg_slice id, bool disabled);
/* Is there any account? */
int sg_person_any(sg_directory *d, bool *any);
/* Those behind an id, in the order of ids: at most SG_PERSONS_LISTED. */
int sg_person_list(sg_directory *d, sg_slice after, sg_person **persons, size_t *count);

/* ---- sessions (directory_session.c) ---- */

/* Digests of the two parts of a refresh token: of what stays the same throughout a session, and of
 * what is new with each. */
typedef struct sg_refresh {
    uint8_t family[SG_DIGEST_BYTES];
    uint8_t secret[SG_DIGEST_BYTES];
} sg_refresh;

typedef struct sg_session {
    sg_slice id;
    sg_slice person;
    sg_slice device; /* as its user calls it; may be empty */
    int64_t made_us;
    int64_t used_us; /* when it last got tokens */
} sg_session;

enum sg_refreshed {
    SG_REFRESH_GIVEN,
    SG_REFRESH_UNKNOWN, /* no such session, or it has ended */
    SG_REFRESH_REUSED,  /* a copy of an old token: the session has been revoked */
};

/* ended: the id of the session that had to make room, if one had. */
int sg_session_add(sg_directory *d, sg_slice person, sg_slice device, const sg_refresh *first,
                   sg_slice *id, sg_slice **ended, size_t *ended_count);
/* Use a refresh token (spec/spaces.md, section 2); next: the digest of the one given for it. s is
 * filled in unless the outcome is SG_REFRESH_UNKNOWN. */
int sg_session_refresh(sg_directory *d, const sg_refresh *shown,
                       const uint8_t next[SG_DIGEST_BYTES], sg_session *s,
                       enum sg_refreshed *outcome);
/* Whether it can still be used. SG_NOTFOUND. */
int sg_session_get(sg_directory *d, sg_slice person, sg_slice id, sg_session *s);
int sg_session_revoke(sg_directory *d, sg_slice person, sg_slice id);
/* All but one (empty: all); the ids of those it has revoked. */
int sg_session_revoke_others(sg_directory *d, sg_slice person, sg_slice but, sg_slice **ids,
                             size_t *count);
int sg_session_list(sg_directory *d, sg_slice person, sg_session **sessions, size_t *count);
/* The ids of all sessions revoked after a time. */
int sg_session_revoked_since(sg_directory *d, int64_t since_us, sg_slice **ids, size_t *count);

/* ---- spaces (directory_space.c) ---- */

typedef struct sg_space {
    sg_slice id;
    sg_slice type;
    sg_slice name;
    int64_t made_us;
    enum sg_role role; /* of who asks */
} sg_space;

int sg_space_add(sg_directory *d, sg_slice person, sg_slice type, sg_slice name, sg_space *space);
int sg_space_get(sg_directory *d, sg_slice person, sg_slice id, sg_space *space);
int sg_space_list(sg_directory *d, sg_slice person, sg_space **spaces, size_t *count);
/* Name, type, or both; an empty one stays. */
int sg_space_change(sg_directory *d, sg_slice person, sg_slice id, sg_slice type, sg_slice name);
/* Ends all memberships under one seq; its records stay, unread, until they are purged. */
int sg_space_delete(sg_directory *d, sg_slice person, sg_slice id);

/* ---- members (directory_member.c) ---- */

typedef struct sg_member {
    sg_slice person;
    sg_slice name;
    enum sg_role role;
    int64_t joined_seq;
} sg_member;

int sg_member_list(sg_directory *d, sg_slice person, sg_slice space, sg_member **members,
                   size_t *count);
int sg_member_set_role(sg_directory *d, sg_slice person, sg_slice space, sg_slice who,
                       enum sg_role role);
/* Somebody else, or oneself. */
int sg_member_remove(sg_directory *d, sg_slice person, sg_slice space, sg_slice who);

/* ---- invitations (directory_invite.c) ---- */

typedef struct sg_invite {
    sg_slice id;
    sg_slice space;
    enum sg_role role;
    sg_slice maker; /* a person's id */
    int64_t made_us;
    int64_t until_us;
    int64_t uses_left;
} sg_invite;

/* In: space, role, until_us, uses_left. digest: of the link's secret. */
int sg_invite_add(sg_directory *d, sg_slice person, const uint8_t digest[SG_DIGEST_BYTES],
                  sg_invite *invite);
/* Those one could have made oneself, of all one's spaces: at most SG_INVITES_LISTED. */
int sg_invite_list(sg_directory *d, sg_slice person, sg_invite **invites, size_t *count);
int sg_invite_delete(sg_directory *d, sg_slice person, sg_slice id);
/* SG_NOTFOUND: used up, expired, withdrawn, or its maker could not make it any more. A member who
 * accepts stays what they are, and nothing is used up. */
int sg_invite_accept(sg_directory *d, sg_slice person, const uint8_t digest[SG_DIGEST_BYTES],
                     sg_space *space);

/* A new UUIDv7 in the arena (directory_row.c). */
int sg_id_new(sg_directory *d, sg_slice *id);

#endif
