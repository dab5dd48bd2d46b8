/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* At the far ends of the wires: the host, which sends flows to the team, and the neighbours, who
 * send theirs to the host and answer ARP.
 */

#include <string.h>

#include <rte_arp.h>
#include <rte_ethdev.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "sim.h"

#define PEER_BURST 32

static const struct rte_ether_addr team_mac = { { 2, 0, 0, 0, 0, 0xaa } };

enum shape { SHAPE_UDP4, SHAPE_TCP4, SHAPE_UDP6, SHAPE_TCP6, NB_SHAPES };

static struct rte_ether_addr
peer_mac(uint8_t wire, uint32_t n)
{
	return (struct rte_ether_addr){ { 2, 0, 0, 1, wire, n } };
}

/* The first flow behind those with data: request and reply of each neighbour, then what the host
 * sends to groups, then broadcasts to the host.
 */
static uint16_t extra;
#define FLOW_REPLY(n) (extra + 2 * (n))
#define FLOW_REQUEST(n) (extra + 2 * (n) + 1)
#define FLOW_GROUP (extra + 2 * SIM_NB_NEIGHBOURS)
#define FLOW_FLOOD (FLOW_GROUP + 1)

#define NEIGHBOUR_IP(n) rte_cpu_to_be_32(RTE_IPV4(10, 9, 0, 1) + (n))
#define HOST_IP RTE_BE32(RTE_IPV4(10, 9, 0, 250))

/* ---- flows --------------------------------------------------------------------- */

static void
make_flow(struct flow *f, bool to_host)
{
	struct rng *r = &sim->traffic;

	memset(f, 0, sizeof(*f));
	f->to_host = to_host;
	f->wire = to_host ? rng_below(r, sim->set.nb_wires) : SIM_HOST_WIRE;
	f->shape = rng_below(r, NB_SHAPES);
	f->vlan = rng_one_in(r, 4) ? rng_between(r, 1, 4094) : 0;
	f->vlan_inner = f->vlan != 0 && rng_one_in(r, 4) ? rng_between(r, 1, 4094) : 0;
	f->src = rng_next(r);
	f->dst = rng_next(r);
	f->sport = rng_next(r);
	f->dport = rng_next(r);
}

static uint16_t
add_flow(bool to_host)
{
	struct ledger *l = &sim->ledger;

	make_flow(&l->flow[l->nb_flows], to_host);
	return l->nb_flows++;
}

int
peers_init(void)
{
	struct ledger *l = &sim->ledger;

	for (unsigned int dir = 0; dir < 2; dir++)
		for (uint16_t i = 0; i < sim->set.nb_flows[dir]; i++)
			add_flow(dir == 1);
	extra = l->nb_flows;
	for (uint16_t i = 0; i < SIM_NB_NEIGHBOURS; i++) {
		uint16_t replies = add_flow(false);

		l->flow[replies].asked = SIM_HOST_WIRE;
		l->flow[add_flow(true)].partner = replies;
	}
	add_flow(false);
	add_flow(true);
	return 0;
}

/* ---- frames --------------------------------------------------------------------- */

static char *
put(struct rte_mbuf *m, const void *data, uint16_t len)
{
	char *at = rte_pktmbuf_append(m, len);

	memcpy(at, data, len);
	return at;
}

static void
put_ether(struct rte_mbuf *m, const struct flow *f)
{
	struct rte_ether_hdr eth;
	rte_be16_t type = f->shape == SHAPE_UDP4 || f->shape == SHAPE_TCP4
	                                  ? RTE_BE16(RTE_ETHER_TYPE_IPV4)
	                                  : RTE_BE16(RTE_ETHER_TYPE_IPV6);
	rte_be16_t tag[2];

	eth.dst_addr = f->to_host ? team_mac : peer_mac(0xff, f->dst);
	eth.src_addr = f->to_host ? peer_mac(f->wire, f->src) : team_mac;
	put(m, &eth, sizeof(eth) - sizeof(eth.ether_type));
	if (f->vlan_inner != 0) {
		tag[0] = RTE_BE16(RTE_ETHER_TYPE_QINQ);
		tag[1] = rte_cpu_to_be_16(f->vlan_inner);
		put(m, tag, sizeof(tag));
	}
	if (f->vlan != 0) {
		tag[0] = RTE_BE16(RTE_ETHER_TYPE_VLAN);
		tag[1] = rte_cpu_to_be_16(f->vlan);
		put(m, tag, sizeof(tag));
	}
	put(m, &type, sizeof(type));
}

static void
put_ip(struct rte_mbuf *m, const struct flow *f, uint16_t len)
{
	bool tcp = f->shape == SHAPE_TCP4 || f->shape == SHAPE_TCP6;
	uint8_t proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;

	if (f->shape == SHAPE_UDP4 || f->shape == SHAPE_TCP4) {
		struct rte_ipv4_hdr ip = {
			.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16(sizeof(ip) + len),
			.time_to_live = 64,
			.next_proto_id = proto,
			.src_addr = f->src,
			.dst_addr = f->dst,
		};

		ip.hdr_checksum = rte_ipv4_cksum(&ip);
		put(m, &ip, sizeof(ip));
	} else {
		struct rte_ipv6_hdr ip = {
			.vtc_flow = RTE_BE32(6u << 28),
			.payload_len = rte_cpu_to_be_16(len),
			.proto = proto,
			.hop_limits = 64,
			.src_addr = { 0x20, 1, 0xd, 0xb8 },
			.dst_addr = { 0x20, 1, 0xd, 0xb8 },
		};

		memcpy(ip.src_addr + 12, &f->src, 4);
		memcpy(ip.dst_addr + 12, &f->dst, 4);
		put(m, &ip, sizeof(ip));
	}
}

static void
put_l4(struct rte_mbuf *m, const struct flow *f, uint16_t payload)
{
	if (f->shape == SHAPE_TCP4 || f->shape == SHAPE_TCP6) {
		struct rte_tcp_hdr tcp = {
			.src_port = f->sport,
			.dst_port = f->dport,
			.data_off = sizeof(tcp) / 4 << 4,
			.tcp_flags = RTE_TCP_ACK_FLAG,
		};

		put(m, &tcp, sizeof(tcp));
	} else {
		struct rte_udp_hdr udp = {
			.src_port = f->sport,
			.dst_port = f->dport,
			.dgram_len = rte_cpu_to_be_16(sizeof(udp) + payload),
		};

		put(m, &udp, sizeof(udp));
	}
}

static struct rte_mbuf *
make_data(uint16_t index)
{
	const struct flow *f = &sim->ledger.flow[index];
	bool tcp = f->shape == SHAPE_TCP4 || f->shape == SHAPE_TCP6;
	uint16_t payload = rng_between(&sim->traffic, MARK_LEN, sim->set.max_len);
	struct rte_mbuf *m = rte_pktmbuf_alloc(sim_pool);

	if (m == NULL)
		return NULL;
	sim->ledger.sent[f->to_host]++;
	put_ether(m, f);
	put_ip(m, f, payload + (tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)));
	put_l4(m, f, payload);
	memset(rte_pktmbuf_append(m, payload), index, payload);
	ledger_mark(m, index, SIM_DATA);
	return m;
}

/* ---- neighbours, groups, broadcasts -------------------------------------------------- */

/* Not marked in its padding: behind it. */
static struct rte_mbuf *
add_mark_room(struct rte_mbuf *m)
{
	if (m != NULL)
		memset(rte_pktmbuf_append(m, MARK_LEN), 0, MARK_LEN);
	return m;
}

static void
send_or_free(struct rte_mbuf *m, uint8_t wire)
{
	if (m != NULL && rte_eth_tx_burst(sim->wire[wire].far, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static void
neighbour_asks(uint8_t n)
{
	uint8_t wire = rng_below(&sim->traffic, sim->set.nb_wires);
	struct rte_ether_addr mac = peer_mac(wire, 200 + n), all, none = { { 0 } };
	struct rte_mbuf *m;

	memset(&all, 0xff, sizeof(all));
	m = add_mark_room(tp_pkt_build_arp(sim_pool, RTE_ARP_OP_REQUEST, 0, &all, &mac,
	                NEIGHBOUR_IP(n), &none, HOST_IP));
	if (m == NULL)
		return;
	ledger_mark(m, FLOW_REQUEST(n), SIM_NEIGH);
	send_or_free(m, wire);
}

static void
host_replies(uint8_t n)
{
	struct rte_ether_addr mac = peer_mac(0, 200 + n);
	struct rte_mbuf *m = add_mark_room(tp_pkt_build_arp(sim_pool, RTE_ARP_OP_REPLY, 0, &mac,
	                &team_mac, HOST_IP, &mac, NEIGHBOUR_IP(n)));

	if (m == NULL)
		return;
	ledger_mark(m, FLOW_REPLY(n), SIM_NEIGH);
	send_or_free(m, SIM_HOST_WIRE);
}

/* Gratuitous ARP, or a membership report: what control snoops. */
static void
host_reports(void)
{
	struct rte_ether_addr all, none = { { 0 } };
	struct flow igmp = { .shape = SHAPE_UDP4, .src = HOST_IP };
	struct rte_mbuf *m;

	memset(&all, 0xff, sizeof(all));
	if (rng_one_in(&sim->traffic, 2)) {
		m = tp_pkt_build_arp(sim_pool, RTE_ARP_OP_REQUEST, 0, &all, &team_mac, HOST_IP,
		                &none, HOST_IP);
	} else {
		static const uint8_t report[8] = { 0x16, 0, 0xfa, 0xfd, 239, 0, 0, 1 };
		struct rte_ipv4_hdr *ip;

		m = rte_pktmbuf_alloc(sim_pool);
		if (m == NULL)
			return;
		igmp.dst = RTE_BE32(RTE_IPV4(239u, 0, 0, 1));
		put_ether(m, &igmp);
		put_ip(m, &igmp, sizeof(report));
		ip = rte_pktmbuf_mtod_offset(
		                m, struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));
		ip->next_proto_id = IPPROTO_IGMP;
		ip->hdr_checksum = 0;
		ip->hdr_checksum = rte_ipv4_cksum(ip);
		put(m, report, sizeof(report));
	}
	m = add_mark_room(m);
	if (m == NULL)
		return;
	ledger_mark(m, FLOW_GROUP, SIM_GROUP);
	send_or_free(m, SIM_HOST_WIRE);
}

/* Independent switch ports get a copy each; an aggregate gets one. */
static void
net_floods(void)
{
	const struct tp_mode *mode = &tp_modes[sim->d.control.team.conf.mode];
	bool each = mode->single || sim->d.control.team.conf.mode == TP_MODE_BROADCAST;
	uint8_t first = each ? 0 : rng_below(&sim->traffic, sim->set.nb_wires);
	uint8_t last = each ? sim->set.nb_wires - 1 : first;
	struct flow f = { .shape = SHAPE_UDP4, .to_host = true, .src = 1, .dst = UINT32_MAX };
	uint32_t number = SIM_NONE;

	for (uint8_t i = first; i <= last; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(sim_pool);

		if (m == NULL)
			return;
		put_ether(m, &f);
		memset(rte_pktmbuf_mtod(m, char *), 0xff, RTE_ETHER_ADDR_LEN);
		put_ip(m, &f, sizeof(struct rte_udp_hdr) + MARK_LEN);
		put_l4(m, &f, MARK_LEN);
		add_mark_room(m);
		number = ledger_mark_flood(m, FLOW_FLOOD, number);
		send_or_free(m, i);
	}
}

/* A switch that floods gives us back what another of our links sent. */
static void
net_echoes(void)
{
	struct flow f = { .shape = SHAPE_UDP4, .to_host = true, .src = 1, .dst = UINT32_MAX };
	struct rte_mbuf *m = rte_pktmbuf_alloc(sim_pool);

	if (m == NULL)
		return;
	put_ether(m, &f);
	memset(rte_pktmbuf_mtod(m, char *), 0xff, RTE_ETHER_ADDR_LEN);
	memcpy(rte_pktmbuf_mtod_offset(m, char *, RTE_ETHER_ADDR_LEN), &team_mac, sizeof(team_mac));
	put_ip(m, &f, sizeof(struct rte_udp_hdr) + MARK_LEN);
	put_l4(m, &f, MARK_LEN);
	add_mark_room(m);
	ledger_mark(m, FLOW_FLOOD, SIM_ECHO);
	send_or_free(m, rng_below(&sim->traffic, sim->set.nb_wires));
}

bool
peers_is_announcement(const struct rte_mbuf *m)
{
	const struct rte_arp_hdr *arp;
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	if (info.l3 != TP_L3_ARP || m->data_len < info.l3_off + sizeof(*arp))
		return false;
	arp = rte_pktmbuf_mtod_offset(m, const struct rte_arp_hdr *, info.l3_off);
	return arp->arp_data.arp_sip == HOST_IP && arp->arp_data.arp_tip == HOST_IP &&
	       rte_is_same_ether_addr(&arp->arp_data.arp_sha, &team_mac);
}

bool
peers_host_is_known(void)
{
	struct tp_announce_entry entry[2 * TP_ANNOUNCE_MAX];
	const rte_be32_t ip = HOST_IP;
	uint32_t n = tp_announce_dump(sim->d.control.announce, sim->now, entry, RTE_DIM(entry));

	for (uint32_t i = 0; i < n; i++)
		if (!entry[i].group && entry[i].family == 4 && entry[i].vid == 0 &&
		                memcmp(entry[i].addr, &ip, sizeof(ip)) == 0)
			return true;
	return false;
}

static void
send_special(bool to_host)
{
	if (to_host && sim->set.floods && rng_one_in(&sim->traffic, 16))
		net_echoes();
	if (to_host && sim->set.neighbours && rng_one_in(&sim->traffic, 4))
		neighbour_asks(rng_below(&sim->traffic, SIM_NB_NEIGHBOURS));
	if (to_host && sim->set.floods && rng_one_in(&sim->traffic, 4))
		net_floods();
	if (!to_host && sim->set.neighbours && rng_one_in(&sim->traffic, 8))
		host_reports();
}

/* ---- sending ---------------------------------------------------------------------- */

static unsigned int
send_burst(bool to_host)
{
	uint16_t first = to_host ? sim->set.nb_flows[0] : 0;
	uint16_t n = rng_between(&sim->traffic, 1, PEER_BURST);

	for (uint16_t i = 0; i < n; i++) {
		uint16_t flow = first + rng_below(&sim->traffic, sim->set.nb_flows[to_host]);
		uint8_t wire = sim->ledger.flow[flow].wire;
		struct rte_mbuf *m = make_data(flow);

		if (m != NULL && rte_eth_tx_burst(sim->wire[wire].far, 0, &m, 1) == 0)
			rte_pktmbuf_free(m);
	}
	return n;
}

/* What is due by now, flow after flow. */
static unsigned int
send_evenly(uint64_t rate)
{
	uint64_t due = sim->send_from == 0 ? 0 : (sim->now - sim->send_from) * rate / TP_NS_PER_S;
	uint64_t *sent = &sim->ledger.sent[0];
	unsigned int n;

	for (n = 0; *sent < due; n++) {
		struct rte_mbuf *m = make_data(*sent % sim->set.nb_flows[0]);

		if (m == NULL)
			break;
		send_or_free(m, SIM_HOST_WIRE);
	}
	return n;
}

/* ---- receiving ---------------------------------------------------------------------- */

/* The target of the daemon's ARP watch is behind every wire. */
static void
answer_probe(const struct rte_mbuf *m, uint8_t wire)
{
	struct rte_ether_addr mac = peer_mac(wire, 250);
	const struct rte_arp_hdr *arp;
	struct tp_pkt_info info;
	struct rte_mbuf *reply;

	tp_pkt_parse(m, &info);
	if (info.l3 != TP_L3_ARP)
		return;
	arp = rte_pktmbuf_mtod_offset(m, const struct rte_arp_hdr *, info.l3_off);
	if (arp->arp_opcode != RTE_BE16(RTE_ARP_OP_REQUEST) ||
	                arp->arp_data.arp_tip != SIM_TARGET_IP)
		return;
	reply = add_mark_room(tp_pkt_build_arp(sim_pool, RTE_ARP_OP_REPLY, 0,
	                &arp->arp_data.arp_sha, &mac, SIM_TARGET_IP, &arp->arp_data.arp_sha,
	                arp->arp_data.arp_sip));
	if (reply == NULL)
		return;
	ledger_mark(reply, FLOW_FLOOD, SIM_GROUP);
	send_or_free(reply, wire);
}

static void
host_receives(const struct rte_mbuf *m)
{
	const struct frame *f = ledger_look(m);

	if (f != NULL && f->kind == SIM_NEIGH && !sim->quiet)
		host_replies((f->flow - extra) / 2);
}

static unsigned int
receive(struct wire_state *w)
{
	struct rte_mbuf *pkts[PEER_BURST];
	uint16_t n = rte_eth_rx_burst(w->far, 0, pkts, PEER_BURST);

	for (uint16_t i = 0; i < n; i++) {
		if (w->index == SIM_HOST_WIRE)
			host_receives(pkts[i]);
		else if (sim->set.probing)
			answer_probe(pkts[i], w->index);
	}
	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

unsigned int
peers_step(void)
{
	const struct sim_hooks *hooks = sim->set.hooks;
	unsigned int work = 0;

	for (uint8_t i = 0; i <= SIM_MAX_WIRES; i++) {
		if (sim->wire[i].wire == NULL || (i == SIM_HOST_WIRE && sim->now < sim->deaf_until))
			continue;
		work += receive(&sim->wire[i]);
	}
	if (hooks != NULL && hooks->host_rate > 0)
		return sim->quiet ? work : work + send_evenly(hooks->host_rate);
	for (unsigned int dir = 0; dir < 2 && !sim->quiet; dir++) {
		if (sim->now < sim->next_frame[dir])
			continue;
		work += send_burst(dir == 1);
		send_special(dir == 1);
		sim->next_frame[dir] =
		                sim->now +
		                rng_below(&sim->traffic,
		                                PEER_BURST * (uint64_t)sim->set.frame_gap_ns[dir]);
	}
	return work;
}

uint64_t
peers_next(void)
{
	return sim->quiet ? TP_NEVER : RTE_MIN(sim->next_frame[0], sim->next_frame[1]);
}
