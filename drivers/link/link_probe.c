/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What ARP and ND probes have in common: intervals, and who missed how many.
 *
 * At the start the path is believed good for missed_max intervals. Once there was no carrier it is
 * believed only when a reply came: a link that is back may lead to a port that does not forward
 * yet.
 */
#include <string.h>

#include "link_int.h"

static bool
probe_up(const struct tp_link *link, const struct link_probe *p, uint8_t nb_targets)
{
	uint8_t good = 0;

	for (unsigned int i = 0; i < nb_targets; i++)
		good += p->missed[i] < link->conf.missed_max;
	return link->conf.all_targets ? good == nb_targets : good > 0;
}

/* Any frame counts where nothing is validated. */
static void
count_traffic(const struct tp_link *link, struct link_probe *p, uint64_t rx_packets)
{
	if (!link->conf.validate && rx_packets != p->rx_seen)
		memset(p->answered, true, sizeof(p->answered));
	p->rx_seen = rx_packets;
}

static void
end_interval(const struct tp_link *link, struct link_probe *p, uint8_t nb_targets)
{
	for (unsigned int i = 0; i < nb_targets; i++) {
		if (p->answered[i])
			p->missed[i] = 0;
		else if (p->missed[i] < link->conf.missed_max)
			p->missed[i]++;
		p->answered[i] = false;
	}
}

bool
link_same_vlan(const struct tp_link *link, const struct tp_pkt_info *info)
{
	uint16_t id = info->flags & TP_PKT_F_VLAN ? info->vlan_tci & 0xfff : 0;

	return id == (link->conf.vlan_tci & 0xfff) && (info->flags & TP_PKT_F_QINQ) == 0;
}

void
link_probe_open(struct tp_link *link, struct link_probe *p, enum tp_link_watch watch, uint64_t now)
{
	memset(p, 0, sizeof(*p));
	p->carrier = true;
	/* As if the interval before had been answered. */
	memset(p->answered, true, sizeof(p->answered));
	link->state[watch].due = now;
}

/* @return whether probes are to be sent now */
bool
link_probe_due(struct tp_link *link, struct link_probe *p, enum tp_link_watch watch,
                uint8_t nb_targets, const struct link_look *look)
{
	struct link_state *s = &link->state[watch];
	bool carrier = !link_no_carrier(link);

	if (!carrier) {
		memset(p->answered, false, sizeof(p->answered));
		memset(p->missed, (int)link->conf.missed_max, sizeof(p->missed));
		p->carrier = false;
		p->rx_seen = look->in->rx_packets;
		s->up = false;
		s->due = look->now + link->conf.poll_us * TP_NS_PER_US;
		return false;
	}
	if (p->carrier && look->now < s->due)
		return false;
	count_traffic(link, p, look->in->rx_packets);
	end_interval(link, p, nb_targets);
	p->carrier = true;
	s->up = probe_up(link, p, nb_targets);
	s->due = look->now + link->conf.interval_ms * TP_NS_PER_MS;
	return true;
}

void
link_probe_answer(struct tp_link *link, struct link_probe *p, enum tp_link_watch watch,
                uint8_t nb_targets, uint8_t target)
{
	p->answered[target] = true;
	p->missed[target] = 0;
	if (p->carrier)
		link->state[watch].up = probe_up(link, p, nb_targets);
}

void
link_probe_send(struct tp_link *link, struct rte_mbuf *m, struct tp_link_out *out)
{
	if (m == NULL) {
		link->stats.no_mbuf++;
		return;
	}
	if (out->nb_pkts == TP_LINK_MAX_OUT) {
		rte_pktmbuf_free(m);
		return;
	}
	link->stats.probes++;
	out->pkts[out->nb_pkts++] = m;
}
