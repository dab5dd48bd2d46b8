/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* One connection that is never idle between two teams on one lcore, MTU 1500, no TSO, and no other
 * receive coalescing than the engine's own: Gb/s of payload. Over wire ports, that is with each byte
 * read for its checksum on both sides and copied by the wire; `memory`: buffers change hands and ports care for checksums. Sender
 * and receiver touch no data themselves, and copy none.
 *
 * The peer is the kernel's TCP over a loopback with MTU 1500 and without TSO, GSO and GRO, both ends
 * in one thread on the same core; it copies the data in and out of the kernel and computes no
 * checksum. `peer_offloads`: the same with them.
 */

#include <math.h>

#include "bench.h"
#include "kernel_tcp.h"
#include "toe_pair.h"

#define PORT 9
#define PIECE 1448 /* a full segment with timestamps */
#define BUFFERED (256 * 1024)
/* Short runs: on a busy machine some are whole. */
#define BYTES (UINT64_C(4) << 20)
#define WARM_BYTES (UINT64_C(32) << 20)
#define SETTLE_TURNS 1000000

static uint64_t nb_received;

static void
fill(struct tp_toe_call *call)
{
	while (tp_toe_send_space(call) >= PIECE) {
		struct rte_mbuf *m = tp_toe_alloc(call);

		if (m == NULL || rte_pktmbuf_append(m, PIECE) == NULL ||
		                tp_toe_send(call, m, false) != 0)
			rte_panic("no buffer to send\n");
	}
	tp_toe_want_space(call);
}

static void
take(struct tp_toe_call *call, struct rte_mbuf *data)
{
	nb_received += pair_discard(call, data);
}

static const struct tp_toe_user client = {
	.name = "client", .on_accept = fill, .on_writable = fill
};
static const struct tp_toe_user server = { .name = "server", .on_data = take };

static bool own_namespace;

/* The host's loopback stays as it is. */
static void
offloads(bool on)
{
	if (own_namespace && kernel_tcp_offloads(on) != 0)
		rte_panic("loopback's offloads cannot be set\n");
}

/* All contenders: ns for each byte. */
static double
run_pair(void *ctx)
{
	uint64_t losses = pair_losses(ctx), first = nb_received, t = bench_tsc_start();

	while (nb_received - first < BYTES)
		pair_turn(ctx);
	t = bench_tsc_stop() - t;
	if (pair_losses(ctx) != losses)
		return NAN;
	return (double)tp_clock_cycles_to_ns(t) / (nb_received - first);
}

static double
run_kernel(void *ctx)
{
	return kernel_tcp_stream(ctx, BYTES);
}

static double
run_kernel_offloads(void *ctx)
{
	double ns;

	offloads(true);
	ns = kernel_tcp_stream(ctx, BYTES);
	offloads(false);
	return ns;
}

static struct pair *
pair_ready(enum pair_link link)
{
	struct pair_conf conf = { .link = link, .snd_buf = BUFFERED, .rcv_buf = BUFFERED };
	struct pair *p = pair_create(&conf);
	uint64_t first = nb_received;

	if (p == NULL || pair_listen(p, &server, PORT) != 0 ||
	                pair_connect(p, &client, NULL, 0, PORT) == TP_TOE_ID_NONE)
		return NULL;
	for (uint32_t i = 0; i < SETTLE_TURNS && nb_received - first < WARM_BYTES; i++)
		pair_turn(p);
	return nb_received - first >= WARM_BYTES ? p : NULL;
}

static double
gbps(double ns_per_byte)
{
	return 8 / ns_per_byte;
}

static void
report(struct bench *b, const char *name, const struct bench_contender *c)
{
	double hz = rte_get_tsc_hz() / 1e9;
	struct bench_result result = {
		.case_name = name,
		.value = gbps(c[0].stat.min),
		.unit = "Gb/s",
		.peer = own_namespace ? "kernel TCP, loopback with MTU 1500, no TSO, same core"
		                      : "kernel TCP, the host's loopback, same core",
		.peer_value = gbps(c[1].stat.min),
		.nb_runs = b->nb_runs,
		.extra = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:b}", "goal_at_least",
		                30.0, "value_median", gbps(c[0].stat.median), "peer_median",
		                gbps(c[1].stat.median), "cycles_per_segment",
		                c[0].stat.min * PIECE * hz, "memory", gbps(c[2].stat.min),
		                "memory_median", gbps(c[2].stat.median), "peer_offloads",
		                gbps(c[3].stat.min), "over", "wire ports, software checksums",
		                "own_namespace", own_namespace),
	};

	bench_report(b, &result);
}

static struct kernel_tcp *
kernel_with_offloads(void)
{
	struct kernel_tcp *k;

	offloads(true);
	k = kernel_tcp_open(1);
	offloads(false);
	return k;
}

static void
run_case(struct bench *b, const char *name)
{
	struct bench_contender c[] = {
		{ .run = run_pair },
		{ .run = run_kernel },
		{ .run = run_pair },
		{ .run = run_kernel_offloads },
	};

	if (!bench_wants(b, name))
		return;
	c[0].ctx = pair_ready(PAIR_WIRE);
	c[1].ctx = kernel_tcp_open(1);
	c[2].ctx = pair_ready(PAIR_MEMORY);
	c[3].ctx = kernel_with_offloads();
	if (c[0].ctx == NULL || c[1].ctx == NULL || c[2].ctx == NULL || c[3].ctx == NULL)
		bench_fail(b, name, "no connection");
	else if (bench_interleave(b, c, RTE_DIM(c)) == 0)
		report(b, name, c);
	else
		bench_fail(b, name, "no figure: a frame was lost, or a call failed");
	kernel_tcp_close(c[3].ctx);
	kernel_tcp_close(c[1].ctx);
}

int
main(int argc, char **argv)
{
	struct bench b;
	int rc;

	own_namespace = kernel_tcp_namespace() == 0;
	rc = pair_bench_init(&b, "toe_stream", argc, argv, NULL);
	if (rc != 0)
		return bench_exit_code(rc);
	run_case(&b, "mss-1460");
	return bench_fini(&b);
}
