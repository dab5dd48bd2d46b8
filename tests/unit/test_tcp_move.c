/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A connection goes to another owner, or into a record and back, and nothing of it changes. */

#include "test_tcp.h"

#define WSCALE_MAX 14

/* ---- all fields ------------------------------------------------------------------- */

struct field {
	const char *name;
	size_t offset, size;
};

#define F(member)                                                                                  \
	{                                                                                          \
#member, offsetof(struct tp_tcp_conn, member),                                     \
		                sizeof(((struct tp_tcp_conn *)NULL)->member)                       \
	}

static const struct field fields[] = {
	F(state),
	F(ca),
	F(events),
	F(reason),
	F(flags),
	F(snd_una),
	F(snd_nxt),
	F(snd_wnd),
	F(snd_wl1),
	F(snd_wl2),
	F(rcv_nxt),
	F(rcv_adv),
	F(rcv_unread),
	F(ts_recent),
	F(last_ack_sent),
	F(snd_mss),
	F(snd_wscale),
	F(rcv_wscale),
	F(rcv_unacked),
	F(rcv_head),
	F(rcv_tail),
	F(ooo_head),
	F(rexmit_ns),
	F(delack_ns),
	F(rcvd_ns),
	F(last_now),
	F(ts_off),
	F(rcv_buf),
	F(snd_queued),
	F(rexmit_kind),
	F(nb_rexmit),
	F(nb_probes),
	F(dupacks),
	F(tx_head),
	F(tx_tail),
	F(snd),
	F(snd_cur),
	F(snd_cur_off),
	F(snd_head_off),
	F(cwnd),
	F(ssthresh),
	F(sacked_out),
	F(lost_out),
	F(retrans_out),
	F(srtt_us),
	F(rttvar_us),
	F(rto_us),
	F(min_rtt_us),
	F(recover_point),
	F(min_rtt_ms),
	F(cwnd_full_seq),
	F(rack_xmit_ns),
	F(rack_end_seq),
	F(rack_rtt_us),
	F(rack_fack),
	F(prr_delivered),
	F(prr_out),
	F(recover_fs),
	F(rack_dsack_round),
	F(rack_reo_wnd_mult),
	F(rack_reo_wnd_persist),
	F(rack_reordering_seen),
	F(rack_dsack_round_valid),
	F(tlp_out),
	F(cc),
	F(frto),
	F(nb_sack_recent),
	F(undo_marker),
	F(undo_retrans),
	F(undo_valid),
	F(dsack_pending),
	F(nb_ooo),
	F(mtu_ms),
	F(sent_ms),
	F(pace_ns),
	F(first_rexmit_ns),
	F(rexmit_hint),
	F(dsack),
	F(cubic.window_end),
	F(cubic.last_min_rtt_us),
	F(cubic.cur_min_rtt_us),
	F(cubic.css_base_rtt_us),
	F(cubic.nb_rtt),
	F(cubic.css_rounds),
	F(cubic.acked),
	F(cubic.cwnd_prior),
	F(cubic.w_max_prior),
	F(cubic.ssthresh_prior),
	F(tlp_end_seq),
	F(rcv_up),
	F(iss),
	F(irs),
	F(snd_wnd_max),
	F(keep_ns),
	F(key),
	F(rst_seq),
	F(snd_up),
	F(peer_mss),
	F(pmtu),
	F(probe_high),
	F(probe_low),
	F(user_timeout_ms),
	F(sack_recent),
	F(bytes_in),
	F(bytes_out),
	F(opened_ns),
	F(segs_in),
	F(segs_out),
	F(retrans_segs),
	F(snd_buf),
	F(sack_newest),
	F(owner_word),
	F(owner_data),
};

/* Whoever adds a field must say here what becomes of it. */
static void
every_field_is_known(void **state)
{
	size_t end = 0;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(fields); i++) {
		if (fields[i].offset != end)
			fail_msg("%s is not behind the field before it", fields[i].name);
		end += fields[i].size;
	}
	assert_int_equal(end, sizeof(struct tp_tcp_conn));
}

static void
expect_same(const struct tp_tcp_conn *got, const struct tp_tcp_conn *want, const char *file,
                int line)
{
	bool same = true;

	for (size_t i = 0; i < RTE_DIM(fields); i++) {
		const struct field *f = &fields[i];
		const uint8_t *a = (const uint8_t *)got + f->offset;
		const uint8_t *b = (const uint8_t *)want + f->offset;

		if (memcmp(a, b, f->size) == 0)
			continue;
		same = false;
		printf("%s is", f->name);
		for (size_t n = f->size; n > 0; n--)
			printf("%s%02x", n == f->size ? " " : "", a[n - 1]);
		printf(", not");
		for (size_t n = f->size; n > 0; n--)
			printf("%s%02x", n == f->size ? " " : "", b[n - 1]);
		printf("\n");
	}
	if (!same)
		_fail(file, line);
}
#define EXPECT_SAME(got, want) expect_same(got, want, __FILE__, __LINE__)

/* ---- to another owner ---------------------------------------------------------------- */

/* To another shard and other memory; nobody may look at the old one any more. */
static void
move(struct tcp_fix *f, uint64_t now)
{
	struct tp_tcp_conn *from = malloc(sizeof(*from));
	struct tp_tcp_env env = f->env;

	assert_non_null(from);
	memcpy(from, &f->c, sizeof(*from));
	tp_tcp_export(&f->env, from);
	assert_int_equal(f->env.held_bytes, 0);
	memset(&f->env, 0xa5, sizeof(f->env));
	env.held_bytes = 7;
	env.challenge_left = 0;
	memset(&f->c, 0xa5, sizeof(f->c));
	tp_tcp_adopt(&env, &f->c, from, now);
	memset(from, 0xa5, sizeof(*from));
	free(from);
	env.held_bytes -= 7;
	f->env = env;
	assert_int_equal(f->env.held_bytes, tp_tcp_held(&f->c));
	tcp_check(f);
}

static void
adoption_copies_every_field(void **state)
{
	struct tcp_fix *f = *state;
	struct tp_tcp_env env = { .held_bytes = 1000 }, other = { .held_bytes = 50 };
	struct tp_tcp_conn from, to, want;
	uint8_t *bytes = (uint8_t *)&from;

	(void)f;
	for (size_t i = 0; i < sizeof(from); i++)
		bytes[i] = i * 37 + 1;
	from.ooo_head = NULL;
	from.rcv_unread = 300;
	want = from;
	tp_tcp_export(&env, &from);
	EXPECT_SAME(&from, &want);
	assert_int_equal(env.held_bytes, 700);
	memset(&to, 0xff, sizeof(to));
	tp_tcp_adopt(&other, &to, &from, 0);
	EXPECT_SAME(&to, &want);
	EXPECT_SAME(&from, &want);
	assert_int_equal(other.held_bytes, 350);
}

/* Data sent and not, unread, out of order; a hole in what was sent. */
static void
full_connection(struct tcp_fix *f)
{
	f->conf.tso_max = 0;
	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 8 * 1448);
	tcp_in(f, SEG(.len = 100, .ack = 1449));
	tcp_in(f, SEG(.seq = 201, .len = 100, .ack = 1449));
	tcp_in(f, SEG(.seq = 401, .len = 100, .ack = 1449));
	tcp_in(f, SEG(.seq = 101, .ack = 1449, .nb_sack = 1,
	                          .sack = { { 1 + 2 * 1448, 1 + 3 * 1448 } }));
	tcp_flush(f);
}

static void
a_full_connection_goes_on_elsewhere(void **state)
{
	struct tcp_fix *f = *state;

	full_connection(f);
	assert_int_equal(f->env.held_bytes, 300);
	move(f, f->now);
	tcp_collect(f);
	tcp_expect_none(f);
	tcp_in(f, SEG(.seq = 101, .len = 300, .ack = 1449));
	tcp_expect(f, SEG(.seq = f->c.snd_nxt - f->iss, .ack = 501));
	move(f, f->now);
	assert_int_equal(tcp_read(f), 500);
	move(f, f->now);
	f->now += 2 * TP_NS_PER_MS;
	tcp_in(f, SEG(.seq = 501, .ack = 1449, .nb_sack = 1,
	                          .sack = { { 1 + 2 * 1448, 1 + 6 * 1448 } }));
	move(f, f->now);
	assert_int_equal(tcp_pop(f)->seg.seq, 1449);
	assert_int_equal(f->c.ca, TP_TCP_CA_RECOVERY);
	tcp_in(f, SEG(.seq = 501, .ack = 1 + 8 * 1448));
	move(f, f->now);
	assert_int_equal(f->c.snd_queued, 0);
}

static void
what_is_wanted_and_told_goes_along(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->no_output = true;
	tcp_in(f, SEG(.len = 1000));
	tcp_in(f, SEG(.seq = 1001, .len = 1000));
	f->c.events = TP_TCP_EV_DATA;
	move(f, f->now);
	assert_int_equal(f->events & TP_TCP_EV_DATA, TP_TCP_EV_DATA);
	assert_true(f->c.flags & TP_TCP_F_ACK_NOW);
	f->no_output = false;
	tcp_collect(f);
	tcp_expect(f, SEG(.ack = 2001));
	tcp_read(f);
}

static void
deadlines_stay_where_they_are(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t next;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_write(f, 100);
	next = tp_tcp_next(&f->c);
	move(f, f->now);
	assert_int_equal(tp_tcp_next(&f->c), next);
	tcp_flush(f);
	tcp_tick(f);
	assert_int_equal(f->now, next);
	tcp_expect(f, SEG(.seq = 1, .len = 100, .flags = TP_TCP_ACK | TP_TCP_PSH));
}

/* More may be sent by now, and nobody has said so yet. */
static void
a_pace_that_is_over_is_still_noticed(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t due;

	f->conf.pacing = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	f->c.srtt_us = 100000;
	f->c.cwnd = 4 * f->c.snd_mss;
	tcp_write(f, 4 * 1448);
	due = tp_tcp_next(&f->c);
	assert_int_equal(due, f->c.pace_ns);
	move(f, due + TP_NS_PER_MS);
	assert_int_equal(tp_tcp_next(&f->c), due);
	tcp_flush(f);
	f->now = due + 2 * TP_NS_PER_MS;
	tcp_collect(f);
	assert_int_not_equal(tcp_nb_out(f), 0);
}

static void
the_clock_never_goes_back(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t before;

	tcp_state(f, TP_TCP_ESTABLISHED);
	before = f->c.last_now;
	move(f, before - TP_NS_PER_S);
	assert_int_equal(f->c.last_now, before);
	move(f, before + 5);
	assert_int_equal(f->c.last_now, before + 5);
	assert_int_equal(tp_tcp_rcvd(&f->c), before);
}

/* ---- into a record, and back ----------------------------------------------------------- */

/* All that is remembered has a value of its own; the rest is what goes without saying. */
static void
idle_connection(struct tcp_fix *f)
{
	struct tp_tcp_conn *c = &f->c;

	f->conf.rcv_buf = 123457;
	f->conf.snd_buf = 234561;
	f->conf.user_timeout_ns = 345679 * TP_NS_PER_MS;
	tcp_state(f, TP_TCP_ESTABLISHED);
	c->snd_una = c->snd_nxt = f->iss + 1 + 54321;
	c->rcv_nxt = f->irs + 1 + 65432;
	c->bytes_in = 65432;
	c->bytes_out = 54321;
	c->snd_wscale = 7;
	c->rcv_wscale = 2;
	c->snd_wnd = 300 << 7;
	c->snd_wnd_max = 600 << 7;
	c->rcv_adv = c->rcv_nxt + 98765;
	c->ts_recent = 0xfedcba98;
	c->ts_off = 0x89abcdef;
	c->rcvd_ns = f->now - 9 * TP_NS_PER_MS - 111111;
	c->last_now = f->now;
	c->opened_ns = c->rcvd_ns - 777 * TP_NS_PER_S;
	c->last_ack_sent = c->rcv_nxt;
	c->keep_ns = f->now + 3333333333;
	c->sent_ms = f->now / TP_NS_PER_MS - 4321;
	c->min_rtt_ms = c->rcvd_ns / TP_NS_PER_MS - 5432;
	c->cwnd = 1234567;
	c->srtt_us = 70707;
	c->rttvar_us = 60606;
	c->rto_us = 70707 + 4 * 60606;
	c->min_rtt_us = 50505;
	c->peer_mss = 1220;
	c->pmtu = 1400;
	c->probe_high = 1490;
	c->probe_low = 1400;
	c->flags |= TP_TCP_F_MTU_PROBING;
	c->snd_mss = 1220 - 12;
	c->rack_reo_wnd_mult = 9;
	c->rack_reo_wnd_persist = 13;
	c->cc = TP_TCP_CC_NEWRENO;
	c->owner_word = 0x11111111;
	c->owner_data[0] = 0x2222222222222222;
	c->owner_data[1] = 0x3333333333333333;
	c->ssthresh = UINT32_MAX;
	c->cubic.last_min_rtt_us = 101;
	c->cubic.cur_min_rtt_us = 202;
	c->cubic.css_base_rtt_us = 303;
	c->cubic.nb_rtt = 5;
	c->cubic.css_rounds = 4;
}

static void
set_congestion_avoidance(struct tp_tcp_conn *c)
{
	c->cubic = (struct tp_tcp_cubic){ .w_max = 7654321, .cwnd_prior = 8765432 };
	c->ssthresh = 999999;
}

/* What a connection that waits for nothing has in all the other fields. */
static void
forget(struct tp_tcp_conn *c)
{
	bool slow_start = c->ssthresh == UINT32_MAX;

	c->snd_wl1 = c->rcv_nxt;
	c->snd_wl2 = c->snd_una;
	c->last_ack_sent = c->rcv_nxt;
	c->rcv_up = c->rcv_nxt;
	c->sack_newest = c->rcv_nxt;
	memset(c->sack_recent, 0, sizeof(c->sack_recent));
	c->cwnd_full_seq = c->snd_una - 1;
	c->rack_xmit_ns = 0;
	c->rack_end_seq = c->rack_fack = c->tlp_end_seq = c->snd_una;
	c->rack_rtt_us = c->srtt_us;
	c->rack_dsack_round = 0;
	c->rack_dsack_round_valid = false;
	c->prr_delivered = c->prr_out = 0;
	c->recover_fs = c->ca == TP_TCP_CA_CWR ? c->cwnd : 0;
	if (c->recover_point != c->snd_una)
		c->recover_point = c->snd_una - 1;
	c->dupacks = 0;
	c->undo_marker = c->undo_retrans = 0;
	c->undo_valid = false;
	c->dsack_pending = false;
	c->dsack = (struct tp_tcp_span){ 0, 0 };
	c->mtu_ms = c->rcvd_ns / TP_NS_PER_MS;
	c->pace_ns = 0;
	c->cubic = slow_start ? (struct tp_tcp_cubic){
		.window_end = c->snd_una,
		.last_min_rtt_us = c->cubic.last_min_rtt_us,
		.cur_min_rtt_us = c->cubic.cur_min_rtt_us,
		.css_base_rtt_us = c->cubic.css_base_rtt_us,
		.nb_rtt = c->cubic.nb_rtt,
		.css_rounds = c->cubic.css_rounds,
	} : (struct tp_tcp_cubic){
		.w_max = c->cubic.w_max,
		.cwnd_prior = c->cubic.cwnd_prior,
	};
	c->rst_seq = c->snd_up = 0;
	c->rcv_tail = NULL;
	c->segs_in = c->segs_out = c->retrans_segs = 0;
	c->iss = c->snd_una - 1 - (uint32_t)c->bytes_out - !!(c->flags & TP_TCP_F_FIN_SENT);
	c->irs = c->rcv_nxt - 1 - (uint32_t)c->bytes_in - !!(c->flags & TP_TCP_F_FIN_RCVD);
}

/* Park it, and take it back at `now`. */
static void
park_and_back(struct tcp_fix *f, uint64_t now)
{
	const struct tp_tcp_key key = f->c.key;
	struct tp_tcp_parked rec;
	struct tp_tcp_conn c;

	assert_true(tp_tcp_parkable(&f->c));
	memset(&rec, 0xa5, sizeof(rec));
	tp_tcp_park(&f->c, &rec);
	assert_int_equal(rec.keep_ns, f->c.keep_ns);
	assert_int_equal(rec.rcvd_ns, f->c.rcvd_ns);
	memset(&c, 0xa5, sizeof(c));
	c.owner_word = f->c.owner_word;
	memcpy(c.owner_data, f->c.owner_data, sizeof(c.owner_data));
	memset(&f->c, 0xa5, sizeof(f->c));
	tp_tcp_unpark(&f->env, &c, &key, &rec, now);
	f->c = c;
	tcp_check(f);
}

static void
expect_unchanged(struct tcp_fix *f)
{
	struct tp_tcp_conn want;

	tcp_check(f);
	want = f->c;
	forget(&want);
	park_and_back(f, f->now);
	EXPECT_SAME(&f->c, &want);
}

static void
a_record_keeps_every_field(void **state)
{
	struct tcp_fix *f = *state;

	idle_connection(f);
	expect_unchanged(f);
	set_congestion_avoidance(&f->c);
	expect_unchanged(f);
	f->c.cubic.cwnd_prior = 0;
	f->c.cc = TP_TCP_CC_CUBIC;
	f->c.recover_point = f->c.snd_una;
	expect_unchanged(f);
	f->c.ca = TP_TCP_CA_CWR;
	f->c.recover_fs = 5;
	f->c.prr_out = 6;
	expect_unchanged(f);
}

static void
a_record_keeps_marks_and_flags(void **state)
{
	static const uint32_t flags[] = { TP_TCP_F_TS, TP_TCP_F_SACK, TP_TCP_F_WSCALE, TP_TCP_F_ECN,
		TP_TCP_F_ECE_SEND, TP_TCP_F_CWR_SEND, TP_TCP_F_NODELAY, TP_TCP_F_PASSIVE,
		TP_TCP_F_WANT_SPACE, TP_TCP_F_PUSH, TP_TCP_F_KEEPALIVE, TP_TCP_F_QUICKACK,
		TP_TCP_F_IS_V6, TP_TCP_F_PACING, TP_TCP_F_URG_RCVD, TP_TCP_F_MTU_PROBING,
		TP_TCP_F_TLP_RETRANS, TP_TCP_F_COOKIE };
	struct tcp_fix *f = *state;

	idle_connection(f);
	f->c.rcv_up = f->c.rcv_nxt;
	for (size_t i = 0; i < RTE_DIM(flags); i++) {
		f->c.flags ^= flags[i];
		f->c.probe_low = f->c.flags & TP_TCP_F_MTU_PROBING ? f->c.pmtu : 0;
		f->c.snd_mss = f->c.flags & TP_TCP_F_TS ? 1208 : 1220;
		expect_unchanged(f);
	}
	f->c.tlp_out = true;
	expect_unchanged(f);
	f->c.rack_reordering_seen = true;
	f->c.tlp_out = false;
	expect_unchanged(f);
	f->c.keep_ns = TP_NEVER;
	expect_unchanged(f);
}

static void
a_record_keeps_the_state(void **state)
{
	struct tcp_fix *f = *state;

	idle_connection(f);
	f->c.state = TP_TCP_CLOSE_WAIT;
	f->c.flags |= TP_TCP_F_FIN_RCVD;
	expect_unchanged(f);
	f->c.state = TP_TCP_FIN_WAIT_2;
	f->c.flags &= ~TP_TCP_F_FIN_RCVD;
	f->c.flags |= TP_TCP_F_FIN_WANTED | TP_TCP_F_FIN_SENT;
	expect_unchanged(f);
}

static void
a_record_keeps_windows(void **state)
{
	static const uint32_t wnd[] = { 0, 1, 1000, 65535, 65535 << 7, 520 << 7 };
	struct tcp_fix *f = *state;

	idle_connection(f);
	for (size_t i = 0; i < RTE_DIM(wnd); i++) {
		f->c.snd_wnd = wnd[i];
		f->c.snd_wnd_max = wnd[RTE_DIM(wnd) - 1 - i];
		expect_unchanged(f);
	}
	f->c.rcv_wscale = WSCALE_MAX;
	f->c.snd_wscale = WSCALE_MAX;
	f->c.snd_wnd = UINT32_C(65535) << WSCALE_MAX;
	f->c.rcv_adv = f->c.rcv_nxt + (UINT32_C(65535) << WSCALE_MAX);
	expect_unchanged(f);
}

/* The settings' are exact; others are up to a thousandth larger. */
static void
rough_numbers(void **state)
{
	static const uint32_t exact[] = { 1, 2047, 2048, 4094, 1 << 20, 3 << 28, 1 << 30 };
	struct tcp_fix *f = *state;

	idle_connection(f);
	for (size_t i = 0; i < RTE_DIM(exact); i++) {
		f->c.rcv_buf = exact[i];
		f->c.snd_buf = exact[i];
		f->c.user_timeout_ms = exact[i];
		f->c.rto_us = exact[i];
		expect_unchanged(f);
	}
	for (uint32_t n = 2049; n < 1u << 29; n = n * 5 / 3) {
		f->c.rcv_buf = f->c.snd_buf = f->c.user_timeout_ms = f->c.rto_us = n;
		park_and_back(f, f->now);
		assert_in_range(f->c.rcv_buf, n, n + n / 1000);
		assert_in_range(f->c.snd_buf, n, n + n / 1000);
		assert_in_range(f->c.user_timeout_ms, n, n + n / 1000);
		assert_in_range(f->c.rto_us, n, n + n / 1000);
	}
	f->c.user_timeout_ms = UINT32_MAX;
	park_and_back(f, f->now);
	assert_int_equal(f->c.user_timeout_ms, UINT32_MAX);
}

static void
the_age_is_rough(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t age;

	f->now = 5000000 * TP_NS_PER_S;
	idle_connection(f);
	for (uint64_t s = 1; s < 4000000; s = s * 3 / 2 + 1) {
		f->c.opened_ns = f->c.rcvd_ns - s * TP_NS_PER_S;
		park_and_back(f, f->now);
		age = (f->c.rcvd_ns - f->c.opened_ns) / TP_NS_PER_S;
		assert_in_range(age, s, s + s / 1000);
	}
}

/* What does not fit stays as large as can be. */
static void
large_numbers(void **state)
{
	struct tcp_fix *f = *state;

	idle_connection(f);
	f->c.srtt_us = f->c.rttvar_us = f->c.min_rtt_us = 120000000;
	f->c.rto_us = 120000000;
	f->c.bytes_in = f->c.bytes_out = UINT64_MAX;
	f->c.cubic.last_min_rtt_us = f->c.cubic.cur_min_rtt_us = UINT32_MAX;
	f->c.sent_ms = f->now / TP_NS_PER_MS - 1000000;
	f->c.min_rtt_ms = f->now / TP_NS_PER_MS - 1000000;
	park_and_back(f, f->now);
	assert_int_equal(f->c.srtt_us, (1 << 24) - 1);
	assert_int_equal(f->c.rttvar_us, (1 << 24) - 1);
	assert_int_equal(f->c.min_rtt_us, (1 << 24) - 1);
	assert_in_range(f->c.rto_us, 120000000, 120000000 + 120000);
	assert_true(f->c.bytes_in == (UINT64_C(1) << 40) - 1);
	assert_true(f->c.bytes_out == (UINT64_C(1) << 40) - 1);
	assert_int_equal(f->c.cubic.last_min_rtt_us, UINT32_MAX);
	assert_int_equal(f->c.cubic.cur_min_rtt_us, UINT32_MAX);
	assert_int_equal(f->c.sent_ms, f->now / TP_NS_PER_MS - 65535);
	assert_int_equal(f->c.min_rtt_ms, f->c.rcvd_ns / TP_NS_PER_MS - 65535);
}

static void
the_clock_of_a_record_never_goes_back(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t last, rcvd;

	idle_connection(f);
	last = f->c.last_now;
	rcvd = f->c.rcvd_ns;
	assert_true(rcvd < last);
	park_and_back(f, 0);
	assert_int_equal(f->c.last_now / TP_NS_PER_MS, last / TP_NS_PER_MS);
	assert_true(f->c.last_now <= last);
	assert_int_equal(f->c.rcvd_ns, rcvd);
	park_and_back(f, last + 9);
	assert_int_equal(f->c.last_now, last + 9);
	f->c.last_now = f->c.rcvd_ns;
	park_and_back(f, 0);
	assert_int_equal(f->c.last_now, rcvd);
	f->c.last_now = rcvd + 100 * TP_NS_PER_S;
	park_and_back(f, 0);
	assert_in_range(f->c.last_now, rcvd + 65 * TP_NS_PER_S, rcvd + 66 * TP_NS_PER_S);
}

/* ---- what may be parked ------------------------------------------------------------------ */

#define NOT_PARKABLE(field, value)                                                                 \
	do {                                                                                       \
		__typeof__(field) good = (field);                                                  \
		(field) = (value);                                                                 \
		assert_false(tp_tcp_parkable(&f->c));                                              \
		(field) = good;                                                                    \
		assert_true(tp_tcp_parkable(&f->c));                                               \
	} while (0)

static void
only_idle_connections_are_parkable(void **state)
{
	static const uint32_t wanted[] = { TP_TCP_F_ACK_NOW, TP_TCP_F_RST_WANTED, TP_TCP_F_RST_ACK,
		TP_TCP_F_PROBE_NOW, TP_TCP_F_TLP_NOW, TP_TCP_F_EXEMPT, TP_TCP_F_MTU_PROBE,
		TP_TCP_F_FIN_WANTED, TP_TCP_F_URG_SEND };
	struct tcp_fix *f = *state;
	struct tp_tcp_conn *c = &f->c;
	struct tp_tcp_rec rec = { 0 };
	struct rte_mbuf *m = test_mbuf("x", 1);

	idle_connection(f);
	for (int s = 0; s < TP_TCP_NB_STATES; s++) {
		c->state = s;
		assert_int_equal(tp_tcp_parkable(c), s == TP_TCP_ESTABLISHED ||
		                                                     s == TP_TCP_CLOSE_WAIT ||
		                                                     s == TP_TCP_FIN_WAIT_2);
	}
	c->state = TP_TCP_ESTABLISHED;
	for (size_t i = 0; i < RTE_DIM(wanted); i++)
		NOT_PARKABLE(c->flags, c->flags | wanted[i]);
	for (int ca = TP_TCP_CA_DISORDER; ca <= TP_TCP_CA_LOSS; ca++)
		NOT_PARKABLE(c->ca, ca);
	NOT_PARKABLE(c->events, TP_TCP_EV_DATA);
	NOT_PARKABLE(c->snd_nxt, c->snd_una + 1);
	NOT_PARKABLE(c->tx_head, &rec);
	NOT_PARKABLE(c->snd.head, m);
	NOT_PARKABLE(c->rcv_head, m);
	NOT_PARKABLE(c->rcv_unread, 1);
	NOT_PARKABLE(c->ooo_head, &rec);
	NOT_PARKABLE(c->nb_probes, 1);
	NOT_PARKABLE(c->nb_rexmit, 1);
	NOT_PARKABLE(c->rexmit_kind, TP_TCP_REXMIT_PERSIST);
	NOT_PARKABLE(c->delack_ns, f->now + 1);
	NOT_PARKABLE(c->last_ack_sent, c->rcv_nxt - 1);
	c->flags |= TP_TCP_F_URG_RCVD;
	c->rcv_up = c->rcv_nxt;
	assert_true(tp_tcp_parkable(c));
	NOT_PARKABLE(c->rcv_up, c->rcv_nxt + 1);
	c->state = TP_TCP_FIN_WAIT_2;
	NOT_PARKABLE(c->flags, c->flags | TP_TCP_F_NO_READER);
	rte_pktmbuf_free(m);
}

/* ---- a connection that was parked ---------------------------------------------------------- */

static void
data_flows_after_a_rest(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	tcp_in(f, SEG(.len = 1000));
	assert_false(tp_tcp_parkable(&f->c));
	tcp_read(f);
	assert_false(tp_tcp_parkable(&f->c));
	tcp_run(f, TP_NS_PER_S);
	tcp_expect(f, SEG(.ack = 1001));
	tcp_write(f, 500);
	assert_false(tp_tcp_parkable(&f->c));
	tcp_expect(f, SEG(.ack = 1001, .len = 500));
	tcp_in(f, SEG(.seq = 1001, .ack = 501));
	f->now += 100 * TP_NS_PER_S;
	park_and_back(f, f->now);
	tcp_collect(f);
	tcp_expect_none(f);
	tcp_in(f, SEG(.seq = 1001, .ack = 501, .len = 10));
	tcp_in(f, SEG(.seq = 1011, .ack = 501, .len = 10));
	tcp_expect(f, SEG(.seq = 501, .ack = 1021));
	assert_int_equal(tcp_read(f), 20);
	tcp_write(f, 100);
	tcp_expect(f, SEG(.seq = 501, .ack = 1021, .len = 100));
	tcp_in(f, SEG(.seq = 1021, .ack = 601));
	park_and_back(f, f->now);
	tcp_in(f, SEG(.seq = 1021, .ack = 601, .flags = TP_TCP_ACK | TP_TCP_FIN));
	tcp_expect(f, SEG(.seq = 601, .ack = 1022));
	assert_int_equal(f->c.state, TP_TCP_CLOSE_WAIT);
	tcp_events(f);
	park_and_back(f, f->now);
	tcp_shutdown(f);
	tcp_expect(f, SEG(.seq = 601, .ack = 1022, .flags = TP_TCP_ACK | TP_TCP_FIN));
	tcp_in(f, SEG(.seq = 1022, .ack = 602));
	assert_int_equal(f->c.state, TP_TCP_CLOSED);
	assert_int_equal(f->c.reason, TP_TCP_R_DONE);
}

static void
keepalive_counts_while_parked(void **state)
{
	struct tcp_fix *f = *state;
	uint64_t begin, due;

	f->conf.keepalive = true;
	tcp_state(f, TP_TCP_ESTABLISHED);
	begin = f->now;
	park_and_back(f, f->now);
	due = tp_tcp_next(&f->c);
	assert_int_equal(due, begin + f->conf.keep_idle_ns);
	f->now = due;
	park_and_back(f, f->now);
	tp_tcp_timer(&f->env, &f->c, f->now);
	tcp_done(f);
	tcp_expect(f, SEG(.seq = 0, .ack = 1));
	assert_false(tp_tcp_parkable(&f->c));
	f->now += TP_NS_PER_S;
	tcp_in(f, SEG(.seq = 1));
	assert_true(tp_tcp_parkable(&f->c));
}

/* RFC 5681 4.1: the window does not outlive a long rest. */
static void
an_idle_window_restarts(void **state)
{
	struct tcp_fix *f = *state;

	tcp_state(f, TP_TCP_ESTABLISHED);
	f->c.cwnd = 100 * f->c.snd_mss;
	f->c.sent_ms = f->now / TP_NS_PER_MS;
	park_and_back(f, f->now);
	assert_int_equal(f->c.cwnd, 100 * f->c.snd_mss);
	park_and_back(f, f->now + 100 * TP_NS_PER_MS);
	f->now += 100 * TP_NS_PER_S;
	park_and_back(f, f->now);
	tcp_write(f, 50 * 1448);
	assert_int_equal(f->c.cwnd, 10 * f->c.snd_mss);
	assert_int_equal(f->env.mib[TP_TCP_M_IDLE_RESTART], 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_known),
		TCP_TEST(adoption_copies_every_field),
		TCP_TEST(a_full_connection_goes_on_elsewhere),
		TCP_TEST(what_is_wanted_and_told_goes_along),
		TCP_TEST(deadlines_stay_where_they_are),
		TCP_TEST(a_pace_that_is_over_is_still_noticed),
		TCP_TEST(the_clock_never_goes_back),
		TCP_TEST(a_record_keeps_every_field),
		TCP_TEST(a_record_keeps_marks_and_flags),
		TCP_TEST(a_record_keeps_the_state),
		TCP_TEST(a_record_keeps_windows),
		TCP_TEST(rough_numbers),
		TCP_TEST(the_age_is_rough),
		TCP_TEST(large_numbers),
		TCP_TEST(the_clock_of_a_record_never_goes_back),
		TCP_TEST(only_idle_connections_are_parkable),
		TCP_TEST(data_flows_after_a_rest),
		TCP_TEST(keepalive_counts_while_parked),
		TCP_TEST(an_idle_window_restarts),
	};

	return cmocka_run_group_tests(tests, tcp_group_setup, tcp_group_teardown);
}
