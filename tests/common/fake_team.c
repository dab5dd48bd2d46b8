/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "fake_team.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>

#include "../unit/tcp_frame.h"
#include "check.h"

#define OURS RTE_IPV4(10, 0, 0, 1)
#define PEERS RTE_IPV4(10, 0, 0, 2)
#define ROOM 512

/* As in tcp_frame.h. */
static const struct rte_ether_addr our_mac = { { 2, 0, 0, 0, 0, 2 } };
static const struct rte_ether_addr peer_mac = { { 2, 0, 0, 0, 0, 1 } };

/* ---- what a member does for its shard -------------------------------------------------- */

static uint16_t
op_room(void *arg)
{
	const struct fake_member *m = arg;

	return m->room;
}

static void
copy_out(const struct rte_mbuf *m, uint32_t off, uint32_t len, uint8_t *to)
{
	const void *from = rte_pktmbuf_read(m, off, len, to);

	CHECK(from != NULL);
	if (from != to)
		memcpy(to, from, len);
}

static void
write_down(struct fake_member *member, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(eth + 1);
	const struct rte_tcp_hdr *tcp = (const struct rte_tcp_hdr *)(ip + 1);
	struct fake_team *t = member->team;
	uint32_t off = sizeof(*eth) + sizeof(*ip), len;

	if (eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
	                ip->next_proto_id != IPPROTO_TCP || t->nb_sent == FAKE_SENT)
		return;
	off += (tcp->data_off >> 4) * 4;
	len = m->pkt_len - off;
	t->sent[t->nb_sent++] = (struct fake_sent){
		.member = member->index,
		.flags = tcp->tcp_flags,
		.lport = rte_be_to_cpu_16(tcp->src_port),
		.rport = rte_be_to_cpu_16(tcp->dst_port),
		.laddr = rte_be_to_cpu_32(ip->src_addr),
		.len = len,
		.seq = rte_be_to_cpu_32(tcp->sent_seq),
		.ack = rte_be_to_cpu_32(tcp->recv_ack),
		.at = t->nb_text,
	};
	if (len == 0 || t->nb_text + len > FAKE_TEXT)
		return;
	copy_out(m, off, len, &t->text[t->nb_text]);
	t->nb_text += len;
}

static void
op_transmit(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	for (uint16_t i = 0; i < nb_pkts; i++)
		write_down(arg, pkts[i]);
	rte_pktmbuf_free_bulk(pkts, nb_pkts);
}

static void
op_forward(void *arg, uint8_t to, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	const struct fake_member *from = arg;
	struct fake_member *m;

	CHECK(to < FAKE_MEMBERS && to != from->index);
	m = &from->team->member[to];
	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (m->full || m->nb_ring == FAKE_RING) {
			m->nb_lost++;
			rte_pktmbuf_free(pkts[i]);
		} else {
			m->ring[m->nb_ring++] = pkts[i];
		}
	}
}

static void
op_control(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	const struct fake_member *m = arg;

	for (uint16_t i = 0; i < nb_pkts; i++)
		tp_inet_pend(m->team->inet, pkts[i], m->team->now);
}

static const struct tp_toe_ops ops = { op_room, op_transmit, op_forward, op_control };

static uint8_t
member_of(void *arg, uint32_t hash)
{
	const struct fake_team *t = arg;

	(void)hash;
	return t->home;
}

/* ---- the team ------------------------------------------------------------------------------- */

void
fake_team_conf(struct tp_toe_conf *conf)
{
	tp_toe_conf_default(conf);
	conf->max_conns = 64;
	conf->tcp.tso_max = 0;
	/* Those that want it say so. */
	conf->move.idle_ns = 0;
}

void
fake_member_open(struct fake_team *t, uint8_t index)
{
	struct fake_member *m = &t->member[index];

	*m = (struct fake_member){ .team = t, .index = index, .room = ROOM };
	m->shard = tp_toe_shard_create(
	                t->toe, index, SOCKET_ID_ANY, t->pool, NULL, &our_mac, &ops, m);
	CHECK(m->shard != NULL);
}

/* So that what is sent to it need not wait. */
static void
meet_neighbour(struct fake_team *t)
{
	struct rte_mbuf *m = tp_pkt_build_arp(t->pool, RTE_ARP_OP_REQUEST, 0, &our_mac, &peer_mac,
	                rte_cpu_to_be_32(PEERS), &our_mac, rte_cpu_to_be_32(OURS));
	struct tp_inet_frame frame;
	struct tp_pkt_info info;

	CHECK(m != NULL);
	tp_pkt_parse(m, &info);
	tp_inet_heard(t->inet, m, &info, 0, t->now);
	rte_pktmbuf_free(m);
	while (tp_inet_take(t->inet, &frame, 1) == 1)
		rte_pktmbuf_free(frame.m);
}

static void
open_inet(struct fake_team *t)
{
	struct tp_inet_conf conf;
	uint8_t addr[TP_INET_LEN];

	tp_inet_conf_default(&conf);
	conf.pool = t->pool;
	conf.qsbr = t->qsbr;
	conf.mac = our_mac;
	conf.mtu = 1500;
	conf.answer = true;
	conf.dad_probes = 0;
	conf.link_local = false;
	conf.mld = false;
	conf.reachable_ns = 100000 * TP_NS_PER_S;
	t->inet = tp_inet_create(&conf, t->now);
	CHECK(t->inet != NULL);
	tp_inet_map_v4(addr, rte_cpu_to_be_32(OURS));
	CHECK(tp_inet_addr_add(t->inet, addr, 24, t->now) == 0);
	meet_neighbour(t);
}

void
fake_team_open(struct fake_team *t, struct rte_mempool *pool, const struct tp_toe_conf *conf)
{
	struct tp_toe_conf few;
	const char *why;

	fake_team_conf(&few);
	memset(t, 0, sizeof(*t));
	t->pool = pool;
	t->now = FAKE_BEGIN_NS;
	tp_clock_set_virtual(t->now);
	t->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(FAKE_MEMBERS), RTE_CACHE_LINE_SIZE);
	CHECK(t->qsbr != NULL && rte_rcu_qsbr_init(t->qsbr, FAKE_MEMBERS) == 0);
	open_inet(t);
	t->toe = tp_toe_create(conf != NULL ? conf : &few, t->inet, t->qsbr, member_of, t, &why);
	CHECK(t->toe != NULL);
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
		fake_member_open(t, i);
}

void
fake_team_close(struct fake_team *t)
{
	struct tp_inet_frame frame;

	for (uint8_t i = 0; i < FAKE_MEMBERS; i++) {
		rte_pktmbuf_free_bulk(t->member[i].ring, t->member[i].nb_ring);
		t->member[i].nb_ring = 0;
		if (t->member[i].shard != NULL)
			tp_toe_shard_free(t->member[i].shard);
	}
	while (tp_inet_take(t->inet, &frame, 1) == 1)
		rte_pktmbuf_free(frame.m);
	tp_toe_free(t->toe);
	tp_inet_free(t->inet);
	rte_free(t->qsbr);
}

void
fake_wait(struct fake_team *t, uint64_t ns)
{
	t->now += ns;
	tp_clock_set_virtual(t->now);
}

void
fake_turn(struct fake_team *t, uint8_t member)
{
	struct fake_member *m = &t->member[member];
	struct rte_mbuf *pkts[FAKE_RING];
	uint16_t nb = m->nb_ring;

	memcpy(pkts, m->ring, nb * sizeof(pkts[0]));
	m->nb_ring = 0;
	for (uint16_t i = 0; i < nb; i += TP_BURST_MAX)
		tp_toe_foreign(m->shard, &pkts[i], RTE_MIN(nb - i, TP_BURST_MAX), t->now);
	tp_toe_step(m->shard, t->now);
}

void
fake_turns(struct fake_team *t, unsigned int nb)
{
	for (; nb > 0; nb--) {
		for (uint8_t i = 0; i < FAKE_MEMBERS; i++) {
			if (t->member[i].shard != NULL && !t->member[i].stopped)
				fake_turn(t, i);
		}
		tp_toe_manage(t->toe, t->now);
	}
}

/* ---- what left ------------------------------------------------------------------------------- */

void
fake_forget(struct fake_team *t)
{
	t->nb_sent = t->nb_text = 0;
}

const struct fake_sent *
fake_last(const struct fake_team *t, uint16_t rport)
{
	for (uint32_t i = t->nb_sent; i-- > 0;) {
		if (t->sent[i].rport == rport)
			return &t->sent[i];
	}
	return NULL;
}

uint32_t
fake_nb_sent(const struct fake_team *t, uint16_t rport, uint8_t flags)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->nb_sent; i++)
		n += t->sent[i].rport == rport && (t->sent[i].flags & flags) == flags;
	return n;
}

uint32_t
fake_text(const struct fake_team *t, uint16_t rport, void *text, uint32_t size)
{
	uint32_t nb = 0, next = 0;
	bool first = true;

	for (uint32_t i = 0; i < t->nb_sent; i++) {
		const struct fake_sent *s = &t->sent[i];
		uint32_t len = RTE_MIN(s->len, size - nb);

		if (s->rport != rport || s->len == 0 || (!first && s->seq != next))
			continue;
		memcpy((uint8_t *)text + nb, &t->text[s->at], len);
		nb += len;
		next = s->seq + s->len;
		first = false;
	}
	return nb;
}

/* ---- the peer ----------------------------------------------------------------------------------- */

struct rte_mbuf *
fake_segment(struct fake_team *t, const struct fake_peer *p, uint8_t flags, uint16_t len)
{
	struct tp_tcp_key key = tcp_frame_key(false, 2, p->port, 1, p->to != 0 ? p->to : FAKE_PORT);
	uint16_t hdr_len = tcp_frame_hdr_len(&key);
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->pool);
	struct rte_tcp_hdr *tcp;
	uint8_t *frame;

	CHECK(m != NULL);
	frame = (uint8_t *)rte_pktmbuf_append(m, hdr_len + sizeof(*tcp) + len);
	CHECK(frame != NULL);
	tcp = (struct rte_tcp_hdr *)(frame + hdr_len);
	*tcp = (struct rte_tcp_hdr){
		.src_port = key.lport,
		.dst_port = key.rport,
		.sent_seq = rte_cpu_to_be_32(p->seq),
		.recv_ack = flags & TP_TCP_ACK ? rte_cpu_to_be_32(p->ack) : 0,
		.data_off = sizeof(*tcp) / 4 << 4,
		.tcp_flags = flags,
		.rx_win = UINT16_MAX,
	};
	memset(tcp + 1, 0x5a, len);
	tcp_frame_fill(frame, m->data_len, &key, 0);
	m->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	return m;
}

bool
fake_arrive(struct fake_team *t, uint8_t member, struct rte_mbuf *m)
{
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	if (tp_toe_input(t->member[member].shard, &m, &info, 1, t->now) == 0)
		return true;
	rte_pktmbuf_free(m);
	return false;
}

void
fake_say(struct fake_team *t, struct fake_peer *p, uint8_t member, uint8_t flags, uint16_t len)
{
	fake_arrive(t, member, fake_segment(t, p, flags, len));
	p->seq += len + ((flags & (TP_TCP_SYN | TP_TCP_FIN)) != 0);
}

void
fake_write(struct fake_team *t, struct fake_peer *p, uint8_t member, const void *data, uint16_t len)
{
	struct rte_mbuf *m = fake_segment(t, p, TP_TCP_ACK | TP_TCP_PSH, len);

	memcpy(rte_pktmbuf_mtod_offset(m, void *, m->data_len - len), data, len);
	fake_arrive(t, member, m);
	p->seq += len;
}

void
fake_hear(struct fake_team *t, struct fake_peer *p)
{
	for (uint32_t i = 0; i < t->nb_sent; i++) {
		const struct fake_sent *s = &t->sent[i];
		uint32_t end = s->seq + s->len + ((s->flags & (TP_TCP_SYN | TP_TCP_FIN)) != 0);

		if (s->rport == p->port && (s->flags & TP_TCP_RST) == 0 &&
		                ((s->flags & TP_TCP_SYN) || (int32_t)(end - p->ack) > 0))
			p->ack = end;
	}
}

void
fake_open_conn(struct fake_team *t, struct fake_peer *p, uint8_t member)
{
	fake_say(t, p, member, TP_TCP_SYN, 0);
	fake_turns(t, 1);
	fake_hear(t, p);
	fake_say(t, p, member, TP_TCP_ACK, 0);
	fake_turns(t, 1);
}
