/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* How fast, how fair, how patient: a scenario each, with what has to come of it. Bounds come from
 * the link (rate, round trip) or from an RFC, with room for what is not the engine's fault.
 */

#include <inttypes.h>
#include <string.h>

#include <rte_byteorder.h>

#include "tcpsim.h"

#define RTT (20 * MS)
#define MSS 1448 /* 1500 - 20 - 20 - 12 */

static struct world w;
static struct setup set;
static unsigned int nb_bad;

/* ---- what to lose --------------------------------------------------------------------- */

/* Of the segments with data that host 0 sends: those that begin at these offsets, so many times. */
static struct {
	uint32_t seq[16], times[16], nb;
	uint32_t iss;
} plan;

static bool
drop_planned(void *arg, int from, const uint8_t *tcp, uint32_t l4_len)
{
	uint32_t seq, hdr = (tcp[12] >> 4) * 4;

	(void)arg;
	memcpy(&seq, tcp + 4, 4);
	seq = rte_be_to_cpu_32(seq);
	if (from != 0)
		return false;
	if (tcp[13] & TP_TCP_SYN)
		plan.iss = seq;
	for (uint32_t i = 0; i < plan.nb && l4_len > hdr; i++)
		if (plan.times[i] > 0 && seq - plan.iss - 1 <= plan.seq[i] &&
		                plan.seq[i] < seq - plan.iss - 1 + (l4_len - hdr)) {
			plan.times[i]--;
			return true;
		}
	return false;
}

static void
lose(uint32_t offset, uint32_t times)
{
	plan.seq[plan.nb] = offset;
	plan.times[plan.nb++] = times;
	set.drop = drop_planned;
}

/* ---- shapes ----------------------------------------------------------------------------- */

static void
path(uint64_t rate_bps, uint64_t rtt, uint32_t queue_bytes)
{
	for (int h = 0; h < 2; h++) {
		set.link[h].delay_ns = rtt / 2;
		set.link[h].rate_bps = rate_bps;
		set.link[h].queue_bytes = queue_bytes;
	}
}

static void
steady(uint32_t size, uint64_t pause_ns)
{
	struct app_conf *a = &set.app[0][0];

	a->chunk_min = a->chunk_max = size;
	a->steady = true;
	a->pause_ns = pause_ns;
}

/* Host 0 sends so much. */
static void
bulk(uint64_t total)
{
	for (unsigned int f = 0; f < set.nb_flows; f++)
		set.app[f][0].total = total;
	for (int h = 0; h < 2; h++)
		set.conf[h].rcv_buf = set.conf[h].snd_buf = 4 << 20;
}

static void
pingpong(uint32_t nb, uint32_t size)
{
	struct app_conf *a = &set.app[0][0], *b = &set.app[0][1];

	a->pingpong = a->message = b->echo = b->message = true;
	a->chunk_min = a->chunk_max = size;
	a->total = (uint64_t)nb * size;
}

/* ---- results ------------------------------------------------------------------------------ */

static uint64_t
mib(int host, enum tp_tcp_mib counter)
{
	return host_mib(&w, host, counter);
}

/* Bits a second that an application got of the second half of all. */
static double
goodput(const struct end *e)
{
	return (e->read - e->half_read) * 8.0 / ((e->last_byte_ns - e->half_ns) / 1e9);
}

static double
seconds(const struct end *e)
{
	return (e->last_byte_ns - e->first_byte_ns) / 1e9;
}

static void
between(const char *what, double is, double low, double high)
{
	bool good = is >= low && is <= high;

	printf("  %s %s: %.6g", good ? "ok " : "BAD", what, is);
	if (low > 0)
		printf(", at least %.6g", low);
	if (high < 1e18)
		printf(", at most %.6g", high);
	printf("\n");
	nb_bad += !good;
}
#define at_least(what, is, low) between(what, is, low, 1e18)
#define at_most(what, is, high) between(what, is, 0, high)

static const struct end *
receiver(void)
{
	return &w.end[0][1];
}

/* ---- throughput ----------------------------------------------------------------------------- */

static void
make_clean(void)
{
	path(100000000, RTT, 250000);
	bulk(6000000);
}

static void
judge_clean(void)
{
	at_least("Mb/s of 100", goodput(receiver()) / 1e6, 85);
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
}

static void
make_fast(void)
{
	path(1000000000, RTT, 2500000);
	bulk(12000000);
	set.conf[0].tso_max = 60000;
}

static void
judge_fast(void)
{
	at_least("Mb/s of 1000", goodput(receiver()) / 1e6, 750);
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
}

static void
make_newreno_clean(void)
{
	make_clean();
	set.conf[0].cc = TP_TCP_CC_NEWRENO;
}

static void
make_lossy(void)
{
	path(0, RTT, 0);
	bulk(4000000);
	set.link[0].loss = 10000;
	set.calm_at = TP_NEVER;
}

static void
make_lossy_newreno(void)
{
	make_lossy();
	set.conf[0].cc = TP_TCP_CC_NEWRENO;
}

/* Mathis and others, 1997: MSS / RTT * sqrt(3/2) / sqrt(p) is 7.1 Mb/s here; CUBIC is no slower
 * (RFC 9438 4.3) and not much faster in so small a window.
 */
static void
judge_lossy(void)
{
	between("Mb/s", goodput(receiver()) / 1e6, 4.5, 14);
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 6);
}

static void
make_heavy(void)
{
	path(0, RTT, 0);
	bulk(200000);
	set.link[0].loss = set.link[1].loss = 300000;
	set.calm_at = TP_NEVER;
}

static void
judge_heavy(void)
{
	at_most("seconds", seconds(receiver()), 400);
}

static void
make_no_sack(void)
{
	path(0, RTT, 0);
	bulk(400 * MSS);
	set.conf[1].sack = false;
	lose(50 * MSS, 1);
	lose(150 * MSS, 1);
}

/* RFC 6582: three duplicates, then one round trip. */
static void
judge_no_sack(void)
{
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
	between("segments again", mib(0, TP_TCP_M_RETRANS_SEGS), 2, 2);
	at_most("ms", seconds(receiver()) * 1e3, 400);
}

static void
make_fair(void)
{
	set.nb_flows = 4;
	path(50000000, RTT, 125000);
	bulk(4000000);
	for (unsigned int f = 0; f < set.nb_flows; f++)
		set.app[f][0].start_ns = f * 100 * MS;
}

static void
judge_fair(void)
{
	double sum = 0, squares = 0;
	uint64_t last = 0;

	for (unsigned int f = 0; f < set.nb_flows; f++) {
		double rate = goodput(&w.end[f][1]);

		sum += rate;
		squares += rate * rate;
		last = RTE_MAX(last, w.end[f][1].last_byte_ns);
	}
	at_least("Jain's index", sum * sum / (set.nb_flows * squares), 0.75);
	at_least("Mb/s of 50", 4 * 3.2e7 / (last / 1e9) / 1e6, 42);
}

/* ---- repair without timeouts ---------------------------------------------------------------- */

static void
make_tail(void)
{
	path(0, RTT, 0);
	bulk(10 * MSS + 1);
	steady(10 * MSS, S);
	lose(10 * MSS - 1, 1);
}

/* RFC 8985 7.2: a probe after two round trips, and its ACK repairs. */
static void
judge_tail(void)
{
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
	at_least("probes", mib(0, TP_TCP_M_LOSS_PROBES), 1);
	at_most("ms", seconds(receiver()) * 1e3, 1025);
}

static void
make_tail_3(void)
{
	make_tail();
	lose(9 * MSS - 1, 1);
	lose(8 * MSS - 1, 1);
}

static void
make_hole(void)
{
	path(0, RTT, 0);
	bulk(60 * MSS);
	for (int i = 20; i < 25; i++)
		lose(i * MSS, 1);
}

static void
judge_hole(void)
{
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
	between("segments again", mib(0, TP_TCP_M_RETRANS_SEGS), 5, 6);
	at_most("ms", seconds(receiver()) * 1e3, 150);
}

static void
make_twice(void)
{
	path(0, RTT, 0);
	bulk(200 * MSS);
	lose(40 * MSS, 2);
}

/* RFC 8985 3.4: the retransmission is lost, too. */
static void
judge_twice(void)
{
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
	between("segments again", mib(0, TP_TCP_M_RETRANS_SEGS), 2, 4);
}

static void
make_reorder(void)
{
	path(100000000, RTT, 500000);
	bulk(4000000);
	set.link[0].reorder = 200000;
	set.link[0].reorder_ns = 4 * MS;
	set.calm_at = TP_NEVER;
}

/* RFC 8985 6.2 step 4: the window for reordering grows with what DSACK tells. */
static void
judge_reorder(void)
{
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
	at_most("percent sent again",
	                mib(0, TP_TCP_M_RETRANS_SEGS) * 100.0 / (w.end[0][0].nb_frames + 1), 3);
	at_least("Mb/s of 100", goodput(receiver()) / 1e6, 60);
}

/* ---- ECN, MTU ------------------------------------------------------------------------------- */

static void
make_ecn(void)
{
	path(50000000, RTT, 1000000);
	bulk(6000000);
	set.conf[0].ecn = set.conf[1].ecn = true;
	set.link[0].ce_bytes = 60000;
}

static void
judge_ecn(void)
{
	at_most("segments again", mib(0, TP_TCP_M_RETRANS_SEGS), 0);
	at_least("signals", mib(0, TP_TCP_M_ECN_ECE_RECV), 1);
	at_least("marked", w.link[0].marked, 1);
	at_least("Mb/s of 50", goodput(receiver()) / 1e6, 40);
}

static void
make_black_hole(void)
{
	path(0, RTT, 0);
	bulk(1000000);
	set.conf[0].mtu_probing = true;
	set.link[0].mtu = 1400;
	set.link[0].icmp = false;
}

static void
judge_black_hole(void)
{
	at_most("seconds", seconds(receiver()), 20);
	at_least("made smaller", mib(0, TP_TCP_M_BLACKHOLE), 1);
}

static void
make_icmp(void)
{
	path(0, RTT, 0);
	bulk(1000000);
	set.link[0].mtu_later = 1400;
	set.link[0].mtu_at = 100 * MS;
	set.link[0].icmp = true;
}

static void
judge_icmp(void)
{
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
	at_least("lowered", mib(0, TP_TCP_M_PMTU_ICMP), 1);
	at_most("path MTU", w.end[0][0].info.pmtu, 1400);
	at_most("seconds", seconds(receiver()), 1);
}

/* ---- windows, small segments, waiting --------------------------------------------------------- */

static void
make_zero_window(void)
{
	path(0, RTT, 0);
	bulk(1000000);
	set.conf[1].rcv_buf = 65536;
	set.app[0][1].sleep_at = 1;
	set.app[0][1].sleep_ns = 100 * S;
}

/* The reader's waking opens the window at once: no probe is waited for. */
static void
judge_zero_window(void)
{
	between("probes", mib(0, TP_TCP_M_PERSIST_PROBES), 3, 12);
	between("seconds", receiver()->last_byte_ns / 1e9, 100, 102);
	at_most("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 0);
}

static void
make_acks(void)
{
	path(0, RTT, 0);
	bulk(2000000);
}

/* RFC 9293 3.8.6.3: an ACK for every second full segment at least. */
static void
judge_acks(void)
{
	double data = w.end[0][0].nb_frames, acks = w.end[0][1].nb_frames;

	between("ACKs for a segment", acks / data, 0.3, 0.65);
}

static void
make_quickack(void)
{
	make_acks();
	set.conf[1].quickack = true;
}

static void
judge_quickack(void)
{
	double data = w.end[0][0].nb_frames, acks = w.end[0][1].nb_frames;

	at_least("ACKs for a segment", acks / data, 0.95);
}

static void
make_pingpong(void)
{
	path(0, RTT, 0);
	pingpong(200, 100);
}

/* The answer carries the ACK: a round trip each, no delayed ACK between. */
static void
judge_pingpong(void)
{
	at_most("ms for an exchange", seconds(receiver()) * 1e3 / 199, 20.5);
	at_most("segments", w.end[0][0].nb_frames, 210);
}

static void
make_split(void)
{
	make_pingpong();
	set.app[0][0].split = true;
	set.conf[0].nodelay = set.conf[1].nodelay = true;
}

static void
judge_split(void)
{
	at_most("ms for an exchange", seconds(receiver()) * 1e3 / 199, 20.5);
}

static void
make_nagle(void)
{
	struct app_conf *a = &set.app[0][0];

	path(0, RTT, 0);
	a->total = 10000;
	steady(10, 2 * MS);
	a->message = true;
}

/* RFC 9293 3.7.4: one small segment in a round trip. */
static void
judge_nagle(void)
{
	double trips = seconds(receiver()) / (RTT / 1e9);

	at_most("segments in a round trip", w.end[0][0].nb_frames / trips, 1.5);
}

static void
make_nodelay(void)
{
	make_nagle();
	set.conf[0].nodelay = true;
}

static void
judge_nodelay(void)
{
	at_least("segments", w.end[0][0].nb_frames, 900);
}

/* ---- the end of patience ------------------------------------------------------------------------ */

static void
make_dead(void)
{
	path(0, RTT, 0);
	bulk(100000);
	set.gentle = false;
	steady(16384, 100 * MS);
	for (int h = 0; h < 2; h++) {
		set.link[h].cut[0].from = 200 * MS;
		set.link[h].cut[0].to = TP_NEVER;
	}
}

/* RFC 9293 3.8.3, RFC 1122: R2 of 100 s at least; each timeout waits longer than the one before. */
static void
judge_dead(void)
{
	const struct end *e = &w.end[0][0];

	between("reason", e->reason, TP_TCP_R_TIMEOUT, TP_TCP_R_TIMEOUT);
	at_least("seconds", e->done_ns / 1e9, 100);
	between("timeouts", mib(0, TP_TCP_M_TIMEOUTS), 14, 17);
}

static void
make_user_timeout(void)
{
	make_dead();
	set.conf[0].user_timeout_ns = 10 * S;
}

static void
judge_user_timeout(void)
{
	const struct end *e = &w.end[0][0];

	between("reason", e->reason, TP_TCP_R_TIMEOUT, TP_TCP_R_TIMEOUT);
	between("seconds", e->done_ns / 1e9, 10, 25);
}

static void
make_keepalive(void)
{
	path(0, RTT, 0);
	set.gentle = false;
	set.conf[0].keepalive = true;
	set.conf[0].keep_idle_ns = 60 * S;
	set.conf[0].keep_intvl_ns = 10 * S;
	set.conf[0].keep_probes = 5;
	set.app[0][0].total = 2000;
	steady(1000, 3600 * S);
	set.app[0][0].message = true;
	for (int h = 0; h < 2; h++) {
		set.link[h].cut[0].from = 200 * MS;
		set.link[h].cut[0].to = TP_NEVER;
	}
}

static void
judge_keepalive(void)
{
	const struct end *e = &w.end[0][0];

	between("reason", e->reason, TP_TCP_R_KEEPALIVE, TP_TCP_R_KEEPALIVE);
	between("seconds", e->done_ns / 1e9, 109, 112);
	between("probes", mib(0, TP_TCP_M_KEEPALIVES), 5, 5);
}

/* ---- all ------------------------------------------------------------------------------------------ */

static const struct {
	const char *name, *text;
	void (*make)(void);
	void (*judge)(void);
} cases[] = {
	{ "clean", "100 Mb/s, 20 ms", make_clean, judge_clean },
	{ "clean-newreno", "the same with NewReno", make_newreno_clean, judge_clean },
	{ "fast", "1 Gb/s, 20 ms, TSO", make_fast, judge_fast },
	{ "lossy", "1 % loss, CUBIC", make_lossy, judge_lossy },
	{ "lossy-newreno", "1 % loss, NewReno", make_lossy_newreno, judge_lossy },
	{ "heavy", "30 % loss both ways", make_heavy, judge_heavy },
	{ "no-sack", "two losses without SACK", make_no_sack, judge_no_sack },
	{ "fair", "four connections", make_fair, judge_fair },
	{ "tail", "the last segment is lost", make_tail, judge_tail },
	{ "tail-3", "the last three are lost", make_tail_3, judge_tail },
	{ "hole", "five in a row are lost", make_hole, judge_hole },
	{ "twice", "a retransmission is lost", make_twice, judge_twice },
	{ "reorder", "every fifth up to 4 ms later", make_reorder, judge_reorder },
	{ "ecn", "marks instead of losses", make_ecn, judge_ecn },
	{ "black-hole", "larger packets vanish", make_black_hole, judge_black_hole },
	{ "icmp", "larger packets are refused", make_icmp, judge_icmp },
	{ "zero-window", "the reader sleeps 100 s", make_zero_window, judge_zero_window },
	{ "acks", "delayed ACKs in bulk", make_acks, judge_acks },
	{ "quickack", "no delayed ACKs", make_quickack, judge_quickack },
	{ "pingpong", "request, response", make_pingpong, judge_pingpong },
	{ "split", "a request in two writes, nodelay", make_split, judge_split },
	{ "nagle", "small writes", make_nagle, judge_nagle },
	{ "nodelay", "small writes, nodelay", make_nodelay, judge_nodelay },
	{ "dead", "nothing passes any more", make_dead, judge_dead },
	{ "user-timeout", "nor longer than the user waits", make_user_timeout, judge_user_timeout },
	{ "keepalive", "the peer is gone", make_keepalive, judge_keepalive },
};

static bool
run_case(unsigned int i, bool trace, const char *pcap)
{
	bool good;

	memset(&plan, 0, sizeof(plan));
	scenario_plain(&set);
	set.seed = i;
	cases[i].make();
	good = world_run(&w, &set, trace, pcap);
	printf("%s: %s%s%s\n", cases[i].name, cases[i].text, good ? "" : ": FAILED: ", w.failure);
	nb_bad = 0;
	if (good)
		cases[i].judge();
	return good && nb_bad == 0;
}

int
measured_run(const char *name, bool trace, const char *pcap, unsigned int *nb_run)
{
	int failed = 0;

	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		if (name != NULL && strcmp(name, cases[i].name) != 0)
			continue;
		++*nb_run;
		failed += !run_case(i, trace, pcap);
	}
	return *nb_run > 0 ? failed : -1;
}
