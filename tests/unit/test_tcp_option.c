/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* RFC 9293 3.1, 3.2: options, received and sent. */

#include "tcp_int.h"
#include "test_tcp.h"

/* Parse exactly these bytes: a sanitizer sees any beyond. */
static struct tp_tcp_seg
parse(uint8_t tcp_flags, const uint8_t *opt, uint8_t len)
{
	struct tp_tcp_seg seg = { .flags = tcp_flags };
	uint8_t *exact = malloc(len);

	assert_true(exact != NULL || len == 0);
	memcpy(exact, opt, len);
	tcp_options_parse(exact, len, &seg);
	free(exact);
	return seg;
}
#define PARSE(tcp_flags, ...)                                                                      \
	parse(tcp_flags, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* RFC 9293 MUST-4: EOL, NOP, MSS; RFC 7323, RFC 2018. */
static void
a_syn_says_what_it_can(void **state)
{
	struct tp_tcp_seg s = PARSE(TP_TCP_SYN, 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7,
	                8, 1, 3, 3, 7);

	(void)state;
	assert_int_equal(s.opts, TP_TCP_O_MSS | TP_TCP_O_SACK_PERM | TP_TCP_O_TS | TP_TCP_O_WSCALE);
	assert_int_equal(s.mss, 1460);
	assert_int_equal(s.wscale, 7);
	assert_int_equal(s.ts_val, 0x01020304);
	assert_int_equal(s.ts_ecr, 0x05060708);
}

/* RFC 7323 2.3: a larger shift counts as 14. */
static void
window_scale_is_at_most_14(void **state)
{
	(void)state;
	assert_int_equal(PARSE(TP_TCP_SYN, 3, 3, 15).wscale, 14);
	assert_int_equal(PARSE(TP_TCP_SYN, 3, 3, 255).wscale, 14);
	assert_int_equal(PARSE(TP_TCP_SYN, 3, 3, 14).wscale, 14);
}

/* RFC 9293 3.2, RFC 7323 2.2, RFC 2018 2. */
static void
some_options_are_for_syn_only(void **state)
{
	struct tp_tcp_seg s = PARSE(TP_TCP_ACK, 2, 4, 5, 180, 3, 3, 7, 4, 2, 1);

	(void)state;
	assert_int_equal(s.opts, 0);
	s = PARSE(TP_TCP_SYN, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2);
	assert_int_equal(s.opts, 0);
	assert_int_equal(s.nb_sack, 0);
}

/* RFC 9293 MUST-5 (any segment), MUST-6 (skipped without error), MUST-68 (all have a length). */
static void
unknown_options_are_skipped(void **state)
{
	struct tp_tcp_seg s = PARSE(
	                TP_TCP_ACK, 253, 6, 1, 2, 3, 4, 1, 99, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8);

	(void)state;
	assert_int_equal(s.opts, TP_TCP_O_TS);
	assert_int_equal(s.ts_val, 9);
	/* A known one of a strange length, too. */
	s = PARSE(TP_TCP_SYN, 2, 3, 9, 3, 4, 9, 9, 4, 2);
	assert_int_equal(s.opts, TP_TCP_O_SACK_PERM);
}

/* RFC 9293 MUST-64: wherever they begin. */
static void
options_begin_anywhere(void **state)
{
	uint8_t opt[40];

	(void)state;
	for (uint8_t nops = 0; nops < 8; nops++) {
		uint8_t at = nops;
		struct tp_tcp_seg s;

		memset(opt, 1, sizeof(opt));
		memcpy(opt + at, (const uint8_t[]){ 2, 4, 0x05, 0xb4, 3, 3, 7 }, 7);
		at += 7 + (nops & 1);
		memcpy(opt + at, (const uint8_t[]){ 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, 10);
		s = parse(TP_TCP_SYN, opt, at + 10);
		assert_int_equal(s.opts, TP_TCP_O_MSS | TP_TCP_O_WSCALE | TP_TCP_O_TS);
		assert_int_equal(s.mss, 1460);
		assert_int_equal(s.wscale, 7);
		assert_int_equal(s.ts_val, 0x01020304);
		assert_int_equal(s.ts_ecr, 0x05060708);
	}
}

/* RFC 9293 MUST-7: prepared to handle an illegal length. */
static void
a_lying_length_ends_the_list(void **state)
{
	(void)state;
	assert_int_equal(PARSE(TP_TCP_SYN, 4, 2, 2, 0, 4, 2).opts, TP_TCP_O_SACK_PERM);
	assert_int_equal(PARSE(TP_TCP_SYN, 4, 2, 2, 1, 3, 3, 7).opts, TP_TCP_O_SACK_PERM);
	assert_int_equal(PARSE(TP_TCP_SYN, 4, 2, 2, 4, 5).opts, TP_TCP_O_SACK_PERM);
	assert_int_equal(PARSE(TP_TCP_SYN, 4, 2, 8).opts, TP_TCP_O_SACK_PERM);
	assert_int_equal(PARSE(TP_TCP_SYN, 4).opts, 0);
	assert_int_equal(PARSE(TP_TCP_SYN, 1, 1, 1).opts, 0);
}

static void
the_end_of_the_list_ends_it(void **state)
{
	(void)state;
	assert_int_equal(PARSE(TP_TCP_SYN, 1, 0, 4, 2, 3, 3, 7).opts, 0);
}

/* RFC 2018 3. */
static void
sack_blocks_come_in_pairs(void **state)
{
	struct tp_tcp_seg s = PARSE(TP_TCP_ACK, 5, 34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
	                4, 0, 0, 0, 5, 0, 0, 0, 6, 255, 255, 255, 255, 0, 0, 0, 8);

	(void)state;
	assert_int_equal(s.opts, TP_TCP_O_SACK);
	assert_int_equal(s.nb_sack, 4);
	assert_int_equal(s.sack[0].left, 1);
	assert_int_equal(s.sack[3].left, UINT32_MAX);
	assert_int_equal(s.sack[3].right, 8);
	assert_int_equal(PARSE(TP_TCP_ACK, 5, 2).nb_sack, 0);
	assert_int_equal(PARSE(TP_TCP_ACK, 5, 9, 0, 0, 0, 1, 0, 0, 0).opts, 0);
}

static void
user_timeout_is_read(void **state)
{
	struct tp_tcp_seg s = PARSE(TP_TCP_ACK, 28, 4, 0x80, 5);

	(void)state;
	assert_int_equal(s.opts, TP_TCP_O_UTO);
	assert_int_equal(s.uto, 0x8005);
}

static void
garbage_does_no_harm(void **state)
{
	uint8_t opt[40];
	uint32_t x = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		for (unsigned int j = 0; j < sizeof(opt); j++) {
			x = x * 1664525 + 1013904223;
			opt[j] = x >> 28 > 3 ? x >> 24 & 15 : x >> 20;
		}
		struct tp_tcp_seg s = parse(i % 2 ? TP_TCP_SYN : TP_TCP_ACK, opt, i % 41);

		assert_true(s.nb_sack <= TP_TCP_MAX_SACK && s.wscale <= TCP_MAX_WSCALE);
	}
}

/* ---- what is sent is what is parsed --------------------------------------------------- */

/* RFC 9293 MUST-14, MUST-67 and RFC 6691: the MSS of our MTU, whatever options there are. */
static void
our_syn_offers_what_is_set(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	f->conf.mtu = 9000;
	tcp_syn_sent(f);
	o = tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN | TP_TCP_ECE | TP_TCP_CWR));
	assert_int_equal(o->seg.opts,
	                TP_TCP_O_MSS | TP_TCP_O_SACK_PERM | TP_TCP_O_TS | TP_TCP_O_WSCALE);
	assert_int_equal(o->seg.mss, 8960);
	assert_int_equal(o->seg.wscale, 5); /* 1 MiB in 16 bits */
	assert_int_equal(o->seg.ts_ecr, 0);
	assert_int_equal(o->seg.wnd, 65535);
}

static void
our_syn_over_v6(void **state)
{
	struct tcp_fix *f = *state;

	f->v6 = true;
	tcp_syn_sent(f);
	assert_int_equal(tcp_pop(f)->seg.mss, 1440);
}

static void
our_syn_offers_nothing_else(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	f->conf.timestamps = f->conf.sack = f->conf.window_scale = f->conf.ecn = false;
	tcp_syn_sent(f);
	o = tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN));
	assert_int_equal(o->seg.opts, TP_TCP_O_MSS);
}

/* RFC 7323 2.2, 3.2, RFC 2018 2: only what the peer's SYN had. */
static void
a_syn_ack_answers_what_was_offered(void **state)
{
	struct tcp_fix *f = *state;
	const struct tcp_out *o;

	f->peer.opts = TP_TCP_O_MSS | TP_TCP_O_TS;
	tcp_syn_rcvd(f);
	o = tcp_expect(f, SEG(.seq = 0, .flags = TP_TCP_SYN | TP_TCP_ACK));
	assert_int_equal(o->seg.opts, TP_TCP_O_MSS | TP_TCP_O_TS);
	assert_int_equal(o->seg.ts_ecr, f->ts_irs + (uint32_t)(f->now / TP_NS_PER_MS));
	assert_int_equal(f->c.flags & (TP_TCP_F_SACK | TP_TCP_F_WSCALE | TP_TCP_F_ECN), 0);
	assert_int_equal(f->c.rcv_wscale, 0);
}

/* RFC 9293 MUST-15: of a peer that says nothing; MUST-16: without what options take. */
static void
a_silent_peer_gets_the_default(void **state)
{
	struct tcp_fix *f = *state;

	for (int v6 = 0; v6 < 2; v6++) {
		f->v6 = v6;
		f->ts_ours = 0;
		f->no_ts = false;
		f->peer.opts = TP_TCP_O_TS;
		tcp_state(f, TP_TCP_ESTABLISHED);
		assert_int_equal(f->c.snd_mss, (v6 ? 1220 : 536) - 12);
		tp_tcp_fini(&f->env, &f->c);
		f->ts_ours = 0;
		f->no_ts = true;
		f->peer.opts = 0;
		tcp_state(f, TP_TCP_ESTABLISHED);
		assert_int_equal(f->c.snd_mss, v6 ? 1220 : 536);
		tp_tcp_fini(&f->env, &f->c);
		f->ts_ours = 0;
		f->peer.opts = TP_TCP_O_MSS;
		f->peer.mss = 9000;
		tcp_state(f, TP_TCP_ESTABLISHED);
		assert_int_equal(f->c.snd_mss, v6 ? 1440 : 1460);
		tp_tcp_fini(&f->env, &f->c);
	}
}

/* Every option has its length, and with NOPs they fill the header: nothing pads it but zero. */
static void
check_options(const struct tcp_out *o)
{
	uint8_t len = (o->hdr[12] >> 4) * 4, at = 20;

	for (; at < len && o->hdr[at] != 0; at += o->hdr[at] == 1 ? 1 : o->hdr[at + 1]) {
		assert_true(o->hdr[at] == 1 || (at + 1 < len && o->hdr[at + 1] >= 2));
		if (o->hdr[at] == 2)
			assert_true(o->seg.flags & TP_TCP_SYN);
	}
	assert_true(at <= len);
	for (; at < len; at++)
		assert_int_equal(o->hdr[at], 0);
}

/* RFC 9293 MUST-65: the MSS is a SYN's; MUST-68; MUST-69: padding is zero. */
static void
all_headers_are_well_formed(void **state)
{
	struct tcp_fix *f = *state;

	for (int plain = 0; plain < 2; plain++) {
		f->conf.timestamps = f->conf.window_scale = !plain;
		tcp_syn_sent(f);
		tp_tcp_fini(&f->env, &f->c);
		f->ts_ours = 0;
		f->written = f->read = 0;
		tcp_state(f, TP_TCP_ESTABLISHED);
		tcp_in(f, SEG(.seq = 101, .len = 10));
		tcp_in(f, SEG(.seq = 301, .len = 10));
		tcp_write(f, 100);
		tcp_run(f, 2 * TP_NS_PER_S);
		tp_tcp_shutdown(&f->env, &f->c, f->now);
		tcp_done(f);
		tp_tcp_abort(&f->env, &f->c, TP_TCP_R_ABORT, f->now);
		tcp_done(f);
		assert_true(tcp_nb_out(f) > 6);
		while (tcp_nb_out(f) > 0)
			check_options(tcp_pop(f));
		tp_tcp_fini(&f->env, &f->c);
		f->ts_ours = 0;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_says_what_it_can),
		cmocka_unit_test(window_scale_is_at_most_14),
		cmocka_unit_test(some_options_are_for_syn_only),
		cmocka_unit_test(unknown_options_are_skipped),
		cmocka_unit_test(options_begin_anywhere),
		cmocka_unit_test(a_lying_length_ends_the_list),
		cmocka_unit_test(the_end_of_the_list_ends_it),
		cmocka_unit_test(sack_blocks_come_in_pairs),
		cmocka_unit_test(user_timeout_is_read),
		cmocka_unit_test(garbage_does_no_harm),
		TCP_TEST(our_syn_offers_what_is_set),
		TCP_TEST(our_syn_over_v6),
		TCP_TEST(our_syn_offers_nothing_else),
		TCP_TEST(a_syn_ack_answers_what_was_offered),
		TCP_TEST(a_silent_peer_gets_the_default),
		TCP_TEST(all_headers_are_well_formed),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
