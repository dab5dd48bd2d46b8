/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Which bytes of a frame each policy hashes, and that all vector units hash the same bursts to
 * the same values: every policy and function, random keys, frames of all kinds, cut, damaged
 * and in pieces.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "test_eal.h"
#include "test_frames.h"
#include "tp_flow.h"

/* ---- frames in buffers of exactly their size, so that ASan sees over-reads ----- */

#define MAX_SEGS 4

struct packet {
	struct rte_mbuf seg[MAX_SEGS];
	void *room[MAX_SEGS];
};

static void
seg_set(struct packet *pkt, unsigned int i, const uint8_t *data, uint16_t len)
{
	struct rte_mbuf *m = &pkt->seg[i];
	uint16_t off = rte_rand() % 8;

	memset(m, 0, sizeof(*m));
	pkt->room[i] = malloc(off + len);
	memcpy((uint8_t *)pkt->room[i] + off, data, len);
	m->buf_addr = pkt->room[i];
	m->data_off = off;
	m->data_len = len;
	m->buf_len = off + len;
	m->nb_segs = 1;
}

/* Cut data into nb pieces at random places. */
static void
packet_set(struct packet *pkt, const uint8_t *data, uint16_t len, unsigned int nb)
{
	uint16_t done = 0;

	memset(pkt->room, 0, sizeof(pkt->room));
	for (unsigned int i = 0; i < nb; i++) {
		uint16_t left = len - done;
		uint16_t n = i + 1 == nb ? left : rte_rand() % (RTE_MIN(left, 80) + 1);

		seg_set(pkt, i, data + done, n);
		done += n;
		if (i > 0)
			pkt->seg[i - 1].next = &pkt->seg[i];
	}
	pkt->seg[0].nb_segs = nb;
	pkt->seg[0].pkt_len = len;
}

static void
packet_free(struct packet *pkt)
{
	for (unsigned int i = 0; i < MAX_SEGS; i++)
		free(pkt->room[i]);
}

/* ---- what each policy hashes ---------------------------------------------------- */

static struct tp_flow_conf
conf_of(uint8_t policy, uint8_t fn, uint8_t isa)
{
	struct tp_flow_conf conf = { .policy = policy, .fn = fn, .isa = isa };

	memcpy(conf.key, tp_flow_key_default, sizeof(conf.key));
	return conf;
}

static bool
isa_here(uint8_t isa)
{
	struct tp_flow_conf conf = conf_of(TP_FLOW_L34, TP_FLOW_TOEPLITZ, isa);
	struct tp_flow *flow = tp_flow_create(&conf, SOCKET_ID_ANY);

	if (flow == NULL) {
		assert_int_equal(rte_errno, ENOTSUP);
		print_message("skipped: no %s on this CPU\n", tp_flow_isa_name(isa));
		return false;
	}
	tp_flow_free(flow);
	return true;
}

/* One bit of the key after the other, as Microsoft's text puts it. */
static uint32_t
toeplitz(const uint8_t *tuple, unsigned int len, const uint8_t *key)
{
	uint32_t hash = 0;

	for (unsigned int bit = 0; bit < 8 * len; bit++) {
		if ((tuple[bit / 8] >> (7 - bit % 8) & 1) == 0)
			continue;
		for (unsigned int i = 0; i < 32; i++) {
			unsigned int k = (bit + i) % (8 * TP_FLOW_KEY_LEN);

			hash ^= (uint32_t)(key[k / 8] >> (7 - k % 8) & 1) << (31 - i);
		}
	}
	return hash;
}

/* A range of bytes of a frame; off 0 with len 0 ends a list, off NOWHERE is zeros. */
#define NOWHERE 0xffff
struct span {
	uint16_t off, len;
};

static uint32_t
hash_of_spans(const struct frame *f, const struct span *span, const uint8_t *key)
{
	uint8_t tuple[64];
	unsigned int len = 0;

	for (; span->len > 0; span++) {
		memset(tuple + len, 0, span->len);
		if (span->off != NOWHERE)
			memcpy(tuple + len, f->b + span->off, span->len);
		len += span->len;
	}
	return toeplitz(tuple, len, key);
}

static void
make_tcp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_TCP, 0);
	frame_tcp(f, 0);
}

static void
make_udp4_options(struct frame *f)
{
	frame_ip4(f, IPPROTO_UDP, 8);
	frame_udp(f);
	frame_payload(f, 8);
}

static void
make_sctp4_tagged(struct frame *f)
{
	frame_tag(f, 0x8100, 0xa064);
	frame_ip4(f, IPPROTO_SCTP, 0);
	frame_sctp(f);
}

static void
make_frag4(struct frame *f)
{
	make_tcp4(f);
	frame_be16(f->b + f->ip4 + 6, 0x2000);
}

static void
make_icmp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_ICMP, 0);
	frame_icmp(f, 8);
	frame_payload(f, 30);
}

static void
make_igmp4(struct frame *f)
{
	frame_ip4(f, IPPROTO_IGMP, 0);
	frame_icmp(f, 0x16);
	frame_payload(f, 10);
}

static void
make_tcp6(struct frame *f)
{
	frame_ip6(f, IPPROTO_TCP);
	frame_tcp(f, 0);
}

static void
make_udp6_tagged(struct frame *f)
{
	frame_tag(f, 0x8100, 0x0fff);
	frame_ip6(f, IPPROTO_UDP);
	frame_udp(f);
}

static void
make_udp6_qinq(struct frame *f)
{
	frame_tag(f, 0x88a8, 0x0001);
	make_udp6_tagged(f);
}

static void
make_udp6_ext(struct frame *f)
{
	frame_ip6(f, IPPROTO_HOPOPTS);
	frame_ext(f, IPPROTO_HOPOPTS, IPPROTO_UDP, 16);
	frame_udp(f);
}

static void
make_frag6(struct frame *f)
{
	frame_ip6(f, IPPROTO_FRAGMENT);
	frame_ext(f, IPPROTO_FRAGMENT, IPPROTO_UDP, 8)[3] = 1;
	frame_udp(f);
}

static void
make_icmp6(struct frame *f)
{
	frame_ip6(f, IPPROTO_ICMPV6);
	frame_icmp(f, 128);
	frame_payload(f, 20);
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
make_llc(struct frame *f)
{
	frame_type(f, 46);
	frame_payload(f, 46);
}

static void
make_lacp(struct frame *f)
{
	frame_type(f, 0x8809);
	frame_payload(f, 110);
}

#define MACS                                                                                       \
	{                                                                                          \
		0, 12                                                                              \
	}
#define ZERO(n)                                                                                    \
	{                                                                                          \
		NOWHERE, n                                                                         \
	}

static const struct sample {
	const char *name;
	void (*make)(struct frame *f);
	bool special;
	struct span tuple[TP_FLOW_NB_POLICIES][6];
} samples[] = {
	{ "tcp4", make_tcp4, false,
	                { { { 26, 12 } }, { { 26, 8 }, MACS }, { { 0, 14 } }, { { 30, 4 } },
	                                { ZERO(2), { 6, 6 } }, { { 26, 12 } } } },
	{ "udp4 behind options", make_udp4_options, false,
	                { { { 26, 8 }, { 42, 4 } }, { { 26, 8 }, MACS }, { { 0, 14 } },
	                                { { 30, 4 } }, { ZERO(2), { 6, 6 } },
	                                { { 26, 8 }, { 42, 4 } } } },
	{ "first fragment", make_frag4, false,
	                { { { 26, 8 } }, { { 26, 8 }, MACS }, { { 0, 14 } }, { { 30, 4 } },
	                                { ZERO(2), { 6, 6 } }, { { 26, 8 } } } },
	{ "icmp4", make_icmp4, false,
	                { { { 26, 8 } }, { { 26, 8 }, MACS }, { { 0, 14 } }, { { 30, 4 } },
	                                { ZERO(2), { 6, 6 } }, { { 26, 8 } } } },
	{ "igmp4", make_igmp4, true,
	                { { { 26, 8 } }, { { 26, 8 }, MACS }, { { 0, 14 } }, { { 30, 4 } },
	                                { ZERO(2), { 6, 6 } }, { { 26, 8 } } } },
	{ "tagged sctp4", make_sctp4_tagged, false,
	                { { { 30, 12 } }, { { 30, 8 }, MACS }, { MACS, { 16, 2 } }, { { 34, 4 } },
	                                { { 14, 0 } }, { { 30, 12 } } } },
	{ "tcp6", make_tcp6, false,
	                { { { 22, 36 } }, { { 22, 32 }, MACS }, { { 0, 14 } }, { { 38, 16 } },
	                                { ZERO(2), { 6, 6 } }, { { 22, 36 } } } },
	{ "tagged udp6", make_udp6_tagged, false,
	                { { { 26, 36 } }, { { 26, 32 }, MACS }, { MACS, { 16, 2 } }, { { 42, 16 } },
	                                { { 14, 2 }, { 6, 6 } }, { { 26, 36 } } } },
	{ "udp6 in two tags", make_udp6_qinq, false,
	                { { { 30, 36 } }, { { 30, 32 }, MACS }, { MACS, { 20, 2 } }, { { 46, 16 } },
	                                { { 14, 2 }, { 6, 6 } }, { { 30, 36 } } } },
	{ "udp6 behind an extension", make_udp6_ext, false,
	                { { { 22, 32 }, { 70, 4 } }, { { 22, 32 }, MACS }, { { 0, 14 } },
	                                { { 38, 16 } }, { ZERO(2), { 6, 6 } },
	                                { { 22, 32 }, { 70, 4 } } } },
	{ "fragment6", make_frag6, false,
	                { { { 22, 32 } }, { { 22, 32 }, MACS }, { { 0, 14 } }, { { 38, 16 } },
	                                { ZERO(2), { 6, 6 } }, { { 22, 32 } } } },
	{ "icmp6", make_icmp6, true,
	                { { { 22, 32 } }, { { 22, 32 }, MACS }, { { 0, 14 } }, { { 38, 16 } },
	                                { ZERO(2), { 6, 6 } }, { { 22, 32 } } } },
	{ "arp", make_arp, true,
	                { { { 0, 14 } }, { { 0, 14 } }, { { 0, 14 } }, { { 0, 14 } },
	                                { ZERO(2), { 6, 6 } }, { { 0, 14 } } } },
	{ "fcoe", make_fcoe, true,
	                { { { 0, 14 } }, { { 0, 14 } }, { { 0, 14 } }, { ZERO(1), { 29, 3 } },
	                                { ZERO(2), { 6, 6 } },
	                                { ZERO(1), { 33, 3 }, ZERO(1), { 29, 3 }, { 44, 2 } } } },
	{ "llc", make_llc, true,
	                { { MACS }, { MACS }, { MACS }, { MACS }, { ZERO(2), { 6, 6 } },
	                                { MACS } } },
	{ "lacp", make_lacp, true,
	                { { { 0, 14 } }, { { 0, 14 } }, { { 0, 14 } }, { { 0, 14 } },
	                                { ZERO(2), { 6, 6 } }, { { 0, 14 } } } },
};

static struct frame frame;

static void
make(const struct sample *s)
{
	frame_reset(&frame);
	frame_eth(&frame);
	s->make(&frame);
	frame_end(&frame);
}

static void
check_sample(const struct tp_flow *flow, const struct sample *s)
{
	const struct tp_flow_conf *conf = tp_flow_conf(flow);
	uint32_t hash[TP_BURST_MAX], want;
	struct rte_mbuf *m;
	struct packet pkt;
	uint64_t special;

	make(s);
	packet_set(&pkt, frame.b, frame.len, 1);
	m = &pkt.seg[0];
	want = hash_of_spans(&frame, s->tuple[conf->policy], conf->key);
	special = tp_flow_hash_burst(flow, &m, 1, hash);
	if (hash[0] != want || special != s->special)
		fail_msg("%s, %s, %s: hash %#x, want %#x; special %d", s->name,
		                tp_flow_policy_name(conf->policy), tp_flow_isa_name(conf->isa),
		                hash[0], want, (int)special);
	packet_free(&pkt);
}

static void
policies_hash_their_fields(void **state)
{
	(void)state;
	for (uint8_t isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
		for (uint8_t p = 0; isa_here(isa) && p < TP_FLOW_NB_POLICIES; p++) {
			struct tp_flow_conf conf = conf_of(p, TP_FLOW_TOEPLITZ, isa);
			struct tp_flow *flow = tp_flow_create(&conf, SOCKET_ID_ANY);

			for (size_t i = 0; i < RTE_DIM(samples); i++)
				if (samples[i].tuple[p][0].len > 0)
					check_sample(flow, &samples[i]);
			tp_flow_free(flow);
		}
	}
}

/* The id counts, the priority does not. */
static void
vlan_srcmac_takes_the_id(void **state)
{
	uint32_t hash[TP_BURST_MAX], want;
	uint8_t tuple[8] = { 0, 100 };
	struct rte_mbuf *m;
	struct packet pkt;

	(void)state;
	for (uint8_t isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
		struct tp_flow_conf conf = conf_of(TP_FLOW_VLAN_SRCMAC, TP_FLOW_TOEPLITZ, isa);
		struct tp_flow *flow = isa_here(isa) ? tp_flow_create(&conf, SOCKET_ID_ANY) : NULL;

		if (flow == NULL)
			continue;
		frame_reset(&frame);
		frame_eth(&frame);
		make_sctp4_tagged(&frame); /* priority 5, id 100 */
		frame_end(&frame);
		memcpy(tuple + 2, frame.b + 6, 6);
		want = toeplitz(tuple, sizeof(tuple), conf.key);
		packet_set(&pkt, frame.b, frame.len, 1);
		m = &pkt.seg[0];
		assert_int_equal(tp_flow_hash_burst(flow, &m, 1, hash), 0);
		assert_int_equal(hash[0], want);
		packet_free(&pkt);

		/* The same with the tag stripped by the port. */
		frame_reset(&frame);
		frame_eth(&frame);
		make_tcp6(&frame);
		frame_end(&frame);
		packet_set(&pkt, frame.b, frame.len, 1);
		pkt.seg[0].ol_flags = RTE_MBUF_F_RX_VLAN_STRIPPED;
		pkt.seg[0].vlan_tci = 0xa064;
		tp_flow_hash_burst(flow, &m, 1, hash);
		assert_int_equal(hash[0], want);
		packet_free(&pkt);
		tp_flow_free(flow);
	}
}

/* ---- symmetry ------------------------------------------------------------------- */

static void
exchange(uint8_t *a, uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

/* Turn the frame round: MACs, addresses, ports. */
static void
reverse(struct frame *f)
{
	exchange(f->b, f->b + 6, 6);
	if (f->ip4 != 0)
		exchange(f->b + f->ip4 + 12, f->b + f->ip4 + 16, 4);
	if (f->ip6 != 0)
		exchange(f->b + f->ip6 + 8, f->b + f->ip6 + 24, 16);
	if (f->l4 != 0)
		exchange(f->b + f->l4, f->b + f->l4 + 2, 2);
}

static void
randomise(struct frame *f)
{
	for (unsigned int i = 0; i < 12; i++)
		f->b[i] = rte_rand();
	f->b[0] &= ~1;
	for (unsigned int i = 0; i < 8 && f->ip4 != 0; i++)
		f->b[f->ip4 + 12 + i] = rte_rand();
	for (unsigned int i = 0; i < 32 && f->ip6 != 0; i++)
		f->b[f->ip6 + 8 + i] = rte_rand();
	for (unsigned int i = 0; i < 4 && f->l4 != 0; i++)
		f->b[f->l4 + i] = rte_rand();
	/* Now and then, endpoints that differ late or not at all. */
	if (rte_rand() % 4 == 0 && f->ip4 != 0)
		memcpy(f->b + f->ip4 + 16, f->b + f->ip4 + 12, 4);
	if (rte_rand() % 4 == 0 && f->ip6 != 0)
		memcpy(f->b + f->ip6 + 24, f->b + f->ip6 + 8, rte_rand() % 17);
	if (rte_rand() % 4 == 0 && f->l4 != 0)
		memcpy(f->b + f->l4 + 2, f->b + f->l4, 2);
	if (rte_rand() % 4 == 0)
		memcpy(f->b, f->b + 6, rte_rand() % 7);
}

static void
check_directions(const struct tp_flow *flow, const struct sample *s)
{
	uint32_t forth[TP_BURST_MAX], back[TP_BURST_MAX];
	struct packet a, b;
	struct rte_mbuf *m;

	make(s);
	randomise(&frame);
	packet_set(&a, frame.b, frame.len, 1);
	m = &a.seg[0];
	tp_flow_hash_burst(flow, &m, 1, forth);
	reverse(&frame);
	packet_set(&b, frame.b, frame.len, 1);
	m = &b.seg[0];
	tp_flow_hash_burst(flow, &m, 1, back);
	if (forth[0] != back[0])
		fail_msg("%s, %s: directions differ", s->name,
		                tp_flow_policy_name(tp_flow_conf(flow)->policy));
	packet_free(&a);
	packet_free(&b);
}

static void
symmetric_joins_directions(void **state)
{
	static const uint8_t policies[] = { TP_FLOW_L34, TP_FLOW_L23, TP_FLOW_L2, TP_FLOW_FC };

	(void)state;
	for (uint8_t isa = 0; isa < TP_FLOW_NB_ISAS; isa++)
		for (size_t p = 0; isa_here(isa) && p < RTE_DIM(policies); p++) {
			struct tp_flow_conf conf = conf_of(policies[p], TP_FLOW_TOEPLITZ, isa);
			struct tp_flow *flow;

			conf.symmetric = true;
			flow = tp_flow_create(&conf, SOCKET_ID_ANY);
			for (int round = 0; round < 50; round++)
				for (size_t i = 0; samples[i].make != make_arp; i++)
					if (samples[i].make != make_icmp4)
						check_directions(flow, &samples[i]);
			tp_flow_free(flow);
		}
}

/* ---- all units alike -------------------------------------------------------------- */

/* An IP length that ends before the ports, or just behind them. */
static void
shorten_ip(struct frame *f)
{
	if (f->ip4 != 0)
		frame_be16(f->b + f->ip4 + 2, rte_rand() % 40);
	if (f->ip6 != 0)
		frame_be16(f->b + f->ip6 + 4, rte_rand() % 10);
}

/* Any frame at all: a sample with random fields; sometimes cut, damaged, in pieces. */
static void
random_packet(struct packet *pkt)
{
	uint32_t len;

	make(&samples[rte_rand() % RTE_DIM(samples)]);
	randomise(&frame);
	if (rte_rand() % 4 == 0)
		frame_pad(&frame, frame.len + rte_rand() % 64);
	if (rte_rand() % 4 == 0)
		shorten_ip(&frame);
	len = frame.len;
	if (rte_rand() % 4 == 0)
		len = rte_rand() % (len + 1);
	for (int n = rte_rand() % 4 == 0 ? rte_rand() % 4 : 0; n > 0; n--)
		frame.b[rte_rand() % RTE_MIN(frame.len, 64u)] = rte_rand();
	packet_set(pkt, frame.b, len, rte_rand() % 4 == 0 ? 1 + rte_rand() % MAX_SEGS : 1);
	if (rte_rand() % 8 == 0) {
		pkt->seg[0].ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
		pkt->seg[0].vlan_tci = rte_rand();
		if (rte_rand() % 2 == 0)
			pkt->seg[0].ol_flags |= RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED;
	}
}

/* Plain frames only, so that kernels also see bursts without odd ones. */
static void
plain_packet(struct packet *pkt, unsigned int kind)
{
	make(&samples[kind == 0 ? 0 : kind == 1 ? 6 : rte_rand() % 2 * 6]);
	randomise(&frame);
	packet_set(pkt, frame.b, frame.len, 1);
}

static void
compare_units(struct tp_flow *const flow[TP_FLOW_NB_ISAS], struct rte_mbuf **pkts, uint16_t nb)
{
	uint32_t want[TP_BURST_MAX], got[TP_BURST_MAX];
	uint64_t special = tp_flow_hash_burst(flow[0], pkts, nb, want);

	for (unsigned int isa = 1; isa < TP_FLOW_NB_ISAS; isa++) {
		if (flow[isa] == NULL)
			continue;
		memset(got, 0, sizeof(got));
		if (tp_flow_hash_burst(flow[isa], pkts, nb, got) == special &&
		                memcmp(want, got, nb * sizeof(*got)) == 0)
			continue;
		for (uint16_t i = 0; i < nb; i++)
			if (want[i] != got[i])
				print_message("frame %u: %#x, want %#x\n", i, got[i], want[i]);
		fail_msg("%s %s %s differs from scalar on %u frames", tp_flow_isa_name(isa),
		                tp_flow_policy_name(tp_flow_conf(flow[0])->policy),
		                tp_flow_fn_name(tp_flow_conf(flow[0])->fn), nb);
	}
}

static void
random_bursts(struct tp_flow *const flow[TP_FLOW_NB_ISAS])
{
	static struct packet pkt[TP_BURST_MAX];
	struct rte_mbuf *pkts[TP_BURST_MAX];

	for (unsigned int round = 0; round < 40; round++) {
		uint16_t nb = rte_rand() % (TP_BURST_MAX + 1);

		for (uint16_t i = 0; i < nb; i++) {
			if (round % 4 == 0)
				random_packet(&pkt[i]);
			else
				plain_packet(&pkt[i], round % 4 - 1);
			pkts[i] = &pkt[i].seg[0];
		}
		/* One stranger in an otherwise plain burst. */
		if (round % 8 > 4 && nb > 0) {
			uint16_t i = rte_rand() % nb;

			packet_free(&pkt[i]);
			random_packet(&pkt[i]);
		}
		compare_units(flow, pkts, nb);
		for (uint16_t i = 0; i < nb; i++)
			packet_free(&pkt[i]);
	}
}

static void
units_agree(void **state)
{
	struct tp_flow *flow[TP_FLOW_NB_ISAS];
	struct tp_flow_conf conf = { 0 };

	(void)state;
	for (unsigned int n = 0; n < TP_FLOW_NB_POLICIES * TP_FLOW_NB_FNS * 2; n++) {
		conf.policy = n / 4;
		conf.fn = n & 1;
		conf.symmetric = n & 2;
		for (unsigned int i = 0; i < TP_FLOW_KEY_LEN; i++)
			conf.key[i] = rte_rand();
		for (unsigned int isa = 0; isa < TP_FLOW_NB_ISAS; isa++) {
			conf.isa = isa;
			flow[isa] = tp_flow_create(&conf, SOCKET_ID_ANY);
		}
		random_bursts(flow);
		for (unsigned int isa = 0; isa < TP_FLOW_NB_ISAS; isa++)
			tp_flow_free(flow[isa]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_hash_their_fields),
		cmocka_unit_test(vlan_srcmac_takes_the_id),
		cmocka_unit_test(symmetric_joins_directions),
		cmocka_unit_test(units_agree),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
