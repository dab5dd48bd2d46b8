/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "cmd_int.h"
#include "front.h"

/* ---- members ------------------------------------------------------------- */

struct member_ask {
	uint16_t port_id;
	uint8_t member;
	struct tp_member_conf conf;
	struct tp_link_conf watch;
};

static int
copy_member(struct control *c, void *arg)
{
	struct member_ask *ask = arg;

	ask->member = c->slot_of_port[ask->port_id];
	if (ask->member == TP_MEMBER_NONE)
		return -ENOENT;
	ask->conf = c->team.member[ask->member].conf;
	ask->watch = c->slot[ask->member].link_conf;
	return 0;
}

uint8_t
member_of_port(struct daemon *d, uint16_t port_id)
{
	struct member_ask ask = { .port_id = port_id };

	control_call(&d->control, copy_member, &ask);
	return ask.member;
}

static int
ask_member(struct cmd_ctx *x, const char *text, struct member_ask *ask)
{
	int rc = cmd_port_id(x, text, &ask->port_id);

	if (rc != 0)
		return rc;
	rc = control_call(&x->d->control, copy_member, ask);
	if (rc != 0)
		return cmd_fail(x, -EINVAL, "port %u is not a member of the team", ask->port_id);
	return 0;
}

int
cmd_member_id(struct cmd_ctx *x, const char *text, uint8_t *member)
{
	struct member_ask ask;
	int rc = ask_member(x, text, &ask);

	if (rc == 0)
		*member = ask.member;
	return rc;
}

static int
run_prio(struct cmd_ctx *x)
{
	struct member_ask ask;
	int64_t prio;

	if (ask_member(x, x->argv[2], &ask) != 0 ||
	                cmd_number(x, "prio", x->argv[4], INT32_MIN, INT32_MAX, &prio) != 0)
		return -EINVAL;
	ask.conf.prio = prio;
	return op_set_member(x->d, ask.member, &ask.conf, &x->err);
}

static int
run_weight(struct cmd_ctx *x)
{
	struct member_ask ask;
	int64_t weight;

	if (ask_member(x, x->argv[2], &ask) != 0 ||
	                cmd_number(x, "weight", x->argv[4], 0, 1000, &weight) != 0)
		return -EINVAL;
	ask.conf.weight = weight;
	return op_set_member(x->d, ask.member, &ask.conf, &x->err);
}

static int
run_link(struct cmd_ctx *x)
{
	struct member_ask ask;
	int rc = ask_member(x, x->argv[3], &ask);

	if (rc != 0)
		return rc;
	return op_set_link(x->d, ask.member, strcmp(x->argv[1], "link-up") == 0, &x->err);
}

/* ---- link watches -------------------------------------------------------- */

#define KNOB(field, word, lo, hi)                                                                  \
	{                                                                                          \
		.name = (word), .offset = offsetof(struct tp_link_conf, field),                    \
		.size = sizeof(((struct tp_link_conf *)NULL)->field), .min = (lo), .max = (hi),    \
	}

const struct knob watch_knobs[] = {
	KNOB(poll_us, "poll_us", 10, 1000000),
	KNOB(interval_ms, "arp_interval", 1, 60000),
	KNOB(missed_max, "missed_max", 1, 255),
	KNOB(tx_ms, "tx_ms", 1, 60000),
	KNOB(heart_ms, "heart_ms", 8, 60000),
	{ .name = NULL },
};

static int
put_watch(struct cmd_ctx *x, const struct member_ask *ask)
{
	return op_set_watch(x->d, ask->member, &ask->watch, &x->err);
}

static int
run_watches(struct cmd_ctx *x)
{
	struct member_ask ask;
	int rc = ask_member(x, x->argv[2], &ask);

	if (rc != 0)
		return rc;
	if (tp_link_mask_parse(x->argv[3], &ask.watch.watches) != 0)
		return cmd_fail(x, -EINVAL,
		                "'%.60s' is no list of lsc, poll, netlink, arp, nd, tx, "
		                "heart with commas between, nor none",
		                x->argv[3]);
	return put_watch(x, &ask);
}

static int
run_watch_number(struct cmd_ctx *x)
{
	const struct knob *k = watch_knobs;
	struct member_ask ask;
	int64_t value;

	while (k->name != NULL && strcmp(k->name, x->argv[3]) != 0)
		k++;
	if (ask_member(x, x->argv[2], &ask) != 0 ||
	                cmd_number(x, k->name, x->argv[4], k->min, k->max, &value) != 0)
		return -EINVAL;
	knob_set(k, &ask.watch, value);
	return put_watch(x, &ask);
}

static int
run_watch_vlan(struct cmd_ctx *x)
{
	struct member_ask ask;
	int64_t id;

	if (ask_member(x, x->argv[2], &ask) != 0 ||
	                cmd_number(x, "vlan", x->argv[4], 0, 4094, &id) != 0)
		return -EINVAL;
	ask.watch.vlan_tci = id;
	return put_watch(x, &ask);
}

static int
run_watch_on(struct cmd_ctx *x)
{
	struct member_ask ask;
	int rc = ask_member(x, x->argv[2], &ask);

	if (rc != 0)
		return rc;
	if (strcmp(x->argv[3], "arp_validate") == 0)
		ask.watch.validate = cmd_on(x->argv[4]);
	else
		ask.watch.all_targets = cmd_on(x->argv[4]);
	return put_watch(x, &ask);
}

/* ---- probes' addresses --------------------------------------------------- */

static int
parse_ip(struct cmd_ctx *x, int family, const char *text, size_t len, void *ip)
{
	char buf[INET6_ADDRSTRLEN];

	snprintf(buf, sizeof(buf), "%.*s", (int)RTE_MIN(len, sizeof(buf) - 1), text);
	if (len < sizeof(buf) && inet_pton(family, buf, ip) == 1)
		return 0;
	return cmd_fail(x, -EINVAL, "'%s' is no IPv%d address", buf, family == AF_INET ? 4 : 6);
}

/** Addresses with commas between, or none. */
static int
parse_ips(struct cmd_ctx *x, int family, const char *text, void *ips, uint8_t *nb)
{
	size_t size = family == AF_INET ? 4 : 16;
	uint8_t n = 0;
	int rc;

	*nb = 0;
	if (strcmp(text, "none") == 0)
		return 0;
	for (;;) {
		size_t len = strcspn(text, ",");

		if (n == TP_LINK_MAX_TARGETS)
			return cmd_fail(x, -EINVAL, "more than %d targets", TP_LINK_MAX_TARGETS);
		rc = parse_ip(x, family, text, len, (uint8_t *)ips + n * size);
		if (rc != 0)
			return rc;
		n++;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	*nb = n;
	return 0;
}

static int
run_targets(struct cmd_ctx *x)
{
	struct member_ask ask;
	struct tp_link_conf *w = &ask.watch;
	int rc = ask_member(x, x->argv[2], &ask);

	if (rc != 0)
		return rc;
	if (strcmp(x->argv[3], "arp_targets") == 0)
		rc = parse_ips(x, AF_INET, x->argv[4], w->ip4, &w->nb_ip4);
	else
		rc = parse_ips(x, AF_INET6, x->argv[4], w->ip6, &w->nb_ip6);
	return rc != 0 ? rc : put_watch(x, &ask);
}

static int
run_source(struct cmd_ctx *x)
{
	const char *text = x->argv[4];
	struct member_ask ask;
	int rc = ask_member(x, x->argv[2], &ask);

	if (rc != 0)
		return rc;
	if (strcmp(x->argv[3], "arp_source") == 0)
		rc = parse_ip(x, AF_INET, strcmp(text, "none") == 0 ? "0.0.0.0" : text,
		                strlen(strcmp(text, "none") == 0 ? "0.0.0.0" : text),
		                &ask.watch.src_ip4);
	else
		rc = parse_ip(x, AF_INET6, strcmp(text, "none") == 0 ? "::" : text,
		                strlen(strcmp(text, "none") == 0 ? "::" : text), ask.watch.src_ip6);
	return rc != 0 ? rc : put_watch(x, &ask);
}

const struct cmd cmd_member[] = {
	{ "set member <PORT> prio <N>", "Set the rank in the election of the primary; highest wins",
	                run_prio },
	{ "set member <PORT> weight <N>",
	                "Set the share of buckets relative to the others', 0 to 1000", run_weight },
	{ "set link-up port <PORT>", "Let the member take part again, set its link up", run_link },
	{ "set link-down port <PORT>", "Drain the member, set its link down", run_link },
	{ "set watch <PORT> <WATCHES>",
	                "Say what tells that the link is good, all of: "
	                "lsc,poll,netlink,arp,nd,tx,heart; "
	                "or none",
	                run_watches },
	{ "set watch <PORT> poll_us <US>", "Time between looks of lsc, poll and netlink",
	                run_watch_number },
	{ "set watch <PORT> arp_interval <MS>", "Time between probes of arp and nd",
	                run_watch_number },
	{ "set watch <PORT> missed_max <N>",
	                "Intervals in a row without a valid reply that mean down",
	                run_watch_number },
	{ "set watch <PORT> tx_ms <MS>", "Time without Tx progress that means down",
	                run_watch_number },
	{ "set watch <PORT> heart_ms <MS>", "Deadline of the member's loop", run_watch_number },
	{ "set watch <PORT> arp_targets <IP,...|none>", "IPv4 addresses that must reply",
	                run_targets },
	{ "set watch <PORT> nd_targets <IP6,...|none>", "IPv6 addresses that must reply",
	                run_targets },
	{ "set watch <PORT> arp_source <IP|none>",
	                "Sender of ARP probes, no address of the team's; none leaves no trace in "
	                "the "
	                "target's table",
	                run_source },
	{ "set watch <PORT> nd_source <IP6|none>",
	                "Sender of solicitations, no address of the team's; none is the link-local "
	                "one of the MAC",
	                run_source },
	{ "set watch <PORT> arp_validate on|off",
	                "Count only valid replies to our probes, or any frame received",
	                run_watch_on },
	{ "set watch <PORT> arp_all_targets on|off", "All targets must reply, or any one",
	                run_watch_on },
	{ "set watch <PORT> vlan <ID>", "Tag of probes, 0 for none", run_watch_vlan },
	{ NULL, NULL, NULL },
};
