/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "team_int.h"

/* An hour: longer delays are mistakes, and sums of times stay far from overflow. */
#define MAX_MS 3600000
#define MAX_WEIGHT 1000

static const char *const reselect_names[] = {
	[TP_RESELECT_ALWAYS] = "always",
	[TP_RESELECT_BETTER] = "better",
	[TP_RESELECT_FAILURE] = "failure",
};

static const char *const fom_names[] = {
	[TP_FOM_NONE] = "none",
	[TP_FOM_ACTIVE] = "active",
	[TP_FOM_FOLLOW] = "follow",
};

static int
find_name(const char *const *names, unsigned int nb, const char *name)
{
	for (unsigned int i = 0; i < nb; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

const char *
tp_reselect_name(enum tp_reselect reselect)
{
	return (unsigned int)reselect < RTE_DIM(reselect_names) ? reselect_names[reselect] : NULL;
}

int
tp_reselect_parse(const char *name)
{
	return find_name(reselect_names, RTE_DIM(reselect_names), name);
}

const char *
tp_fail_over_mac_name(enum tp_fail_over_mac fom)
{
	return (unsigned int)fom < RTE_DIM(fom_names) ? fom_names[fom] : NULL;
}

int
tp_fail_over_mac_parse(const char *name)
{
	return find_name(fom_names, RTE_DIM(fom_names), name);
}

void
tp_team_conf_default(struct tp_team_conf *conf)
{
	*conf = (struct tp_team_conf){
		.mode = TP_MODE_HASH,
		.primary = TP_MEMBER_NONE,
		.primary_reselect = TP_RESELECT_ALWAYS,
		.fail_over_mac = TP_FOM_NONE,
		.num_peer_notif = 1,
		.peer_notif_delay_ms = 100,
		.resend_igmp = 1,
		.flap_window_ms = 10000,
		.flap_hold_ms = 30000,
		.nb_buckets = 1024,
		.skew_us = 2000,
		.rebalance_interval_ms = 100,
		.rebalance_threshold = 3,
		.flow = { .policy = TP_FLOW_L34, .fn = TP_FLOW_TOEPLITZ, .isa = TP_FLOW_ISA_BEST },
	};
	memcpy(conf->flow.key, tp_flow_key_default, sizeof(conf->flow.key));
}

/** A knob that must lie in a range. */
struct range {
	const char *name;
	uint32_t value;
	uint32_t min;
	uint32_t max;
};

static int
check_ranges(const struct range *range, unsigned int nb, char *why, size_t why_len)
{
	for (const struct range *r = range; r < range + nb; r++) {
		if (r->value >= r->min && r->value <= r->max)
			continue;
		snprintf(why, why_len, "%s %u is not in %u..%u", r->name, r->value, r->min, r->max);
		return -EINVAL;
	}
	return 0;
}

int
tp_team_conf_check(const struct tp_team_conf *conf, char *why, size_t why_len)
{
	const struct range ranges[] = {
		{ "mode", conf->mode, 0, TP_NB_MODES - 1 },
		{ "primary_reselect", conf->primary_reselect, 0, TP_RESELECT_FAILURE },
		{ "fail_over_mac", conf->fail_over_mac, 0, TP_FOM_FOLLOW },
		{ "peer_notif_delay", conf->peer_notif_delay_ms, 1, MAX_MS },
		{ "min_links", conf->min_links, 0, TP_MAX_MEMBERS },
		{ "updelay", conf->updelay_ms, 0, MAX_MS },
		{ "downdelay", conf->downdelay_ms, 0, MAX_MS },
		{ "flap_max", conf->flap_max, 0,
		                RTE_DIM(((struct tp_team_member *)0)->flap_at) - 1 },
		{ "flap_window", conf->flap_window_ms, 1, MAX_MS },
		{ "flap_hold", conf->flap_hold_ms, 1, MAX_MS },
		{ "buckets", conf->nb_buckets, TP_MIN_BUCKETS, TP_MAX_BUCKETS },
		{ "skew", conf->skew_us, 0, 1000000 },
		{ "rebalance_interval", conf->rebalance_interval_ms, 1, MAX_MS },
		{ "rebalance_threshold", conf->rebalance_threshold, 1, 100 },
		{ "flow policy", conf->flow.policy, 0, TP_FLOW_NB_POLICIES - 1 },
		{ "flow function", conf->flow.fn, 0, TP_FLOW_NB_FNS - 1 },
		{ "flow isa", conf->flow.isa, 0, TP_FLOW_ISA_BEST },
	};

	if (check_ranges(ranges, RTE_DIM(ranges), why, why_len) < 0)
		return -EINVAL;
	if (conf->primary != TP_MEMBER_NONE && conf->primary >= TP_MAX_MEMBERS) {
		snprintf(why, why_len, "primary %u is no member: 0..%u", conf->primary,
		                TP_MAX_MEMBERS - 1);
		return -EINVAL;
	}
	if ((conf->nb_buckets & (conf->nb_buckets - 1)) != 0) {
		snprintf(why, why_len, "buckets %u is not a power of two", conf->nb_buckets);
		return -EINVAL;
	}
	return 0;
}

int
tp_member_conf_check(const struct tp_member_conf *conf, char *why, size_t why_len)
{
	const struct range ranges[] = { { "weight", conf->weight, 0, MAX_WEIGHT } };

	return check_ranges(ranges, RTE_DIM(ranges), why, why_len);
}
