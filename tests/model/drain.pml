/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 *
 * How buckets change members: the holder of the host port takes the packets back
 * that still wait, applies the new map, hands them out again, polls on. Who holds
 * the host port is handover.pml's matter; here control names a primary at will.
 *
 * One bucket is watched: its packets are numbered 1, 2, ... Another one makes
 * noise: packet 0, which fills rings and stands in the way.
 *
 * Claims
 *   S1  the ports get the watched packets in order, each once, none left out
 *   S2  (LAZY) so does the wire, behind ports that keep packets for a while
 *   S3  (FREEZE) a freeze costs at most what the frozen lcore had in hand, or had
 *       taken back so far of one member's packets
 *   L1  in the end nothing waits on rings, in holds or in the stash, and the
 *       map that control published last is applied
 *
 * Cases, read by run.sh: check|long|mutation, name, safety|live, spin's flags or what
 * is taken away; a mutation runs with the flags of the first check of its kind
 * check    failure-and-moves     safety  -DPACKETS=4 -DNOISES=1 -DMAPS=2 -DPRIMARIES=1 -DREFUSALS=1
 * check    done                  live    -DPACKETS=2 -DNOISES=0 -DMAPS=2 -DPRIMARIES=1 -DREFUSALS=1
 * check    gradual-return        safety  -DLAZY -DPACKETS=4 -DNOISES=0 -DMAPS=2 -DPRIMARIES=1 -DREFUSALS=0
 * check    freeze                safety  -DFREEZE -DPACKETS=4 -DNOISES=0 -DMAPS=1 -DPRIMARIES=1 -DREFUSALS=1
 * long     freeze-and-moves      safety  -DFREEZE -DPACKETS=4 -DNOISES=1 -DMAPS=2 -DPRIMARIES=1 -DREFUSALS=1
 * check    freeze-done           live    -DFREEZE -DPACKETS=2 -DNOISES=0 -DMAPS=1 -DPRIMARIES=0 -DREFUSALS=0
 * mutation MUT_NO_TAKE_BACK      safety  new map applied, old packets left where they are
 * mutation MUT_NO_REVOKE         safety  taken back without revoking the consumer's guard
 * mutation MUT_NO_BUSY_WAIT      safety  taken back while the consumer is at work
 * mutation MUT_TO_BACK           safety  taken back to the end of the stash
 * mutation MUT_POLL_FIRST        safety  host port polled before the stash is handed out
 * mutation MUT_HOLD_LAST         safety  ring taken back before what the egress holds
 * mutation MUT_NO_HOLD           safety  what the egress holds is not taken back
 * mutation MUT_DROP_STASH        safety  stash dropped where the new ring is full
 * mutation MUT_RING_PER_PRIMARY  safety  rings belong to the member that is primary
 * mutation MUT_DIRECT            safety  own packets pass those waiting on the own ring
 * mutation MUT_REREAD            safety  map applied is newer than the one revoked for
 * mutation MUT_KEEP_REVOKED      live    guards not given back
 * mutation MUT_NOT_IDLE          safety  -DLAZY a live member's bucket moved although not idle
 * mutation MUT_SKEW_FROM_READ    safety  -DLAZY the skew counts from the host port's burst, not from when the ring has run past
 * mutation MUT_EARLY_RETURN      safety  -DLAZY a member returns before the map without it is applied
 * mutation MUT_HALF_TAKEN        safety  -DFREEZE what a frozen holder took in part is in the stash, the rest comes in front
 * mutation MUT_NOT_FROZEN        safety  -DFREEZE busy words of a hung lcore cleared before it is frozen
 * mutation MUT_NO_TX_CLEAR       live    -DFREEZE a frozen consumer's busy left set
 */
#define M 2 /* members */
#ifndef PACKETS
#define PACKETS 3
#endif
#ifndef NOISES
#define NOISES 1
#endif
#ifndef MAPS
#define MAPS 2
#endif
#ifndef PRIMARIES
#define PRIMARIES 1
#endif
#ifndef REFUSALS
#define REFUSALS 1
#endif
#ifndef RING
#define RING 1 /* size of a ring */
#endif
#define NOTHING 255
#define SOME(c) (len(c) > 0)
#define NONE(c) (len(c) == 0)
#define BUCKET_OF(x) ((x) == 0)

/* Everything of the host port that only the holder of its guard touches. */
byte map[2];                    /* bucket -> member, as applied: watched, noise */
byte applied;                   /* version of the map */
chan stash = [8] of { byte };   /* to be handed out before the host port is polled again */
chan taken = [8] of { byte };   /* taken back so far by the drain under way */

/* The host port's rings to the members, and each member's egress. */
#ifdef MUT_RING_PER_PRIMARY
#define NRINGS (M * M)
#define TO(from, to) ((from) * M + (to))
#else
#define NRINGS M
#define TO(from, to) (to)
#endif
chan ring[NRINGS] = [RING] of { byte };
byte hold[M] = NOTHING;         /* what the port did not take at once */
bool tx_busy[M];                /* tx_guard, bit by bit */
bool tx_revoked[M];

/* From control: the published snapshot, who is primary; the guard's busy. */
byte dist[2];
byte version;
byte primary;
byte g_busy;
bool down[M];                   /* its link is down */
bool frozen[M], settled[M];

/* The world and its ghosts. */
byte next = 1;                  /* watched packet that the ports must get next */
byte sent;                      /* watched packets read from the host port */
byte noises, maps, primaries, refusals, freezes;
byte torn;                      /* set of watched packets that a frozen lcore had: S3 */
byte in_hand[M] = NOTHING;      /* popped from one place, not yet in the next */
#ifdef LAZY
chan desc[M] = [1] of { byte }; /* the port's descriptors */
byte last_on_wire;
#endif

#define LOSES(m)      ((map[0] == (m) && d0 != (m)) || (map[1] == (m) && d1 != (m)))
#define REVOKED_BUSY  ((tx_revoked[0] && tx_busy[0]) || (tx_revoked[1] && tx_busy[1]))
#define DRAINING      (applied != version || tx_revoked[0] || tx_revoked[1])

/* The port takes a packet: S1, and S3: only those that a frozen lcore had may be missing. */
inline port_takes(m, x)
{
	if
	:: x != 0 && x != NOTHING ->
		do
		:: next < x && (torn & (1 << next)) != 0 -> next++
		:: else -> break
		od;
		assert(x == next);
		next = x + 1
	:: else -> skip
	fi;
#ifdef LAZY
	desc[m]!x;
#endif
}

/* The port is full, or dead and refuses; a dead one may swallow as well. */
#ifdef LAZY
#define PORT_ROOM(m) (NONE(desc[m]))
#define REFUSES(m)   (SOME(desc[m]))
#else
#define PORT_ROOM(m) (true)
#define REFUSES(m)   (down[m] || refusals < REFUSALS)
#endif
#define COUNT_REFUSAL(m) if :: !down[m] && refusals < REFUSALS -> refusals++ :: else -> skip fi

/* A packet's way into its member's egress without a ring; hold is empty or port not asked. */
inline egress(m, x)
{
	if
	:: hold[m] == NOTHING && PORT_ROOM(m) -> port_takes(m, x)
	:: hold[m] == NOTHING && REFUSES(m) -> COUNT_REFUSAL(m); hold[m] = x
	fi
}

#ifdef MUT_DIRECT
#define OWN_RING_EMPTY(me) (true)
#else
#define OWN_RING_EMPTY(me) (NONE(ring[TO(me, me)]))
#endif
/* Own packets go directly only when none of theirs waits on the ring. */
#define DIRECT(me, to)  ((to) == (me) && OWN_RING_EMPTY(me))
#define HAS_ROOM(me, to) ((DIRECT(me, to) && hold[me] == NOTHING) || (!DIRECT(me, to) && len(ring[TO(me, to)]) < RING))

inline hand_out(me, to, x)
{
	if
	:: DIRECT(me, to) -> egress(me, x)
	:: else -> ring[TO(me, to)]!x
	fi
}

#if defined(FREEZE)
#define STEP
#define DEATH unless { frozen[me] }
#else
#define STEP atomic
#define DEATH
#endif

/* D1 revoke the guards of the members that lose a bucket. */
inline revoke(m)
{
#ifndef MUT_NO_REVOKE
	if
	:: LOSES(m) -> tx_revoked[m] = true
	:: else -> skip
	fi
#else
	skip
#endif
}

#ifdef MUT_NO_REVOKE
#define TAKES_FROM(m) (LOSES(m))
#else
#define TAKES_FROM(m) (tx_revoked[m])
#endif

/* D3 take back what waits for m: first what its egress holds, then its ring. */
inline take_hold(m)
{
#ifndef MUT_NO_HOLD
	if
	:: hold[m] != NOTHING -> STEP { in_hand[me] = hold[m]; hold[m] = NOTHING; taken!in_hand[me]; in_hand[me] = NOTHING }
	:: else -> skip
	fi
#else
	skip
#endif
}

inline take_ring(r)
{
	do
	:: SOME(ring[r]) -> STEP { ring[r]?in_hand[me]; taken!in_hand[me]; in_hand[me] = NOTHING }
	:: NONE(ring[r]) -> break
	od
}

inline take_back(m)
{
#ifndef MUT_NO_TAKE_BACK
	if
	:: TAKES_FROM(m) ->
#ifndef MUT_HOLD_LAST
		take_hold(m);
#endif
		take_ring(TO(0, m));
#ifdef MUT_RING_PER_PRIMARY
		take_ring(TO(1, m));
#endif
#ifdef MUT_HOLD_LAST
		take_hold(m);
#endif
	:: else -> skip
	fi
#else
	skip
#endif
}

/* D4 in front of the stash go the packets taken: one store in the code, one step here. */
inline splice()
{
	d_step {
#ifdef MUT_TO_BACK
		do
		:: taken?x -> stash!x
		:: NONE(taken) -> break
		od
#else
		do
		:: stash?x -> taken!x
		:: NONE(stash) -> break
		od;
		do
		:: taken?x -> stash!x
		:: NONE(taken) -> break
		od
#endif
		; x = 0
	}
}

#if defined(MUT_NO_BUSY_WAIT) || defined(MUT_NO_REVOKE)
#define NOBODY_AT_WORK (true)
#else
#define NOBODY_AT_WORK (!REVOKED_BUSY)
#endif
#ifdef MUT_POLL_FIRST
#define MAY_POLL (true)
#else
#define MAY_POLL (NONE(stash))
#endif

/* Idle: the old ring has run past the bucket's last packet, and since then the skew has gone by, so
 * that the old port's descriptors have run past it too.
 */
#if defined(MUT_SKEW_FROM_READ)
#define IS_IDLE_0 (next == sent + 1)
#elif defined(LAZY)
#define IS_IDLE_0 (next == sent + 1 && NONE(desc[0]) && NONE(desc[1]))
#else
#define IS_IDLE_0 (true)
#endif

/* The drain, in the guard: again and again until it is through, whoever holds the guard. */
inline drain()
{
	/* D0 what control published, read once */
	atomic { d0 = dist[0]; d1 = dist[1]; nv = version;
#if defined(LAZY) && !defined(MUT_NOT_IDLE)
		if
		:: d0 != map[0] && !down[map[0]] && !IS_IDLE_0 -> d0 = map[0]; nv = applied
		:: else -> skip
		fi
#endif
	}
	/* D1 */
	revoke(0);
	revoke(1);
	/* D2 is one of them at work? Then not in this turn */
	if
	:: NOBODY_AT_WORK ->
		/* D3, D4 member by member */
		STEP { take_back(0) };
		splice();
		STEP { take_back(1) };
		splice();
		/* D5 apply */
#ifdef MUT_REREAD
		atomic { map[0] = dist[0]; map[1] = dist[1]; applied = version }
#else
		atomic { map[0] = d0; map[1] = d1; applied = nv }
#endif
		/* D6 give the guards back */
#ifndef MUT_KEEP_REVOKED
		tx_revoked[0] = false;
		tx_revoked[1] = false
#endif
	:: else -> skip
	fi;
	d0 = 0; d1 = 0; nv = 0
}

/* A member's lcore: its egress (E), and the host port when it is primary (H). */
proctype member(byte me)
{
	byte d0, d1, nv, x, to;

	{
	do
	:: true ->
	/* E1 take the own Tx guard, or do without this turn */
	   if
	   :: atomic { !tx_busy[me] && !tx_revoked[me] -> tx_busy[me] = true };
	/* E2 what the port did not take last time goes first */
		if
		:: hold[me] != NOTHING ->
			if
			:: atomic { PORT_ROOM(me) -> port_takes(me, hold[me]); hold[me] = NOTHING }
			:: atomic { REFUSES(me) -> COUNT_REFUSAL(me) }
			fi
		:: else -> skip
		fi;
	/* E3 take from the ring, in hand for a while */
		if
		:: atomic { hold[me] == NOTHING && SOME(ring[TO(0, me)]) -> ring[TO(0, me)]?in_hand[me] };
	/* E4 to the port or the hold */
			atomic { x = in_hand[me]; egress(me, x); in_hand[me] = NOTHING; x = 0 }
#ifdef MUT_RING_PER_PRIMARY
		:: atomic { hold[me] == NOTHING && SOME(ring[TO(1, me)]) -> ring[TO(1, me)]?in_hand[me] };
			atomic { x = in_hand[me]; egress(me, x); in_hand[me] = NOTHING; x = 0 }
#endif
		:: else -> skip
		fi;
	/* E5 leave the Tx guard, revoked or not by now */
		tx_busy[me] = false
	   :: else -> skip
	   fi;

	/* H1 take the host port's guard, if it is mine */
	   if
	   :: atomic { primary == me && g_busy == 0 -> g_busy = me + 1 };
	/* H2 a new map: drain */
		if
		:: DRAINING -> drain()
		:: else -> skip
		fi;
	/* H3 hand out the stash as far as there is room; the rest keeps its place */
		do
		:: SOME(stash) ->
			STEP {
			stash?<x>; to = map[BUCKET_OF(x)];
			if
			:: HAS_ROOM(me, to) -> atomic { stash?in_hand[me] };
				atomic { hand_out(me, to, x); in_hand[me] = NOTHING; x = 0; to = 0 }
#ifdef MUT_DROP_STASH
			:: else -> stash?_; x = 0; to = 0
#else
			:: else -> x = 0; to = 0; break
#endif
			fi
			}
		:: NONE(stash) -> break
		od;
	/* H4 poll the host port only when nothing older waits; a full ring is a counted drop */
		if
		:: atomic { MAY_POLL && sent < PACKETS && HAS_ROOM(me, map[0]) -> sent++; x = sent; to = map[0];
			hand_out(me, to, x); x = 0; to = 0 }
		:: atomic { MAY_POLL && noises < NOISES && HAS_ROOM(me, map[1]) -> noises++; x = 0; to = map[1];
			hand_out(me, to, x); to = 0 }
#ifdef LIVE
		:: else -> skip
#else
		:: true -> skip /* nothing has arrived yet */
#endif
		fi;
	/* H5 leave the guard */
		g_busy = 0
	   :: else -> skip
	   fi
	od
	} DEATH
}

/* Control: publishes maps (failure, planned, return), names the primary, settles freezes. */
#define UP(m) (!down[m] && !frozen[m])
/* A failed member returns when the map without it is applied: not before does its port get no more
 * packets, so not before can it be flushed.
 */
#if defined(LAZY) && !defined(MUT_EARLY_RETURN)
#define MAY_RETURN ((UP(0) && UP(1)) || applied == version)
#else
#define MAY_RETURN (true)
#endif
#ifdef LAZY
/* Its port was stopped meanwhile: no stale frames (quiesce.pml). */
#define BACK(m) if :: down[m] && SOME(desc[m]) -> desc[m]?_; down[m] = false :: else -> down[m] = false fi
#else
#define BACK(m) down[m] = false
#endif
inline lose(x)
{
	if
	:: x != NOTHING -> torn = torn | (1 << x)
	:: else -> skip
	fi
}

inline settle(m)
{
	settled[m] = true;
	lose(in_hand[m]);
	if
	:: g_busy == m + 1 ->
		/* the drain begins anew, with what is left */
#ifdef MUT_HALF_TAKEN
		do
		:: stash?y -> taken!y
		:: NONE(stash) -> break
		od;
		do
		:: taken?y -> stash!y
		:: NONE(taken) -> break
		od;
#else
		do
		:: taken?y -> lose(y)
		:: NONE(taken) -> break
		od;
#endif
		y = 0;
		tx_revoked[0] = false; tx_revoked[1] = false;
		g_busy = 0
	:: else -> skip
	fi;
#ifndef MUT_NO_TX_CLEAR
	tx_busy[m] = false;
#endif
	version++; dist[0] = 1 - m; dist[1] = 1 - m; primary = 1 - m; down[1 - m] = false
}

active proctype control()
{
	byte y;

	do
	/* a member's link fails: its buckets, and only its, go to the other */
	:: atomic { maps < MAPS && UP(0) && UP(1) -> maps++; version++;
		if
		:: down[0] = true; dist[0] = 1; dist[1] = 1
		:: down[1] = true; dist[0] = 0; dist[1] = 0
		fi }
	/* a planned move, or one back to a member that returned */
	:: atomic { maps < MAPS && !frozen[0] && !frozen[1] && MAY_RETURN -> maps++; version++;
		BACK(0); BACK(1);
		if
		:: dist[0] = 1 - dist[0]
		:: NOISES > 0 -> dist[1] = 1 - dist[1]
		fi }
	/* another primary, in the midst of whatever */
	:: atomic { primaries < PRIMARIES && !frozen[1 - primary] -> primaries++; primary = 1 - primary }
#ifdef MUT_NOT_FROZEN
	:: atomic { freezes == 0 -> freezes++; settle(0) }
	:: atomic { freezes == 0 -> freezes++; settle(1) }
#elif defined(FREEZE)
	/* a lcore hangs, is fenced and frozen, at any point */
	:: atomic { freezes == 0 -> freezes++;
		if
		:: frozen[0] = true
		:: frozen[1] = true
		fi }
	/* frozen is seen: busy words that are its own are cleared, its buckets go */
	:: atomic { frozen[0] && !settled[0] -> settle(0) }
	:: atomic { frozen[1] && !settled[1] -> settle(1) }
#endif
	:: else -> break
	od
}

#ifdef LAZY
/* The wire behind the ports: S2. A dead port's descriptors are lost. */
active proctype wire()
{
	byte x;

end:	do
	:: atomic { desc[0]?x -> if :: !down[0] && x != 0 -> assert(x > last_on_wire); last_on_wire = x :: else -> skip fi; x = 0 }
	:: atomic { desc[1]?x -> if :: !down[1] && x != 0 -> assert(x > last_on_wire); last_on_wire = x :: else -> skip fi; x = 0 }
	od
}
#endif

init {
	atomic { run member(0); run member(1) }
}

#ifdef LIVE
#define DONE (sent == PACKETS && NONE(stash) && NONE(taken) && NONE(ring[0]) && NONE(ring[1]) && \
	hold[0] == NOTHING && hold[1] == NOTHING && applied == version && \
	(in_hand[0] == NOTHING || frozen[0]) && (in_hand[1] == NOTHING || frozen[1]))
ltl done { <>[](DONE) } /* L1 */
#endif
