/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#ifndef LINK_INT_H
#define LINK_INT_H

#include <stdatomic.h>

#include <rte_ethdev.h>

#include "tp_link.h"
#include "tp_pkt.h"

/* Set by callbacks on the interrupt thread, taken by control. */
#define LINK_EVENT_LSC 1u
#define LINK_EVENT_RMV 2u

/* Watches that say whether there is a carrier at all; probing without one teaches nothing. */
#define LINK_CARRIER_WATCHES                                                                       \
	(TP_LINK_W(TP_LINK_LSC) | TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_NETLINK))

/* What one watch thinks. A watch changes only its own. */
struct link_state {
	bool up;
	uint64_t due; /* it wants to be polled then, or TP_NEVER */
};

/* Probes of one family and their targets. */
struct link_probe {
	uint64_t rx_seen; /* rx_packets at the last interval */
	bool carrier;     /* there was one at the last look */
	bool answered[TP_LINK_MAX_TARGETS];
	uint8_t missed[TP_LINK_MAX_TARGETS]; /* intervals in a row, up to missed_max */
};

struct tp_link {
	struct tp_link_ctx ctx;
	struct tp_link_conf conf;
	_Atomic uint32_t events; /* LINK_EVENT_* */
	_Atomic uint64_t nb_events;
	struct link_state state[TP_LINK_NB_WATCHES];
	bool removed;
	uint32_t port_speed; /* what the port says, Mbit/s */
	uint32_t if_speed;   /* what the kernel interface behind it says */
	struct tp_link_verdict verdict;
	struct tp_link_stats stats;

	struct {
		int fd;
		uint32_t if_index;
		uint64_t resync_due;
		bool stale; /* the newest announcements were lost; those in the queue are older */
	} netlink;
	struct link_probe arp, nd;
	struct {
		uint64_t packets;     /* when progress was last seen */
		uint64_t stuck_since; /* no progress since then with packets pending; or TP_NEVER */
		uint64_t idle_since;  /* no progress since then, none pending; or TP_NEVER */
	} tx;
	struct tp_link_heart heart;
	bool heart_late;
};

/* One call of tp_link_poll(). */
struct link_look {
	uint64_t now;
	uint32_t events;
	const struct tp_link_in *in; /* never NULL */
	struct tp_link_out *out;     /* never NULL */
};

/* A watch. Only poll is called when its due time has come, or with an event. */
struct link_watch {
	const char *name;
	int (*open)(struct tp_link *link, uint64_t now);
	void (*close)(struct tp_link *link);
	void (*poll)(struct tp_link *link, const struct link_look *look);
	bool (*frame)(struct tp_link *link, const struct rte_mbuf *m, uint64_t now);
};

extern const struct link_watch link_lsc, link_poll, link_netlink, link_arp, link_nd, link_tx,
                link_heart;

/* The watches, by enum tp_link_watch. */
extern const struct link_watch *const link_watches[TP_LINK_NB_WATCHES];

/* Port events, link.c: whether the callback is registered. @return 0 or -errno */
int link_event_on(struct tp_link *link, enum rte_eth_event_type event);
int link_event_off(struct tp_link *link, enum rte_eth_event_type event);
/* What the port says. @return up */
bool link_read_port(struct tp_link *link);
/* Some watch that would know says that there is no carrier. */
bool link_no_carrier(const struct tp_link *link);

/* link_probe.c */
bool link_same_vlan(const struct tp_link *link, const struct tp_pkt_info *info);
bool link_probe_due(struct tp_link *link, struct link_probe *p, enum tp_link_watch watch,
                uint8_t nb_targets, const struct link_look *look);
void link_probe_open(
                struct tp_link *link, struct link_probe *p, enum tp_link_watch watch, uint64_t now);
void link_probe_answer(struct tp_link *link, struct link_probe *p, enum tp_link_watch watch,
                uint8_t nb_targets, uint8_t target);
void link_probe_send(struct tp_link *link, struct rte_mbuf *m, struct tp_link_out *out);

#endif
