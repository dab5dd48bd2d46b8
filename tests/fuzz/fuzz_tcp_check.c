/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A context whose owner froze in the middle of an update. The input says which connection it was, which
 * bytes of it and of its records are spoilt, and what happens then. The check must not crash on it; what
 * passes the check must go on without crash, hang or leak. Pointers stay good ones, or become others of
 * the same kind, or NULL: nobody can check a wild one.
 */

#include <rte_byteorder.h>

#include "tcp_env.h"

#define NB_MBUFS 2047
#define NB_RECS 1023
#define MAX_SPOILT 16
#define MAX_STEPS 32
#define OUT_MAX 100000
#define MAX_OBJECTS 256

/* The begin of the input. */
struct control {
	uint8_t options; /* SACK, timestamps, ... off */
	uint8_t history; /* H_* */
	uint8_t nb_spoilt;
	uint8_t park;
};

#define H_OPENING 0x01  /* not yet open */
#define H_PASSIVE 0x02  /* the peer opened */
#define H_SENT 0x04     /* data is in flight */
#define H_SACKED 0x08   /* with holes */
#define H_RECEIVED 0x10 /* unread data */
#define H_HOLES 0x20    /* with holes, too */
#define H_FIN 0x40      /* we send no more */
#define H_PEER_FIN 0x80 /* nor does the peer */

/* A byte that becomes another one. */
struct spoil {
	uint8_t kind; /* SPOIL_* */
	uint8_t which;
	uint16_t at;
	uint8_t value;
	uint8_t pad;
};
static_assert(sizeof(struct spoil) == 6, "read from the input");

enum {
	SPOIL_CONN,
	SPOIL_SENT,     /* a record of what is sent */
	SPOIL_BLOCK,    /* or received out of order */
	SPOIL_POINTER,  /* of the connection */
	SPOIL_REC_DATA, /* of a record */
	NB_SPOILS,
};

/* What happens afterwards. */
struct step {
	uint8_t kind;
	uint8_t flags;
	int16_t seq, ack;
	uint16_t len;
};
static_assert(sizeof(struct step) == 8, "read from the input");

enum {
	STEP_SEGMENT,
	STEP_DATA,
	STEP_ACK,
	STEP_SACK,
	STEP_SEND,
	STEP_READ,
	STEP_TICK,
	STEP_CLOSE,
	STEP_PATH,
	STEP_MTU,
	NB_STEPS,
};

static struct tp_tcp_conf conf;
static struct tp_tcp_env env;
static struct tp_tcp_conn conn, good;
static struct tp_tcp_conn *const c = &conn;
static struct tp_tcp_key key;
static uint64_t now;

/* Its records as they were, and the pointers that it may get. */
static struct tp_tcp_rec *rec_at[MAX_OBJECTS], rec_good[MAX_OBJECTS];
static struct rte_mbuf *mbuf_at[MAX_OBJECTS];
static unsigned int nb_sent, nb_recs, nb_mbufs;
/* A queue that lost its head has lost what it held: such a context is only checked. */
static bool lost_something;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	tcp_env_start(NB_MBUFS, NB_RECS);
	return 0;
}

/* ---- a connection that runs ------------------------------------------------------------- */

static void
output(void)
{
	tcp_env_output(&env, c, now, OUT_MAX, NULL);
}

static struct tp_tcp_seg
segment(int32_t seq, uint32_t ack, uint32_t len, uint8_t flags)
{
	return (struct tp_tcp_seg){
		.seq = c->rcv_nxt + seq,
		.ack = ack,
		.len = len,
		.wnd = 60000,
		.flags = flags,
		.opts = c->flags & TP_TCP_F_TS ? TP_TCP_O_TS : 0,
		.ts_val = c->ts_recent + 1,
		.ts_ecr = (uint32_t)(now / TP_NS_PER_MS) + c->ts_off - 5,
		.nb_coalesced = 1 + len / 1500,
	};
}

static void
input(struct tp_tcp_seg *seg)
{
	if (seg->len > 0) {
		seg->data = tcp_env_payload(seg->len, 1000);
		if (seg->data == NULL)
			return;
	}
	tp_tcp_input(&env, c, seg, now);
	CHECK(seg->data == NULL);
	output();
}

static void
send_some(uint32_t len)
{
	struct rte_mbuf *m = tcp_env_payload(len, 1000);

	if (m != NULL && tp_tcp_send(&env, c, m, true, now) != 0)
		rte_pktmbuf_free(m);
	output();
}

static void
open_it(const struct control *ctl)
{
	struct tp_tcp_seg syn = {
		.seq = 0xffffff00,
		.flags = TP_TCP_SYN,
		.opts = TP_TCP_O_MSS | TP_TCP_O_WSCALE | TP_TCP_O_SACK_PERM | TP_TCP_O_TS,
		.mss = 1460,
		.wnd = 65535,
		.wscale = 2,
		.ts_val = 0xfffffff0,
		.nb_coalesced = 1,
	};

	tp_tcp_conn_init(&env, c, &key, now);
	if (ctl->history & H_PASSIVE)
		tp_tcp_accept(&env, c, &syn, now);
	else
		tp_tcp_connect(&env, c, now);
	output();
	if (ctl->history & H_OPENING)
		return;
	now += 5 * TP_NS_PER_MS;
	if (!(ctl->history & H_PASSIVE)) {
		syn.flags |= TP_TCP_ACK;
		syn.ack = c->snd_nxt;
		syn.ts_ecr = (uint32_t)(now / TP_NS_PER_MS) + c->ts_off - 5;
		input(&syn);
	} else {
		syn = segment(0, c->snd_nxt, 0, TP_TCP_ACK);
		input(&syn);
	}
}

/* Blocks from the next but one segment on. */
static void
sack_some(void)
{
	struct tp_tcp_seg seg = segment(0, c->snd_una, 0, TP_TCP_ACK);

	if (c->snd_nxt - c->snd_una < 6u * c->snd_mss)
		return;
	seg.opts |= TP_TCP_O_SACK;
	seg.nb_sack = 2;
	for (int i = 0; i < 2; i++) {
		seg.sack[i].left = c->snd_una + (2 * i + 1) * c->snd_mss;
		seg.sack[i].right = seg.sack[i].left + c->snd_mss;
	}
	input(&seg);
}

static void
make_history(const struct control *ctl)
{
	struct tp_tcp_seg seg;

	open_it(ctl);
	if (ctl->history & H_OPENING)
		return;
	if (ctl->history & H_SENT) {
		send_some(20000);
		now += 5 * TP_NS_PER_MS;
	}
	if (ctl->history & H_SACKED)
		sack_some();
	if (ctl->history & H_RECEIVED) {
		seg = segment(0, c->snd_una, 3000, TP_TCP_ACK);
		input(&seg);
	}
	for (int i = 1; (ctl->history & H_HOLES) && i < 4; i++) {
		seg = segment(2000 * i, c->snd_una, 1000, TP_TCP_ACK);
		input(&seg);
	}
	if (ctl->history & H_FIN)
		tp_tcp_shutdown(&env, c, now);
	output();
	if (ctl->history & H_PEER_FIN) {
		seg = segment(0, c->snd_una, 10, TP_TCP_ACK | TP_TCP_FIN);
		input(&seg);
	}
}

/* ---- and is spoilt ------------------------------------------------------------------------- */

static void
remember(void)
{
	good = *c;
	lost_something = false;
	nb_recs = nb_mbufs = 0;
	for (struct tp_tcp_rec *r = c->tx_head; r != NULL && nb_recs < MAX_OBJECTS; r = r->next)
		rec_at[nb_recs++] = r;
	nb_sent = nb_recs;
	for (struct tp_tcp_rec *r = c->ooo_head; r != NULL && nb_recs < MAX_OBJECTS; r = r->next)
		rec_at[nb_recs++] = r;
	for (unsigned int i = 0; i < nb_recs; i++)
		rec_good[i] = *rec_at[i];
	for (struct rte_mbuf *m = c->snd.head; m != NULL && nb_mbufs < MAX_OBJECTS; m = m->next)
		mbuf_at[nb_mbufs++] = m;
}

static void
make_good(void)
{
	*c = good;
	for (unsigned int i = 0; i < nb_recs; i++)
		*rec_at[i] = rec_good[i];
}

static bool
is_pointer(size_t at)
{
	static const size_t pointers[] = {
		offsetof(struct tp_tcp_conn, rcv_head),
		offsetof(struct tp_tcp_conn, rcv_tail),
		offsetof(struct tp_tcp_conn, ooo_head),
		offsetof(struct tp_tcp_conn, tx_head),
		offsetof(struct tp_tcp_conn, tx_tail),
		offsetof(struct tp_tcp_conn, snd.head),
		offsetof(struct tp_tcp_conn, snd.tail),
		offsetof(struct tp_tcp_conn, snd_cur),
		offsetof(struct tp_tcp_conn, rexmit_hint),
	};

	for (unsigned int i = 0; i < RTE_DIM(pointers); i++)
		if (at - pointers[i] < sizeof(void *))
			return true;
	return false;
}

static void
spoil_rec(unsigned int i, size_t at, uint8_t value)
{
	size_t first = offsetof(struct tp_tcp_rec, data) + sizeof(void *);

	/* Of a block this is a pointer. */
	if (i >= nb_sent)
		first += sizeof(uint64_t);
	at = first + at % (sizeof(struct tp_tcp_rec) - first);
	((uint8_t *)rec_at[i])[at] = value;
}

/* All that point to records or buffers of the send queue, by number. */
static void
spoil_pointer(uint8_t which, uint16_t to)
{
	struct tp_tcp_rec *rec = nb_sent > 0 && to % (nb_sent + 1) < nb_sent
	                                         ? rec_at[to % (nb_sent + 1)]
	                                         : NULL;
	struct rte_mbuf *m = nb_mbufs > 0 && to % (nb_mbufs + 1) < nb_mbufs
	                                     ? mbuf_at[to % (nb_mbufs + 1)]
	                                     : NULL;

	lost_something |= which % 6 < 4;
	switch (which % 6) {
	case 0:
		c->tx_head = rec;
		break;
	case 1:
		c->tx_tail = rec;
		break;
	case 2:
		c->snd.head = m;
		break;
	case 3:
		c->snd.tail = m;
		break;
	case 4:
		c->snd_cur = m;
		break;
	case 5:
		c->rexmit_hint = rec;
		break;
	}
}

static void
spoil_rec_data(unsigned int i, uint16_t to)
{
	if (i >= nb_sent)
		return;
	lost_something |= to % 3 < 2;
	switch (to % 3) {
	case 0:
		rec_at[i]->next = to / 3 % 2 ? rec_at[to / 6 % nb_sent] : NULL;
		break;
	case 1:
		rec_at[i]->prev = to / 3 % 2 ? rec_at[to / 6 % nb_sent] : NULL;
		break;
	case 2:
		rec_at[i]->data = nb_mbufs > 0 && to / 3 % 2 ? mbuf_at[to / 6 % nb_mbufs] : NULL;
		break;
	}
}

static void
spoil(const struct spoil *s)
{
	size_t at = s->at % offsetof(struct tp_tcp_conn, owner_word);

	switch (s->kind % NB_SPOILS) {
	case SPOIL_CONN:
		if (!is_pointer(at))
			((uint8_t *)c)[at] = s->value;
		break;
	case SPOIL_SENT:
		if (nb_sent > 0)
			spoil_rec(s->which % nb_sent, s->at, s->value);
		break;
	case SPOIL_BLOCK:
		if (nb_recs > nb_sent)
			spoil_rec(nb_sent + s->which % (nb_recs - nb_sent), s->at, s->value);
		break;
	case SPOIL_POINTER:
		spoil_pointer(s->which, s->at);
		break;
	case SPOIL_REC_DATA:
		if (nb_sent > 0)
			spoil_rec_data(s->which % nb_sent, s->at);
		break;
	}
}

/* ---- what happens then ----------------------------------------------------------------------- */

static void
step_sack(const struct step *s)
{
	struct tp_tcp_seg seg = segment(0, c->snd_una, 0, TP_TCP_ACK);

	seg.opts |= TP_TCP_O_SACK;
	seg.nb_sack = 1;
	seg.sack[0].left = c->snd_una + s->seq;
	seg.sack[0].right = seg.sack[0].left + s->len;
	input(&seg);
}

static void
step_read(const struct step *s)
{
	rte_pktmbuf_free(tp_tcp_recv(c));
	tp_tcp_consumed(&env, c, s->flags & 1 ? UINT32_MAX : s->len, now);
	output();
}

static void
run(const struct step *s)
{
	struct tp_tcp_seg seg;

	now += (uint64_t)(s->flags >> 4) * TP_NS_PER_MS;
	switch (s->kind % NB_STEPS) {
	case STEP_SEGMENT:
		seg = segment(s->seq, c->snd_una + s->ack, s->len % 4000, s->flags);
		input(&seg);
		break;
	case STEP_DATA:
		seg = segment(0, c->snd_una, s->len % 4000, TP_TCP_ACK | (s->flags & TP_TCP_FIN));
		input(&seg);
		break;
	case STEP_ACK:
		seg = segment(0, s->flags & 8 ? c->snd_nxt : c->snd_una + s->ack, 0, TP_TCP_ACK);
		input(&seg);
		break;
	case STEP_SACK:
		step_sack(s);
		break;
	case STEP_SEND:
		send_some(s->len % 20000);
		break;
	case STEP_READ:
		step_read(s);
		break;
	case STEP_TICK:
		if (tp_tcp_next(c) != TP_NEVER)
			now = RTE_MAX(now, tp_tcp_next(c));
		break;
	case STEP_CLOSE:
		(s->flags & 8 ? tp_tcp_close : tp_tcp_shutdown)(&env, c, now);
		output();
		break;
	case STEP_PATH:
		tp_tcp_path_changed(&env, c, now);
		output();
		break;
	case STEP_MTU:
		tp_tcp_icmp(&env, c, TP_TCP_ICMP_MTU, c->snd_una + s->seq, s->len, now);
		output();
		break;
	}
	for (int i = 0; tp_tcp_next(c) <= now; i++) {
		CHECK(i < 100);
		tp_tcp_timer(&env, c, now);
		output();
	}
}

/* What passed is adopted, and may be parked, too. */
static void
adopt(bool park)
{
	struct tp_tcp_parked rec;
	struct tp_tcp_conn from = *c;

	env.held_bytes = 0;
	memset(c, 0xa5, sizeof(*c));
	tp_tcp_adopt(&env, c, &from, now);
	if (!park || !tp_tcp_parkable(c))
		return;
	tp_tcp_park(c, &rec);
	tp_tcp_unpark(&env, c, &key, &rec, now);
}

static void
set_up(const struct control *ctl)
{
	tp_tcp_conf_default(&conf);
	conf.timestamps = !(ctl->options & 1);
	conf.sack = !(ctl->options & 2);
	conf.window_scale = !(ctl->options & 4);
	conf.nodelay = ctl->options & 8;
	conf.pacing = ctl->options & 16;
	conf.keepalive = ctl->options & 32;
	conf.cc = ctl->options >> 6 & 1;
	conf.tso_max = ctl->options & 128 ? 0 : 9000;
	env = (struct tp_tcp_env){
		.conf = &conf,
		.secret = &secret,
		.pool = pool,
		.pool_indirect = indirect,
		.recs = recs,
	};
	memset(&key, 0, sizeof(key));
	memcpy(key.raddr, (uint8_t[12]){ [10] = 0xff, [11] = 0xff }, 12);
	now = 1000 * TP_NS_PER_S;
	memset(c, 0, sizeof(*c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *what = NULL;
	struct control ctl;
	struct spoil s;
	struct step st;
	bool passed;
	size_t at = sizeof(ctl);

	if (size < sizeof(ctl) ||
	                size > sizeof(ctl) + MAX_SPOILT * sizeof(s) + MAX_STEPS * sizeof(st))
		return -1;
	memcpy(&ctl, data, sizeof(ctl));
	set_up(&ctl);
	make_history(&ctl);
	CHECK(tp_tcp_conn_check(c, &what) == 0);
	remember();
	for (int i = 0; i < ctl.nb_spoilt % MAX_SPOILT && at + sizeof(s) <= size; i++) {
		memcpy(&s, data + at, sizeof(s));
		spoil(&s);
		at += sizeof(s);
	}
	passed = tp_tcp_conn_check(c, &what) == 0;
	CHECK(passed || what != NULL);
	if (!passed || lost_something) {
		env.held_bytes = 0;
		make_good();
		env.held_bytes = tp_tcp_held(c);
	} else {
		adopt(ctl.park & 1);
		for (; at + sizeof(st) <= size; at += sizeof(st)) {
			memcpy(&st, data + at, sizeof(st));
			run(&st);
		}
	}
	tp_tcp_fini(&env, c);
	CHECK(env.held_bytes == 0);
	tcp_env_all_back();
	return 0;
}
