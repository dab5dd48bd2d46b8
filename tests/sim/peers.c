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

int
peers_init(void)
{
	struct ledger *l = &sim->ledger;

	for (unsigned int dir = 0; dir < 2; dir++)
		for (uint16_t i = 0; i < sim->set.nb_flows[dir]; i++)
			make_flow(&l->flow[l->nb_flows++], dir == 1);
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
	put_ether(m, f);
	put_ip(m, f, payload + (tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)));
	put_l4(m, f, payload);
	memset(rte_pktmbuf_append(m, payload), index, payload);
	ledger_mark(m, index, SIM_DATA);
	return m;
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

/* ---- receiving ---------------------------------------------------------------------- */

static unsigned int
receive(struct wire_state *w)
{
	struct rte_mbuf *pkts[PEER_BURST];
	uint16_t n = rte_eth_rx_burst(w->far, 0, pkts, PEER_BURST);

	rte_pktmbuf_free_bulk(pkts, n);
	return n;
}

unsigned int
peers_step(void)
{
	unsigned int work = 0;

	for (uint8_t i = 0; i <= SIM_MAX_WIRES; i++)
		if (sim->wire[i].wire != NULL)
			work += receive(&sim->wire[i]);
	for (unsigned int dir = 0; dir < 2 && !sim->quiet; dir++) {
		if (sim->set.nb_flows[dir] == 0 || sim->now < sim->next_frame[dir])
			continue;
		work += send_burst(dir == 1);
		sim->next_frame[dir] =
		                sim->now +
		                rng_below(&sim->traffic,
		                                2 * PEER_BURST / 2 *
		                                                (uint64_t)sim->set
		                                                                .frame_gap_ns[dir]);
	}
	return work;
}

uint64_t
peers_next(void)
{
	return sim->quiet ? TP_NEVER : RTE_MIN(sim->next_frame[0], sim->next_frame[1]);
}
