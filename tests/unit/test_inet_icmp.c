/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* ICMP and ICMPv6: echo, errors received, errors sent. */

#include "test_inet.h"

static struct frame f;

/* From 10.0.0.2 or 2001:db8::2 to the team, MACs included. */
static void
begin(bool v4, uint8_t proto)
{
	frame_reset(&f);
	frame_eth(&f);
	memcpy(f.b, &our_mac, 6);
	memcpy(f.b + 6, &mac_2, 6);
	if (v4) {
		frame_ip4(&f, proto, 0);
		memcpy(f.b + f.ip4 + 12, A4(10, 0, 0, 2) + 12, 4);
		memcpy(f.b + f.ip4 + 16, OURS4 + 12, 4);
	} else {
		frame_ip6(&f, proto);
		memcpy(f.b + f.ip6 + 8, A6(2), 16);
		memcpy(f.b + f.ip6 + 24, OURS6, 16);
	}
}

static uint8_t *
ip_of(void)
{
	return f.b + (f.ip4 != 0 ? f.ip4 : f.ip6);
}

/* Lengths and checksums. */
static struct rte_mbuf *
finish(void)
{
	uint32_t len = f.len - f.l4;
	uint8_t *icmp = f.b + f.l4;
	uint16_t pseudo = f.ip6 != 0 ? frame_pseudo(f.b + f.ip6, IPPROTO_ICMPV6, len) : 0;

	frame_end(&f);
	if (f.ip4 != 0) {
		frame_be16(f.b + f.ip4 + 10, 0);
		frame_be16(f.b + f.ip4 + 10, ~frame_sum(f.b + f.ip4, (f.b[f.ip4] & 15) * 4, 0));
	}
	frame_be16(icmp + 2, 0);
	frame_be16(icmp + 2, ~frame_sum(icmp, len, pseudo));
	return test_mbuf(f.b, f.len);
}

static enum tp_inet_icmp
input(struct rte_mbuf *m, struct tp_inet_error *err)
{
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	return tp_inet_icmp_input(worker, m, &info, true, now, err);
}

/* ---- echo ---------------------------------------------------------------------------------- */

static struct rte_mbuf *
echo(bool v4)
{
	begin(v4, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	frame_icmp(&f, v4 ? 8 : 128);
	frame_payload(&f, 57);
	return finish();
}

static void
test_echo(void **state)
{
	struct tp_inet_error err;

	(void)state;
	start();
	for (int v4 = 0; v4 < 2; v4++) {
		struct rte_mbuf *m = echo(v4);
		const uint8_t *b = rte_pktmbuf_mtod(m, const uint8_t *);
		const uint8_t *ip = b + 14, *icmp = b + f.l4;

		assert_int_equal(input(m, &err), TP_INET_ICMP_REPLY);
		assert_int_equal(icmp[0], v4 ? 0 : 129);
		assert_mac(b, &mac_2);
		assert_mac(b + 6, &our_mac);
		assert_int_equal(ip[v4 ? 8 : 7], 64);
		if (v4) {
			assert_memory_equal(ip + 12, OURS4 + 12, 4);
			assert_memory_equal(ip + 16, A4(10, 0, 0, 2) + 12, 4);
			assert_true(frame_ip4_ok(ip));
			assert_int_equal(frame_sum(icmp, f.len - f.l4, 0), 0xffff);
		} else {
			assert_memory_equal(ip + 8, OURS6, 16);
			assert_memory_equal(ip + 24, A6(2), 16);
			assert_true(frame_l4_ok(ip, IPPROTO_ICMPV6, icmp, f.len - f.l4));
		}
		assert_memory_equal(icmp + 8, f.b + f.l4 + 8, 57);
		assert_int_equal(m->ol_flags, 0);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(wmib(TP_INET_M_OUT_ECHO_REPS), 2);
}

/* A damaged request makes a reply that is damaged, too. */
static void
test_damaged_echo(void **state)
{
	struct rte_mbuf *m = echo(true);
	struct tp_inet_error err;
	uint8_t *icmp = rte_pktmbuf_mtod_offset(m, uint8_t *, f.l4);

	(void)state;
	start();
	icmp[20] ^= 4;
	if (input(m, &err) == TP_INET_ICMP_REPLY)
		assert_int_not_equal(frame_sum(icmp, f.len - f.l4, 0), 0xffff);
	rte_pktmbuf_free(m);
}

static void
test_stripped_tag_goes_back(void **state)
{
	struct rte_mbuf *m = echo(true);
	struct tp_inet_error err;

	(void)state;
	start();
	m->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_RSS_HASH;
	m->vlan_tci = 42;
	assert_int_equal(input(m, &err), TP_INET_ICMP_REPLY);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_TX_VLAN);
	assert_int_equal(m->vlan_tci, 42);
	rte_pktmbuf_free(m);
}

static void
test_echo_not_answered(void **state)
{
	struct tp_inet_error err;
	struct tp_pkt_info info;
	struct rte_mbuf *m;

	(void)state;
	start();
	m = echo(true);
	tp_pkt_parse(m, &info);
	assert_int_equal(
	                tp_inet_icmp_input(worker, m, &info, false, now, &err), TP_INET_ICMP_OTHER);
	rte_pktmbuf_free(m);
	/* Cut off. */
	m = echo(true);
	rte_pktmbuf_trim(m, 1);
	assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
	rte_pktmbuf_free(m);
	/* Not to us; with options; from many, from nobody, from ourselves. */
	begin(true, IPPROTO_ICMP);
	frame_icmp(&f, 8);
	ip_of()[19] = 9;
	m = finish();
	assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
	rte_pktmbuf_free(m);
	for (int i = 0; i < 4; i++) {
		static const uint8_t bad[4][4] = { { 224, 0, 0, 1 }, { 0, 0, 0, 0 },
			{ 255, 255, 255, 255 }, { 10, 0, 0, 1 } };

		begin(true, IPPROTO_ICMP);
		frame_icmp(&f, 8);
		memcpy(ip_of() + 12, bad[i], 4);
		m = finish();
		assert_int_equal(input(m, &err), TP_INET_ICMP_DROP);
		rte_pktmbuf_free(m);
	}
	frame_reset(&f);
	frame_eth(&f);
	frame_ip4(&f, IPPROTO_ICMP, 4);
	memcpy(f.b + f.ip4 + 16, OURS4 + 12, 4);
	frame_icmp(&f, 8);
	m = finish();
	assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
	rte_pktmbuf_free(m);
	assert_int_equal(wmib(TP_INET_M_OUT_ECHO_REPS), 0);
}

static void
test_echo_limit(void **state)
{
	struct tp_inet_error err;
	uint32_t answered = 0;

	(void)state;
	start();
	for (int i = 0; i < 2000; i++) {
		struct rte_mbuf *m = echo(true);

		answered += input(m, &err) == TP_INET_ICMP_REPLY;
		rte_pktmbuf_free(m);
	}
	assert_int_equal(answered, 10000 / 8);
	assert_int_equal(wmib(TP_INET_M_ECHO_LIMIT), 2000 - 10000 / 8);
}

/* ---- errors received --------------------------------------------------------------------------- */

struct error_case {
	bool v4;
	uint8_t type, code;
	int kind; /* -1: none */
	uint32_t mtu_in;
	uint16_t mtu;
};

static void
quote_ip(bool v4, uint8_t proto)
{
	uint8_t *p = frame_add(&f, v4 ? 20 : 40);

	if (v4) {
		p[0] = 0x45;
		frame_be16(p + 2, 1500);
		p[9] = proto;
		memcpy(p + 12, OURS4 + 12, 4);
		memcpy(p + 16, A4(10, 0, 0, 9) + 12, 4);
	} else {
		p[0] = 0x60;
		p[6] = proto;
		memcpy(p + 8, OURS6, 16);
		memcpy(p + 24, A6(9), 16);
	}
}

static void
quote_l4(void)
{
	uint8_t *p = frame_add(&f, 8);

	frame_be16(p, 80);
	frame_be16(p + 2, 50000);
	frame_be32(p + 4, 0xfffffffe);
}

static void
begin_error(const struct error_case *c)
{
	uint8_t *p;

	begin(c->v4, c->v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	p = frame_add(&f, 8);
	p[0] = c->type;
	p[1] = c->code;
	if (c->v4)
		frame_be16(p + 6, c->mtu_in);
	else
		frame_be32(p + 4, c->mtu_in);
}

static const struct error_case errors[] = {
	{ true, 3, 0, TP_INET_E_NET, 0, 0 },
	{ true, 3, 1, TP_INET_E_NET, 0, 0 },
	{ true, 3, 2, TP_INET_E_PROTO, 0, 0 },
	{ true, 3, 3, TP_INET_E_PORT, 0, 0 },
	{ true, 3, 4, TP_INET_E_MTU, 1400, 1400 },
	{ true, 3, 4, TP_INET_E_MTU, 0, 0 },
	{ true, 3, 4, TP_INET_E_MTU, 67, 0 },
	{ true, 3, 13, TP_INET_E_NET, 0, 0 },
	{ true, 3, 16, -1, 0, 0 },
	{ true, 4, 0, -1, 0, 0 },
	{ true, 5, 0, -1, 0, 0 },
	{ true, 11, 0, TP_INET_E_TIME, 0, 0 },
	{ true, 12, 0, -1, 0, 0 },
	{ true, 0, 0, -1, 0, 0 },
	{ false, 1, 0, TP_INET_E_NET, 0, 0 },
	{ false, 1, 4, TP_INET_E_PORT, 0, 0 },
	{ false, 2, 0, TP_INET_E_MTU, 1400, 1400 },
	{ false, 2, 0, TP_INET_E_MTU, 1279, 0 },
	{ false, 2, 0, TP_INET_E_MTU, 0x10000, 65535 },
	{ false, 3, 1, TP_INET_E_TIME, 0, 0 },
	{ false, 4, 0, -1, 0, 0 },
	{ false, 4, 1, TP_INET_E_PROTO, 0, 0 },
	{ false, 129, 0, -1, 0, 0 },
};

/* RFC 9293 MUST-54; MUST-55: source quench is none, and MUST-56: what is transient is no hard one. */
static void
test_errors(void **state)
{
	struct tp_inet_error err;
	struct rte_mbuf *m;

	(void)state;
	start();
	for (unsigned int i = 0; i < RTE_DIM(errors); i++) {
		const struct error_case *c = &errors[i];

		begin_error(c);
		quote_ip(c->v4, IPPROTO_TCP);
		quote_l4();
		m = finish();
		if (c->kind < 0) {
			assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
			rte_pktmbuf_free(m);
			continue;
		}
		assert_int_equal(input(m, &err), TP_INET_ICMP_ERROR);
		assert_int_equal(err.kind, c->kind);
		assert_int_equal(err.mtu, c->mtu);
		assert_int_equal(err.proto, IPPROTO_TCP);
		assert_int_equal(err.lport, RTE_BE16(80));
		assert_int_equal(err.rport, RTE_BE16(50000));
		assert_int_equal(err.seq, 0xfffffffe);
		assert_memory_equal(err.laddr, c->v4 ? OURS4 : OURS6, 16);
		assert_memory_equal(err.raddr, c->v4 ? A4(10, 0, 0, 9) : A6(9), 16);
		assert_memory_equal(err.from, c->v4 ? A4(10, 0, 0, 2) : A6(2), 16);
		rte_pktmbuf_free(m);
	}
}

/* Cut off at each byte, nothing is read that is not there. */
static void
test_short_quotes(void **state)
{
	const struct error_case c[] = { { true, 3, 3, 0, 0, 0 }, { false, 1, 4, 0, 0, 0 } };
	struct tp_inet_error err;
	struct rte_mbuf *m;

	(void)state;
	start();
	for (unsigned int i = 0; i < RTE_DIM(c); i++) {
		uint32_t whole = (c[i].v4 ? 20 : 40) + 8;

		for (uint32_t len = 0; len < whole; len++) {
			begin_error(&c[i]);
			quote_ip(c[i].v4, IPPROTO_TCP);
			quote_l4();
			f.len -= whole - len;
			m = finish();
			assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
			/* Padding is no quote. */
			rte_pktmbuf_append(m, 60);
			assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
			rte_pktmbuf_free(m);
		}
	}
}

static void
test_odd_quotes(void **state)
{
	const struct error_case v4 = { true, 3, 3, 0, 0, 0 }, v6 = { false, 1, 4, 0, 0, 0 };
	struct tp_inet_error err;
	struct rte_mbuf *m;
	uint8_t *p;

	(void)state;
	start();
	/* Offset in the quoted IPv4 header, value: another version, a short header, a fragment, UDP's
	 * like, somebody else's packet.
	 */
	for (int i = 0; i < 5; i++) {
		static const uint8_t bad[5][2] = { { 0, 0x65 }, { 0, 0x44 }, { 7, 1 }, { 9, 132 },
			{ 15, 77 } };

		begin_error(&v4);
		p = f.b + f.len;
		quote_ip(true, IPPROTO_TCP);
		quote_l4();
		p[bad[i][0]] = bad[i][1];
		m = finish();
		assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
		rte_pktmbuf_free(m);
	}
	/* A header that says it is longer than the quote. */
	begin_error(&v4);
	p = f.b + f.len;
	quote_ip(true, IPPROTO_TCP);
	quote_l4();
	p[0] = 0x4f;
	m = finish();
	assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
	rte_pktmbuf_free(m);
	/* Extension headers are walked, so many and no more. */
	for (uint32_t nb = 0; nb < 7; nb++) {
		begin_error(&v6);
		quote_ip(false, nb == 0 ? IPPROTO_TCP : IPPROTO_DSTOPTS);
		for (uint32_t i = 0; i < nb; i++)
			frame_add(&f, 8)[0] = i + 1 < nb ? IPPROTO_DSTOPTS : IPPROTO_TCP;
		quote_l4();
		m = finish();
		assert_int_equal(input(m, &err), nb <= 4 ? TP_INET_ICMP_ERROR : TP_INET_ICMP_OTHER);
		rte_pktmbuf_free(m);
	}
	begin_error(&v6);
	quote_ip(false, IPPROTO_FRAGMENT);
	p = frame_add(&f, 8);
	p[0] = IPPROTO_TCP;
	p[3] = 8;
	quote_l4();
	m = finish();
	assert_int_equal(input(m, &err), TP_INET_ICMP_OTHER);
	rte_pktmbuf_free(m);
}

static void
test_error_checksum(void **state)
{
	struct tp_inet_error err;
	struct rte_mbuf *m;

	(void)state;
	start();
	for (unsigned int i = 0; i < RTE_DIM(errors); i += 14) {
		begin_error(&errors[i]);
		quote_ip(errors[i].v4, IPPROTO_TCP);
		quote_l4();
		m = finish();
		*rte_pktmbuf_mtod_offset(m, uint8_t *, f.len - 1) ^= 1;
		assert_int_equal(input(m, &err), TP_INET_ICMP_DROP);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(wmib(TP_INET_M_IN_ICMP_ERRS), 2);
}

/* ---- errors sent ---------------------------------------------------------------------------------- */

static struct rte_mbuf *
datagram(bool v4, uint16_t len)
{
	begin(v4, IPPROTO_UDP);
	frame_udp(&f);
	frame_payload(&f, len);
	frame_end(&f);
	return test_mbuf(f.b, f.len);
}

static struct rte_mbuf *
unreach(struct rte_mbuf *m, enum tp_inet_error_kind kind)
{
	struct tp_pkt_info info;
	struct rte_mbuf *e;

	tp_pkt_parse(m, &info);
	e = tp_inet_unreach(worker, m, &info, kind, now);
	rte_pktmbuf_free(m);
	return e;
}

static void
test_unreach(void **state)
{
	(void)state;
	conf.vlan_tci = 0;
	start();
	for (int i = 0; i < 8; i++) {
		bool v4 = i & 1, port = i & 2;
		uint16_t quote = i & 4 ? 1400 : 20;
		struct rte_mbuf *e = unreach(
		                datagram(v4, quote), port ? TP_INET_E_PORT : TP_INET_E_PROTO);
		struct tp_inet_error err;
		struct tp_pkt_info info;
		const uint8_t *ip, *icmp;

		assert_non_null(e);
		tp_pkt_parse(e, &info);
		assert_int_equal(info.flags, TP_PKT_F_L4);
		assert_true(e->pkt_len - 14 <= (v4 ? 576 : 1280));
		if (quote > 1300)
			assert_int_equal(e->pkt_len - 14, v4 ? 576 : 1280);
		assert_mac(&eth_of(e)->dst_addr, &mac_2);
		ip = rte_pktmbuf_mtod_offset(e, const uint8_t *, 14);
		icmp = rte_pktmbuf_mtod_offset(e, const uint8_t *, info.l4_off);
		assert_int_equal(ip[v4 ? 8 : 7], 64);
		if (v4) {
			assert_true(frame_ip4_ok(ip));
			assert_int_equal(frame_sum(icmp, e->pkt_len - info.l4_off, 0), 0xffff);
			assert_int_equal(icmp[0] << 8 | icmp[1], port ? 0x303 : 0x302);
		} else {
			assert_true(frame_l4_ok(
			                ip, IPPROTO_ICMPV6, icmp, e->pkt_len - info.l4_off));
			assert_int_equal(icmp[0] << 8 | icmp[1], port ? 0x104 : 0x401);
			assert_int_equal(icmp[7], port ? 0 : 6);
		}
		assert_memory_equal(icmp + 8, f.b + 14, RTE_MIN(f.len - 14, 500u));
		/* Who gets it finds its own packet in it. */
		assert_true(tp_inet_icmp_parse(e, &info, &err));
		assert_int_equal(err.kind, port ? TP_INET_E_PORT : TP_INET_E_PROTO);
		assert_int_equal(err.lport, RTE_BE16(40000));
		rte_pktmbuf_free(e);
	}
}

/* On a VLAN of the team the answer has its tag. */
static void
test_unreach_tagged(void **state)
{
	(void)state;
	conf.vlan_tci = 3 << 13 | 77;
	start();
	for (int v4 = 0; v4 < 2; v4++) {
		struct rte_mbuf *e = unreach(datagram(v4, 20), TP_INET_E_PORT);
		const uint8_t *p;

		assert_non_null(e);
		p = rte_pktmbuf_mtod(e, const uint8_t *);
		assert_int_equal(p[12] << 8 | p[13], RTE_ETHER_TYPE_VLAN);
		assert_int_equal(p[14] << 8 | p[15], 3 << 13 | 77);
		assert_int_equal(
		                p[16] << 8 | p[17], v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
		assert_int_equal(p[18] >> 4, v4 ? 4 : 6);
		rte_pktmbuf_free(e);
	}
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e). */
static void
test_unreach_nobody(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	start();
	m = datagram(true, 20);
	*rte_pktmbuf_mtod(m, uint8_t *) |= 1; /* group MAC */
	assert_null(unreach(m, TP_INET_E_PORT));
	m = datagram(true, 20);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 16) = 224;
	assert_null(unreach(m, TP_INET_E_PORT));
	m = datagram(true, 20);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 12) = 0;
	assert_null(unreach(m, TP_INET_E_PORT));
	m = datagram(true, 20);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 6) = 0x20; /* a fragment */
	assert_null(unreach(m, TP_INET_E_PORT));
	m = datagram(false, 20);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 8) = 0xff;
	assert_null(unreach(m, TP_INET_E_PORT));
	assert_null(unreach(echo(true), TP_INET_E_PROTO));
	assert_null(unreach(echo(false), TP_INET_E_PROTO));
	assert_null(unreach(datagram(true, 20), TP_INET_E_MTU));
	assert_int_equal(wmib(TP_INET_M_OUT_UNREACH), 0);
}

static void
test_unreach_limit(void **state)
{
	uint32_t nb = 0;

	(void)state;
	start();
	for (int i = 0; i < 3000; i++) {
		struct rte_mbuf *e = unreach(datagram(true, 20), TP_INET_E_PORT);

		nb += e != NULL;
		rte_pktmbuf_free(e);
		now += MS;
	}
	/* A hundred a second, and what had been saved up. */
	assert_in_range(nb, 300, 300 + 12);
	assert_int_equal(wmib(TP_INET_M_OUT_LIMIT), 3000 - nb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_echo),
		test(test_damaged_echo),
		test(test_stripped_tag_goes_back),
		test(test_echo_not_answered),
		test(test_echo_limit),
		test(test_errors),
		test(test_short_quotes),
		test(test_odd_quotes),
		test(test_error_checksum),
		test(test_unreach),
		test(test_unreach_tagged),
		test(test_unreach_nobody),
		test(test_unreach_limit),
	};

	return cmocka_run_group_tests(tests, inet_group_setup, test_eal_teardown);
}
