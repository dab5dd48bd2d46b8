/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 *
 * Who may serve the host port: the epoch guard word, the role words, fence,
 * freeze and readmission. Names as in lib/team/host.c; README.md maps them.
 *
 * Claims
 *   S1  never two lcores inside the host port's guard
 *   S2  who gets in is the one that control elected last
 *   S3  a fenced lcore is readmitted only after it has read its fencing role word
 *   S4  nobody is inside the guard while control has the host port stopped
 *   L1  as long as some lcore runs, again and again one serves the host port,
 *       or the process has exited
 *
 * Cases, read by run.sh: check|long|mutation, name, safety|live, spin's flags or what
 * is taken away; a mutation runs with the flags of the first check of its kind
 * check    two-members        safety  -DN=2 -DHANGS=1 -DALARMS=1 -DCHANGES=2 -DSTOPS=1
 * check    two-hangs          safety  -DN=2 -DHANGS=2 -DALARMS=0 -DCHANGES=2 -DSTOPS=1
 * check    three-members      safety  -DN=3 -DHANGS=1 -DALARMS=0 -DCHANGES=2 -DSTOPS=0
 * long     all-of-it          safety  -DN=2 -DHANGS=2 -DALARMS=1 -DCHANGES=2 -DSTOPS=1
 * check    served             live    -DN=2 -DHANGS=1 -DALARMS=1 -DCHANGES=1 -DSTOPS=0
 * mutation MUT_NO_EPOCH       safety  guard taken without comparing the epoch
 * mutation MUT_SHORT_EPOCH    safety  epoch of one bit: two changes bring it back
 * mutation MUT_ROLE_TWICE     safety  primary from one reading of the role word, epoch from the next
 * mutation MUT_NO_RAISE       safety  role words written, epoch not raised
 * mutation MUT_NO_BUSY        safety  guard taken without looking whether it is busy
 * mutation MUT_STORE_RELEASE  safety  guard released by storing {own epoch, 0}
 * mutation MUT_NO_FREEZE      safety  busy of a hung lcore cleared before it is frozen
 * mutation MUT_THAW           safety  the signal handler sets frozen and returns
 * mutation MUT_ANON_BUSY      safety  busy says that, not who: cleared blindly after a freeze
 * mutation MUT_NO_SEQ         safety  the fence does not raise seq
 * mutation MUT_HEARTBEAT      safety  a fenced lcore's next sign of life readmits it
 * mutation MUT_STOP_NO_WAIT   safety  host port stopped while the last burst is under way
 * mutation MUT_ELECT_STOPPED  safety  a primary elected while the host port is stopped
 * mutation MUT_NO_EXIT        live    a freeze that is not seen is waited for
 * mutation MUT_NO_CLEAR       live    the frozen lcore's busy is left set
 * mutation MUT_NO_READMIT     live    fenced once is fenced for good
 * mutation MUT_UNSIGNAL       live    an lcore is readmitted although the signal is on its way
 */
#ifndef N
#define N 2
#endif
#ifndef HANGS
#define HANGS 1
#endif
#ifndef ALARMS
#define ALARMS 1
#endif
#ifndef CHANGES
#define CHANGES 1
#endif
#ifndef STOPS
#define STOPS 0
#endif
#define NONE 7

#ifdef MUT_SHORT_EPOCH
#define NEXT_EPOCH (1 - g_epoch)
#else
#define NEXT_EPOCH (g_epoch + 1) /* a byte that starts near its wrap */
#endif

/* The guard word {epoch, busy}: busy is 0 or the holder's number + 1. */
#ifdef MUT_SHORT_EPOCH
byte g_epoch = 0;
#else
byte g_epoch = 254;
#endif
byte g_busy;

/* Role words {primary, epoch, seq}: control writes, the member reads, in one access. */
bool r_primary[N];
byte r_epoch[N];
byte r_seq[N];
/* Written by the member only. */
byte seen[N];

/* Control's own. */
byte elected = NONE;
bool fenced[N];
bool signalled[N]; /* the freeze signal is sent: it cannot be called back */
bool settled[N];   /* frozen was seen and the guard put right */
bool beat[N];      /* MUT_HEARTBEAT only: wrote seen since the fence */
byte stopping;     /* host port: 0 runs, 1 to be stopped, 2 stopped */

/* The world. */
bool hung[N];
bool frozen[N];
bool exited;

/* Ghosts: what really is. */
bool inside[N];
bool stale[N]; /* has not read its role word since it was fenced */
byte hangs, alarms, changes, stops;

#define RUNS(i) (!hung[i] && !frozen[i] && !exited)
#if N == 3
#define ANY(p) (p(0) || p(1) || p(2))
#define OTHERS_INSIDE(i) (inside[(i + 1) % 3] || inside[(i + 2) % 3])
#define EACH(p) :: p(0) -> i = 0 :: p(1) -> i = 1 :: p(2) -> i = 2
#else
#define ANY(p) (p(0) || p(1))
#define OTHERS_INSIDE(i) (inside[1 - i])
#define EACH(p) :: p(0) -> i = 0 :: p(1) -> i = 1
#endif

#ifdef MUT_NO_EPOCH
#define EPOCH_OK(e) (true)
#else
#define EPOCH_OK(e) (g_epoch == e)
#endif
#ifdef MUT_NO_BUSY
#define NOT_BUSY (true)
#else
#define NOT_BUSY (g_busy == 0)
#endif
#ifdef MUT_HEARTBEAT
#define SIGN_OF_LIFE(i) beat[i] = true
#define FORGET_LIFE(i)  beat[i] = false
#else
#define SIGN_OF_LIFE(i) skip
#define FORGET_LIFE(i)  skip
#endif

/* A member's lcore: M1..M5 are one turn of its loop as far as the host port goes. */
proctype member(byte me)
{
	bool p;
	byte e, s;

	do
	/* M1 load-acquire the role word */
	:: atomic {
		RUNS(me) ->
		p = r_primary[me]; e = r_epoch[me]; s = r_seq[me];
		stale[me] = false
	   }
	/* M2 store-release seen */
	   atomic { RUNS(me) -> seen[me] = s; SIGN_OF_LIFE(me); s = 0 }
	/* M3 take the guard with my own epoch, or leave it */
	   atomic {
		RUNS(me) ->
#ifdef MUT_ROLE_TWICE
		e = r_epoch[me];
#endif
		if
		:: p && EPOCH_OK(e) && NOT_BUSY ->
			assert(elected == me);          /* S2 */
			assert(!OTHERS_INSIDE(me));     /* S1 */
			assert(stopping != 2);          /* S4 */
			g_busy = me + 1; inside[me] = true
		:: else ->
			p = false
		fi
	   }
	   if
	   :: p ->
	/* M4 poll, balance, put on rings: nobody else is in here meanwhile */
		atomic { RUNS(me) -> assert(!OTHERS_INSIDE(me)); assert(stopping != 2) }
	/* M5 release: subtract what M3 added, whatever the epoch is by now */
		atomic {
			RUNS(me) ->
#ifdef MUT_STORE_RELEASE
			g_epoch = e; g_busy = 0;
#else
			g_busy = g_busy - (me + 1);
#endif
			inside[me] = false; p = false; e = 0
		}
	   :: else -> e = 0
	   fi
	od
}

/* Control. It never waits: whatever is under way is a state that a later turn looks at. */
#define NOBODY_ELECTED (elected == NONE)
#ifdef MUT_ELECT_STOPPED
#define HOST_RUNS      (true)
#else
#define HOST_RUNS      (stopping == 0)
#endif
#define CAN_ELECT(i)   (NOBODY_ELECTED && HOST_RUNS && !fenced[i])
#define CAN_CHANGE(i)  (changes < CHANGES && !NOBODY_ELECTED && elected != i && !fenced[i] && HOST_RUNS)
#define CAN_FENCE(i)   (!fenced[i] && (hung[i] || alarms < ALARMS))
#define CAN_SIGNAL(i)  (fenced[i] && !signalled[i] && g_busy == i + 1)
#define CAN_SETTLE(i)  (signalled[i] && frozen[i] && !settled[i])
#define GIVE_UP(i)     (signalled[i] && !frozen[i])
#ifdef MUT_NO_READMIT
#define CAN_READMIT(i) (false)
#elif defined(MUT_HEARTBEAT)
#define CAN_READMIT(i) (fenced[i] && !signalled[i] && beat[i])
#elif defined(MUT_UNSIGNAL)
#define CAN_READMIT(i) (fenced[i] && !frozen[i] && seen[i] == r_seq[i])
#else
#define CAN_READMIT(i) (fenced[i] && !signalled[i] && seen[i] == r_seq[i])
#endif
#ifdef MUT_STOP_NO_WAIT
#define GUARD_EMPTY (true)
#else
#define GUARD_EMPTY (g_busy == 0)
#endif
#define INSIDE(i) (inside[i])

active proctype control()
{
	byte i, old;

	do
	/* C1 elect when there is no primary: the epoch is one that nobody holds a role for */
	:: atomic { ANY(CAN_ELECT) -> if EACH(CAN_ELECT) fi; elected = i;
		r_primary[i] = true; r_epoch[i] = g_epoch; i = 0 }

	/* C2 change the primary: raise the epoch, then both role words, in either order */
	:: atomic { ANY(CAN_CHANGE) -> if EACH(CAN_CHANGE) fi; changes++;
		old = elected; elected = i;
#ifndef MUT_NO_RAISE
		g_epoch = NEXT_EPOCH
#endif
	   }
	   if
	   :: atomic { r_primary[old] = false; r_epoch[old] = g_epoch };
	      atomic { r_primary[i] = true; r_epoch[i] = g_epoch; i = 0; old = 0 }
	   :: atomic { r_primary[i] = true; r_epoch[i] = g_epoch };
	      atomic { r_primary[old] = false; r_epoch[old] = g_epoch; i = 0; old = 0 }
	   fi

	/* C3 fence an lcore that looks hung, rightly or not: epoch if it was primary ... */
	:: atomic { ANY(CAN_FENCE) -> if EACH(CAN_FENCE) fi;
		if
		:: hung[i] -> skip
		:: else -> alarms++
		fi;
		fenced[i] = true;
		if
		:: elected == i -> elected = NONE;
#ifndef MUT_NO_RAISE
			g_epoch = NEXT_EPOCH
#endif
		:: else -> skip
		fi
	   }
	/*    ... then its role word, with a seq it cannot have seen */
	   atomic {
		r_primary[i] = false; r_epoch[i] = g_epoch; stale[i] = true; FORGET_LIFE(i);
#ifndef MUT_NO_SEQ
		r_seq[i] = r_seq[i] + 1;
#endif
		i = 0
	   }

	/* C4 readmit when seen equals that very seq */
	:: atomic { ANY(CAN_READMIT) -> if EACH(CAN_READMIT) fi;
		assert(!stale[i]);                              /* S3 */
		fenced[i] = false; i = 0 }

	/* C5 a fenced lcore still holds the guard at the deadline: freeze it */
	:: atomic { ANY(CAN_SIGNAL) -> if EACH(CAN_SIGNAL) fi;
#ifdef MUT_NO_FREEZE
		g_busy = 0;
#endif
		signalled[i] = true; i = 0 }

	/* C6 frozen is seen: only now, and only if busy is still its own, clear it */
	:: atomic { ANY(CAN_SETTLE) -> if EACH(CAN_SETTLE) fi;
		settled[i] = true;
#if defined(MUT_ANON_BUSY)
		g_busy = 0;
#elif !defined(MUT_NO_CLEAR)
		if
		:: g_busy == i + 1 -> g_busy = 0
		:: else -> skip
		fi;
#endif
#ifndef MUT_THAW
		inside[i] = false;
#endif
		i = 0 }

	/* C7 frozen is not seen in time: exit, the service manager starts anew */
#ifndef MUT_NO_EXIT
	:: atomic { ANY(GIVE_UP) -> exited = true }
#endif

	/* C8 stop the host port (MTU, removal): take the role away, raise the epoch ... */
	:: atomic { stopping == 0 && stops < STOPS && !NOBODY_ELECTED ->
		stops++; stopping = 1; old = elected; elected = NONE;
		g_epoch = NEXT_EPOCH }
	   atomic { r_primary[old] = false; r_epoch[old] = g_epoch; old = 0 }
	/* C9 ... stop it when nobody is inside */
	:: atomic { stopping == 1 && GUARD_EMPTY -> stopping = 2; assert(!ANY(INSIDE)) } /* S4 */
	/* C10 started again: C1 finds nobody elected */
	:: atomic { stopping == 2 -> stopping = 0 }

	:: exited -> break
	od
}

/* The world: lcores hang at any point, wake late or never; signals arrive late or never. */
#define CAN_HANG(i)    (hangs < HANGS && !hung[i] && !frozen[i])
#define CAN_WAKE(i)    (hung[i] && !frozen[i])
#ifdef MUT_THAW
#define CAN_DELIVER(i) (signalled[i] && !settled[i] && !hung[i])
#else
#define CAN_DELIVER(i) (signalled[i] && !frozen[i])
#endif
#define SETTLED(i) (settled[i] && frozen[i])

active proctype world()
{
	byte i;

	do
	:: atomic { ANY(CAN_HANG) -> if EACH(CAN_HANG) fi; hangs++; hung[i] = true; i = 0 }
	:: atomic { ANY(CAN_WAKE) -> if EACH(CAN_WAKE) fi; hung[i] = false; i = 0 }
	:: atomic { ANY(CAN_DELIVER) -> if EACH(CAN_DELIVER) fi; frozen[i] = true; i = 0 }
#ifdef MUT_THAW
	:: atomic { ANY(SETTLED) -> if EACH(SETTLED) fi; frozen[i] = false; i = 0 }
#endif
	:: true -> skip /* or nothing: fairness must not force it to act */
	od
}

#define SERVING(i) (inside[i] && RUNS(i))

init {
	atomic {
		byte i;
		for (i : 0 .. N - 1) { run member(i) }
	}
}

#ifdef LIVE
ltl served { [](<>(exited || ANY(SERVING) || !ANY(RUNS))) } /* L1 */
#endif
