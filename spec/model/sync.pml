/*
 * Cursor, outbox and acknowledgement, for spin: clients write, and sync through two server
 * processes over one database, while requests and answers get lost, come late or twice, and
 * everybody crashes. README.md beside this says what is left out and what the bounds are.
 *
 * What must hold, whatever happens and however often:
 *
 *   no_lost_change     once nothing fails any more, each change is committed, and at every client
 *   no_skipped_change  a client has everything up to its cursor, at every moment
 *   no_double_effect   a number is committed under one seq, for ever
 *   no_early_ack       what a client takes for settled is committed, or refused
 *   no_false_alarm     no client is taken for a copy of itself
 *
 * Each -DNAME below breaks the protocol in one place; tests/check_model.py knows what has to be
 * violated then.
 */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef CHANGES
#define CHANGES 2 /* of a client; its n-th is to a field of its own in record n, which all share */
#endif
#ifndef BAD
#define BAD 0 /* the change that servers refuse, if any */
#endif
#ifdef TWO_PROGRAMS /* sync the first client's database: the first, and one beyond the clients */
#define PROGRAMS (CLIENTS + 1)
#define CLIENT(p) (p == CLIENTS -> 0 : p)
#else
#define PROGRAMS CLIENTS
#define CLIENT(p) p
#endif

/* A change is known by one number, 1 … TOTAL. */
#define TOTAL (CLIENTS * CHANGES)
#define COMMITS (TOTAL - (BAD != 0))
#define CHANGE(c, n) ((c) * CHANGES + (n))
#define WRITER(id) (((id) - 1) / CHANGES)
#define RECORD(id) (((id) - 1) % CHANGES)
#define BIT(id) (1 << ((id) - 1))
#define MAX(a, b) (a > b -> a : b)

/* ---- the server's database: it survives, and each step is a transaction ---- */

byte newest;              /* seq */
byte log[TOTAL + 1];      /* by seq: the change; 0: none */
byte answered[TOTAL + 1]; /* by change: its seq, or REFUSED; 0: not heard of */
byte max_n[CLIENTS];      /* the greatest number that has an answer */
#define REFUSED (TOTAL + 1)
#ifdef EARLY_SEQ
byte taken; /* the greatest seq that was handed out */
#endif

/* ---- a client's database: it survives, and each step is a transaction ---- */

byte made[CLIENTS];    /* numbers given to changes */
byte sent[CLIENTS];    /* the greatest that ever went out */
byte settled[CLIENTS]; /* those up to it have left the outbox */
byte cursor[CLIENTS];  /* seq */
byte place[CLIENTS];   /* how far a pull that began at the cursor was applied as it came */
byte has[CLIENTS];     /* others' changes in its rows, as bits */

/* ---- a program that syncs one: it begins anew without these ---- */

byte held[PROGRAMS];    /* changes on pages that wait for the last one, as bits */
byte held_to[PROGRAMS]; /* the seq those go up to; 0: none are held */

/* ---- requests, and their answers ----
 *
 * Where a request waits, and where its answer, makes no difference: from the moment it is made it
 * is with the server process that takes care of it. Nor does it which one that is, as they keep
 * nothing themselves: the first of the two always has the older request. */

mtype = { NONE, PUSHED, READING, ANSWERED, COPIED };
typedef request {
    mtype state = NONE;
    byte program;
    bool heard; /* the program waits for the answer; else it is on its way for nobody */
    byte first; /* number of a push */
    byte last;  /* and its last one, which is then acknowledged; 0: a pull */
    byte said;  /* the greatest number that was ever sent, as this request says */
    bool page;  /* a page is wanted */
    byte since; /* the seq behind which that begins */
    byte from;  /* the seq behind which its pull began */
    byte seen;  /* changes on the page, as bits */
    byte until; /* the seq it goes up to */
    bool more   /* another one has to follow */
}
request r[2];

bool calm; /* nothing fails any more */

/* For use inside a step: no part of a state. */
hidden byte c, i, j, k, n, id, seq, found;
hidden byte no_skipped_change, no_double_effect, no_early_ack, no_false_alarm;

inline find_commit(change)
{
    found = false;
    for (i : 1 .. newest) {
        found = found || log[i] == change
    }
}

inline check_cursors()
{
    no_skipped_change = true;
    for (j : 0 .. CLIENTS - 1) {
        for (i : 1 .. cursor[j]) {
            no_skipped_change = no_skipped_change &&
                (log[i] == 0 || WRITER(log[i]) == j || (has[j] & BIT(log[i])) != 0)
        }
    }
    assert(no_skipped_change)
}

inline copy_request(to, source)
{
    r[to].state = r[source].state;
    r[to].program = r[source].program;
    r[to].heard = r[source].heard;
    r[to].first = r[source].first;
    r[to].last = r[source].last;
    r[to].said = r[source].said;
    r[to].page = r[source].page;
    r[to].since = r[source].since;
    r[to].from = r[source].from;
    r[to].seen = r[source].seen;
    r[to].until = r[source].until;
    r[to].more = r[source].more
}

/* What is over looks like what never was, or it would be another state. */
inline end_request(s)
{
    if
    :: s == 0 -> copy_request(0, 1)
    :: else
    fi;
    r[1].state = NONE;
    r[1].program = 0;
    r[1].heard = false;
    r[1].first = 0;
    r[1].last = 0;
    r[1].said = 0;
    r[1].page = false;
    r[1].since = 0;
    r[1].from = 0;
    r[1].seen = 0;
    r[1].until = 0;
    r[1].more = false
}

/* ---- a program: what it sends ---- */

#define ROOM (r[1].state == NONE)
#define IS_OF(s, p) (r[s].heard && r[s].program == p)
#define WAITS(p) (IS_OF(0, p) || IS_OF(1, p))
#ifdef STALE_ANSWER
#define IS_FOR(s, p) (r[s].program == p && WAITS(p))
#else
#define IS_FOR(s, p) IS_OF(s, p)
#endif

/* All that is pending, or its first change: always under the numbers it has. */
inline push(p, to)
{
    c = CLIENT(p);
    k = (r[0].state == NONE -> 0 : 1);
    r[k].state = PUSHED;
    r[k].program = p;
    r[k].heard = true;
    r[k].first = settled[c] + 1;
    r[k].last = to;
    r[k].said = MAX(sent[c], to);
    r[k].page = to == made[c] && place[c] != 0; /* the last push asks for what is new as well */
    r[k].since = (r[k].page -> place[c] : 0);
    r[k].from = (r[k].page -> cursor[c] : 0);
#ifndef LATE_SENT
    sent[c] = r[k].said;
#endif
#ifdef EAGER_SETTLE
    settled[c] = to;
#endif
    printf("%d pushes %d to %d, with a page: %d\n", p, r[k].first, to, r[k].page)
}

inline pull(p)
{
    c = CLIENT(p);
    k = (r[0].state == NONE -> 0 : 1);
    r[k].state = READING;
    r[k].program = p;
    r[k].heard = true;
    r[k].said = sent[c];
    r[k].page = true;
    r[k].since = (held_to[p] != 0 -> held_to[p] : place[c]);
    r[k].from = cursor[c];
    printf("%d pulls behind %d, from %d on\n", p, r[k].since, r[k].from)
}

/* Nobody waits any more: of what was sent only a push still has an effect. */
inline hang_up_one(p, s)
{
    if
    :: IS_OF(s, p) ->
#ifdef STALE_ANSWER
        r[s].heard = false
#else
        if
        :: r[s].state == PUSHED ->
            r[s].heard = false;
            r[s].page = false;
            r[s].since = 0;
            r[s].from = 0
        :: else -> end_request(s)
        fi
#endif
    :: else
    fi
}

inline hang_up(p)
{
    hang_up_one(p, 1);
    hang_up_one(p, 0)
}

/* ---- a program: what it makes of answers ---- */

#ifdef EARLY_ACK
#define IS_ACKED(s) (r[s].state == ANSWERED || r[s].state == PUSHED)
#else
#define IS_ACKED(s) (r[s].state == ANSWERED)
#endif
#define ACKS(s, p) (IS_ACKED(s) && r[s].last != 0 && IS_FOR(s, p))
#define PAGE(s, p) (r[s].state == ANSWERED && r[s].last == 0 && IS_FOR(s, p))

inline take_answer(p, s)
{
    end_request(s);
    hang_up(p) /* the same request may still be on its way once more */
}

inline take_acks(p, s)
{
    c = CLIENT(p);
    printf("%d takes the acks up to %d\n", p, r[s].last);
    no_early_ack = true;
    for (n : 1 .. r[s].last) {
        find_commit(CHANGE(c, n));
        no_early_ack = no_early_ack && (found || CHANGE(c, n) == BAD)
    }
    assert(no_early_ack);
#ifdef REFUSAL_BLOCKS
    r[s].last = (answered[CHANGE(c, r[s].last)] == REFUSED -> r[s].last - 1 : r[s].last);
#endif
#ifdef ACK_MOVES_CURSOR
    cursor[c] = MAX(cursor[c], answered[CHANGE(c, r[s].last)]);
    check_cursors();
#endif
    settled[c] = MAX(settled[c], r[s].last);
    sent[c] = MAX(sent[c], r[s].last); /* no news, but with LATE_SENT */
    r[s].first = 0;
    r[s].last = 0;
    if
    :: !r[s].page -> take_answer(p, s)
    :: else
    fi
}

/* Pages are held until the last one is there, and applied together with the cursor it gives. In a
 * first hydration they may be applied as they come: the cursor stays where the pull began. */
inline take_page(p, s, hold)
{
    c = CLIENT(p);
    printf("%d takes a page up to %d: %x, more: %d\n", p, r[s].until, r[s].seen, r[s].more);
    if
    :: r[s].more && hold ->
        held[p] = held[p] | r[s].seen;
        held_to[p] = r[s].until
    :: else ->
        has[c] = has[c] | held[p] | r[s].seen;
        held[p] = 0;
        held_to[p] = 0;
        if
        :: r[s].more && r[s].from >= cursor[c] ->
            place[c] = r[s].until;
#ifdef CURSOR_OF_A_PART
            cursor[c] = r[s].until
#endif
        :: !r[s].more && r[s].until >= cursor[c] ->
            place[c] = r[s].until;
            cursor[c] = r[s].until
        :: else
        fi
    fi;
    take_answer(p, s);
    check_cursors()
}

/* The server has greater numbers than the request said were sent: another program has sent them
 * meanwhile, or a copy of the database has. */
inline take_alarm(p, s)
{
#ifdef NO_RECHECK
    no_false_alarm = false;
#else
    no_false_alarm = sent[CLIENT(p)] > r[s].said;
#endif
    assert(no_false_alarm);
    take_answer(p, s)
}

/* Nothing is pushed while pages are held. Pulls that can bring nothing are left out. */
#define MAY_SEND(p) (!WAITS(p) && ROOM)
#define PENDING(p) (held_to[p] == 0 -> made[CLIENT(p)] - settled[CLIENT(p)] : 0)
#define IS_BEHIND(c) (place[c] != cursor[c] || cursor[c] < newest)

proctype Program(byte p)
{
    do
    :: d_step {
        p < CLIENTS && made[CLIENT(p)] < CHANGES ->
            made[p]++;
            printf("%d makes change %d\n", p, made[p])
       }
    :: d_step { MAY_SEND(p) && PENDING(p) > 0 -> push(p, made[c]) }
    :: d_step { MAY_SEND(p) && PENDING(p) > 1 -> push(p, settled[c] + 1) }
    :: d_step { MAY_SEND(p) && (held_to[p] != 0 || IS_BEHIND(CLIENT(p))) -> pull(p) }
    :: d_step { ACKS(0, p) -> take_acks(p, 0) }
    :: d_step { ACKS(1, p) -> take_acks(p, 1) }
#ifdef EARLY_CURSOR
    :: d_step {
        PAGE(0, p) && !r[0].more && cursor[CLIENT(p)] < r[0].until ->
            cursor[CLIENT(p)] = r[0].until;
            printf("%d moves its cursor to %d\n", p, r[0].until)
       }
#endif
    :: d_step { PAGE(0, p) -> take_page(p, 0, true) }
    :: d_step { PAGE(1, p) -> take_page(p, 1, true) }
    :: d_step { PAGE(0, p) && r[0].more -> take_page(p, 0, false) }
    :: d_step { PAGE(1, p) && r[1].more -> take_page(p, 1, false) }
    :: d_step { r[0].state == COPIED && IS_FOR(0, p) -> take_alarm(p, 0) }
    :: d_step { r[1].state == COPIED && IS_FOR(1, p) -> take_alarm(p, 1) }
    :: d_step { /* it gives up waiting: what it sent may still arrive */
        !calm && WAITS(p) ->
            printf("%d gives up\n", p);
            hang_up(p)
       }
    :: d_step { /* it crashes, and begins anew */
        !calm && (WAITS(p) || held_to[p] != 0) ->
            printf("%d crashes\n", p);
            hang_up(p);
#ifndef KEEP_POSITION
            held_to[p] = 0;
#endif
            held[p] = 0
       }
    od
}

/* ---- a server process ---- */

inline raise_alarm(s)
{
    if
    :: r[s].heard ->
        r[s].state = COPIED;
        r[s].first = 0;
        r[s].last = 0;
        r[s].page = false;
        r[s].since = 0;
        r[s].from = 0
    :: else -> end_request(s)
    fi
}

inline commit_change()
{
    find_commit(id);
    no_double_effect = !found;
    assert(no_double_effect);
#ifdef EARLY_SEQ
    seq = r[s].until;
    r[s].until++;
#else
    seq = newest + 1;
#endif
    newest = MAX(newest, seq);
    log[seq] = id;
    answered[id] = seq;
    printf("change %d of %d is committed as %d\n", n, c, seq)
}

#if defined(EARLY_SEQ) || defined(EARLY_CHECK)
#define PREPARED(s) (r[s].until != 0)
#else
#define PREPARED(s) true
#endif
#ifdef EARLY_CHECK
#define IS_NEW(id) true
#else
#define IS_NEW(id) (answered[id] == 0)
#endif

/* What is new gets its seq and its answer in the transaction that shows it. */
inline commit(s)
{
    for (n : r[s].first .. r[s].last) {
        id = CHANGE(c, n);
        if
        :: IS_NEW(id) && id == BAD -> answered[id] = REFUSED
        :: IS_NEW(id) && id != BAD -> commit_change()
        :: else
        fi
    }
    max_n[c] = MAX(max_n[c], r[s].last);
    r[s].first = 0;
    r[s].said = 0;
    r[s].until = 0;
    r[s].state = (r[s].page -> READING : ANSWERED);
#ifndef STALE_ANSWER
    if
    :: !r[s].heard -> end_request(s)
    :: else
    fi;
#endif
    check_cursors()
}

inline take_push(s)
{
    c = CLIENT(r[s].program);
    if
    :: r[s].said < max_n[c] -> raise_alarm(s)
    :: else -> commit(s)
    fi
}

#ifdef FIELDS_SINCE
#define BEGIN(s) r[s].since
#else
#define BEGIN(s) r[s].from
#endif

/* If a record was last changed at seq i: what others have changed of it since the pull began. */
inline read_record(s)
{
    found = log[i] != 0;
    for (j : i + 1 .. newest) {
        found = found && (log[j] == 0 || RECORD(log[j]) != RECORD(log[i]))
    }
    for (j : BEGIN(s) + 1 .. i) {
        if
        :: found && log[j] != 0 && RECORD(log[j]) == RECORD(log[i]) && WRITER(log[j]) != c ->
            r[s].seen = r[s].seen | BIT(log[j])
        :: else
        fi
    }
}

/* A page of one record, as a view of the database shows it. */
inline read_page(s)
{
    i = r[s].since;
    do
    :: i < newest && r[s].seen == 0 -> i++; read_record(s)
    :: else -> break
    od;
#ifdef CUT_PAGE
    i = newest;
#endif
    r[s].until = i;
    r[s].more = i < newest;
    r[s].since = 0;
    r[s].said = 0;
    r[s].state = ANSWERED;
    printf("a page up to %d is read for %d\n", i, r[s].program)
}

/* A push was checked when it was committed. */
inline take_pull(s)
{
    c = CLIENT(r[s].program);
    if
    :: r[s].last == 0 && r[s].said < max_n[c] -> raise_alarm(s)
    :: else -> read_page(s)
    fi
}

proctype Server(byte s)
{
    do
    :: d_step { r[s].state == PUSHED && PREPARED(s) -> take_push(s) }
    :: d_step { r[s].state == READING -> take_pull(s) }
#ifdef EARLY_SEQ
    :: d_step {
        r[s].state == PUSHED && r[s].until == 0 && taken + r[s].last - r[s].first < TOTAL ->
            r[s].until = taken + 1;
            taken = taken + 1 + r[s].last - r[s].first;
            printf("seqs up to %d are taken for %d\n", taken, r[s].program)
       }
#endif
#ifdef EARLY_CHECK
    :: d_step {
        r[s].state == PUSHED && r[s].until == 0 ->
            do
            :: r[s].first <= r[s].last && answered[CHANGE(CLIENT(r[s].program), r[s].first)] != 0 ->
                r[s].first++
            :: else -> break
            od;
            r[s].until = 1
       }
#endif
#ifdef TORN_VIEW
    :: d_step {
        r[s].state == ANSWERED && r[s].page && !r[s].more && r[s].until != newest ->
            r[s].until = newest
       }
#endif
    :: d_step { /* it crashes; or the request is lost on its way, or the answer */
        !calm && r[s].state != NONE ->
            printf("what was sent by %d is lost, or its answer\n", r[s].program);
            end_request(s);
#ifdef FORGET_NUMBERS
            for (i : 1 .. TOTAL) {
                answered[i] = 0
            }
            i = 0
#endif
       }
    :: d_step { /* it arrives twice, which is all the same for a pull */
        !calm && s == 0 && ROOM && r[0].state == PUSHED && r[0].heard ->
            printf("a push of %d arrives twice\n", r[0].program);
            copy_request(1, 0)
       }
    od
}

init
{
    atomic {
        for (i : 0 .. PROGRAMS - 1) {
            run Program(i)
        }
        run Server(0);
        run Server(1)
    }
    calm = true
}

#define LEVEL(c) (settled[c] == CHANGES && cursor[c] == COMMITS)
#if CLIENTS == 1
#define ALL_LEVEL LEVEL(0)
#elif CLIENTS == 2
#define ALL_LEVEL (LEVEL(0) && LEVEL(1))
#elif CLIENTS == 3
#define ALL_LEVEL (LEVEL(0) && LEVEL(1) && LEVEL(2))
#endif
ltl no_lost_change { [] (calm -> <> (newest == COMMITS && ALL_LEVEL)) }
