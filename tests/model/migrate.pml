/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 *
 * How a connection's context moves from member to member, is parked, and is
 * taken from a member whose lcore froze. Names as in lib/toe; README.md maps them.
 *
 * One handle, for one connection and maybe for the next. Its context is in a slot
 * of a member, or in a record of the parked. Each adoption makes a new version of
 * it, so that a stale copy is seen.
 *
 * Claims
 *   S1  never two at work on a connection; who works has the newest context, whole
 *   S2  a slot, or record, is given back once, when its context has been copied;
 *       while a list holds it nobody else links it
 *   S3  a request moves a connection only to a member that still waits for it
 *   S4  a post is carried out once, on the connection that it names, or told once
 *       that this is gone
 *   S5  a packet is forwarded at most HOPS times
 *   S6  (ORDER) what arrives at the member that pulls stays in order
 *   L1  when nothing more happens: the connection belongs to a member that runs, or
 *       is parked, or is gone; its context is where the handle says, and takes no
 *       other room; no packet is held, no pull stands, no post waits, no bell is
 *       left. A freeze costs the connection that the lcore was at work on, the post
 *       that it had begun, the bell that it was answering, and the slot or record in its
 *       hands: what it had only taken is done by others
 *
 * Cases, read by run.sh: check|long|mutation, name, safety, spin's flags or what is
 * taken away; a mutation runs with the flags of the first check that has its flag
 * check    moves             safety  -DS=3 -DPULLS=2 -DPACKETS=2 -DVOIDS=1 -DBULKS=1 -DHOPS=1
 * check    three-members     safety  -DM=3 -DPULLS=2 -DPACKETS=1 -DVOIDS=1
 * check    order             safety  -DORDER -DPULLS=2 -DPACKETS=4 -DVOIDS=1 -DRING=2 -DHOLD=2
 * check    parks             safety  -DPARKS=2 -DPULLS=1 -DPACKETS=1 -DPOSTS=2
 * check    reuse             safety  -DCLOSES=1 -DPULLS=1 -DPACKETS=1 -DPOSTS=2
 * check    freeze            safety  -DFREEZE -DM=3 -DPULLS=1 -DPARKS=1 -DPACKETS=1
 * check    freeze-posts      safety  -DFREEZE -DPARKS=1 -DPOSTS=1 -DPULLS=1 -DPACKETS=1
 * check    freeze-reuse      safety  -DFREEZE -DCLOSES=1 -DPARKS=1 -DPULLS=0 -DPOSTS=2
 * check    freeze-inbox      safety  -DFREEZE -DS=3 -DBULKS=2 -DPACKETS=1
 * check    freeze-no-mail    safety  -DFREEZE -DPARKS=1 -DPOSTS=1 -DNOMAIL=1
 * long     freeze-bulk       safety  -DFREEZE -DM=3 -DS=3 -DPULLS=1 -DPARKS=1 -DPACKETS=1 -DBULKS=1
 * long     freeze-two-posts  safety  -DFREEZE -DCLOSES=1 -DPARKS=1 -DPOSTS=2 -DPACKETS=1
 * long     freeze-three      safety  -DFREEZE -DM=3 -DPARKS=1 -DPOSTS=1 -DPULLS=1 -DPACKETS=1
 * mutation MUT_NO_EPOCH      safety  a request is not compared with the word's epoch
 * mutation MUT_NO_VOID       safety  who gives up a pull does not raise the epoch
 * mutation MUT_PUSH_FIRST    safety  the slot is in the inbox before the word says so
 * mutation MUT_STALE_NODE    safety  any node of the inbox is taken for where the context is
 * mutation MUT_EARLY_RETURN  safety  -DPARKS=2 the slot is given back before the copy
 * mutation MUT_GIVE_TWICE    safety  who adopts for a packet gives a slot back that a list holds
 * mutation MUT_KEEP_NODE     safety  a node whose context was adopted before is not given back
 * mutation MUT_NO_HOPS       safety  a packet follows its connection for ever
 * mutation MUT_NO_HOLD       safety  -DORDER packets are not kept during a pull
 * mutation MUT_HOLD_LAST     safety  -DORDER those that were kept run after what comes then
 * mutation MUT_OVERTAKE      safety  -DORDER the request passes packets forwarded before
 * mutation MUT_STEAL         safety  -DPARKS=2 after parking taken back whatever the word says
 * mutation MUT_TAKE_NO_LOOK  safety  -DPARKS=2 no look at the posts after adopting
 * mutation MUT_NO_GEN        safety  -DCLOSES=1 the next connection has the same generation
 * mutation MUT_NO_FENCE_LOOK safety  -DFREEZE who releases does not look at the fence
 * mutation MUT_NO_CUR        safety  -DFREEZE what the lcore was at work on is not looked at
 * mutation MUT_NO_WAKE       safety  -DFREEZE nor what it had released and not pushed yet
 * mutation MUT_NO_GRACE      safety  -DFREEZE taken apart while others still release to it
 * mutation MUT_DEAD_EARLY    safety  -DFREEZE its connections are anyone's before that look
 * mutation MUT_SCAN_OWN      safety  -DFREEZE the scan takes what is its, not what was on the way to it
 * mutation MUT_FREE_FIRST    safety  -DFREEZE a parked connection's slot is free before the word says so
 * mutation MUT_SCAN_NO_LOOK  safety  -DPOSTS=1 the scan does not look at posts
 * mutation MUT_BELLS_LOST    safety  -DPULLS=0 a frozen member's bells are left where they are
 * mutation MUT_DEAD_POSTS    safety  -DPULLS=0 the scan tells no posts of what had ended
 * mutation MUT_INBOX_UNNOTED safety  -DBULKS=2 the inbox is taken, then noted
 * mutation MUT_INBOX_LOST    safety  -DBULKS=2 what a frozen lcore had taken of its inbox is left there
 * mutation MUT_HAND_UNNOTED  safety  -DPULLS=0 posts are taken, then noted
 * mutation MUT_HAND_LOST     safety  -DPULLS=0 a frozen lcore's posts are not put back
 * mutation MUT_HAND_USED     safety  -DPULLS=0 they are, also those that control had first
 * mutation MUT_BELLS_UNNOTED safety  -DPULLS=0 bells are taken, then noted
 * mutation MUT_RINGING_LOST  safety  -DPULLS=0 the bells that a frozen lcore had taken are left there
 * mutation MUT_VOID_BY_ALL   safety  -DPULLS=0 who answers a bell for nobody's handle tells the posts
 * mutation MUT_LATE_SILENT   safety  -DCLOSES=1 who posts to what has just ended rings nobody
 * mutation MUT_NO_MAIL       safety  -DNOMAIL=1 a wake for which there is no mail is forgotten
 */
#ifndef M
#define M 2 /* members */
#endif
#ifndef S
#define S 2 /* slots of each */
#endif
#ifndef PACKETS
#define PACKETS 0
#endif
#ifndef PULLS
#define PULLS 0 /* control lets someone pull */
#endif
#ifndef VOIDS
#define VOIDS 0 /* who pulls gives up */
#endif
#ifndef BULKS
#define BULKS 0 /* the owner releases by itself */
#endif
#ifndef PARKS
#define PARKS 0
#endif
#ifndef POSTS
#define POSTS 0
#endif
#ifndef CLOSES
#define CLOSES 0 /* and as many new connections */
#endif
#ifndef NOMAIL
#define NOMAIL 0 /* there is none for a wake */
#endif
#ifndef RING
#define RING 1
#endif
#ifndef HOLD
#define HOLD 1
#endif
#ifndef HOPS
#define HOPS 3
#endif

#define FREE 0
#define OWN  1
#define XFER 2
#define PARK 3
#define DEAD 4

/* The handle: its word, and where the context is. */
byte w_gen = 254, w_epoch = 254, w_st = OWN, w_mem = 0;
#define REC     (M * S)
#define NOWHERE 15
byte where = 0;
byte posts; /* a set */

/* Slots: in use, and what is in them: 0 nothing, TORN, or a version. */
#define TORN 255
short used = 1;
byte ctx[M * S + 1];
byte version = 1; /* ghost: the newest */

#define BIT(x)      (1 << (x))
#define SLOT_OF(x)  ((x) / S) /* the member that has it; M: a record */
#define SLOTS(m)    (((1 << S) - 1) << ((m) * S))

/* Of each shard. Lists are sets. */
short inbox[M], adopting[M];
byte bells[M], bells_ctl;
byte ringing[M]; /* bells noted */
byte cur;        /* bits: members at work on this connection */
byte fenced, dead; /* bits */
byte mail_wake;  /* bits: mail to look at this handle */
chan mail_pull[M] = [1] of { byte, byte };
byte rung;       /* posts whose bell is in a list */

/* Pull entries: 0 none, 1 to be asked for, 2 asked. */
byte pull[M], pull_gen[M], pull_epoch[M];

#define REQ 0
#define PKT 1
chan ring[M * M] = [RING] of { byte, byte, byte };
#define RINGS(from, to) ring[(from) * M + (to)]
#ifdef MUT_OVERTAKE
chan request = [1] of { byte, byte, byte, byte };
#endif

/* The world, and ghosts. */
byte frozen;            /* bits */
byte busy;              /* bits: not quiescent since the fence */
short giving[M];        /* slot that it is giving back, record that it writes */
byte hand[M];           /* posts noted */
byte begun[M];          /* post that it has begun */
byte answering[M];      /* bell that it is answering */
byte packets, pulls, voids, bulks, parks, closes, opens, nomails;
bool again;             /* somebody could not be woken */
byte nb_posts, done, gone;
byte bell_is;           /* bells not released */
byte post_gen[POSTS + 1], post_life[POSTS + 1];
byte life; /* which connection has the handle */

#define IS(set, m)  (((set) & BIT(m)) != 0)
#define ALIVE(m)    (!IS(fenced, m))
#define OWNS(m)     (w_st == OWN && w_mem == (m))
#define COMES(m)    (w_st == XFER && w_mem == (m))
#ifdef MUT_DEAD_EARLY
#define TAKEN_FROM  fenced
#else
#define TAKEN_FROM  dead
#endif
#define MAY_TAKE(m) (COMES(m) || w_st == PARK || (w_st == OWN && where != NOWHERE && IS(TAKEN_FROM, w_mem)))
#define NAMES(k)    (w_st != FREE && w_st != DEAD && post_gen[k] == w_gen)
#define STANDS(m)   (w_st == OWN && w_mem != (m) && w_gen == pull_gen[m] && w_epoch == pull_epoch[m])
#if M == 3
#define LISTED      (inbox[0] | inbox[1] | inbox[2] | adopting[0] | adopting[1] | adopting[2])
#else
#define LISTED      (inbox[0] | inbox[1] | adopting[0] | adopting[1])
#endif

inline slot_alloc(m, x)
{
	x = (m) * S;
	do
	:: (used & BIT(x)) == 0 -> break
	:: else -> x++
	od;
	assert(x < (m + 1) * S);
	used = used | BIT(x)
}

inline give_back(x)
{
	assert((LISTED & BIT(x)) == 0); /* S2 */
	if
	:: x != REC && IS(frozen, SLOT_OF(x)) -> skip /* nobody takes it from there */
	:: else ->
		assert(used & BIT(x)); /* S2 */
		used = used & ~BIT(x);
		ctx[x] = 0
	fi
}

inline inbox_push(m, x)
{
	assert((LISTED & BIT(x)) == 0); /* S2 */
	inbox[m] = inbox[m] | BIT(x)
}

inline set_word(st, m)
{
	w_st = st; w_mem = m; w_epoch++
}

#ifdef MUT_NO_EPOCH
#define EPOCH_IS(e) (true)
#else
#define EPOCH_IS(e) (w_epoch == (e))
#endif
#ifdef MUT_NO_FENCE_LOOK
#define STILL_ALIVE(m) (true)
#else
#define STILL_ALIVE(m) (ALIVE(m))
#endif

#ifdef MUT_NO_GEN
#define NEXT_GEN skip
#else
#define NEXT_GEN w_gen++
#endif

inline ring_bell(m, k)
{
	if
	:: rung & BIT(k) -> skip
	:: else -> rung = rung | BIT(k); bells[m] = bells[m] | BIT(k); bell_is = bell_is | BIT(k)
	fi
}

inline ring_control(k)
{
	if
	:: rung & BIT(k) -> skip
	:: else -> rung = rung | BIT(k); bells_ctl = bells_ctl | BIT(k); bell_is = bell_is | BIT(k)
	fi
}

inline any_alive(m)
{
	if
	:: ALIVE(0) -> m = 0
	:: ALIVE(1) -> m = 1
#if M == 3
	:: ALIVE(2) -> m = 2
#endif
	fi
}

/* Who may be called to the handle, or M: it is looked at anyway. */
inline answerer(m)
{
	if
	:: w_st == PARK -> any_alive(m)
	:: (w_st == OWN || w_st == XFER) && ALIVE(w_mem) -> m = w_mem
	:: else -> m = M
	fi
}

inline lowest(set, x)
{
	x = 0;
	do
	:: (set) & BIT(x) -> break
	:: else -> x++
	od
}

inline tell_gone(k)
{
	assert(((done | gone) & BIT(k)) == 0); /* S4 */
	gone = gone | BIT(k)
}

/* Posts for a connection that is no more; or for the next one on this handle, or elsewhere by now. */
inline post_again(k, m)
{
	if
	:: posts == 0 -> posts = BIT(k); answerer(m);
		if
		:: m < M -> ring_bell(m, k)
		:: else -> skip
		fi; m = 0
	:: else -> posts = posts | BIT(k)
	fi
}

/* By control. */
inline posts_void(mine, k, m)
{
	atomic { mine = posts; posts = 0 }
	do
	:: atomic { mine != 0 -> lowest(mine, k); mine = mine & ~BIT(k);
		if
		:: NAMES(k) -> post_again(k, m)
		:: else -> tell_gone(k)
		fi; k = 0 }
	:: mine == 0 -> break
	od
}

#ifdef ORDER
#define NUMBER         packets
#define ARRIVES(m)     (m == 1)
#define HELD(m)        len(held[m])
#define HOLD_IT(m, p)  if :: len(held[m]) < HOLD -> held[m]!p :: else -> skip fi
#define UNHOLD(m, p)   held[m]?p
#define IN_ORDER(p)    assert((p) > last); last = p /* S6 */
#ifdef MUT_HOLD_LAST
#define RUN_HELD(m)    skip
#define IDLE           (p == 0)
#else
#define RUN_HELD(m)    do :: len(held[m]) > 0 -> held[m]?k; IN_ORDER(k); k = 0 :: len(held[m]) == 0 -> break od
#endif
chan held[M] = [HOLD] of { byte };
byte last;
#else
#define NUMBER         1
#define ARRIVES(m)     (true)
#define HELD(m)        held[m]
#define HOLD_IT(m, p)  if :: held[m] < HOLD -> held[m]++ :: else -> skip fi
#define UNHOLD(m, p)   held[m]--; p = 1
#define IN_ORDER(p)    skip
#define RUN_HELD(m)    held[m] = 0
byte held[M];
#endif

inline unpull(m)
{
	pull[m] = 0; pull_gen[m] = 0; pull_epoch[m] = 0
}

inline other(me, m)
{
#if M == 2
	m = 1 - me
#else
	if
	:: m = (me + 1) % 3
	:: m = (me + 2) % 3
	fi
#endif
}

#ifdef FREEZE
#define DEATH unless { IS(frozen, me) }
#else
#define DEATH
#endif
#define WORKS cur = cur | BIT(me)
#define RESTS cur = cur & ~BIT(me)
/* At the top of a turn, with nothing older to finish. */
#ifndef IDLE
#define IDLE  (p == 0 && (pull[me] != 0 || HELD(me) == 0))
#endif

#ifdef MUT_NO_HOPS
#define FEW_HOPS (true)
#else
#define FEW_HOPS (hops < HOPS)
#endif
#ifdef MUT_NO_HOLD
#define KEEPS(m) (false)
#else
#define KEEPS(m) (!OWNS(m) && !MAY_TAKE(m) && pull[m] != 0)
#endif
#ifdef MUT_STALE_NODE
#define IS_THERE(x) (true)
#define FROM        (node != 0 -> node - 1 : where)
#else
#define IS_THERE(x) (where == (x))
#define FROM        where
#endif
#ifdef MUT_GIVE_TWICE
#define GIVES (true)
#else
#define GIVES (w_st != XFER)
#endif

proctype member(byte me)
{
	byte p, hops; /* packet in hand, forwarded so often */
	byte x, y, k, m;
	byte node;    /* of the inbox, + 1 */
	bool give;    /* x goes back when it is copied */

end0:	{
end:	do
	/* ---- K a packet in hand: route() ---- */
	:: atomic { p != 0 ->
		if
		:: OWNS(me) -> goto work
		:: !OWNS(me) && MAY_TAKE(me) -> goto take
		:: KEEPS(me) -> HOLD_IT(me, p); p = 0; hops = 0
		:: else ->
			if
			:: (w_st == OWN || w_st == XFER) && FEW_HOPS && len(RINGS(me, w_mem)) < RING ->
				RINGS(me, w_mem)!PKT(hops + 1, p)
			:: else -> skip
			fi; p = 0; hops = 0
		fi }
	/* those that were kept for a pull that is void */
	:: atomic { p == 0 && pull[me] == 0 && HELD(me) > 0 -> UNHOLD(me, p) }
	/* from the wire */
	:: atomic { IDLE && packets < PACKETS && ARRIVES(me) -> packets++; p = NUMBER }
	/* from the rings of the others */
	:: atomic { IDLE && len(RINGS(0, me)) > 0 -> RINGS(0, me)?k(x, y); m = 0; goto received }
	:: atomic { IDLE && len(RINGS(1, me)) > 0 -> RINGS(1, me)?k(x, y); m = 1; goto received }
#if M == 3
	:: atomic { IDLE && len(RINGS(2, me)) > 0 -> RINGS(2, me)?k(x, y); m = 2; goto received }
#endif
	/* ---- Q pull ---- */
	:: atomic { IDLE && len(mail_pull[me]) > 0 -> mail_pull[me]?x(y);
		if
		:: pull[me] == 0 && w_st == OWN && w_mem != me && w_gen == x && w_epoch == y ->
			pull[me] = 1; pull_gen[me] = x; pull_epoch[me] = y
		:: else -> skip
		fi; x = 0; y = 0 }
#ifdef MUT_OVERTAKE
	:: atomic { IDLE && pull[me] == 1 && STANDS(me) && len(request) == 0 ->
		request!w_mem(me, pull_gen[me], pull_epoch[me]); pull[me] = 2 }
	:: atomic { IDLE && request?[eval(me), _, _, _] -> request?eval(me), m, x, y; goto release }
#else
	:: atomic { IDLE && pull[me] == 1 && STANDS(me) && len(RINGS(me, w_mem)) < RING ->
		RINGS(me, w_mem)!REQ(pull_gen[me], pull_epoch[me]); pull[me] = 2 }
#endif
	:: atomic { IDLE && pull[me] != 0 && !STANDS(me) && !COMES(me) -> unpull(me) }
	:: atomic { IDLE && pull[me] != 0 && STANDS(me) && voids < VOIDS -> voids++;
#ifndef MUT_NO_VOID
		w_epoch++;
#endif
		unpull(me) }
	/* ---- I inbox ---- */
#ifdef MUT_INBOX_UNNOTED
	:: atomic { IDLE && inbox[me] != 0 -> x = inbox[me]; inbox[me] = 0 }
	   atomic { adopting[me] = x; x = 0; goto next }
#else
	:: atomic { IDLE && inbox[me] != 0 -> adopting[me] = inbox[me]; goto noted }
#endif
	/* ---- R release by oneself ---- */
	:: atomic { IDLE && bulks < BULKS && OWNS(me) && where != NOWHERE -> bulks++;
		other(me, m); x = w_gen; y = w_epoch; goto release }
	/* ---- P park ---- */
	:: atomic { IDLE && parks < PARKS && OWNS(me) && (used & BIT(REC)) == 0 -> parks++;
		WORKS; x = where; used = used | BIT(REC); ctx[REC] = ctx[x]; giving[me] = BIT(REC) }
#ifdef MUT_FREE_FIRST
	   atomic { give_back(x) }
	   atomic { where = REC; giving[me] = 0 }
	   atomic { set_word(PARK, me); x = 0 }
#else
	   atomic { where = REC; giving[me] = 0 }
	   atomic { set_word(PARK, me) }
	   atomic { give_back(x); x = 0 }
#endif
#ifdef MUT_STEAL
	   atomic {
		if
		:: posts != 0 && w_st != FREE -> give = GIVES; x = where; set_word(OWN, me); goto copy
		:: else -> goto after
		fi }
#else
	   goto look
#endif
	/* ---- B bells ---- */
#ifdef MUT_BELLS_UNNOTED
	:: atomic { IDLE && bells[me] != 0 && ringing[me] == 0 -> y = bells[me]; bells[me] = 0 }
	   atomic { ringing[me] = y; y = 0 }
#else
	:: atomic { IDLE && bells[me] != 0 && ringing[me] == 0 -> ringing[me] = bells[me] }
	   do
	   :: atomic { ringing[me] == bells[me] -> bells[me] = 0; break }
	   :: atomic { ringing[me] != bells[me] -> ringing[me] = bells[me] }
	   od
#endif
	:: atomic { IDLE && ringing[me] != 0 -> lowest(ringing[me], k); ringing[me] = ringing[me] & ~BIT(k);
		answering[me] = BIT(k) }
	   atomic { rung = rung & ~BIT(k) }
	   atomic {
		bell_is = bell_is & ~BIT(k); answering[me] = 0;
		answerer(m);
		if
		:: OWNS(me) || MAY_TAKE(me) -> m = 0; k = 0; WORKS; goto look
		:: !OWNS(me) && !MAY_TAKE(me) && m < M -> ring_bell(m, k) /* passed on */
		:: !OWNS(me) && !MAY_TAKE(me) && m == M && (w_st == FREE || w_st == DEAD) ->
#ifdef MUT_VOID_BY_ALL
			m = 0; k = 0; goto void
#else
			ring_control(k)
#endif
		:: else -> skip /* control looks at what is a dead one's */
		fi; m = 0; k = 0 }
	:: atomic { IDLE && IS(mail_wake, me) -> mail_wake = mail_wake & ~BIT(me); WORKS;
		if
		:: MAY_TAKE(me) -> goto won
		:: else -> goto look
		fi }
	/* ---- C close, and the next connection ---- */
	:: atomic { IDLE && closes < CLOSES && OWNS(me) && where != NOWHERE -> closes++; WORKS; x = where;
		life++; NEXT_GEN; set_word(DEAD, me) }
	   atomic { give_back(x); x = 0; RESTS }
	:: atomic { IDLE && w_st == DEAD && w_mem == me -> where = NOWHERE; set_word(FREE, M) }
	:: atomic { IDLE && opens < CLOSES && w_st == FREE -> opens++; WORKS; set_word(OWN, me); w_epoch = 0 }
	   atomic { slot_alloc(me, x); ctx[x] = version; where = x; x = 0; RESTS }
#ifdef FREEZE
	:: atomic { IDLE && IS(busy, me) -> busy = busy & ~BIT(me) }
#endif
	od;

	/* K4 a segment */
work:	atomic { WORKS; assert(ctx[where] == version); /* S1 */
		ctx[where] = TORN }
	atomic { assert(OWNS(me) && ctx[where] == TORN); ctx[where] = version;
		IN_ORDER(p); p = 0; hops = 0; RESTS; goto end }

received: atomic {
		if
		:: k == PKT -> assert(x <= HOPS); /* S5 */
			hops = x; p = y; k = 0; x = 0; y = 0; m = 0; goto end
		:: else -> k = 0
		fi }

	/* R member m gets it, if it still has generation x, epoch y: conn_release() */
release: atomic { WORKS }
	atomic {
		if
		:: OWNS(me) && w_gen == x && EPOCH_IS(y) && STILL_ALIVE(m) ->
			assert(bulks > 0 || pull[m] == 2 || IS(frozen, m)); /* S3 */
			x = where; y = 0;
#ifdef MUT_PUSH_FIRST
			inbox_push(m, x)
#else
			set_word(XFER, m)
#endif
		:: else -> x = 0; y = 0; m = 0; RESTS; goto end
		fi }
	atomic {
#ifdef MUT_PUSH_FIRST
		set_word(XFER, m);
#else
		inbox_push(m, x);
#endif
		x = 0 }
	atomic { m = 0; RESTS; goto end }

	/* A conn_take(): mine, if the word still says that I may */
take:	atomic { WORKS }
won:	atomic {
		if
		:: MAY_TAKE(me) -> give = GIVES; x = FROM; set_word(OWN, me);
#ifdef MUT_EARLY_RETURN
			if
			:: give -> give_back(x)
			:: else -> skip
			fi; give = false
#endif
		:: else -> goto after
		fi }
copy:	atomic { assert(ctx[x] == version); /* S1: whole, and the newest */
		slot_alloc(me, y) }
	atomic { version++; ctx[y] = version; where = y; y = 0;
		if
		:: give -> giving[me] = BIT(x)
		:: else -> skip
		fi }
	atomic {
		if
		:: give -> give_back(x)
		:: else -> skip
		fi; giving[me] = 0; x = 0; give = false; RUN_HELD(me); unpull(me);
#ifdef MUT_TAKE_NO_LOOK
		goto after
#endif
	}
	/* L look at the posts: hand_take() */
look:	atomic {
		if
		:: posts != 0 && MAY_TAKE(me) -> goto won
		:: posts != 0 && OWNS(me) -> skip
		:: else -> goto after
		fi;
#ifdef MUT_HAND_UNNOTED
		y = posts; posts = 0 }
	atomic { hand[me] = y; y = 0 }
#else
		hand[me] = posts }
	do
	:: atomic { hand[me] == posts -> posts = 0; break }
	:: atomic { hand[me] != posts -> hand[me] = posts }
	od;
#endif
	do
	:: atomic { hand[me] != 0 -> lowest(hand[me], k); hand[me] = hand[me] & ~BIT(k); begun[me] = BIT(k) }
	   atomic {
		if
		:: NAMES(k) -> assert(OWNS(me) && ctx[where] == version);
			assert(((done | gone) & BIT(k)) == 0 && post_life[k] == life); /* S4 */
			done = done | BIT(k)
		:: else -> tell_gone(k)
		fi; begun[me] = 0; k = 0 }
	:: atomic { hand[me] == 0 -> break }
	od;
after:	atomic {
		RESTS;
		if
		:: node == 0 -> goto end
		:: else -> skip
		fi }

	/* I3 that one is done: the slot back to its shard */
	atomic { adopting[me] = adopting[me] & ~BIT(node - 1); giving[me] = BIT(node - 1) }
	atomic {
		giving[me] = 0;
#ifdef MUT_KEEP_NODE
		if
		:: !OWNS(me) || y != 0 -> skip
		:: else -> give_back(node - 1)
		fi;
#else
		give_back(node - 1);
#endif
		node = 0; goto next }
	/* I2 */
noted:	atomic {
		if
		:: inbox[me] == adopting[me] -> inbox[me] = 0
		:: else -> adopting[me] = inbox[me]; goto noted
		fi }
next:	atomic {
		if
		:: adopting[me] == 0 -> goto end
		:: else -> lowest(adopting[me], node); node++
		fi }
	atomic {
		if
		:: COMES(me) && IS_THERE(node - 1) -> goto take
		:: else -> goto after /* a packet brought it here before */
		fi }
#ifdef MUT_VOID_BY_ALL
void:	posts_void(y, k, m);
	goto end
#endif
	} DEATH
}

/* An application, on a thread that does not freeze: tp_toe_post(). */
#if POSTS > 0
active proctype app()
{
	byte k, m;
	bool first;

end:	do
	:: atomic { nb_posts < POSTS && w_st != FREE && w_st != DEAD -> /* it has an id */
		k = nb_posts; post_gen[k] = w_gen; post_life[k] = life; nb_posts++ }
	   atomic { first = posts == 0; posts = posts | BIT(k) }
	   if
	   :: atomic { NAMES(k) ->
		m = M;
		if
		:: first -> answerer(m)
		:: else -> skip
		fi }
	      atomic {
		if
		:: m < M -> ring_bell(m, k)
		:: else -> skip
		fi; k = 0; m = 0; first = false }
	   :: atomic { !NAMES(k) ->
#ifndef MUT_LATE_SILENT
		ring_control(k);
#endif
		k = 0; first = false }
	   fi
	od
}
#endif

/* Mail to who has the connection, or might; if there is none, all are looked at once more. */
inline wake(m)
{
	answerer(m);
	if
	:: m < M -> mail_wake = mail_wake | BIT(m)
	:: m < M && nomails < NOMAIL -> nomails++;
#ifndef MUT_NO_MAIL
		again = true
#endif
	:: else -> skip
	fi; m = 0
}

#ifdef MUT_NO_GRACE
#define GRACE (true)
#else
#define GRACE (busy == 0)
#endif
#ifdef MUT_SCAN_OWN
#define ITS(m) OWNS(m)
#else
#define ITS(m) (OWNS(m) || COMES(m))
#endif

/* Control, and the freeze that it sees. */
#define HAS_PULL(m) (pulls < PULLS && w_st == OWN && w_mem != (m) && len(mail_pull[m]) == 0 && ALIVE(m))
active proctype control()
{
	byte x, y, k, m;

end:	do
	:: atomic { HAS_PULL(0) -> pulls++; mail_pull[0]!w_gen(w_epoch) }
	:: atomic { HAS_PULL(1) -> pulls++; mail_pull[1]!w_gen(w_epoch) }
#if M == 3
	:: atomic { HAS_PULL(2) -> pulls++; mail_pull[2]!w_gen(w_epoch) }
#endif
#ifdef FREEZE
	:: atomic { frozen == 0 ->
		if
		:: x = 0
		:: x = 1
#if M == 3
		:: x = 2
#endif
		fi; frozen = BIT(x) }
	/* H1 the freeze is seen: nobody releases anything to it from now on, after a turn of each */
	:: atomic { frozen != 0 && fenced == 0 -> fenced = frozen; busy = (BIT(M) - 1) & ~frozen }
	/* H2 what was it at work on: bury() */
	:: atomic { fenced != 0 && dead == 0 && GRACE ->
#ifndef MUT_NO_CUR
		if
		:: where == NOWHERE -> skip /* not there yet, or no more */
		:: where != NOWHERE && IS(cur, x) && OWNS(x) && SLOT_OF(where) != x ->
			set_word(PARK, x) /* not copied yet */
		:: IS(cur, x) && OWNS(x) && SLOT_OF(where) == x ->
			assert(used & BIT(where)); ctx[where] = version /* a tombstone */
#ifndef MUT_NO_WAKE
		:: IS(cur, x) && w_st == XFER && ALIVE(w_mem) && SLOT_OF(where) == x ->
			mail_wake = mail_wake | BIT(w_mem)
#endif
		:: else -> skip
		fi;
#endif
	/* H3 those on their way to it, also what it had noted; what it had in its hand */
#ifndef MUT_INBOX_LOST
		inbox[x] = inbox[x] | adopting[x]; adopting[x] = 0;
#endif
		do
		:: inbox[x] != 0 -> lowest(inbox[x], y); inbox[x] = inbox[x] & ~BIT(y);
			if
			:: where != y -> give_back(y)
			:: else -> skip
			fi
		:: else -> break
		od;
		y = 0;
#ifndef MUT_HAND_LOST
		if
#ifndef MUT_HAND_USED
		:: hand[x] & gone -> skip /* control took them */
#endif
		:: else -> posts = posts | hand[x]
		fi;
		hand[x] = 0;
#endif
		dead = fenced }
	/* H4 all that is its, or on its way to it, or lies there: harvest_one() */
	   atomic {
		if
		:: where == NOWHERE && OWNS(x) -> w_gen++; set_word(FREE, M); goto voided
		:: where != NOWHERE && (ITS(x) || (w_st == PARK && SLOT_OF(where) < M)) ->
			y = where; any_alive(m); set_word(XFER, m)
#ifdef MUT_DEAD_POSTS
		:: w_st == DEAD && w_mem == x -> where = NOWHERE; set_word(FREE, M); goto end
#else
		:: w_st == DEAD && w_mem == x -> where = NOWHERE; set_word(FREE, M); goto voided
		:: w_st == FREE -> goto voided
#endif
		:: else ->
#ifndef MUT_SCAN_NO_LOOK
			if
			:: posts != 0 -> wake(m)
			:: else -> skip
			fi;
#endif
			goto end
		fi }
	   atomic { inbox_push(m, y); y = 0; m = 0; goto end }
	/* H5 its bells, its mail, whenever there are some */
#ifdef MUT_RINGING_LOST
#define ITS_BELLS bells[x]
#else
#define ITS_BELLS (bells[x] | ringing[x])
#endif
#ifndef MUT_BELLS_LOST
	:: atomic { dead != 0 && ITS_BELLS != 0 -> rung = rung & ~ITS_BELLS; bell_is = bell_is & ~ITS_BELLS;
#ifndef MUT_RINGING_LOST
		ringing[x] = 0;
#endif
		bells[x] = 0; goto wakes }
#endif
	:: atomic { dead != 0 && IS(mail_wake, x) -> mail_wake = mail_wake & ~BIT(x); goto wakes }
#endif
#if POSTS > 0
	/* G its own bells */
	:: atomic { bells_ctl != 0 -> lowest(bells_ctl, k); bells_ctl = bells_ctl & ~BIT(k);
		rung = rung & ~BIT(k); bell_is = bell_is & ~BIT(k); k = 0; goto wakes }
	:: atomic { again -> again = false; goto wakes }
#endif
	od;

	/* posts_wake() */
wakes:	atomic {
		if
		:: w_st == FREE || w_st == DEAD -> goto voided
		:: else -> wake(m); goto end
		fi }
voided:	posts_void(y, k, m);
	goto end
}

#define FROZEN(m)  IS(frozen, m)
#define AWAY       ((FROZEN(0) * (SLOTS(0) | giving[0])) | (FROZEN(1) * (SLOTS(1) | giving[1])) | \
	(FROZEN(M - 1) * (SLOTS(M - 1) | giving[M - 1])))
#define BEGUN      (begun[0] | begun[1] | begun[M - 1])
#define ANSWERING  (answering[0] | answering[1] | answering[M - 1])
#define THERE      (where == NOWHERE -> 0 : BIT(where))
#define QUIET(m)   (FROZEN(m) || (pull[m] == 0 && HELD(m) == 0 && inbox[m] == 0 && adopting[m] == 0))

active proctype quiet()
{
	short rest;

	atomic {
		timeout ->
		rest = used & ~THERE & ~AWAY;
		assert(w_st == PARK || w_st == FREE || (w_st == OWN && !FROZEN(w_mem)));
		assert(w_st == FREE || ctx[where] == version);
		assert(w_st != OWN || SLOT_OF(where) == w_mem);
		assert(w_st != FREE || where == NOWHERE);
		assert(posts == 0 && (done | gone | BEGUN) == BIT(nb_posts) - 1);
		assert((bell_is & ~ANSWERING) == 0 && (BEGUN | ANSWERING) * (frozen == 0) == 0);
		assert(QUIET(0) && QUIET(1) && QUIET(M - 1));
		assert(rest == 0)
	}
}

init {
	atomic {
		ctx[0] = version;
		run member(0);
		run member(1);
#if M == 3
		run member(2)
#endif
	}
}
