/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "traffic.h"

#include <netinet/in.h>
#include <string.h>

#include <rte_arp.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define LEN_V4 64
#define LEN_V6 78

/* A frame under construction. */
struct writer {
	struct rte_mbuf *m;
	uint8_t *at;
};

uint64_t
traffic_random(uint64_t x)
{
	/* SplitMix64's finalizer. */
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void *
add(struct writer *w, size_t len)
{
	uint8_t *p = w->at;

	memset(p, 0, len);
	w->at += len;
	return p;
}

static void
add_be16(struct writer *w, uint16_t value)
{
	rte_be16_t be = rte_cpu_to_be_16(value);

	memcpy(add(w, sizeof(be)), &be, sizeof(be));
}

static struct writer
begin(struct rte_mbuf *m)
{
	static const uint8_t macs[2 * RTE_ETHER_ADDR_LEN] = { 2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1 };
	struct writer w = { .m = m };

	rte_pktmbuf_reset(m);
	w.at = rte_pktmbuf_mtod(m, uint8_t *);
	memcpy(add(&w, sizeof(macs)), macs, sizeof(macs));
	return w;
}

static void
end(struct writer *w, uint16_t min_len)
{
	uint16_t len = (uint16_t)(w->at - rte_pktmbuf_mtod(w->m, uint8_t *));

	if (len < min_len)
		add(w, min_len - len);
	w->m->data_len = RTE_MAX(len, min_len);
	w->m->pkt_len = w->m->data_len;
}

static void
add_ports(struct writer *w, uint8_t proto, uint16_t sport, uint16_t dport, uint16_t len)
{
	struct rte_udp_hdr *udp;
	struct rte_tcp_hdr *tcp;

	if (proto == IPPROTO_UDP) {
		udp = add(w, sizeof(*udp));
		udp->src_port = rte_cpu_to_be_16(sport);
		udp->dst_port = rte_cpu_to_be_16(dport);
		udp->dgram_len = rte_cpu_to_be_16(len);
	} else {
		tcp = add(w, sizeof(*tcp));
		tcp->src_port = rte_cpu_to_be_16(sport);
		tcp->dst_port = rte_cpu_to_be_16(dport);
		tcp->data_off = 5 << 4;
	}
}

static struct rte_ipv4_hdr *
add_ipv4(struct writer *w, uint8_t proto, uint8_t opt_len)
{
	uint8_t len = sizeof(struct rte_ipv4_hdr) + opt_len;
	struct rte_ipv4_hdr *ip;

	add_be16(w, RTE_ETHER_TYPE_IPV4);
	ip = add(w, len);
	memset(ip + 1, RTE_IPV4_HDR_OPT_NOP, opt_len);
	ip->version_ihl = 4 << 4 | len / 4;
	ip->total_length = rte_cpu_to_be_16(LEN_V4 - RTE_ETHER_HDR_LEN);
	ip->time_to_live = 64;
	ip->next_proto_id = proto;
	return ip;
}

static struct rte_ipv6_hdr *
add_ipv6(struct writer *w, uint8_t next)
{
	struct rte_ipv6_hdr *ip;

	add_be16(w, RTE_ETHER_TYPE_IPV6);
	ip = add(w, sizeof(*ip));
	ip->vtc_flow = RTE_BE32(UINT32_C(6) << 28);
	ip->payload_len = rte_cpu_to_be_16(LEN_V6 - RTE_ETHER_HDR_LEN - sizeof(*ip));
	ip->proto = next;
	ip->hop_limits = 64;
	return ip;
}

/* Random fields of a flow. */
struct fields {
	uint64_t r[4];
	uint16_t sport, dport;
	uint8_t proto;
};

static struct fields
fields_of(uint32_t flow)
{
	struct fields f;

	for (unsigned int i = 0; i < RTE_DIM(f.r); i++)
		f.r[i] = traffic_random((uint64_t)flow << 8 | i);
	f.sport = (uint16_t)(f.r[1] >> 32);
	f.dport = (uint16_t)(f.r[1] >> 48);
	f.proto = f.r[1] % 4 == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	return f;
}

static void
ipv4_flow(struct writer *w, const struct fields *f, uint8_t opt_len)
{
	struct rte_ipv4_hdr *ip = add_ipv4(w, f->proto, opt_len);

	ip->src_addr = (uint32_t)f->r[0];
	ip->dst_addr = (uint32_t)(f->r[0] >> 32);
	add_ports(w, f->proto, f->sport, f->dport,
	                LEN_V4 - RTE_ETHER_HDR_LEN - sizeof(*ip) - opt_len);
	end(w, LEN_V4);
}

static void
ipv6_flow(struct writer *w, const struct fields *f, bool extension)
{
	struct rte_ipv6_hdr *ip = add_ipv6(w, extension ? IPPROTO_DSTOPTS : f->proto);
	uint8_t *ext;

	memcpy(ip->src_addr, &f->r[0], 16);
	memcpy(ip->dst_addr, &f->r[2], 16);
	if (extension) {
		ip->payload_len = rte_cpu_to_be_16(LEN_V6 - RTE_ETHER_HDR_LEN - sizeof(*ip) + 8);
		ext = add(w, 8);
		ext[0] = f->proto;
	}
	add_ports(w, f->proto, f->sport, f->dport, LEN_V6 - RTE_ETHER_HDR_LEN - sizeof(*ip));
	end(w, extension ? LEN_V6 + 8 : LEN_V6);
}

static void
arp_frame(struct writer *w)
{
	struct rte_arp_hdr *arp;

	add_be16(w, RTE_ETHER_TYPE_ARP);
	arp = add(w, sizeof(*arp));
	arp->arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof(rte_be32_t);
	arp->arp_opcode = RTE_BE16(RTE_ARP_OP_REQUEST);
	end(w, LEN_V4);
}

static void
add_tag(struct writer *w, uint16_t type, uint16_t tci)
{
	add_be16(w, type);
	add_be16(w, tci);
}

static void
odd_frame(struct writer *w, const struct fields *f)
{
	switch (f->r[3] >> 32 & 3) {
	case 0:
		arp_frame(w);
		break;
	case 1:
		ipv4_flow(w, f, 4);
		break;
	case 2:
		ipv6_flow(w, f, true);
		break;
	default:
		add_tag(w, RTE_ETHER_TYPE_QINQ, 100);
		add_tag(w, RTE_ETHER_TYPE_VLAN, 200);
		ipv4_flow(w, f, 0);
	}
}

void
traffic_frame(struct rte_mbuf *m, enum traffic kind, uint32_t flow)
{
	struct fields f = fields_of(flow);
	unsigned int percent = f.r[2] % 100;
	struct writer w = begin(m);
	bool v6 = kind == TRAFFIC_V6;

	if (kind == TRAFFIC_MIX || kind == TRAFFIC_ODD)
		v6 = f.r[3] & 1;
	if (kind == TRAFFIC_ODD && percent < 5) {
		odd_frame(&w, &f);
		return;
	}
	if (kind == TRAFFIC_ODD && percent < 15)
		add_tag(&w, RTE_ETHER_TYPE_VLAN, 100);
	if (v6)
		ipv6_flow(&w, &f, false);
	else
		ipv4_flow(&w, &f, 0);
}

void
traffic_udp4(struct rte_mbuf *m, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	struct writer w = begin(m);
	struct rte_ipv4_hdr *ip = add_ipv4(&w, IPPROTO_UDP, 0);

	ip->src_addr = rte_cpu_to_be_32(src);
	ip->dst_addr = rte_cpu_to_be_32(dst);
	add_ports(&w, IPPROTO_UDP, sport, dport, LEN_V4 - RTE_ETHER_HDR_LEN - sizeof(*ip));
	end(&w, LEN_V4);
}
