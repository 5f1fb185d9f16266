/*
 * Cursor, outbox and acknowledgement, for spin: clients that write offline and sync through server
 * processes that share one database, over a network that loses, repeats and delays, while clients
 * and servers crash. Checked exhaustively within the bounds below (tests/check_model.py).
 *
 *   L7  a commit becomes visible behind every cursor given out: none skips it
 *   L8  a change has one effect: it is committed under one seq, however often it is sent
 *   L1  what a client takes for settled is committed
 *   L2  clients that are level with the server have applied everything
 *
 * What the code does in `store/` and `server/apply.c` is said here in a line each; each mutant breaks
 * one of them, and has to be found: EARLY_SEQ, EARLY_ACK, FORGET_NUMBERS, LATE_CURSOR, EAGER_SETTLE.
 */
#define CLIENTS 2
#define SERVERS 2
#define WRITES 2 /* of a client */
#define COMMITS 4 /* CLIENTS * WRITES */

mtype = { push, pull };

/* The database, which survives. A seq that is taken but not visible is a transaction at work. */
byte newest;                 /* greatest seq that is visible */
byte taken;                  /* greatest seq that was handed out */
bool visible[COMMITS + 1];
byte log_client[COMMITS + 1], log_n[COMMITS + 1];
byte seq_of[4];              /* [client * WRITES + n - 1]; 0: not committed */
bool locked;                 /* a writer is at work */

/* A client's database, which survives too. */
byte made[CLIENTS], settled[CLIENTS], cursor[CLIENTS];
byte applied[CLIENTS];       /* a bit a change */

/* kind, client, numbers from … to of a push, cursor of a pull */
chan requests = [2] of { mtype, byte, byte, byte };
/* kind, last number settled, cursor, changes seen */
chan answers[CLIENTS] = [1] of { mtype, byte, byte, byte };

#define BIT(c, n) (1 << ((c) * WRITES + (n) - 1))
#define SEQ(c, n) seq_of[(c) * WRITES + (n) - 1]

inline check_cursors(seq)
{
    /* L7: nobody may have read past a seq that becomes visible now. */
    assert(cursor[0] < seq);
    assert(cursor[1] < seq)
}

inline check_level(c)
{
    /* L2: level with a server at rest, it has everything. */
    if
    :: cursor[c] == newest && newest == COMMITS -> assert(applied[c] == 15)
    :: else
    fi
}

proctype Client(byte c)
{
    bool waiting;
    byte to, cur, seen;
    do
    :: made[c] < WRITES -> made[c]++; applied[c] = applied[c] | BIT(c, made[c])
    :: !waiting && settled[c] < made[c] && nfull(requests) ->
        atomic {
            requests!push(c, settled[c] + 1, made[c]);
            waiting = true;
#ifdef EAGER_SETTLE
            settled[c] = made[c]
#endif
        }
    :: !waiting && nfull(requests) -> atomic { requests!pull(c, cursor[c], 0); waiting = true }
    :: waiting -> waiting = false /* it gives up, or its program ends and starts again */
    :: atomic {
        answers[c]?push(to, cur, seen) ->
        if
        :: to > settled[c] -> settled[c] = to
        :: else
        fi;
        /* L1: what is settled is there. */
        assert(settled[c] == 0 || SEQ(c, 1) != 0);
        assert(settled[c] < 2 || SEQ(c, 2) != 0);
        waiting = false
       }
    :: atomic {
        answers[c]?pull(to, cur, seen) ->
        applied[c] = applied[c] | seen;
        if
        :: cur > cursor[c] -> cursor[c] = cur
        :: else
        fi;
        check_level(c);
        waiting = false
       }
    od
}

inline answer(kind, c, to, cur, seen)
{
    if
    :: nfull(answers[c]) -> answers[c]!kind(to, cur, seen)
    :: true /* it is lost */
    fi
}

proctype Server()
{
    mtype kind;
    byte c, a, b, n, s, seen;
    do
    :: requests?kind(c, a, b) ->
        if
        :: true
        :: nfull(requests) -> requests!kind(c, a, b) /* the network delivers it twice */
        :: goto next /* or not at all */
        fi;
        if
        :: kind == push ->
#ifdef EARLY_ACK
            answer(push, c, b, 0, 0);
#endif
#ifdef EARLY_SEQ
            /* seqs are handed out before the lock is taken, as a sequence of a database does */
            atomic { s = taken; taken = taken + (b - a + 1) }
#endif
            atomic { !locked -> locked = true }
            n = a;
            atomic {
                /* What was answered before is answered again, and does nothing else. */
                do
#ifndef FORGET_NUMBERS
                :: n <= b && SEQ(c, n) != 0 -> n++
#endif
                :: else -> break
                od
            }
            if
            :: true -> skip /* it goes on to commit … */
            :: true -> locked = false; goto next /* … or dies before: nothing is left */
            fi;
            atomic {
#ifndef EARLY_SEQ
                s = newest;
#endif
                do
                :: n <= b ->
                    s++;
                    assert(SEQ(c, n) == 0); /* L8 */
                    assert(s <= COMMITS);
                    check_cursors(s);
                    SEQ(c, n) = s;
                    log_client[s] = c;
                    log_n[s] = n;
                    visible[s] = true;
                    if
                    :: s > newest -> newest = s
                    :: else
                    fi;
                    n++
                :: else -> break
                od;
                locked = false
            }
            answer(push, c, b, 0, 0)
        :: else ->
            /* A view: one moment of the database. */
            atomic {
                seen = 0;
                s = a + 1;
                do
                :: s <= newest ->
                    if
                    :: visible[s] -> seen = seen | BIT(log_client[s], log_n[s])
                    :: else
                    fi;
                    s++
                :: else -> break
                od;
                s = newest
            }
#ifdef LATE_CURSOR
            /* the cursor is read after the view has ended */
            s = newest;
#endif
            answer(pull, c, 0, s, seen)
        fi;
next:   skip
    od
}

init
{
    atomic {
        run Client(0);
        run Client(1);
        run Server();
        run Server()
    }
}
