/* timeout: 200
 * The directory over a store: what an account, a membership and a session are after each change, and
 * what is left of a change that fails.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/faults.h"
#include "server/directory.h"

#define DAY_US (INT64_C(86400) * 1000000)

typedef struct world {
    char dir[64];
    sg_store store;
    sg_writer *w;
    sg_commit newest;
    sg_arena arena;
    sg_directory d; /* inside the open transaction */
    int64_t now_us;
    sg_slice ann, bob, cid;
    size_t ended; /* sessions, by the last one that was added */
    sg_slice first_ended;
} world;

static const sg_store_ops *ops;

static void check(int err, int expected, int line)
{
    if (err != expected)
        fail_msg("line %d: %s, not %s", line, sg_err_code(err), sg_err_code(expected));
}
#define OK(call) check(call, SG_OK, __LINE__)
#define GIVES(expected, call) check(call, expected, __LINE__)

static void begin(world *t)
{
    OK(ops->begin(t->w, &t->newest));
    t->now_us += 1000;
    t->d = (sg_directory){.store = &t->store,
                          .view = ops->writer_view(t->w),
                          .writer = t->w,
                          .newest = &t->newest,
                          .now_us = t->now_us,
                          .arena = &t->arena};
}

static void commit(world *t)
{
    OK(ops->commit(t->w, &t->newest));
}

static sg_slice add_person(world *t, const char *login)
{
    const sg_person p = {.login = sg_slice_str(login),
                         .name = sg_slice_str(login),
                         .password = SG_LIT("hash of it")};
    sg_slice id = {NULL, 0};
    OK(sg_person_add(&t->d, &p, &id));
    return id;
}

static int set_up(void **state)
{
    static world t;
    const char *tmp = getenv("TMPDIR");
    char path[80];
    t = (world){.now_us = 1000 * DAY_US};
    snprintf(t.dir, sizeof t.dir, "%s/directory-XXXXXX",
             tmp != NULL && strlen(tmp) < sizeof t.dir - 18 ? tmp : "/tmp");
    if (mkdtemp(t.dir) == NULL) return 1;
    snprintf(path, sizeof path, "%s/db", t.dir);
    *state = &t;
    sg_arena_init(&t.arena);
    if (sg_store_sqlite_open(path, &t.store) != SG_OK) return 1;
    ops = t.store.ops;
    t.w = ops->writer(t.store.impl);
    begin(&t);
    t.ann = add_person(&t, "ann");
    t.bob = add_person(&t, "bob");
    t.cid = add_person(&t, "cid");
    commit(&t);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    world *t = *state;
    sg_store_close(&t->store);
    sg_arena_deinit(&t->arena);
    return nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A row of `member`; zeroes if there is none. */
typedef struct membership {
    int64_t joined_seq;
    int64_t left_seq;
} membership;

static bool take_membership(void *ctx, const sg_cell *cells, size_t n)
{
    assert_int_equal(n, 2);
    *(membership *)ctx = (membership){cells[0].i, cells[1].i};
    return true;
}

static membership member_of(world *t, sg_slice person, sg_slice space)
{
    const sg_cell p[] = {sg_cell_text(person), sg_cell_text(space)};
    const sg_sql sql = {"SELECT joined_seq, left_seq FROM member WHERE person = $1 AND space = $2",
                        p, 2};
    membership m = {0, 0};
    OK(ops->query(ops->writer_view(t->w), &sql, take_membership, &m));
    return m;
}

/* SG_ROLE_NONE: no member. */
static enum sg_role role_of(world *t, sg_slice person, sg_slice space)
{
    sg_space s = {.role = SG_ROLE_NONE};
    int err = sg_space_get(&t->d, person, space, &s);
    if (err != SG_NOTFOUND) OK(err);
    return s.role;
}

static sg_slice add_space(world *t, sg_slice owner)
{
    sg_space s;
    OK(sg_space_add(&t->d, owner, SG_LIT("team"), SG_LIT("Us"), &s));
    return s.id;
}

static const uint8_t *digest_of(int i)
{
    static uint8_t digests[8][SG_DIGEST_BYTES];
    static int next;
    uint8_t *digest = digests[next++ % 8];
    memset(digest, 0, SG_DIGEST_BYTES);
    memcpy(digest, &i, sizeof i);
    return digest;
}

static sg_invite new_invite(world *t, sg_slice space, enum sg_role role, int uses)
{
    return (sg_invite){
        .space = space, .role = role, .until_us = t->now_us + DAY_US, .uses_left = uses};
}

static int join(world *t, sg_slice owner, sg_slice space, sg_slice who, enum sg_role role)
{
    static int made = 1000;
    sg_invite v = new_invite(t, space, role, 1);
    sg_space joined;
    int err = sg_invite_add(&t->d, owner, digest_of(++made), &v);
    return err == SG_OK ? sg_invite_accept(&t->d, who, digest_of(made), &joined) : err;
}

/* ---- persons ---- */

static void an_account_comes_with_its_personal_space(void **state)
{
    world *t = *state;
    sg_space *spaces;
    size_t n;
    begin(t);
    OK(sg_space_list(&t->d, t->ann, &spaces, &n));
    assert_int_equal(n, 1);
    assert_true(sg_slice_eq(spaces[0].type, SG_LIT("personal")));
    assert_int_equal(spaces[0].role, SG_ROLE_OWNER);
    sg_slice id = spaces[0].id;
    GIVES(SG_CONFLICT, sg_space_delete(&t->d, t->ann, id));
    GIVES(SG_CONFLICT, sg_space_change(&t->d, t->ann, id, SG_LIT("team"), SG_LIT("")));
    GIVES(SG_CONFLICT, sg_member_remove(&t->d, t->ann, id, t->ann));
    GIVES(SG_CONFLICT, sg_member_set_role(&t->d, t->ann, id, t->ann, SG_ROLE_ADMIN));
    sg_invite v = new_invite(t, id, SG_ROLE_VIEWER, 1);
    GIVES(SG_CONFLICT, sg_invite_add(&t->d, t->ann, digest_of(1), &v));
    OK(sg_space_change(&t->d, t->ann, id, SG_LIT(""), SG_LIT("Mine")));
    GIVES(SG_CONFLICT, sg_space_add(&t->d, t->ann, SG_LIT("personal"), SG_LIT("Two"), spaces));
    GIVES(SG_CONFLICT,
          sg_space_change(&t->d, t->bob, add_space(t, t->bob), SG_LIT("personal"), SG_LIT("")));
    commit(t);
}

static void a_login_and_an_email_are_one_persons(void **state)
{
    world *t = *state;
    sg_person p = {.email = SG_LIT("d@x.org"), .name = SG_LIT("D"), .password = SG_LIT("h")}, found;
    sg_slice id, other;
    begin(t);
    OK(sg_person_add(&t->d, &p, &id));
    OK(sg_person_find(&t->d, SG_LIT("d@x.org"), &found));
    assert_true(sg_slice_eq(found.id, id));
    assert_int_equal(found.login.n, 0);
    commit(t);
    p.login = SG_LIT("dora");
    begin(t);
    GIVES(SG_CONFLICT, sg_person_add(&t->d, &p, &other));
    ops->rollback(t->w);
    p.email = SG_LIT("other@x.org");
    p.login = SG_LIT("ann");
    begin(t);
    GIVES(SG_CONFLICT, sg_person_add(&t->d, &p, &other));
    ops->rollback(t->w);
    begin(t);
    GIVES(SG_NOTFOUND, sg_person_find(&t->d, SG_LIT("other@x.org"), &found));
    GIVES(SG_NOTFOUND, sg_person_find(&t->d, SG_LIT("' OR 1=1 --"), &found));
    GIVES(SG_NOTFOUND, sg_person_find(&t->d, SG_LIT(""), &found));
    commit(t);
}

/* Persons, spaces and members there are, as one number. */
static int64_t counted(world *t)
{
    sg_person *persons;
    sg_space *spaces;
    size_t n, m, all = 0;
    begin(t);
    OK(sg_person_list(&t->d, SG_LIT(""), &persons, &n));
    for (size_t i = 0; i < n; i++) {
        OK(sg_space_list(&t->d, persons[i].id, &spaces, &m));
        assert_int_equal(m, 1);
        all += m;
    }
    ops->rollback(t->w);
    return (int64_t)(1000 * n + all);
}

static int try_account(world *t, size_t n)
{
    char login[32];
    sg_slice id;
    snprintf(login, sizeof login, "try%zu", n);
    const sg_person p = {
        .login = sg_slice_str(login), .name = SG_LIT("x"), .password = SG_LIT("y")};
    sg_commit newest;
    int err = ops->begin(t->w, &newest);
    sg_directory d = {&t->store, ops->writer_view(t->w), t->w, &newest, t->now_us, &t->arena};
    if (err == SG_OK) err = sg_person_add(&d, &p, &id);
    if (err == SG_OK) err = ops->commit(t->w, &newest);
    if (err != SG_OK) ops->rollback(t->w);
    return err;
}

static void L1_an_account_is_made_whole_or_not_at_all(void **state)
{
    world *t = *state;
    size_t struck_all = 0;
    for (int way = 0; way < FAULT_KINDS; way++) {
        bool struck = true;
        for (size_t n = 1; struck; n += n < 100 ? 1 : n / 10) {
            int64_t before = counted(t);
            fault_arm((enum fault)way, n, false);
            int err = try_account(t, 1000 * (size_t)(way + 1) + n);
            struck = fault_disarm();
            struck_all += struck;
            assert_int_equal(counted(t), err == SG_OK ? before + 1001 : before);
            if (way == FAULT_STATEMENT && struck) assert_int_not_equal(err, SG_OK);
        }
    }
    assert_true(struck_all > 20);
}

/* ---- members ---- */

static void L7_joins_and_leaves_have_seqs_of_their_own(void **state)
{
    world *t = *state;
    begin(t);
    int64_t before = t->newest.seq;
    sg_slice space = add_space(t, t->ann);
    assert_int_equal(member_of(t, t->ann, space).joined_seq, before + 1);
    OK(join(t, t->ann, space, t->bob, SG_ROLE_VIEWER));
    membership s = member_of(t, t->bob, space);
    assert_int_equal(s.joined_seq, before + 2);
    assert_int_equal(s.left_seq, 0);
    assert_int_equal(role_of(t, t->bob, space), SG_ROLE_VIEWER);
    OK(sg_member_set_role(&t->d, t->ann, space, t->bob, SG_ROLE_MEMBER));
    assert_int_equal(t->newest.seq, before + 2); /* who may write is none of a cursor's business */
    OK(sg_member_remove(&t->d, t->bob, space, t->bob));
    s = member_of(t, t->bob, space);
    assert_int_equal(role_of(t, t->bob, space), SG_ROLE_NONE);
    assert_int_equal(s.joined_seq, before + 2);
    assert_int_equal(s.left_seq, before + 3);
    OK(join(t, t->ann, space, t->bob, SG_ROLE_ADMIN));
    s = member_of(t, t->bob, space);
    assert_int_equal(role_of(t, t->bob, space), SG_ROLE_ADMIN);
    assert_int_equal(s.joined_seq, before + 4);
    assert_int_equal(s.left_seq, before + 3); /* of the first time, for old cursors */
    commit(t);
    assert_int_equal(member_of(t, SG_LIT("nobody"), space).joined_seq, 0);
}

static void L17_deleting_a_space_ends_all_memberships_at_once(void **state)
{
    world *t = *state;
    begin(t);
    sg_slice space = add_space(t, t->ann);
    OK(join(t, t->ann, space, t->bob, SG_ROLE_ADMIN));
    OK(join(t, t->ann, space, t->cid, SG_ROLE_VIEWER));
    OK(sg_member_remove(&t->d, t->cid, space, t->cid));
    int64_t left = member_of(t, t->cid, space).left_seq;
    sg_invite v = new_invite(t, space, SG_ROLE_VIEWER, 5);
    OK(sg_invite_add(&t->d, t->ann, digest_of(1), &v));
    GIVES(SG_FORBIDDEN, sg_space_delete(&t->d, t->bob, space));
    OK(sg_space_delete(&t->d, t->ann, space));
    int64_t seq = t->newest.seq;
    assert_int_equal(member_of(t, t->ann, space).left_seq, seq);
    assert_int_equal(member_of(t, t->bob, space).left_seq, seq);
    assert_int_equal(member_of(t, t->cid, space).left_seq, left);
    sg_space gone;
    GIVES(SG_NOTFOUND, sg_space_delete(&t->d, t->ann, space));
    GIVES(SG_NOTFOUND, sg_space_get(&t->d, t->ann, space, &gone));
    GIVES(SG_NOTFOUND, sg_invite_accept(&t->d, t->cid, digest_of(1), &gone));
    commit(t);
}

static void L17_a_space_always_has_an_owner(void **state)
{
    world *t = *state;
    begin(t);
    sg_slice space = add_space(t, t->ann);
    OK(join(t, t->ann, space, t->bob, SG_ROLE_ADMIN));
    GIVES(SG_CONFLICT, sg_member_remove(&t->d, t->ann, space, t->ann));
    GIVES(SG_CONFLICT, sg_member_set_role(&t->d, t->ann, space, t->ann, SG_ROLE_ADMIN));
    OK(sg_member_set_role(&t->d, t->ann, space, t->ann, SG_ROLE_OWNER));
    OK(sg_member_set_role(&t->d, t->ann, space, t->bob, SG_ROLE_OWNER));
    OK(sg_member_remove(&t->d, t->bob, space, t->ann));
    GIVES(SG_CONFLICT, sg_member_remove(&t->d, t->bob, space, t->bob));
    commit(t);
}

static void L20_spaces_and_members_are_bounded(void **state)
{
    world *t = *state;
    begin(t);
    sg_slice full = add_space(t, t->bob);
    sg_space s;
    for (size_t i = 1; i < SG_SPACES_MAX; i++) /* one is personal */
        (void)add_space(t, t->ann);
    GIVES(SG_LIMIT, sg_space_add(&t->d, t->ann, SG_LIT("team"), SG_LIT("x"), &s));
    GIVES(SG_LIMIT, join(t, t->bob, full, t->ann, SG_ROLE_VIEWER));
    for (size_t i = 1; i < SG_MEMBERS_MAX; i++) {
        char login[16];
        snprintf(login, sizeof login, "m%zu", i);
        OK(join(t, t->bob, full, add_person(t, login), SG_ROLE_VIEWER));
    }
    GIVES(SG_LIMIT, join(t, t->bob, full, t->cid, SG_ROLE_VIEWER));
    ops->rollback(t->w);
}

/* ---- invitations ---- */

static void an_invitation_is_good_for_as_many_as_it_says(void **state)
{
    world *t = *state;
    sg_space s;
    begin(t);
    sg_slice space = add_space(t, t->ann), dan = add_person(t, "dan");
    sg_invite v = new_invite(t, space, SG_ROLE_MEMBER, 2);
    OK(sg_invite_add(&t->d, t->ann, digest_of(1), &v));
    OK(sg_invite_accept(&t->d, t->bob, digest_of(1), &s));
    assert_int_equal(s.role, SG_ROLE_MEMBER);
    OK(sg_invite_accept(&t->d, t->bob, digest_of(1), &s)); /* again: nothing is used up */
    OK(sg_invite_accept(&t->d, t->ann, digest_of(1), &s)); /* and nobody becomes less */
    assert_int_equal(s.role, SG_ROLE_OWNER);
    OK(sg_invite_accept(&t->d, t->cid, digest_of(1), &s));
    GIVES(SG_NOTFOUND, sg_invite_accept(&t->d, dan, digest_of(1), &s));
    GIVES(SG_NOTFOUND, sg_invite_accept(&t->d, dan, digest_of(2), &s));
    commit(t);
}

static void an_invitation_ends_with_its_time_or_its_makers_right(void **state)
{
    world *t = *state;
    sg_space s;
    begin(t);
    sg_slice space = add_space(t, t->ann), dan = add_person(t, "dan");
    OK(join(t, t->ann, space, t->bob, SG_ROLE_ADMIN));
    sg_invite v = new_invite(t, space, SG_ROLE_MEMBER, 9), w = v;
    OK(sg_invite_add(&t->d, t->bob, digest_of(1), &v));
    OK(sg_member_set_role(&t->d, t->ann, space, t->bob, SG_ROLE_MEMBER));
    GIVES(SG_NOTFOUND, sg_invite_accept(&t->d, t->cid, digest_of(1), &s));
    OK(sg_member_set_role(&t->d, t->ann, space, t->bob, SG_ROLE_ADMIN));
    OK(sg_invite_accept(&t->d, t->cid, digest_of(1), &s));
    t->d.now_us = v.until_us;
    GIVES(SG_NOTFOUND, sg_invite_accept(&t->d, dan, digest_of(1), &s));
    t->d.now_us = t->now_us;
    OK(sg_invite_delete(&t->d, t->ann, v.id));
    GIVES(SG_NOTFOUND, sg_invite_delete(&t->d, t->ann, v.id));
    GIVES(SG_NOTFOUND, sg_invite_accept(&t->d, dan, digest_of(1), &s));
    for (size_t i = 0; i < SG_INVITES_MAX; i++) {
        w = new_invite(t, space, SG_ROLE_MEMBER, 1);
        OK(sg_invite_add(&t->d, t->ann, digest_of(100 + (int)i), &w));
    }
    GIVES(SG_LIMIT, sg_invite_add(&t->d, t->ann, digest_of(99), &w));
    t->d.now_us = w.until_us;
    OK(sg_invite_add(&t->d, t->ann, digest_of(99), &w)); /* the others have expired */
    commit(t);
}

/* ---- sessions ---- */

static sg_refresh token(int family, int secret)
{
    sg_refresh r;
    memcpy(r.family, digest_of(family), SG_DIGEST_BYTES);
    memcpy(r.secret, digest_of(secret), SG_DIGEST_BYTES);
    return r;
}

static enum sg_refreshed use(world *t, int family, int shown, int next)
{
    sg_session s;
    enum sg_refreshed outcome;
    const sg_refresh r = token(family, shown);
    OK(sg_session_refresh(&t->d, &r, digest_of(next), &s, &outcome));
    return outcome;
}

static sg_slice add_session(world *t, sg_slice person, int family)
{
    const sg_refresh r = token(family, family);
    sg_slice id, *ended;
    OK(sg_session_add(&t->d, person, SG_LIT("phone"), &r, &id, &ended, &t->ended));
    if (t->ended != 0) t->first_ended = ended[0];
    return id;
}

static void L11_a_refresh_token_is_used_once(void **state)
{
    world *t = *state;
    sg_session *sessions;
    size_t n;
    begin(t);
    (void)add_session(t, t->ann, 1);
    (void)add_session(t, t->ann, 2);
    assert_int_equal(use(t, 1, 1, 11), SG_REFRESH_GIVEN);
    assert_int_equal(use(t, 1, 11, 12), SG_REFRESH_GIVEN);
    assert_int_equal(use(t, 1, 1, 13), SG_REFRESH_REUSED);
    /* And with it everything that came of it. */
    assert_int_equal(use(t, 1, 12, 14), SG_REFRESH_UNKNOWN);
    assert_int_equal(use(t, 1, 11, 14), SG_REFRESH_UNKNOWN);
    assert_int_equal(use(t, 3, 12, 14), SG_REFRESH_UNKNOWN);
    OK(sg_session_list(&t->d, t->ann, &sessions, &n));
    assert_int_equal(n, 1);
    assert_int_equal(use(t, 2, 2, 21), SG_REFRESH_GIVEN);
    commit(t);
}

static void a_refresh_whose_answer_was_lost_is_tried_again(void **state)
{
    world *t = *state;
    begin(t);
    (void)add_session(t, t->ann, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(use(t, 1, 1, 20 + i), SG_REFRESH_GIVEN);
    /* The last of the answers has come. */
    assert_int_equal(use(t, 1, 29, 30), SG_REFRESH_GIVEN);
    /* Its twins are void with that: who has one has not got it from its owner. */
    assert_int_equal(use(t, 1, 28, 31), SG_REFRESH_REUSED);
    assert_int_equal(use(t, 1, 30, 32), SG_REFRESH_UNKNOWN);
    /* Two tabs that asked at once, of which the first one's answer is kept. */
    (void)add_session(t, t->ann, 2);
    assert_int_equal(use(t, 2, 2, 40), SG_REFRESH_GIVEN);
    assert_int_equal(use(t, 2, 2, 41), SG_REFRESH_GIVEN);
    assert_int_equal(use(t, 2, 40, 42), SG_REFRESH_GIVEN);
    /* More twins than are kept: the oldest is forgotten, and counts as a copy. */
    for (int i = 0; i <= (int)SG_TWINS_MAX; i++)
        assert_int_equal(use(t, 2, 40, 50 + i), SG_REFRESH_GIVEN);
    assert_int_equal(use(t, 2, 50, 60), SG_REFRESH_REUSED);
    commit(t);
}

static void sessions_end_with_time_and_with_their_person(void **state)
{
    world *t = *state;
    sg_session s;
    sg_slice *ids;
    size_t n;
    begin(t);
    sg_slice first = add_session(t, t->ann, 1), second = add_session(t, t->ann, 2);
    GIVES(SG_NOTFOUND, sg_session_revoke(&t->d, t->bob, first));
    OK(sg_person_disable(&t->d, t->ann, true));
    assert_int_equal(use(t, 1, 1, 11), SG_REFRESH_UNKNOWN);
    OK(sg_person_disable(&t->d, t->ann, false));
    assert_int_equal(use(t, 1, 1, 11), SG_REFRESH_GIVEN);
    OK(sg_session_revoke_others(&t->d, t->ann, first, &ids, &n));
    assert_int_equal(n, 1);
    assert_true(sg_slice_eq(ids[0], second));
    assert_int_equal(use(t, 2, 2, 21), SG_REFRESH_UNKNOWN);
    OK(sg_session_revoked_since(&t->d, t->now_us - 1, &ids, &n));
    assert_int_equal(n, 1);
    t->d.now_us += SG_SESSION_IDLE_US;
    assert_int_equal(use(t, 1, 11, 12), SG_REFRESH_UNKNOWN);
    GIVES(SG_NOTFOUND, sg_session_get(&t->d, t->ann, first, &s));
    commit(t);
}

static void L20_the_session_unused_for_longest_makes_room(void **state)
{
    world *t = *state;
    sg_session *sessions;
    size_t n;
    begin(t);
    sg_slice second = {NULL, 0};
    for (int i = 1; i <= (int)SG_SESSIONS_MAX; i++) {
        t->d.now_us++;
        sg_slice id = add_session(t, t->ann, i);
        if (i == 2) second = id;
        assert_int_equal(t->ended, 0);
    }
    assert_int_equal(use(t, 1, 1, 1000), SG_REFRESH_GIVEN);
    t->d.now_us++;
    (void)add_session(t, t->ann, 500);
    assert_int_equal(t->ended, 1);
    assert_true(sg_slice_eq(t->first_ended, second));
    OK(sg_session_list(&t->d, t->ann, &sessions, &n));
    assert_int_equal(n, SG_SESSIONS_MAX);
    assert_int_equal(use(t, 1, 1000, 1001), SG_REFRESH_GIVEN);
    assert_int_equal(use(t, 2, 2, 1002), SG_REFRESH_UNKNOWN);
    assert_int_equal(use(t, 3, 3, 1003), SG_REFRESH_GIVEN);
    commit(t);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    faults_install();
    const struct CMUnitTest tests[] = {
        WITH_WORLD(an_account_comes_with_its_personal_space),
        WITH_WORLD(a_login_and_an_email_are_one_persons),
        WITH_WORLD(L1_an_account_is_made_whole_or_not_at_all),
        WITH_WORLD(L7_joins_and_leaves_have_seqs_of_their_own),
        WITH_WORLD(L17_deleting_a_space_ends_all_memberships_at_once),
        WITH_WORLD(L17_a_space_always_has_an_owner),
        WITH_WORLD(L20_spaces_and_members_are_bounded),
        WITH_WORLD(an_invitation_is_good_for_as_many_as_it_says),
        WITH_WORLD(an_invitation_ends_with_its_time_or_its_makers_right),
        WITH_WORLD(L11_a_refresh_token_is_used_once),
        WITH_WORLD(a_refresh_whose_answer_was_lost_is_tried_again),
        WITH_WORLD(sessions_end_with_time_and_with_their_person),
        WITH_WORLD(L20_the_session_unused_for_longest_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
