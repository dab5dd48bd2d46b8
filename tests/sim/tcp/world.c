/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What comes next, and what must be so at the end. */

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "tcpsim.h"

#define STEPS_MAX 20000000
#define SPINS_MAX 200000

void
world_fail(struct world *w, const char *format, ...)
{
	va_list args;

	if (world_failed(w))
		return;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	if (w->trace)
		printf("%.6f FAILURE: %s\n", w->now / 1e9, w->failure);
}

static void
host_init(struct world *w, unsigned int host)
{
	const struct setup *set = w->set;
	struct host *h = &w->host[host];
	uint64_t *word = (uint64_t *)&h->secret;

	for (size_t i = 0; i < sizeof(h->secret) / sizeof(*word); i++)
		word[i] = rng_next(&w->rng);
	h->clock = rng_log(&w->rng, S, 100 * 24 * 3600 * S);
	h->env[0] = (struct tp_tcp_env){
		.conf = &set->conf[host],
		.secret = &h->secret,
		.pool = pools[host][POOL_HDR],
		.pool_indirect = rng_one_in(&w->rng, 4) ? NULL : pools[host][POOL_INDIRECT],
		.recs = pools[host][POOL_RECS],
		.held_max = set->held_max,
	};
	for (unsigned int i = 1; i < NB_SHARDS; i++)
		h->env[i] = h->env[0];
	pools_fail(host, set->fail[host], &w->rng_fail);
}

static void
world_init(struct world *w, const struct setup *set)
{
	memset(w, 0, sizeof(*w));
	w->set = set;
	w->now = MS;
	w->rng.s = set->seed ^ UINT64_C(0x1234567);
	w->rng_app.s = rng_next(&w->rng);
	w->rng_fail.s = rng_next(&w->rng);
	w->rng_move.s = rng_next(&w->rng);
	if (set->trail != NULL)
		set->trail->nb = 0;
	for (unsigned int h = 0; h < 2; h++)
		host_init(w, h);
	for (unsigned int f = 0; f < set->nb_flows; f++)
		for (unsigned int h = 0; h < 2; h++)
			end_init(w, f, h);
}

/* ---- one step ------------------------------------------------------------------------- */

/* The earliest, and who it is; a packet: NULL. At the same time any may be first. */
static uint64_t
earliest(struct world *w, struct end **who)
{
	const struct packet *p = link_first(w);
	uint64_t best = p != NULL ? p->at : TP_NEVER;
	unsigned int nb = 1;

	*who = NULL;
	for (unsigned int f = 0; f < w->set->nb_flows; f++)
		for (unsigned int h = 0; h < 2; h++) {
			uint64_t at = end_next(&w->end[f][h]);

			if (at > best || at == TP_NEVER)
				continue;
			nb = at == best ? nb + 1 : 1;
			if (nb > 1 && !rng_one_in(&w->rng, nb))
				continue;
			best = at;
			*who = &w->end[f][h];
		}
	return best;
}

static void
pass_time(struct world *w, uint64_t to)
{
	if (to <= w->now) {
		if (++w->nb_spins > SPINS_MAX)
			world_fail(w, "time stands still");
		return;
	}
	if (w->now < w->set->calm_at && to >= w->set->calm_at)
		for (unsigned int h = 0; h < 2; h++)
			pools_fail(h, 0, NULL);
	w->nb_spins = 0;
	w->now = to;
	if (to > w->set->end_ns)
		world_fail(w, "it does not end");
	if (++w->nb_steps > STEPS_MAX)
		world_fail(w, "too many steps");
}

/* Not only where the engine is called, but at any time. */
static void
shift_any(struct world *w)
{
	unsigned int flow = rng_between(&w->rng_move, 0, w->set->nb_flows - 1);

	end_shift(&w->end[flow][rng_between(&w->rng_move, 0, 1)]);
}

static void
run(struct world *w)
{
	struct end *who;

	while (!world_failed(w)) {
		uint64_t at = earliest(w, &who);

		if (at == TP_NEVER)
			return;
		pass_time(w, at);
		if (world_failed(w))
			return;
		shift_any(w);
		if (who == NULL)
			link_deliver(w);
		else
			end_step(who);
	}
}

/* ---- the end ---------------------------------------------------------------------------- */

static unsigned int
give_up(struct world *w)
{
	unsigned int nb = 0;

	for (unsigned int f = 0; f < w->set->nb_flows; f++)
		for (unsigned int h = 0; h < 2; h++) {
			struct end *e = &w->end[f][h];

			if (e->c == NULL)
				continue;
			nb++;
			if (w->set->gentle)
				world_fail(w,
				                "%c.%u is stuck in %s: %" PRIu64 " of %" PRIu64
				                " bytes written, %" PRIu64 " read, %" PRIu64
				                " not consumed",
				                'A' + h, f, tp_tcp_state_name(e->c->state),
				                e->written, e->app->total, e->read, e->unconsumed);
			end_give_up(e);
		}
	return nb;
}

/* Whoever says LAST_ACK for longer than the peer's TIME_WAIT gets a reset. */
static bool
ended_well(const struct end *e)
{
	return e->reason == TP_TCP_R_DONE ||
	       (e->reason == TP_TCP_R_RESET && (e->last_state == TP_TCP_LAST_ACK ||
	                                                       e->last_state == TP_TCP_CLOSING));
}

static void
check_end(struct world *w, const struct end *e)
{
	char name = 'A' + e->host;

	if (e->used && !e->closed)
		world_fail(w, "%c.%u has not ended", name, e->flow);
	if (!w->set->gentle)
		return;
	if (!ended_well(e))
		world_fail(w, "%c.%u ended: %s, in %s", name, e->flow,
		                tp_tcp_reason_name(e->reason), tp_tcp_state_name(e->last_state));
	if (!e->app->echo && e->written != e->app->total)
		world_fail(w, "%c.%u wrote %" PRIu64 " of %" PRIu64 " bytes", name, e->flow,
		                e->written, e->app->total);
	if (e->read != w->end[e->flow][!e->host].written)
		world_fail(w, "%c.%u read %" PRIu64 " of %" PRIu64 " bytes", name, e->flow, e->read,
		                w->end[e->flow][!e->host].written);
}

static void
check_pools(struct world *w)
{
	static const char *const names[] = { "headers", "references", "records", "payload",
		"received" };

	for (unsigned int h = 0; h < 2; h++) {
		for (unsigned int i = 0; i < NB_SHARDS; i++)
			if (w->host[h].env[i].held_bytes != 0)
				world_fail(w, "%c's shard %u still holds %" PRIu64 " bytes",
				                'A' + h, i, w->host[h].env[i].held_bytes);
		for (unsigned int p = 0; p < NB_POOLS; p++)
			if (pools_out(h, p) != 0)
				world_fail(w, "%c lost %u buffers: %s", 'A' + h, pools_out(h, p),
				                names[p]);
	}
}

/* What was counted is what was seen. */
static void
check_counters(struct world *w)
{
	for (unsigned int h = 0; h < 2; h++) {
		uint64_t mib[TP_TCP_NB_MIB], opens, used = 0;

		for (int i = 0; i < TP_TCP_NB_MIB; i++) {
			mib[i] = host_mib(w, h, i);
			trail_add(w, &mib[i], sizeof(mib[i]));
		}
		opens = mib[TP_TCP_M_ACTIVE_OPENS] + mib[TP_TCP_M_PASSIVE_OPENS];

		for (unsigned int f = 0; f < w->set->nb_flows; f++)
			used += w->end[f][h].used;
		if (opens + mib[TP_TCP_M_COOKIES_RECV] < used || opens > used)
			world_fail(w, "%c counts %" PRIu64 " opens of %" PRIu64, 'A' + h, opens,
			                used);
		if (w->set->gentle && mib[TP_TCP_M_ATTEMPT_FAILS] + mib[TP_TCP_M_ABORT_DATA] > 0)
			world_fail(w, "%c counts failures that were none", 'A' + h);
	}
}

bool
world_run(struct world *w, const struct setup *set, bool trace, const char *pcap)
{
	world_init(w, set);
	w->trace = trace;
	if (pcap != NULL && (w->pcap = watch_pcap_open(pcap)) == NULL)
		world_fail(w, "cannot write %s", pcap);
	do {
		run(w);
	} while (!world_failed(w) && give_up(w) > 0);
	if (w->pcap != NULL)
		fclose(w->pcap);
	w->pcap = NULL;
	world_clear(w);
	for (unsigned int f = 0; f < set->nb_flows; f++)
		for (unsigned int h = 0; h < 2; h++)
			end_conn_free(&w->end[f][h]);
	if (world_failed(w))
		return false;
	for (unsigned int f = 0; f < set->nb_flows; f++)
		for (unsigned int h = 0; h < 2; h++)
			check_end(w, &w->end[f][h]);
	check_pools(w);
	check_counters(w);
	return !world_failed(w);
}
