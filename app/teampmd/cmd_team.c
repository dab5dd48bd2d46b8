/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cmd_int.h"
#include "front.h"

#define KNOB(field, word, lo, hi)                                                                  \
	{                                                                                          \
		.name = (word), .offset = offsetof(struct tp_team_conf, field),                    \
		.size = sizeof(((struct tp_team_conf *)NULL)->field), .min = (lo), .max = (hi),    \
	}

/* A day is longer than anybody wants to wait for a link. */
#define MS_MAX 86400000

const struct knob team_knobs[] = {
	KNOB(nb_buckets, "buckets", TP_MIN_BUCKETS, TP_MAX_BUCKETS),
	KNOB(num_peer_notif, "num_peer_notif", 0, 255),
	KNOB(peer_notif_delay_ms, "peer_notif_delay", 0, MS_MAX),
	KNOB(resend_igmp, "resend_igmp", 0, 255),
	KNOB(min_links, "min_links", 0, TP_MAX_MEMBERS),
	KNOB(updelay_ms, "updelay", 0, MS_MAX),
	KNOB(downdelay_ms, "downdelay", 0, MS_MAX),
	KNOB(skew_us, "skew", 0, 10000000),
	KNOB(rebalance_interval_ms, "rebalance_interval", 1, MS_MAX),
	KNOB(rebalance_threshold, "rebalance_threshold", 0, 100),
	{ .name = NULL },
};

uint32_t
knob_get(const struct knob *k, const void *conf)
{
	const uint8_t *at = (const uint8_t *)conf + k->offset;
	uint32_t value;

	if (k->size == sizeof(uint8_t))
		return *at;
	memcpy(&value, at, sizeof(value));
	return value;
}

void
knob_set(const struct knob *k, void *conf, uint32_t value)
{
	uint8_t *at = (uint8_t *)conf + k->offset;

	if (k->size == sizeof(uint8_t))
		*at = value;
	else
		memcpy(at, &value, sizeof(value));
}

/* ---- the configuration --------------------------------------------------- */

static int
copy_conf(struct control *c, void *arg)
{
	*(struct tp_team_conf *)arg = c->team.conf;
	return 0;
}

static struct tp_team_conf
conf_now(struct cmd_ctx *x)
{
	struct tp_team_conf conf;

	control_call(&x->d->control, copy_conf, &conf);
	return conf;
}

static int
conf_put(struct cmd_ctx *x, const struct tp_team_conf *conf)
{
	return op_set_conf(x->d, conf, &x->err);
}

static int
run_number(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);
	const struct knob *k = team_knobs;
	int64_t value;
	int rc;

	while (k->name != NULL && strcmp(k->name, x->argv[2]) != 0)
		k++;
	rc = cmd_number(x, k->name, x->argv[3], k->min, k->max, &value);
	if (rc != 0)
		return rc;
	knob_set(k, &conf, value);
	return conf_put(x, &conf);
}

static int
run_mode(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);

	conf.mode = tp_mode_parse(x->argv[3]);
	return conf_put(x, &conf);
}

static int
run_policy(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);

	conf.flow.policy = tp_flow_policy_parse(x->argv[3]);
	return conf_put(x, &conf);
}

static int
run_function(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);

	conf.flow.fn = tp_flow_fn_parse(x->argv[3]);
	return conf_put(x, &conf);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
run_key(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);
	const char *p = x->argv[3];

	if (strcmp(p, "default") == 0) {
		memcpy(conf.flow.key, tp_flow_key_default, TP_FLOW_KEY_LEN);
		return conf_put(x, &conf);
	}
	for (int i = 0; i < TP_FLOW_KEY_LEN; i++) {
		int hi = hex_digit(p[0]), lo = hi < 0 ? -1 : hex_digit(p[1]);

		if (lo < 0)
			goto bad;
		conf.flow.key[i] = hi << 4 | lo;
		p += p[2] == ':' ? 3 : 2;
	}
	if (*p == '\0' && p[-1] != ':')
		return conf_put(x, &conf);
bad:
	return cmd_fail(x, -EINVAL,
	                "hash-key '%.40s' is not %d bytes in hexadecimal, nor 'default'",
	                x->argv[3], TP_FLOW_KEY_LEN);
}

static int
run_symmetric(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);

	conf.flow.symmetric = cmd_on(x->argv[3]);
	return conf_put(x, &conf);
}

static int
run_all_active(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);

	conf.all_members_active = cmd_on(x->argv[3]);
	return conf_put(x, &conf);
}

static int
run_primary(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);
	int rc;

	conf.primary = TP_MEMBER_NONE;
	if (strcmp(x->argv[3], "none") != 0) {
		rc = cmd_member_id(x, x->argv[3], &conf.primary);
		if (rc != 0)
			return rc;
	}
	return conf_put(x, &conf);
}

static int
run_reselect(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);

	conf.primary_reselect = tp_reselect_parse(x->argv[3]);
	return conf_put(x, &conf);
}

static int
run_fom(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);

	conf.fail_over_mac = tp_fail_over_mac_parse(x->argv[3]);
	return conf_put(x, &conf);
}

static int
run_flap(struct cmd_ctx *x)
{
	struct tp_team_conf conf = conf_now(x);
	int64_t max, window, hold;

	if (cmd_number(x, "flap MAX", x->argv[3], 0, 15, &max) != 0 ||
	                cmd_number(x, "flap WINDOW", x->argv[4], 1, MS_MAX, &window) != 0 ||
	                cmd_number(x, "flap HOLD", x->argv[5], 0, MS_MAX, &hold) != 0)
		return -EINVAL;
	conf.flap_max = max;
	conf.flap_window_ms = window;
	conf.flap_hold_ms = hold;
	return conf_put(x, &conf);
}

/* ---- the team's address, frames and filters ------------------------------ */

static int
parse_mac(struct cmd_ctx *x, const char *text, struct rte_ether_addr *mac)
{
	if (rte_ether_unformat_addr(text, mac) == 0)
		return 0;
	return cmd_fail(x, -EINVAL, "'%.40s' is not a MAC address like 02:00:00:00:00:01", text);
}

static int
run_mac(struct cmd_ctx *x)
{
	struct rte_ether_addr mac;
	int rc = parse_mac(x, x->argv[3], &mac);

	if (rc != 0)
		return rc;
	if (!rte_is_valid_assigned_ether_addr(&mac))
		return cmd_fail(x, -EINVAL, "%s is not a unicast address", x->argv[3]);
	return op_set_mac(x->d, &mac, &x->err);
}

static int
run_mtu(struct cmd_ctx *x)
{
	int64_t mtu;
	int rc = cmd_number(x, "mtu", x->argv[3], RTE_ETHER_MIN_MTU, MTU_MAX, &mtu);

	return rc != 0 ? rc : op_set_mtu(x->d, mtu, &x->err);
}

static int
run_promisc(struct cmd_ctx *x)
{
	return op_set_promisc(x->d, cmd_on(x->argv[3]), &x->err);
}

static int
run_mcast(struct cmd_ctx *x)
{
	struct rte_ether_addr mac;
	int rc = parse_mac(x, x->argv[4], &mac);

	if (rc != 0)
		return rc;
	if (!rte_is_multicast_ether_addr(&mac))
		return cmd_fail(x, -EINVAL, "%s is not a multicast address", x->argv[4]);
	return op_set_mcast(x->d, &mac, strcmp(x->argv[3], "add") == 0, &x->err);
}

static int
run_vlan_filter(struct cmd_ctx *x)
{
	return op_set_vlan_filter(x->d, cmd_on(x->argv[4]), &x->err);
}

static int
run_vlan(struct cmd_ctx *x)
{
	int64_t id;
	int rc = cmd_number(x, "vlan", x->argv[4], 0, 4095, &id);

	return rc != 0 ? rc : op_set_vlan(x->d, id, strcmp(x->argv[3], "add") == 0, &x->err);
}

const struct cmd cmd_team[] = {
	{ "set team mode hash|load|active-backup|round-robin|broadcast",
	                "Choose how frames of the host are spread over the members", run_mode },
	{ "set team hash-policy l34|l23|l2|dst|vlan+srcmac|fc",
	                "Choose the fields that make a flow; dst is the destination address alone",
	                run_policy },
	{ "set team hash-function toeplitz|crc32c", "Choose the hash", run_function },
	{ "set team hash-key <HEX|default>",
	                "Set the Toeplitz key, 40 bytes; default is Microsoft's", run_key },
	{ "set team symmetric on|off", "Give both directions of a flow the same hash",
	                run_symmetric },
	{ "set team buckets <N>", "Set the size of the bucket map, a power of two, 256 to 65536",
	                run_number },
	{ "set team skew <US>",
	                "Move a bucket for balance only after it was idle for this many "
	                "microseconds",
	                run_number },
	{ "set team rebalance_interval <MS>", "Mode load: time between two looks at the load",
	                run_number },
	{ "set team rebalance_threshold <PERCENT>", "Mode load: tolerate this much over the mean",
	                run_number },
	{ "set team primary <PORT|none>", "Prefer a member as primary", run_primary },
	{ "set team primary_reselect always|better|failure",
	                "When another member takes over as primary: at once, only if its "
	                "speed is higher, or only when the present one fails",
	                run_reselect },
	{ "set team fail_over_mac none|active|follow",
	                "Which MAC members have: all the team's, the team has the active member's, "
	                "or "
	                "the active member takes the team's",
	                run_fom },
	{ "set team all_members_active on|off", "Let backups receive too", run_all_active },
	{ "set team num_peer_notif <N>",
	                "Send this many gratuitous ARPs and unsolicited NAs after a failover",
	                run_number },
	{ "set team peer_notif_delay <MS>", "Time between them", run_number },
	{ "set team resend_igmp <N>", "Repeat this many membership reports after a failover",
	                run_number },
	{ "set team min_links <N>",
	                "Show carrier to the host only with at least this many distributing "
	                "members",
	                run_number },
	{ "set team updelay <MS>", "A link must be up for so long before it counts as up",
	                run_number },
	{ "set team downdelay <MS>", "A link must be down for so long before it counts as down",
	                run_number },
	{ "set team flap <MAX> <WINDOW> <HOLD>",
	                "Keep a member out for HOLD ms after more than MAX failures in WINDOW ms; "
	                "MAX "
	                "0 is never",
	                run_flap },
	{ "set team mac <MAC>", "Set the MAC of team, members and host port", run_mac },
	{ "set team mtu <BYTES>", "Set the MTU of team, members and host port", run_mtu },
	{ "set team promisc on|off", "Receive everything on all members", run_promisc },
	{ "set team mcast_addr add|remove <MAC>", "Receive a multicast address on all members",
	                run_mcast },
	{ "set team vlan filter on|off", "Receive only frames without VLAN and of added VLANs",
	                run_vlan_filter },
	{ "set team vlan add|rm <ID>", "Let a VLAN through the filter, or not any more", run_vlan },
	{ NULL, NULL, NULL },
};
