/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "link_int.h"

uint32_t
tp_link_default(uint16_t port_id)
{
	static const char *const kernel[] = { "net_af_packet", "net_af_xdp" };
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port_id, &info) != 0)
		return TP_LINK_W(TP_LINK_POLL);
	for (unsigned int i = 0; i < RTE_DIM(kernel); i++)
		if (strcmp(info.driver_name, kernel[i]) == 0 && info.if_index != 0)
			return TP_LINK_W(TP_LINK_NETLINK);
	if ((*info.dev_flags & RTE_ETH_DEV_INTR_LSC) && strcmp(info.driver_name, "net_tap") != 0)
		return TP_LINK_W(TP_LINK_LSC);
	return TP_LINK_W(TP_LINK_POLL);
}

void
tp_link_conf_default(struct tp_link_conf *conf, uint16_t port_id)
{
	*conf = (struct tp_link_conf){
		.watches = tp_link_default(port_id),
		.poll_us = 500,
		.interval_ms = 100,
		.missed_max = 2,
		.tx_ms = 100,
		.heart_ms = 200,
		.validate = true,
	};
}

struct range {
	const char *name;
	uint32_t value, min, max;
};

static int
check_range(const struct range *r, char *why, size_t why_len)
{
	if (r->value >= r->min && r->value <= r->max)
		return 0;
	snprintf(why, why_len, "%s %u is not within %u to %u", r->name, r->value, r->min, r->max);
	return -EINVAL;
}

static int
check_targets(const struct tp_link_conf *conf, char *why, size_t why_len)
{
	if (conf->nb_ip4 > TP_LINK_MAX_TARGETS || conf->nb_ip6 > TP_LINK_MAX_TARGETS) {
		snprintf(why, why_len, "more than %u targets", TP_LINK_MAX_TARGETS);
		return -EINVAL;
	}
	if ((conf->watches & TP_LINK_W(TP_LINK_ARP)) && conf->nb_ip4 == 0) {
		snprintf(why, why_len, "watch 'arp' needs an IPv4 target");
		return -EINVAL;
	}
	if ((conf->watches & TP_LINK_W(TP_LINK_ND)) && conf->nb_ip6 == 0) {
		snprintf(why, why_len, "watch 'nd' needs an IPv6 target");
		return -EINVAL;
	}
	return 0;
}

int
tp_link_conf_check(const struct tp_link_conf *conf, char *why, size_t why_len)
{
	const struct range ranges[] = {
		{ "poll_us", conf->poll_us, 10, 1000000 },
		{ "interval", conf->interval_ms, 1, 60000 },
		{ "missed_max", conf->missed_max, 1, 255 },
		{ "tx_ms", conf->tx_ms, 1, 60000 },
		{ "heart_ms", conf->heart_ms, 8, 60000 },
	};

	if (conf->watches & ~TP_LINK_W_ALL) {
		snprintf(why, why_len, "unknown watch in mask %#x", conf->watches);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < RTE_DIM(ranges); i++)
		if (check_range(&ranges[i], why, why_len) < 0)
			return -EINVAL;
	return check_targets(conf, why, why_len);
}

const char *
tp_link_watch_name(enum tp_link_watch watch)
{
	return watch < TP_LINK_NB_WATCHES ? link_watches[watch]->name : "unknown";
}

static int
find_watch(const char *name, size_t len)
{
	for (unsigned int i = 0; i < TP_LINK_NB_WATCHES; i++)
		if (strlen(link_watches[i]->name) == len &&
		                memcmp(link_watches[i]->name, name, len) == 0)
			return i;
	return -EINVAL;
}

int
tp_link_mask_parse(const char *text, uint32_t *mask)
{
	static const char blanks[] = " \t,";
	uint32_t result = 0;
	bool none = false, any = false;
	size_t len;
	int watch;

	for (text += strspn(text, blanks); *text != '\0'; text += strspn(text, blanks)) {
		len = strcspn(text, blanks);
		if (len == 4 && memcmp(text, "none", 4) == 0) {
			none = true;
		} else {
			watch = find_watch(text, len);
			if (watch < 0)
				return -EINVAL;
			result |= TP_LINK_W(watch);
			any = true;
		}
		text += len;
	}
	if (none == any)
		return -EINVAL;
	*mask = result;
	return 0;
}

const char *
tp_link_mask_format(uint32_t mask, char *buf, size_t len)
{
	size_t used = 0;

	if (len == 0)
		return buf;
	snprintf(buf, len, "%s", (mask & TP_LINK_W_ALL) == 0 ? "none" : "");
	for (unsigned int i = 0; i < TP_LINK_NB_WATCHES && used < len; i++)
		if (mask & TP_LINK_W(i))
			used += snprintf(buf + used, len - used, "%s%s", used == 0 ? "" : " ",
			                link_watches[i]->name);
	return buf;
}
