/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <stdio.h>
#include <stdlib.h>

#include "test_eal.h"
#include "test_frames.h"
#include "tp_pkt.h"

/* ---- frames without a pool: each segment is an allocation of just its size ------ */

#define MAX_SEGS 3

struct chain {
	struct rte_mbuf seg[MAX_SEGS];
};

static void
chain_init(struct chain *c)
{
	memset(c, 0, sizeof(*c));
}

static void
chain_seg(struct chain *c, int i, const uint8_t *data, uint32_t len)
{
	struct rte_mbuf *m = &c->seg[i];

	m->buf_addr = malloc(len);
	assert_true(m->buf_addr != NULL || len == 0);
	if (len > 0)
		memcpy(m->buf_addr, data, len);
	m->data_len = len;
	c->seg[0].pkt_len += len;
	c->seg[0].nb_segs++;
	if (i > 0)
		c->seg[i - 1].next = m;
}

/* The frame cut at a and b. */
static void
chain_make(struct chain *c, const uint8_t *data, uint32_t len, uint32_t a, uint32_t b)
{
	chain_init(c);
	chain_seg(c, 0, data, a);
	chain_seg(c, 1, data + a, b - a);
	chain_seg(c, 2, data + b, len - b);
}

static void
chain_free(struct chain *c)
{
	for (int i = 0; i < MAX_SEGS; i++)
		free(c->seg[i].buf_addr);
}

static struct tp_pkt_info
parse(const uint8_t *data, uint32_t len)
{
	struct tp_pkt_info info;
	struct chain c;

	chain_init(&c);
	chain_seg(&c, 0, data, len);
	memset(&info, 0xee, sizeof(info));
	tp_pkt_parse(&c.seg[0], &info);
	chain_free(&c);
	return info;
}

static struct tp_pkt_info
parse_cut(const uint8_t *data, uint32_t len, uint32_t a, uint32_t b)
{
	struct tp_pkt_info info;
	struct chain c;

	chain_make(&c, data, len, a, b);
	memset(&info, 0xee, sizeof(info));
	tp_pkt_parse(&c.seg[0], &info);
	chain_free(&c);
	return info;
}

static void
print_info(const char *what, const struct tp_pkt_info *i)
{
	fprintf(stderr, "%s: flags %#x l3 %u proto %u off %u %u %u %u tci %u %u\n", what, i->flags,
	                i->l3, i->l4_proto, i->l3_off, i->l4_off, i->data_off, i->end_off,
	                i->vlan_tci, i->vlan_tci_inner);
}

static void
assert_same(const char *name, const struct tp_pkt_info *got, const struct tp_pkt_info *want)
{
	if (memcmp(got, want, sizeof(*got)) == 0)
		return;
	print_info("got ", got);
	print_info("want", want);
	fail_msg("%s", name);
}

/* ---- the table --------------------------------------------------------------- */

static void
make_tcp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 0);
	frame_tcp(f, 0);
	frame_payload(f, 20);
}

static void
make_tcp4_opts(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 40);
	frame_tcp(f, 40);
	frame_payload(f, 3);
}

static void
make_udp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_UDP, 0);
	frame_udp(f);
	frame_payload(f, 30);
}

static void
make_sctp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_SCTP, 0);
	frame_sctp(f);
	frame_payload(f, 16);
}

static void
make_icmp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_ICMP, 0);
	frame_icmp(f, 8);
	frame_payload(f, 5);
}

static void
make_icmpv6_over_ipv4(struct frame *f)
{
	frame_ip4(f, IPPROTO_ICMPV6, 0);
	frame_icmp(f, 8);
}

static void
make_igmp(struct frame *f)
{
	frame_ip4(f, IPPROTO_IGMP, 4);
	frame_icmp(f, 0x16);
}

static void
make_esp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_ESP, 0);
	frame_payload(f, 24);
}

static void
make_frag4_first(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 0);
	frame_be16(f->b + f->ip4 + 6, 0x2000);
	frame_tcp(f, 0);
	frame_payload(f, 20);
}

static void
make_frag4_last(struct frame *f)
{
	frame_ip4(f, IPPROTO_UDP, 0);
	frame_be16(f->b + f->ip4 + 6, 0x0001);
	frame_payload(f, 26);
}

static void
make_dont_fragment(struct frame *f)
{
	make_udp4(f);
	frame_be16(f->b + f->ip4 + 6, 0x4000);
}

static void
make_tcp6(struct frame *f)
{
	frame_ip6(f, IPPROTO_TCP);
	frame_tcp(f, 12);
	frame_payload(f, 20);
}

static void
make_udp6(struct frame *f)
{
	frame_ip6(f, IPPROTO_UDP);
	frame_udp(f);
	frame_payload(f, 20);
}

static void
make_ns(struct frame *f)
{
	frame_ip6(f, IPPROTO_ICMPV6);
	frame_icmp(f, 135);
	frame_payload(f, 16);
}

static void
make_ping6(struct frame *f)
{
	frame_ip6(f, IPPROTO_ICMPV6);
	frame_icmp(f, 128);
}

static void
make_mld(struct frame *f)
{
	frame_ip6(f, IPPROTO_HOPOPTS);
	frame_ext(f, IPPROTO_HOPOPTS, IPPROTO_ICMPV6, 8);
	frame_icmp(f, 143);
}

static void
make_all_ext(struct frame *f)
{
	frame_ip6(f, IPPROTO_HOPOPTS);
	frame_ext(f, IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, 8);
	frame_ext(f, IPPROTO_DSTOPTS, IPPROTO_ROUTING, 16);
	frame_ext(f, IPPROTO_ROUTING, IPPROTO_FRAGMENT, 24);
	frame_ext(f, IPPROTO_FRAGMENT, IPPROTO_AH, 8)[3] = 0x06; /* atomic, reserved bits set */
	frame_ext(f, IPPROTO_AH, IPPROTO_DSTOPTS, 12);
	frame_ext(f, IPPROTO_DSTOPTS, IPPROTO_UDP, 8);
	frame_udp(f);
	frame_payload(f, 4);
}

static void
make_routed(struct frame *f)
{
	frame_ip6(f, IPPROTO_ROUTING);
	frame_ext(f, IPPROTO_ROUTING, IPPROTO_TCP, 24)[3] = 1;
	frame_tcp(f, 0);
}

static void
make_frag6(struct frame *f)
{
	frame_ip6(f, IPPROTO_FRAGMENT);
	frame_be16(frame_ext(f, IPPROTO_FRAGMENT, IPPROTO_UDP, 8) + 2, 0x0001);
	frame_udp(f);
	frame_payload(f, 8);
	f->udp = 0;
}

static void
make_no_next(struct frame *f)
{
	frame_ip6(f, IPPROTO_NONE);
	frame_payload(f, 4);
}

static void
make_only_ext(struct frame *f)
{
	frame_ip6(f, IPPROTO_HOPOPTS);
	frame_ext(f, IPPROTO_HOPOPTS, IPPROTO_NONE, 8);
}

static void
make_tag(struct frame *f)
{
	frame_tag(f, 0x8100, 0x2064);
	make_udp4(f);
}

static void
make_qinq(struct frame *f)
{
	frame_tag(f, 0x88a8, 100);
	frame_tag(f, 0x8100, 200);
	make_tcp6(f);
}

static void
make_qinq_old(struct frame *f)
{
	frame_tag(f, 0x9100, 1);
	frame_tag(f, 0x9100, 4095);
	make_sctp4(f);
}

static void
make_three_tags(struct frame *f)
{
	frame_tag(f, 0x8100, 1);
	frame_tag(f, 0x8100, 2);
	frame_tag(f, 0x8100, 3);
	make_udp4(f);
	f->ip4 = f->udp = 0;
}

static void
make_arp(struct frame *f)
{
	static const uint8_t fixed[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };

	frame_type(f, 0x0806);
	memcpy(frame_add(f, 28), fixed, sizeof(fixed));
}

static void
make_fcoe(struct frame *f)
{
	frame_type(f, 0x8906);
	frame_payload(f, 60);
}

static void
make_lacp(struct frame *f)
{
	frame_type(f, 0x8809);
	frame_payload(f, 110);
}

static void
make_lldp(struct frame *f)
{
	frame_type(f, 0x88cc);
	frame_payload(f, 46);
}

static void
make_llc(struct frame *f)
{
	frame_type(f, 46);
	frame_payload(f, 46);
}

/* What a whole frame gives, and from how many bytes on each part of it is there. */
static const struct sample {
	const char *name;
	void (*make)(struct frame *f);
	struct tp_pkt_info info; /* end_off 0: the frame's length */
	uint16_t l3_need;        /* bytes of frame that l3 takes; 0: never there */
	uint16_t proto_need;     /* that l4_proto takes */
	uint16_t l4_need;        /* that TP_PKT_F_L4, or the flags of a protocol without it, take */
} samples[] = {
	{ "tcp4", make_tcp4, { TP_PKT_F_L4, TP_L3_IPV4, 6, 14, 34, 54 }, 34, 34, 54 },
	{ "tcp4, options", make_tcp4_opts, { TP_PKT_F_L4, TP_L3_IPV4, 6, 14, 74, 134 }, 34, 74,
	                134 },
	{ "udp4", make_udp4, { TP_PKT_F_L4, TP_L3_IPV4, 17, 14, 34, 42 }, 34, 34, 42 },
	{ "sctp4", make_sctp4, { TP_PKT_F_L4, TP_L3_IPV4, 132, 14, 34, 46 }, 34, 34, 46 },
	{ "icmp4", make_icmp4, { TP_PKT_F_L4, TP_L3_IPV4, 1, 14, 34, 42 }, 34, 34, 42 },
	{ "igmp", make_igmp, { TP_PKT_F_GROUP, TP_L3_IPV4, 2, 14, 38 }, 34, 38, 46 },
	{ "esp4", make_esp4, { 0, TP_L3_IPV4, 50, 14, 34 }, 34, 34, 34 },
	{ "first fragment", make_frag4_first, { TP_PKT_F_FRAG, TP_L3_IPV4, 6, 14 }, 34, 34, 34 },
	{ "last fragment", make_frag4_last, { TP_PKT_F_FRAG, TP_L3_IPV4, 17, 14 }, 34, 34, 34 },
	{ "DF", make_dont_fragment, { TP_PKT_F_L4, TP_L3_IPV4, 17, 14, 34, 42 }, 34, 34, 42 },
	{ "tcp6", make_tcp6, { TP_PKT_F_L4, TP_L3_IPV6, 6, 14, 54, 86 }, 54, 54, 86 },
	{ "udp6", make_udp6, { TP_PKT_F_L4, TP_L3_IPV6, 17, 14, 54, 62 }, 54, 54, 62 },
	{ "ns", make_ns, { TP_PKT_F_L4 | TP_PKT_F_NEIGH, TP_L3_IPV6, 58, 14, 54, 62 }, 54, 54, 62 },
	{ "ping6", make_ping6, { TP_PKT_F_L4, TP_L3_IPV6, 58, 14, 54, 62 }, 54, 54, 62 },
	{ "mld", make_mld, { TP_PKT_F_L4 | TP_PKT_F_GROUP, TP_L3_IPV6, 58, 14, 62, 70 }, 54, 62,
	                70 },
	{ "extensions", make_all_ext, { TP_PKT_F_L4, TP_L3_IPV6, 17, 14, 130, 138 }, 54, 130, 138 },
	{ "fragment6", make_frag6, { TP_PKT_F_FRAG, TP_L3_IPV6, 17, 14 }, 54, 62, 62 },
	{ "no next header", make_no_next, { 0, TP_L3_IPV6, 59, 14, 54 }, 54, 54, 54 },
	{ "tag", make_tag, { TP_PKT_F_VLAN | TP_PKT_F_L4, TP_L3_IPV4, 17, 18, 38, 46, 0, 0x2064 },
	                38, 38, 46 },
	{ "qinq", make_qinq,
	                { TP_PKT_F_VLAN | TP_PKT_F_QINQ | TP_PKT_F_L4, TP_L3_IPV6, 6, 22, 62, 94, 0,
	                                100, 200 },
	                62, 62, 94 },
	{ "old qinq", make_qinq_old,
	                { TP_PKT_F_VLAN | TP_PKT_F_QINQ | TP_PKT_F_L4, TP_L3_IPV4, 132, 22, 42, 54,
	                                0, 1, 4095 },
	                42, 42, 54 },
	{ "three tags", make_three_tags,
	                { TP_PKT_F_VLAN | TP_PKT_F_QINQ, TP_L3_NONE, 0, 22, 0, 0, 0, 1, 2 }, 0, 0,
	                0 },
	{ "arp", make_arp, { TP_PKT_F_NEIGH, TP_L3_ARP, 0, 14 }, 42, 42, 42 },
	{ "fcoe", make_fcoe, { 0, TP_L3_FCOE, 0, 14 }, 52, 52, 52 },
	{ "lacp", make_lacp, { 0, TP_L3_SLOW, 0, 14 }, 15, 15, 15 },
	{ "lldp", make_lldp, { 0, TP_L3_LLDP, 0, 14 }, 16, 16, 16 },
	{ "llc", make_llc, { 0, TP_L3_NONE, 0, 14 }, 0, 0, 0 },
};

static struct frame frame;

/* The sample's frame in `frame`. @return what parsing must give */
static struct tp_pkt_info
make(const struct sample *s)
{
	struct tp_pkt_info want = s->info;

	frame_reset(&frame);
	frame_eth(&frame);
	s->make(&frame);
	frame_end(&frame);
	want.end_off = frame.len;
	return want;
}

static void
whole_frames(void **state)
{
	struct tp_pkt_info want, got;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(samples); i++) {
		want = make(&samples[i]);
		got = parse(frame.b, frame.len);
		assert_same(samples[i].name, &got, &want);
		/* Padding belongs to no packet, but nothing tells it from other frames' data. */
		frame_pad(&frame, frame.len + 9);
		if (frame.ip4 == 0 && frame.ip6 == 0)
			want.end_off = frame.len;
		got = parse(frame.b, frame.len);
		assert_same(samples[i].name, &got, &want);
	}
}

/* What is left of `want` when the frame ends after len bytes. */
static struct tp_pkt_info
truncated(const struct sample *s, struct tp_pkt_info want, uint32_t len)
{
	const uint16_t layer_flags = TP_PKT_F_L4 | TP_PKT_F_NEIGH | TP_PKT_F_GROUP | TP_PKT_F_FRAG;
	bool ip = want.l3 == TP_L3_IPV4 || want.l3 == TP_L3_IPV6;
	uint16_t tags = (want.l3_off - 14) / 4;

	if (len < 14)
		return (struct tp_pkt_info){ .flags = TP_PKT_F_RUNT, .end_off = len };
	if (len < want.end_off && (ip || len < s->l3_need || len < want.l3_off))
		want.flags |= TP_PKT_F_BAD;
	want.end_off = len;
	if (len < s->l4_need) {
		want.flags &= ~layer_flags;
		want.data_off = 0;
	}
	if (len < s->proto_need)
		want.l4_proto = want.l4_off = 0;
	if (len < s->l3_need)
		want.l3 = TP_L3_NONE;
	if (len < 14 + 4u * tags) {
		want.l3_off = len < 18 ? 14 : 18;
		want.flags &= ~TP_PKT_F_QINQ;
		want.vlan_tci_inner = 0;
	}
	if (len < 18 && tags > 0) {
		want.flags &= ~TP_PKT_F_VLAN;
		want.vlan_tci = 0;
	}
	return want;
}

static void
frames_truncated_at_every_byte(void **state)
{
	struct tp_pkt_info whole, want, got;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(samples); i++) {
		whole = make(&samples[i]);
		for (uint32_t len = 0; len < frame.len; len++) {
			want = truncated(&samples[i], whole, len);
			got = parse(frame.b, len);
			assert_same(samples[i].name, &got, &want);
			got = parse_cut(frame.b, len, len / 3, len / 2);
			assert_same(samples[i].name, &got, &want);
		}
	}
}

static void
frames_split_everywhere(void **state)
{
	struct tp_pkt_info want, got;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(samples); i++) {
		want = make(&samples[i]);
		for (uint32_t a = 0; a <= frame.len; a++)
			for (uint32_t b = a; b <= frame.len; b++) {
				got = parse_cut(frame.b, frame.len, a, b);
				assert_same(samples[i].name, &got, &want);
			}
	}
}

/* Lies of all kinds: the short way for plain frames must say what the long one says, which
 * takes every frame whose first segment is too short.
 */
static void
damaged_frames_parse_alike_in_any_segments(void **state)
{
	struct tp_pkt_info whole, cut;
	uint32_t len;

	(void)state;
	srandom(1);
	for (int round = 0; round < 60000; round++) {
		make(&samples[round % RTE_DIM(samples)]);
		for (int n = random() % 3; n >= 0; n--)
			frame.b[random() % frame.len] = random() >> 8;
		len = random() % 4 == 0 ? random() % (frame.len + 1) : frame.len;
		whole = parse(frame.b, len);
		cut = parse_cut(frame.b, len, RTE_MIN(len, 1u), (len + 1) / 2);
		assert_same("damaged", &cut, &whole);
		assert_true(whole.end_off <= len);
		if (whole.flags & TP_PKT_F_L4) {
			assert_true(whole.l3_off < whole.l4_off);
			assert_true(whole.l4_off < whole.data_off);
			assert_true(whole.data_off <= whole.end_off);
		}
	}
}

/* ---- lies, one by one ---------------------------------------------------------- */

struct lie {
	const char *name;
	void (*make)(struct frame *f);
	uint16_t at; /* byte to overwrite */
	uint8_t value;
	uint16_t flags; /* what must be said of it */
	uint8_t l3, l4_proto;
	uint16_t end_off; /* 0: the frame's length */
};

static void
lying_headers(void **state)
{
	static const struct lie lies[] = {
		{ "IPv4 says version 5", make_tcp4, 14, 0x55, TP_PKT_F_BAD, TP_L3_NONE, 0, 0 },
		{ "IPv4 header of 16 bytes", make_tcp4, 14, 0x44, TP_PKT_F_BAD, TP_L3_IPV4, 0, 0 },
		{ "IPv4 total below header", make_udp4, 17, 19, TP_PKT_F_BAD, TP_L3_IPV4, 0, 0 },
		{ "IPv4 total beyond frame", make_udp4, 16, 1, TP_PKT_F_BAD | TP_PKT_F_L4,
		                TP_L3_IPV4, 17, 0 },
		{ "IPv4 total cuts UDP header", make_udp4, 17, 27, TP_PKT_F_BAD, TP_L3_IPV4, 17,
		                41 },
		{ "IPv4 total cuts options", make_tcp4_opts, 17, 59, TP_PKT_F_BAD, TP_L3_IPV4, 0,
		                0 },
		{ "TCP header of 16 bytes", make_tcp4, 46, 0x40, TP_PKT_F_BAD, TP_L3_IPV4, 6, 0 },
		{ "TCP header beyond packet", make_tcp4, 46, 0xf0, TP_PKT_F_BAD, TP_L3_IPV4, 6, 0 },
		{ "UDP length below header", make_udp4, 39, 7, TP_PKT_F_BAD | TP_PKT_F_L4,
		                TP_L3_IPV4, 17, 0 },
		{ "UDP length beyond packet", make_udp4, 39, 39, TP_PKT_F_BAD | TP_PKT_F_L4,
		                TP_L3_IPV4, 17, 0 },
		{ "UDP length within packet", make_udp4, 39, 37, TP_PKT_F_L4, TP_L3_IPV4, 17, 0 },
		{ "IPv6 says version 4", make_tcp6, 14, 0x40, TP_PKT_F_BAD, TP_L3_NONE, 0, 0 },
		{ "IPv6 payload beyond frame", make_udp6, 18, 1, TP_PKT_F_BAD | TP_PKT_F_L4,
		                TP_L3_IPV6, 17, 0 },
		{ "IPv6 payload zero", make_udp6, 19, 0, TP_PKT_F_BAD, TP_L3_IPV6, 17, 54 },
		{ "extension beyond packet", make_mld, 55, 3, TP_PKT_F_BAD, TP_L3_IPV6, 0, 0 },
		{ "ICMP type 135 is no ND", make_icmp4, 34, 135, TP_PKT_F_L4, TP_L3_IPV4, 1, 0 },
		{ "last extension beyond packet", make_only_ext, 55, 1, TP_PKT_F_BAD, TP_L3_IPV6, 0,
		                0 },
		{ "MLD query", make_mld, 62, 131, TP_PKT_F_L4 | TP_PKT_F_GROUP, TP_L3_IPV6, 58, 0 },
		{ "ND over IPv4 is none", make_icmpv6_over_ipv4, 34, 135, TP_PKT_F_L4, TP_L3_IPV4,
		                58, 0 },
		{ "ARP for another network", make_arp, 17, 6, TP_PKT_F_BAD, TP_L3_ARP, 0, 0 },
	};
	struct tp_pkt_info got;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(lies); i++) {
		make(&(struct sample){ .make = lies[i].make });
		frame.b[lies[i].at] = lies[i].value;
		got = parse(frame.b, frame.len);
		if (got.flags != lies[i].flags || got.l3 != lies[i].l3 ||
		                got.l4_proto != lies[i].l4_proto ||
		                got.end_off != (lies[i].end_off ? lies[i].end_off : frame.len)) {
			print_info("got", &got);
			fail_msg("%s", lies[i].name);
		}
	}
}

static void
destination_decides_the_kind_of_frame(void **state)
{
	static const struct {
		uint8_t mac[6];
		uint16_t flags;
	} dst[] = {
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, TP_PKT_F_MULTICAST | TP_PKT_F_BROADCAST },
		{ { 0x01, 0x80, 0xc2, 0, 0, 0x02 }, TP_PKT_F_MULTICAST | TP_PKT_F_LINK_LOCAL },
		{ { 0x01, 0x80, 0xc2, 0, 0, 0x0f }, TP_PKT_F_MULTICAST | TP_PKT_F_LINK_LOCAL },
		{ { 0x01, 0x80, 0xc2, 0, 0, 0x10 }, TP_PKT_F_MULTICAST },
		{ { 0x33, 0x33, 0, 0, 0, 1 }, TP_PKT_F_MULTICAST },
		{ { 0x02, 0, 0, 0, 0, 1 }, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(dst); i++) {
		make(&samples[0]);
		memcpy(frame.b, dst[i].mac, 6);
		assert_int_equal(parse(frame.b, frame.len).flags, dst[i].flags | TP_PKT_F_L4);
	}
}

static void
stripped_tags_count(void **state)
{
	struct tp_pkt_info info;
	struct chain c;

	(void)state;
	chain_init(&c);
	make(&(struct sample){ .make = make_tag });
	chain_seg(&c, 0, frame.b, frame.len);
	c.seg[0].vlan_tci = 7;
	c.seg[0].vlan_tci_outer = 8;

	c.seg[0].ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	tp_pkt_parse(&c.seg[0], &info);
	assert_int_equal(info.flags, TP_PKT_F_VLAN | TP_PKT_F_QINQ | TP_PKT_F_L4);
	assert_int_equal(info.vlan_tci, 7);
	assert_int_equal(info.vlan_tci_inner, 0x2064);
	assert_int_equal(info.l3_off, 18);

	c.seg[0].ol_flags = RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED;
	tp_pkt_parse(&c.seg[0], &info);
	assert_int_equal(info.vlan_tci, 8);
	assert_int_equal(info.vlan_tci_inner, 0x2064);

	/* Two are the limit: the one in the frame is some unknown EtherType then. */
	c.seg[0].ol_flags = RTE_MBUF_F_RX_QINQ_STRIPPED | RTE_MBUF_F_RX_VLAN_STRIPPED;
	tp_pkt_parse(&c.seg[0], &info);
	assert_int_equal(info.vlan_tci, 8);
	assert_int_equal(info.vlan_tci_inner, 7);
	assert_int_equal(info.l3, TP_L3_NONE);
	assert_int_equal(info.l3_off, 14);
	chain_free(&c);

	/* Also of frames that are plain otherwise. */
	chain_init(&c);
	make(&samples[0]);
	chain_seg(&c, 0, frame.b, frame.len);
	c.seg[0].vlan_tci = 7;
	c.seg[0].ol_flags = RTE_MBUF_F_RX_VLAN_STRIPPED;
	tp_pkt_parse(&c.seg[0], &info);
	assert_int_equal(info.flags, TP_PKT_F_VLAN | TP_PKT_F_L4);
	chain_free(&c);
}

static void
a_routing_header_is_told(void **state)
{
	(void)state;
	make(&(struct sample){ .make = make_routed });
	assert_int_equal(parse(frame.b, frame.len).flags, TP_PKT_F_ROUTED | TP_PKT_F_L4);
	frame.b[54 + 3] = 0;
	assert_int_equal(parse(frame.b, frame.len).flags, TP_PKT_F_L4);
}

static void
extension_headers_have_a_limit(void **state)
{
	struct tp_pkt_info info;

	(void)state;
	for (int n = 8; n <= 9; n++) {
		frame_reset(&frame);
		frame_eth(&frame);
		frame_ip6(&frame, IPPROTO_DSTOPTS);
		for (int i = 1; i <= n; i++)
			frame_ext(&frame, IPPROTO_DSTOPTS, i < n ? IPPROTO_DSTOPTS : IPPROTO_UDP,
			                8);
		frame_udp(&frame);
		frame_end(&frame);
		info = parse(frame.b, frame.len);
		assert_int_equal(info.flags, n == 8 ? TP_PKT_F_L4 : TP_PKT_F_BAD);
		assert_int_equal(info.l4_proto, n == 8 ? IPPROTO_UDP : 0);
	}
}

/* The longest chain there can be stays within 16-bit offsets. */
static void
extension_headers_of_full_size(void **state)
{
	struct tp_pkt_info info;

	(void)state;
	frame_reset(&frame);
	frame_eth(&frame);
	frame_ip6(&frame, IPPROTO_DSTOPTS);
	for (int i = 1; i <= 8; i++)
		frame_ext(&frame, IPPROTO_DSTOPTS, i < 8 ? IPPROTO_DSTOPTS : IPPROTO_TCP, 2048);
	frame_tcp(&frame, 0);
	frame_end(&frame);
	info = parse(frame.b, frame.len);
	assert_int_equal(info.flags, TP_PKT_F_L4);
	assert_int_equal(info.l4_off, 54 + 8 * 2048);
	assert_int_equal(info.end_off, frame.len);
}

static void
packets_beyond_64k_saturate(void **state)
{
	struct tp_pkt_info info;

	(void)state;
	frame_reset(&frame);
	frame_eth(&frame);
	frame_ip4(&frame, IPPROTO_TCP, 0);
	frame_tcp(&frame, 0);
	frame_payload(&frame, 65535 - 40);
	frame_end(&frame);
	info = parse_cut(frame.b, frame.len, 20000, 40000);
	assert_int_equal(info.end_off, UINT16_MAX);
	assert_int_equal(info.flags, TP_PKT_F_L4);
	assert_int_equal(info.data_off, 54);
	info = parse_cut(frame.b, frame.len, 60, 40000);
	assert_int_equal(info.end_off, UINT16_MAX);
}

static void
burst_is_the_same_as_one_by_one(void **state)
{
	struct rte_mbuf *pkts[RTE_DIM(samples)];
	struct chain c[RTE_DIM(samples)];
	struct tp_pkt_info info[RTE_DIM(samples)], want;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(samples); i++) {
		make(&samples[i]);
		chain_init(&c[i]);
		chain_seg(&c[i], 0, frame.b, frame.len);
		pkts[i] = &c[i].seg[0];
	}
	tp_pkt_parse_burst(pkts, RTE_DIM(samples), info);
	for (unsigned int i = 0; i < RTE_DIM(samples); i++) {
		tp_pkt_parse(pkts[i], &want);
		assert_same(samples[i].name, &info[i], &want);
		chain_free(&c[i]);
	}
	tp_pkt_parse_burst(pkts, 0, info);
}

static struct tp_pkt_info
parse_odd(const uint8_t *data, uint32_t len, uint32_t a, uint32_t b)
{
	struct tp_pkt_info info;
	struct chain c;

	chain_make(&c, data, len, a, b);
	memset(&info, 0xee, sizeof(info));
	tp_pkt_parse_odd(&c.seg[0], &info);
	chain_free(&c);
	return info;
}

/* The way for odd frames takes plain ones, too, whole or not. */
static void
odd_way_finds_the_same(void **state)
{
	struct tp_pkt_info info, want;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(samples); i++) {
		want = make(&samples[i]);
		info = parse_odd(frame.b, frame.len, frame.len, frame.len);
		assert_same(samples[i].name, &info, &want);
		info = parse_odd(frame.b, frame.len, frame.len / 3, frame.len / 2);
		assert_same(samples[i].name, &info, &want);
		for (uint32_t len = 0; len < frame.len; len++) {
			info = parse_odd(frame.b, len, len, len);
			want = parse(frame.b, len);
			assert_same(samples[i].name, &info, &want);
		}
	}
	assert_int_equal(parse_odd(frame.b, 0, 0, 0).flags, TP_PKT_F_RUNT);
	assert_int_equal(parse_odd(frame.b, 13, 13, 13).flags, TP_PKT_F_RUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_frames),
		cmocka_unit_test(frames_truncated_at_every_byte),
		cmocka_unit_test(frames_split_everywhere),
		cmocka_unit_test(damaged_frames_parse_alike_in_any_segments),
		cmocka_unit_test(lying_headers),
		cmocka_unit_test(destination_decides_the_kind_of_frame),
		cmocka_unit_test(stripped_tags_count),
		cmocka_unit_test(a_routing_header_is_told),
		cmocka_unit_test(extension_headers_have_a_limit),
		cmocka_unit_test(extension_headers_of_full_size),
		cmocka_unit_test(packets_beyond_64k_saturate),
		cmocka_unit_test(burst_is_the_same_as_one_by_one),
		cmocka_unit_test(odd_way_finds_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
