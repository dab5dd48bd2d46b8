/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What a seed means. Each kind of trouble is absent more often than not, so that seeds differ in
 * which troubles meet, not only in how much of each there is.
 */

#include <string.h>

#include "tcpsim.h"

#define END_NS (20 * 3600 * S)

static bool
maybe(struct rng *r)
{
	return rng_one_in(r, 2);
}

/* 0 as a rule, else up to max ppm. */
static uint32_t
trouble(struct rng *r, uint64_t one_in, uint32_t max)
{
	return rng_one_in(r, one_in) ? rng_log(r, 100, max) : 0;
}

void
scenario_plain(struct setup *set)
{
	*set = (struct setup){ .nb_flows = 1, .rx_piece = 2048, .gentle = true, .end_ns = END_NS };
	for (int h = 0; h < 2; h++) {
		tp_tcp_conf_default(&set->conf[h]);
		set->link[h] = (struct link_conf){ .delay_ns = 5 * MS, .burst = 1, .mtu = 9000 };
	}
	for (int f = 0; f < MAX_FLOWS; f++)
		for (int h = 0; h < 2; h++)
			set->app[f][h] =
			                (struct app_conf){ .chunk_min = 16384, .chunk_max = 16384 };
}

/* ---- hosts -------------------------------------------------------------------------------- */

static void
make_conf(struct rng *r, struct tp_tcp_conf *conf, bool v6)
{
	static const uint16_t mtus[] = { 1500, 1500, 1500, 1400, 1280, 9000, 576, 4000 };

	tp_tcp_conf_default(conf);
	conf->cc = rng_between(r, 0, TP_TCP_NB_CC - 1);
	conf->timestamps = !rng_one_in(r, 4);
	conf->sack = !rng_one_in(r, 4);
	conf->window_scale = !rng_one_in(r, 4);
	conf->ecn = maybe(r);
	conf->nodelay = maybe(r);
	conf->quickack = rng_one_in(r, 4);
	conf->pacing = rng_one_in(r, 4);
	conf->mtu_probing = maybe(r);
	conf->mtu = mtus[rng_between(r, 0, RTE_DIM(mtus) - 1)];
	if (v6 && conf->mtu < 1280)
		conf->mtu = 1280;
	if (maybe(r)) {
		conf->rcv_buf = rng_log(r, 4096, 1 << 21);
		conf->snd_buf = rng_log(r, 4096, 1 << 21);
	}
	if (rng_one_in(r, 3))
		conf->tso_max = rng_between(r, 2 * conf->mtu, 60000);
	if (rng_one_in(r, 4)) {
		conf->keepalive = true;
		conf->keep_idle_ns = rng_log(r, S, 100 * S);
		conf->keep_intvl_ns = 15 * S;
	}
	if (maybe(r))
		conf->delack_ns = rng_log(r, 2 * MS, 400 * MS);
	if (rng_one_in(r, 4))
		conf->msl_ns = rng_log(r, S, 60 * S);
}

/* ---- the link -------------------------------------------------------------------------------- */

static void
make_mtu(struct rng *r, struct setup *set, struct link_conf *lc)
{
	uint16_t low = set->v6 ? 1280 : 576;
	uint16_t least = RTE_MIN(set->conf[0].mtu, set->conf[1].mtu);

	lc->mtu = 9000;
	lc->icmp = true;
	if (least <= low || !rng_one_in(r, 4))
		return;
	*(maybe(r) ? &lc->mtu : &lc->mtu_later) = rng_between(r, low, least);
	lc->mtu_at = rng_log(r, MS, 10 * S);
	lc->icmp = maybe(r);
	/* A black hole: without probing nobody gets through. */
	if (!lc->icmp)
		set->conf[0].mtu_probing = set->conf[1].mtu_probing = true;
}

static void
make_rate(struct rng *r, struct link_conf *lc)
{
	if (maybe(r))
		return;
	lc->rate_bps = rng_log(r, 100000, 10000000000);
	lc->queue_bytes = rng_log(r, 20000, 1 << 20);
	if (maybe(r))
		lc->ce_bytes = lc->queue_bytes / 2;
}

static void
make_link(struct rng *r, struct setup *set, struct link_conf *lc)
{
	lc->delay_ns = rng_log(r, 1000, 200 * MS);
	lc->burst = 1;
	if (rng_one_in(r, 3))
		lc->jitter_ns = rng_log(r, 1000, lc->delay_ns);
	lc->loss = rng_one_in(r, 4) ? rng_between(r, 1, 300000) : trouble(r, 2, 50000);
	if (rng_one_in(r, 3))
		lc->burst = rng_log(r, 1, 32);
	lc->dup = trouble(r, 3, 200000);
	lc->corrupt = trouble(r, 4, 50000);
	lc->truncate = trouble(r, 8, 20000);
	lc->reorder = trouble(r, 3, 400000);
	lc->reorder_ns = rng_log(r, 1000, 2 * lc->delay_ns + 100 * MS);
	make_rate(r, lc);
	make_mtu(r, set, lc);
	for (int i = 0; rng_one_in(r, 4) && i < MAX_CUTS; i++) {
		lc->cut[i].from = rng_log(r, MS, 20 * S);
		lc->cut[i].to = lc->cut[i].from + rng_log(r, MS, 8 * S);
	}
}

/* ---- applications ----------------------------------------------------------------------------- */

static void
make_reader(struct rng *r, struct app_conf *app)
{
	if (rng_one_in(r, 4)) {
		app->read_max = rng_log(r, 500, 100000);
		app->read_ns = rng_log(r, 1000, 50 * MS);
	}
	if (rng_one_in(r, 6)) {
		app->sleep_at = rng_log(r, 1, 100000);
		app->sleep_ns = rng_log(r, MS, 300 * S);
	}
}

static void
make_app(struct rng *r, struct app_conf *app)
{
	app->start_ns = rng_log(r, 1, 500 * MS);
	app->total = rng_one_in(r, 6) ? 0 : rng_log(r, 1, rng_one_in(r, 16) ? 3000000 : 300000);
	app->chunk_max = rng_log(r, 1 + app->total / 2000, 60000);
	app->chunk_min = maybe(r) ? app->chunk_max : 1 + app->total / 2000;
	if (rng_one_in(r, 3)) {
		app->pause = rng_log(r, 1000, 300000);
		app->pause_ns = rng_log(r, 1000, 2 * S);
	}
	app->early = maybe(r);
	app->message = maybe(r);
	make_reader(r, app);
}

/* Somebody gives up, or nothing passes any more: the other one must still come to an end. */
static void
make_harsh(struct rng *r, struct setup *set)
{
	for (unsigned int f = 0; f < set->nb_flows; f++)
		for (int h = 0; h < 2; h++) {
			struct app_conf *app = &set->app[f][h];

			if (!maybe(r))
				continue;
			app->end = maybe(r) ? APP_ABORT : APP_CLOSE;
			app->end_at = app->start_ns + rng_log(r, 1, 20 * S);
		}
	if (rng_one_in(r, 3)) {
		int h = rng_between(r, 0, 1);

		set->link[h].cut[0].from = rng_log(r, 1, 20 * S);
		set->link[h].cut[0].to = TP_NEVER;
		if (maybe(r))
			set->link[!h].cut[0] = set->link[h].cut[0];
	}
	if (rng_one_in(r, 3))
		set->conf[rng_between(r, 0, 1)].user_timeout_ns = rng_log(r, S, 100 * S);
	if (maybe(r))
		set->calm_at = END_NS;
}

void
scenario_make(struct setup *set, uint64_t seed)
{
	struct rng rng = { seed }, *r = &rng;

	rng.s = rng_next(r);
	scenario_plain(set);
	set->seed = seed;
	set->v6 = maybe(r);
	set->open = rng_one_in(r, 4) ? OPEN_BOTH : rng_one_in(r, 5) ? OPEN_COOKIE : OPEN_ACTIVE_0;
	set->nb_flows = rng_one_in(r, 6) ? rng_between(r, 2, 4) : 1;
	set->calm_at = rng_log(r, S, 30 * S);
	for (int h = 0; h < 2; h++)
		make_conf(r, &set->conf[h], set->v6);
	for (int h = 0; h < 2; h++) {
		make_link(r, set, &set->link[h]);
		set->fail[h] = trouble(r, 4, 200000);
	}
	for (unsigned int f = 0; f < set->nb_flows; f++)
		for (int h = 0; h < 2; h++)
			make_app(r, &set->app[f][h]);
	set->attack = trouble(r, 4, 100000);
	set->path_changed = trouble(r, 8, 50000);
	set->knobs = trouble(r, 6, 50000);
	set->rx_piece = rng_one_in(r, 4) ? rng_log(r, 64, 2048) : 2048;
	set->held_max = rng_one_in(r, 8) ? rng_log(r, 20000, 1 << 20) : 0;
	set->gentle = !rng_one_in(r, 4);
	if (!set->gentle)
		make_harsh(r, set);
}
