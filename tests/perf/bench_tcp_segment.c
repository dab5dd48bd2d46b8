/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What the TCP engine costs for a segment of a connection that runs well: the engine alone, without
 * lower layers. rx: a full segment in order, parsed, taken in, handed to its user and consumed, with
 * every second one's ACK made. tx: a full segment made from queued data by reference, and its part of
 * the ACK for two that comes back. Between two measurements the buffers are freed or made. A run's
 * figure is the median of its bursts: each is so short that it is interrupted rarely, then for long.
 */

#include <math.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>

#include "bench.h"
#include "tp_tcp.h"

#define NB_SEGS 32 /* in a burst, and in flight */
#define MSS 1448
#define HDRS (RTE_ETHER_HDR_LEN + 20 + 20 + 12)
#define PASSES 500

struct scene {
	struct tp_tcp_conf conf;
	struct tp_tcp_secret secret;
	struct tp_tcp_env env;
	struct tp_tcp_conn c;
	struct tp_tcp_key key;
	uint64_t now;
	uint32_t ts;
	struct rte_mbuf *data[NB_SEGS];     /* rx: frames; tx: what the user queues */
	struct rte_mbuf *sent[2 * NB_SEGS]; /* what the engine made */
	uint16_t nb_sent;
	struct rte_mbuf *read[2 * NB_SEGS]; /* what the user took */
	uint16_t nb_read;
};

static struct scene *
scene_of(void *ctx)
{
	return ctx;
}

/* ---- the connection -------------------------------------------------------------------- */

static struct tp_tcp_seg
peer_seg(struct scene *s, uint8_t flags)
{
	return (struct tp_tcp_seg){
		.seq = s->c.rcv_nxt,
		.ack = s->c.snd_una,
		.wnd = UINT16_MAX,
		.flags = flags,
		.opts = TP_TCP_O_TS,
		.ts_val = ++s->ts,
		.ts_ecr = (uint32_t)(s->now / TP_NS_PER_MS) + s->c.ts_off,
		.nb_coalesced = 1,
	};
}

static void
output(struct scene *s)
{
	s->nb_sent += tp_tcp_output(&s->env, &s->c, s->now, s->sent + s->nb_sent,
	                RTE_DIM(s->sent) - s->nb_sent);
}

static void
drop_sent(struct scene *s)
{
	for (uint16_t i = 0; i < s->nb_sent; i++)
		rte_pktmbuf_free(s->sent[i]);
	s->nb_sent = 0;
}

static int
connect_to_peer(struct scene *s)
{
	struct tp_tcp_seg syn_ack;

	tp_tcp_conn_init(&s->env, &s->c, &s->key, s->now);
	tp_tcp_connect(&s->env, &s->c, s->now);
	output(s);
	syn_ack = peer_seg(s, TP_TCP_SYN | TP_TCP_ACK);
	syn_ack.ack = s->c.snd_nxt;
	syn_ack.opts |= TP_TCP_O_MSS | TP_TCP_O_SACK_PERM | TP_TCP_O_WSCALE;
	syn_ack.mss = 1460;
	syn_ack.wscale = 8;
	tp_tcp_input(&s->env, &s->c, &syn_ack, s->now);
	output(s);
	drop_sent(s);
	return s->c.state == TP_TCP_ESTABLISHED ? 0 : -1;
}

/* ---- rx ------------------------------------------------------------------------------------ */

static void
put_be32(uint8_t *p, uint32_t v)
{
	v = rte_cpu_to_be_32(v);
	memcpy(p, &v, sizeof(v));
}

/* A frame with a full segment, as a port that checks sums hands it over. */
static void
make_frame(struct scene *s, struct rte_mbuf *m, uint32_t seq)
{
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, HDRS + MSS);
	struct rte_ipv4_hdr *ip = (void *)(p + RTE_ETHER_HDR_LEN);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);
	uint8_t *opt = (uint8_t *)(tcp + 1);

	memset(p, 0, HDRS);
	p[12] = 0x08;
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16(HDRS - RTE_ETHER_HDR_LEN + MSS);
	ip->next_proto_id = 6;
	tcp->sent_seq = rte_cpu_to_be_32(seq);
	tcp->recv_ack = rte_cpu_to_be_32(s->c.snd_una);
	tcp->data_off = 8 << 4;
	tcp->tcp_flags = TP_TCP_ACK;
	tcp->rx_win = UINT16_MAX;
	put_be32(opt, 0x0101080a);
	put_be32(opt + 4, ++s->ts);
	put_be32(opt + 8, (uint32_t)(s->now / TP_NS_PER_MS) + s->c.ts_off);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

/* The next burst, parsed as far as tp_pkt does it. */
static int
rx_prepare(struct scene *s, struct tp_pkt_info *info)
{
	if (rte_pktmbuf_alloc_bulk(s->env.pool, s->data, NB_SEGS) != 0)
		return -1;
	for (uint32_t i = 0; i < NB_SEGS; i++)
		make_frame(s, s->data[i], s->c.rcv_nxt + i * MSS);
	tp_pkt_parse_burst(s->data, NB_SEGS, info);
	return 0;
}

struct rx_burst {
	struct scene *s;
	struct tp_pkt_info info[NB_SEGS];
};

static void
rx_burst(void *ctx)
{
	struct rx_burst *b = ctx;
	struct scene *s = b->s;
	struct tp_tcp_seg seg;
	struct rte_mbuf *m;

	for (uint32_t i = 0; i < NB_SEGS; i++) {
		if (tp_tcp_parse(s->data[i], &b->info[i], &seg) != 0)
			rte_panic("a segment that does not parse\n");
		tp_tcp_input(&s->env, &s->c, &seg, s->now);
		if (tp_tcp_events(&s->c) & TP_TCP_EV_DATA) {
			m = tp_tcp_recv(&s->c);
			s->read[s->nb_read++] = m;
			tp_tcp_consumed(&s->env, &s->c, m->pkt_len, s->now);
		}
		output(s);
		bench_keep(&s->c);
		if (tp_tcp_next(&s->c) < s->now)
			rte_panic("a timer is late\n");
	}
}

static double
run_rx(void *ctx)
{
	struct scene *s = scene_of(ctx);
	struct rx_burst b = { .s = s };
	double cycles[PASSES];
	uint32_t nxt;

	for (int pass = 0; pass < PASSES; pass++) {
		s->now += TP_NS_PER_MS / 10;
		nxt = s->c.rcv_nxt;
		if (rx_prepare(s, b.info) != 0)
			return NAN;
		cycles[pass] = bench_stream(rx_burst, &b, 1, NB_SEGS);
		if (s->nb_read != NB_SEGS || s->c.rcv_nxt - nxt != NB_SEGS * MSS)
			return NAN;
		rte_pktmbuf_free_bulk(s->read, s->nb_read);
		s->nb_read = 0;
		drop_sent(s);
	}
	return bench_stat_of(cycles, PASSES).median;
}

/* ---- tx -------------------------------------------------------------------------------------- */

/* Each is sent at once; the peer acknowledges every second. */
static void
tx_burst(void *ctx)
{
	struct scene *s = scene_of(ctx);
	struct tp_tcp_seg ack;

	for (uint32_t i = 0; i < NB_SEGS; i++) {
		if (tp_tcp_send(&s->env, &s->c, s->data[i], true, s->now) != 0)
			rte_panic("the send buffer is full\n");
		output(s);
		if (i % 2 == 1) {
			ack = peer_seg(s, TP_TCP_ACK);
			ack.ack = s->c.snd_nxt;
			tp_tcp_input(&s->env, &s->c, &ack, s->now);
		}
		bench_keep(&s->c);
		if (tp_tcp_next(&s->c) < s->now)
			rte_panic("a timer is late\n");
	}
}

static double
run_tx(void *ctx)
{
	struct scene *s = scene_of(ctx);
	double cycles[PASSES];

	for (int pass = 0; pass < PASSES; pass++) {
		s->now += TP_NS_PER_MS / 10;
		if (rte_pktmbuf_alloc_bulk(s->env.pool, s->data, NB_SEGS) != 0)
			return NAN;
		for (uint32_t i = 0; i < NB_SEGS; i++)
			rte_pktmbuf_append(s->data[i], MSS);
		cycles[pass] = bench_stream(tx_burst, s, 1, NB_SEGS);
		if (s->nb_sent != NB_SEGS || s->c.snd_una != s->c.snd_nxt)
			return NAN;
		drop_sent(s);
	}
	return bench_stat_of(cycles, PASSES).median;
}

/* ---- all --------------------------------------------------------------------------------------- */

static struct scene *
scene_create(void)
{
	struct scene *s = rte_zmalloc("scene", sizeof(*s), RTE_CACHE_LINE_SIZE);

	if (s == NULL)
		return NULL;
	tp_tcp_conf_default(&s->conf);
	s->secret.isn[0] = 1;
	s->now = 1000 * TP_NS_PER_S;
	s->key.laddr[10] = s->key.laddr[11] = s->key.raddr[10] = s->key.raddr[11] = 0xff;
	s->env = (struct tp_tcp_env){
		.conf = &s->conf,
		.secret = &s->secret,
		.pool = tp_pool_create("bench", 8191, 256, TP_POOL_DATA_ROOM, SOCKET_ID_ANY),
		.pool_indirect = tp_pool_create("bench_i", 4095, 256, 0, SOCKET_ID_ANY),
		.recs = tp_tcp_rec_pool_create("bench_r", 4095, 256, SOCKET_ID_ANY),
	};
	if (s->env.pool == NULL || s->env.pool_indirect == NULL || s->env.recs == NULL ||
	                connect_to_peer(s) != 0)
		return NULL;
	return s;
}

static void
run_case(struct bench *b, struct scene *s, const char *name, double goal, double (*run)(void *))
{
	struct bench_contender c = { .run = run, .ctx = s };
	struct bench_result result = { .case_name = name, .unit = "cycles/segment", .goal = goal };

	if (!bench_wants(b, name))
		return;
	if (bench_interleave(b, &c, 1) == 0)
		bench_report_stats(b, &result, &c.stat, NULL);
	else
		bench_fail(b, name, "no figure");
}

int
main(int argc, char **argv)
{
	struct scene *s;
	struct bench b;
	int rc = bench_init(&b, "tcp_segment", argc, argv, NULL);

	if (rc != 0)
		return bench_exit_code(rc);
	tp_clock_set_virtual(0);
	s = scene_create();
	if (s == NULL) {
		bench_fail(&b, "all", "no memory, or no connection");
		return bench_fini(&b);
	}
	run_case(&b, s, "rx", 250, run_rx);
	run_case(&b, s, "tx", 200, run_tx);
	return bench_fini(&b);
}
