/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 *
 * How control gets a port for itself (stop, start, MTU) from the lcore that polls
 * it: a request word with a sequence, copied back as the acknowledgement.
 *
 * Claims
 *   S1  the lcore never touches the port while control works on it
 *   S2  control never begins while the lcore is inside a burst
 *   L1  a request is served in the end, be the lcore frozen or slow, or the
 *       process has exited; an lcore that runs gets its port back
 *
 * Cases, read by run.sh: check|mutation, name, safety|live, spin's flags or what is
 * taken away; a mutation runs with the flags of the first check of its kind
 * check    rounds            safety  -DROUNDS=5 -DHANGS=2
 * check    served            live    -DROUNDS=3 -DHANGS=1
 * mutation MUT_NO_ACK        safety  control does not wait for the acknowledgement
 * mutation MUT_NO_SEQ        safety  request and acknowledgement say halt or run only
 * mutation MUT_SHORT_SEQ     safety  the sequence is one bit
 * mutation MUT_ACK_AT_ONCE   safety  acknowledged in the midst of a burst
 * mutation MUT_NO_LOOK       safety  the lcore acknowledges and goes on
 * mutation MUT_PRESUME_DEAD  safety  control goes on when the lcore hangs, not frozen
 * mutation MUT_NO_FROZEN     live    a frozen lcore's acknowledgement is waited for
 * mutation MUT_NO_EXIT       live    a freeze that is not seen is waited for
 * mutation MUT_NO_RESUME     live    no request to run again after the work
 */
#ifndef ROUNDS
#define ROUNDS 3
#endif
#ifndef HANGS
#define HANGS 1
#endif

#define HALT 1
#ifdef MUT_NO_SEQ
#define NEXT_REQ(h) (h)
#else
#define NEXT_REQ(h) (((((port_req >> 1) + 1) << 1) | (h)) & SEQ_MASK)
#endif
#ifdef MUT_SHORT_SEQ
#define SEQ_MASK 3
#else
#define SEQ_MASK 255 /* starts near its wrap */
#endif

/* Words: {sequence, halt}. Control writes the first, the lcore the second. */
#ifdef MUT_NO_SEQ
byte port_req = 0, port_ack = 0;
#else
byte port_req = 252 & SEQ_MASK, port_ack = 252 & SEQ_MASK;
#endif

/* Control's own. */
byte phase;                 /* 0 nothing under way, 1 asked, 2 at work */
bool signalled;             /* the freeze signal is sent */
byte rounds, given_up;

/* The world and its ghosts. */
bool hung, frozen, exited;
bool inside;                /* the lcore is in a burst on the port */
byte hangs;

#define RUNS (!hung && !frozen && !exited)

#ifdef MUT_NO_LOOK
#define LOOK (true)
#else
#define LOOK (!(ack & HALT))
#endif

/* One of the two bursts of a turn, Rx or Tx: entered and left. */
inline burst()
{
	if
	:: LOOK ->
		atomic { RUNS -> assert(phase != 2); inside = true };   /* S1 */
#ifdef MUT_ACK_AT_ONCE
		atomic { RUNS -> ack = port_req; port_ack = ack };
#endif
		atomic { RUNS -> assert(phase != 2); inside = false }
	:: else -> skip
	fi
}

/* The member's lcore. It reads its own acknowledgement all through a turn, never the request. */
active proctype worker()
{
	byte ack = port_ack;

	do
	/* W1 load-acquire the request, at the top of a turn: no burst is under way */
	:: atomic { RUNS -> ack = port_req }
	/* W2 store-release the acknowledgement: the last burst is over */
	   atomic { RUNS -> port_ack = ack }
	/* W3 Rx, W4 Tx, unless halted */
	   burst();
	   burst()
	od
}

#ifdef MUT_NO_ACK
#define ACKED (true)
#elif defined(MUT_PRESUME_DEAD)
#define ACKED (port_ack == port_req || hung)
#elif defined(MUT_NO_FROZEN)
#define ACKED (port_ack == port_req)
#else
#define ACKED (port_ack == port_req || frozen)
#endif

/* Control: each step is one look in its loop; it never waits. */
active proctype control()
{
	do
	/* C1 ask for the port */
	:: atomic { phase == 0 && rounds < ROUNDS -> rounds++; phase = 1; port_req = NEXT_REQ(HALT) }
	/* C2 it is ours when that very word has come back, or its lcore is frozen */
	:: atomic { phase == 1 && ACKED -> assert(!inside || frozen); phase = 2 }   /* S2 */
	/* C3 stop, set MTU, start: done; ask the lcore to go on. Nobody waits for that */
	:: atomic { phase == 2 -> phase = 0;
#ifndef MUT_NO_RESUME
		port_req = NEXT_REQ(0)
#endif
	   }
	/* C4 the request is withdrawn, or overtaken by another one (quit, removal) */
	:: atomic { phase == 1 && given_up == 0 -> given_up++; phase = 0; port_req = NEXT_REQ(0) }
	/* C5 no acknowledgement by the deadline: hung, freeze it (handover.pml) */
	:: atomic { phase == 1 && hung && !signalled && !ACKED -> signalled = true }
	/* C6 frozen is not seen in time: exit */
#ifndef MUT_NO_EXIT
	:: atomic { signalled && !frozen -> exited = true }
#endif
	:: exited -> break
	od
}

/* The world: the lcore hangs anywhere, wakes late or never; the signal comes late or never. */
active proctype world()
{
	do
	:: atomic { hangs < HANGS && !hung && !frozen -> hangs++; hung = true }
	:: atomic { hung && !frozen -> hung = false }
	:: atomic { signalled && !frozen -> frozen = true }
	:: true -> skip /* or nothing: fairness must not force it to act */
	od
}

#ifdef LIVE
ltl served { [](phase == 1 -> <>(phase != 1 || exited)) && []<>(inside || !RUNS) } /* L1 */
#endif
