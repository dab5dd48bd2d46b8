/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* One connection of the TCP engine, whatever its peer, its user, ICMP and the clock do, in every state
 * and with pools that may run empty. Input: struct control, then as many struct op as there are. After
 * each the connection is checked, and all that it sends; in the end every buffer has come back.
 */

#include <string.h>

#include <rte_tcp.h>

#include "tcp_env.h"

#define NB_MBUFS 1023
#define NB_RECS 255
#define OPS_MAX 400
#define OUT_MAX 2000 /* segments that one op may lead to */

struct control {
	uint8_t options; /* bits of struct tp_tcp_conf */
	uint8_t how;     /* HOW_* */
	uint8_t rcv_buf; /* in units of 1 KiB, plus 1 */
	uint8_t snd_buf;
	uint8_t tso;      /* in units of 256 */
	uint8_t mtu;      /* in units of 32, plus 68 */
	uint16_t missing; /* low: mbufs, high: records that others have, in units of 4 */
};

#define HOW_PASSIVE 0x01
#define HOW_COOKIE 0x02
#define HOW_V6 0x04
#define HOW_COPY 0x08   /* no indirect buffers */
#define HOW_LIMIT 0x10  /* the shard may hold little */
#define HOW_CLOSED 0x20 /* no handshake: the ops do all */
#define HOW_WRAP 0x40

enum {
	OP_SEGMENT,
	OP_SACK,
	OP_RAW,
	OP_SEND,
	OP_READ,
	OP_SHUTDOWN,
	OP_CLOSE,
	OP_ABORT,
	OP_SLEEP,
	OP_TICK,
	OP_ICMP,
	OP_PATH,
	OP_SET,
	OP_DATA, /* in order, as a good peer sends it */
	OP_ACK,  /* of all that was sent */
	OP_MOVE, /* the struct is copied */
	OP_REOPEN,
	NB_OPS,
};

struct op {
	uint8_t kind;
	uint8_t flags; /* TCP flags, or what the op takes */
	int16_t seq;   /* from RCV.NXT on */
	int16_t ack;   /* from SND.UNA, or with FROM_NXT from SND.NXT on */
	uint16_t len;
	uint8_t opts;
	int8_t ts; /* from the last timestamp on */
	uint16_t arg;
};
static_assert(sizeof(struct op) == 12, "ops are read from the input");

#define FROM_NXT 0x80 /* in op.opts, as is: */
#define CE 0x40

static struct tp_tcp_conf conf;
static struct tp_tcp_env env;
static struct tp_tcp_conn conn, other;
static struct tp_tcp_conn *c;
static struct tp_tcp_key key;
static uint64_t now;
static void *taken_mbufs[NB_MBUFS], *taken_recs[NB_RECS];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	tcp_env_start(NB_MBUFS, NB_RECS);
	return 0;
}

/* ---- what comes out ------------------------------------------------------------------- */

static void
check_sent(const struct rte_mbuf *m)
{
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_mtod(m, const struct rte_tcp_hdr *);
	uint32_t hdr = (tcp->data_off >> 4) * 4, len = m->pkt_len - hdr;
	uint32_t seq = rte_be_to_cpu_32(tcp->sent_seq);
	const char *why;

	CHECK(rte_mbuf_check(m, 1, &why) == 0);
	CHECK(hdr >= 20 && hdr <= m->data_len && m->l4_len == hdr);
	CHECK(rte_pktmbuf_headroom(m) == RTE_PKTMBUF_HEADROOM);
	CHECK((m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM) != 0);
	CHECK(len <= 65535u - 120);
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		CHECK(m->tso_segsz > 0 && len > m->tso_segsz);
	if (tcp->tcp_flags & TP_TCP_RST) {
		CHECK(len == 0);
		return;
	}
	CHECK(tp_seq_leq(c->iss, seq) && tp_seq_leq(seq + len, c->snd_nxt));
	CHECK(tp_seq_geq(seq + 1 + (len > 0), c->snd_una));
	if (tcp->tcp_flags & TP_TCP_ACK)
		CHECK(rte_be_to_cpu_32(tcp->recv_ack) == c->rcv_nxt);
}

static void
check_conn(void)
{
	const char *what = "";

	if (tp_tcp_conn_check(c, &what) != 0) {
		fprintf(stderr, "the connection is inconsistent: %s\n", what);
		abort();
	}
	CHECK(env.held_bytes == tp_tcp_held(c));
}

static void
check_out(const struct rte_mbuf *m)
{
	if (m == NULL)
		check_conn();
	else
		check_sent(m);
}

static void
output(void)
{
	tcp_env_output(&env, c, now, OUT_MAX, check_out);
}

/* A deadline that has been run is over. */
static void
run_timers(void)
{
	for (int i = 0; tp_tcp_next(c) <= now; i++) {
		CHECK(i < 100);
		tp_tcp_timer(&env, c, now);
		check_conn();
		output();
	}
}

/* ---- what goes in ------------------------------------------------------------------------ */

static void
input(struct tp_tcp_seg *seg)
{
	if (seg->len > 0) {
		seg->data = tcp_env_payload(seg->len, seg->urg_ptr);
		if (seg->data == NULL)
			return;
	}
	seg->nb_coalesced = 1 + seg->len / 1500;
	tp_tcp_input(&env, c, seg, now);
	CHECK(seg->data == NULL);
}

static struct tp_tcp_seg
segment_of(const struct op *op)
{
	return (struct tp_tcp_seg){
		.seq = c->rcv_nxt + op->seq,
		.ack = (op->opts & FROM_NXT ? c->snd_nxt : c->snd_una) + op->ack,
		.len = op->len % 4000,
		.wnd = op->arg,
		.urg_ptr = op->arg ^ op->len,
		.flags = op->flags,
		.opts = op->opts & 0x37,
		.ce = (op->opts & CE) != 0,
		.wscale = op->arg % 15,
		.mss = op->len,
		.uto = op->arg,
		.ts_val = c->ts_recent + op->ts,
		.ts_ecr = (uint32_t)(now / TP_NS_PER_MS) + c->ts_off - (uint8_t)op->ack,
		.is_v6 = (c->flags & TP_TCP_F_IS_V6) != 0,
	};
}

static void
op_segment(const struct op *op)
{
	struct tp_tcp_seg seg = segment_of(op);

	input(&seg);
}

/* Blocks between what is in flight, and beside it. */
static void
op_sack(const struct op *op)
{
	struct tp_tcp_seg seg = segment_of(op);
	uint32_t at = c->snd_una + op->seq;

	seg.seq = c->rcv_nxt;
	seg.flags = TP_TCP_ACK | (op->flags & TP_TCP_ECE);
	seg.opts |= TP_TCP_O_SACK;
	seg.nb_sack = 1 + op->flags % TP_TCP_MAX_SACK;
	for (uint8_t i = 0; i < seg.nb_sack; i++) {
		seg.sack[i].left = at;
		seg.sack[i].right = at + op->len;
		at += op->len + op->arg;
	}
	seg.len = 0;
	input(&seg);
}

/* The op's bytes are the options of a header. */
static void
op_raw(const struct op *op)
{
	struct tp_pkt_info info = {
		.flags = TP_PKT_F_L4, .l3 = TP_L3_IPV4, .l3_off = 14, .l4_proto = 6, .l4_off = 34
	};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_tcp_hdr *tcp;
	struct tp_tcp_seg seg;
	uint8_t *p;

	if (m == NULL)
		return;
	p = (uint8_t *)rte_pktmbuf_append(m, 34 + 20 + sizeof(*op) + 50);
	memset(p, 0, 34 + 20 + sizeof(*op) + 50);
	tcp = (void *)(p + 34);
	tcp->sent_seq = rte_cpu_to_be_32(c->rcv_nxt + op->seq);
	tcp->recv_ack = rte_cpu_to_be_32(c->snd_nxt);
	tcp->data_off = 8 << 4;
	tcp->tcp_flags = op->flags | TP_TCP_ACK;
	tcp->rx_win = op->arg;
	memcpy(tcp + 1, op, sizeof(*op));
	info.data_off = 34 + 32;
	info.end_off = info.data_off + op->len % 50;
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	CHECK(tp_tcp_parse(m, &info, &seg) == 0);
	tp_tcp_input(&env, c, &seg, now);
	CHECK(seg.data == NULL);
}

static void
op_data(const struct op *op)
{
	struct tp_tcp_seg seg = segment_of(op);

	seg.seq = c->rcv_nxt;
	seg.ack = c->snd_nxt;
	seg.flags = TP_TCP_ACK | (op->flags & (TP_TCP_FIN | TP_TCP_PSH));
	seg.opts = c->flags & TP_TCP_F_TS ? TP_TCP_O_TS : 0;
	seg.ts_val = c->ts_recent + (uint8_t)op->ts % 8;
	input(&seg);
}

static void
op_ack(const struct op *op)
{
	struct tp_tcp_seg seg = segment_of(op);

	seg.seq = c->rcv_nxt;
	seg.ack = c->snd_nxt;
	seg.flags = TP_TCP_ACK;
	seg.len = 0;
	seg.opts = c->flags & TP_TCP_F_TS ? TP_TCP_O_TS : 0;
	seg.ts_val = c->ts_recent;
	input(&seg);
}

/* ---- the user, the clock ------------------------------------------------------------------ */

static void
op_send(const struct op *op)
{
	struct rte_mbuf *m = tcp_env_payload(op->len % 20000, op->arg);

	if (m != NULL && tp_tcp_send(&env, c, m, op->flags & 1, now) != 0)
		rte_pktmbuf_free(m);
}

static void
op_read(const struct op *op)
{
	struct rte_mbuf *m = tp_tcp_recv(c);
	const char *why;

	if (m != NULL) {
		CHECK(rte_mbuf_check(m, 1, &why) == 0);
		CHECK(m->pkt_len <= c->rcv_unread);
	}
	rte_pktmbuf_free(m);
	tp_tcp_consumed(&env, c, op->len, now);
	if (op->flags & 1)
		tp_tcp_consumed(&env, c, c->rcv_unread, now);
}

static void
op_sleep(const struct op *op)
{
	now += op->arg * (op->flags & 1 ? TP_NS_PER_S : TP_NS_PER_MS / 8);
}

static void
op_tick(void)
{
	if (tp_tcp_next(c) != TP_NEVER)
		now = RTE_MAX(now, tp_tcp_next(c));
}

static void
op_move(void)
{
	struct tp_tcp_conn *to = c == &conn ? &other : &conn;

	*to = *c;
	memset(c, 0xa5, sizeof(*c));
	c = to;
}

/* A SYN that a listener would like. */
static void
op_reopen(const struct op *op)
{
	struct tp_tcp_seg syn = segment_of(op);

	syn.flags = (syn.flags | TP_TCP_SYN) & ~(TP_TCP_ACK | TP_TCP_RST);
	if (c->state != TP_TCP_CLOSED && !tp_tcp_may_reopen(c, &syn))
		return;
	syn.data = tcp_env_payload(syn.len, 1000);
	tp_tcp_fini(&env, c);
	tp_tcp_conn_init(&env, c, &key, now);
	tp_tcp_accept(&env, c, &syn, now);
	CHECK(syn.data == NULL);
}

static void
run(const struct op *op)
{
	switch (op->kind % NB_OPS) {
	case OP_SEGMENT:
		op_segment(op);
		break;
	case OP_SACK:
		op_sack(op);
		break;
	case OP_RAW:
		op_raw(op);
		break;
	case OP_SEND:
		op_send(op);
		break;
	case OP_READ:
		op_read(op);
		break;
	case OP_SHUTDOWN:
		tp_tcp_shutdown(&env, c, now);
		break;
	case OP_CLOSE:
		tp_tcp_close(&env, c, now);
		break;
	case OP_ABORT:
		tp_tcp_abort(&env, c, TP_TCP_R_ABORT, now);
		break;
	case OP_SLEEP:
		op_sleep(op);
		break;
	case OP_TICK:
		op_tick();
		break;
	case OP_ICMP:
		tp_tcp_icmp(&env, c, op->flags % 3, c->snd_una + op->seq, op->arg, now);
		break;
	case OP_PATH:
		tp_tcp_path_changed(&env, c, now);
		break;
	case OP_SET:
		tp_tcp_set(&env, c, op->flags % 9, op->arg, now);
		break;
	case OP_DATA:
		op_data(op);
		break;
	case OP_ACK:
		op_ack(op);
		break;
	case OP_MOVE:
		op_move();
		break;
	case OP_REOPEN:
		op_reopen(op);
		break;
	}
}

/* ---- one input --------------------------------------------------------------------------------- */

static void
set_up(const struct control *ctl)
{
	tp_tcp_conf_default(&conf);
	conf.timestamps = ctl->options & 1;
	conf.sack = ctl->options & 2;
	conf.window_scale = ctl->options & 4;
	conf.ecn = ctl->options & 8;
	conf.nodelay = ctl->options & 16;
	conf.pacing = ctl->options & 32;
	conf.keepalive = ctl->options & 64;
	conf.cc = ctl->options >> 7;
	conf.rcv_buf = 1024 * (ctl->rcv_buf + 1);
	conf.snd_buf = 1024 * (ctl->snd_buf + 1);
	conf.tso_max = 256 * ctl->tso;
	conf.mtu = 68 + 32 * ctl->mtu;
	if (ctl->how & HOW_V6)
		conf.mtu = RTE_MAX(conf.mtu, 1280);
	env = (struct tp_tcp_env){
		.conf = &conf,
		.secret = &secret,
		.pool = pool,
		.pool_indirect = ctl->how & HOW_COPY ? NULL : indirect,
		.recs = recs,
		.held_max = ctl->how & HOW_LIMIT ? 20000 : 0,
	};
	memset(&key, 0, sizeof(key));
	key.raddr[0] = 0x20;
	if (!(ctl->how & HOW_V6))
		memcpy(key.raddr, (uint8_t[12]){ [10] = 0xff, [11] = 0xff }, 12);
	now = 1000 * TP_NS_PER_S;
	c = &conn;
	memset(c, 0, sizeof(*c));
}

static struct tp_tcp_seg
peer_syn(const struct control *ctl)
{
	return (struct tp_tcp_seg){
		.seq = ctl->how & HOW_WRAP ? 0xffffff00 : 77,
		.flags = TP_TCP_SYN,
		.opts = TP_TCP_O_MSS | TP_TCP_O_WSCALE | TP_TCP_O_SACK_PERM | TP_TCP_O_TS,
		.mss = 1460,
		.wnd = 65535,
		.wscale = 2,
		.ts_val = 0xfffffff0,
		.nb_coalesced = 1,
	};
}

static void
open_active(const struct control *ctl)
{
	struct tp_tcp_seg syn_ack = peer_syn(ctl);

	if (ctl->how & HOW_WRAP)
		c->iss = c->snd_una = c->snd_nxt = 0xfffffff0;
	tp_tcp_connect(&env, c, now);
	output();
	syn_ack.flags |= TP_TCP_ACK | TP_TCP_ECE;
	syn_ack.ack = c->snd_nxt;
	syn_ack.ts_ecr = (uint32_t)(now / TP_NS_PER_MS) + c->ts_off;
	tp_tcp_input(&env, c, &syn_ack, now);
}

/* @return the number of the SYN-ACK */
static uint32_t
ask_for_cookie(const struct tp_tcp_seg *syn, uint32_t *ts)
{
	struct rte_mbuf *m = tp_tcp_cookie_reply(&env, &key, syn, now);
	uint32_t seq;

	if (m == NULL)
		return 0;
	seq = rte_be_to_cpu_32(rte_pktmbuf_mtod(m, struct rte_tcp_hdr *)->sent_seq);
	*ts = m->pkt_len;
	rte_pktmbuf_free(m);
	return seq;
}

static void
open_passive(const struct control *ctl)
{
	struct tp_tcp_seg syn = peer_syn(ctl), ack = syn;

	ack.seq++;
	ack.flags = TP_TCP_ACK;
	ack.opts = syn.opts & TP_TCP_O_TS;
	if (ctl->how & HOW_COOKIE) {
		ack.ack = ask_for_cookie(&syn, &ack.ts_ecr) + 1;
		if (tp_tcp_cookie_open(&env, c, &key, &ack, now) != 0)
			return;
	} else {
		tp_tcp_accept(&env, c, &syn, now);
		output();
		ack.ack = c->snd_nxt;
	}
	tp_tcp_input(&env, c, &ack, now);
}

static void
take_some(const struct control *ctl, unsigned int *nb_mbufs, unsigned int *nb_recs)
{
	*nb_mbufs = RTE_MIN((ctl->missing & 0xff) * 4u, (unsigned int)NB_MBUFS);
	*nb_recs = RTE_MIN((ctl->missing >> 8) * 1u, (unsigned int)NB_RECS);
	/* Beside what the handshake holds. */
	*nb_mbufs = RTE_MIN(*nb_mbufs, rte_mempool_avail_count(pool));
	*nb_recs = RTE_MIN(*nb_recs, rte_mempool_avail_count(recs));
	CHECK(*nb_mbufs == 0 || rte_mempool_get_bulk(pool, taken_mbufs, *nb_mbufs) == 0);
	CHECK(*nb_recs == 0 || rte_mempool_get_bulk(recs, taken_recs, *nb_recs) == 0);
}

static void
finish(void)
{
	check_conn();
	if (c->state == TP_TCP_CLOSED)
		CHECK(tp_tcp_next(c) == TP_NEVER);
	tp_tcp_fini(&env, c);
	CHECK(env.held_bytes == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int nb_mbufs, nb_recs;
	struct control ctl;
	struct op op;

	if (size < sizeof(ctl) || size > sizeof(ctl) + OPS_MAX * sizeof(op))
		return -1;
	memcpy(&ctl, data, sizeof(ctl));
	set_up(&ctl);
	tp_tcp_conn_init(&env, c, &key, now);
	if ((ctl.how & HOW_CLOSED) == 0)
		(ctl.how & (HOW_PASSIVE | HOW_COOKIE) ? open_passive : open_active)(&ctl);
	else if (ctl.how & HOW_PASSIVE)
		tp_tcp_connect(&env, c, now);
	take_some(&ctl, &nb_mbufs, &nb_recs);
	output();
	for (size_t at = sizeof(ctl); at + sizeof(op) <= size; at += sizeof(op)) {
		memcpy(&op, data + at, sizeof(op));
		run(&op);
		check_conn();
		output();
		run_timers();
	}
	finish();
	if (nb_mbufs > 0)
		rte_mempool_put_bulk(pool, taken_mbufs, nb_mbufs);
	if (nb_recs > 0)
		rte_mempool_put_bulk(recs, taken_recs, nb_recs);
	tcp_env_all_back();
	return 0;
}
