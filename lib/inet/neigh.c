/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What becomes of a neighbour (RFC 4861 7.3.2, for ARP as well), and what waits for it. One timer
 * for each entry, as its states exclude each other.
 */

#include <rte_arp.h>

#include "inet_int.h"

#define MAX_SOLICITS 3                    /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define DELAY_NS (5 * TP_NS_PER_S)        /* DELAY_FIRST_PROBE_TIME */
#define FAILED_NS (3 * TP_NS_PER_S)       /* its packets cost nothing for so long */
#define STALE_LOOK_NS TP_NS_PER_S         /* a stale entry is looked at: was it used? */
#define STALE_KEEP_NS (600 * TP_NS_PER_S) /* unused for so long it is forgotten */
#define MAC_HOLD_NS TP_NS_PER_S           /* nobody changes a confirmed MAC sooner */
#define NO_PEND 0

static const struct rte_ether_addr no_mac;

static uint64_t
get_word(const struct inet_neigh *n)
{
	return atomic_load_explicit(
	                &((struct inet_neigh *)(uintptr_t)n)->word, memory_order_relaxed);
}

static void
get_addr(const struct inet_neigh *n, uint8_t addr[TP_INET_LEN])
{
	uint64_t key[2];

	for (int i = 0; i < 2; i++)
		key[i] = atomic_load_explicit(&((struct inet_neigh *)(uintptr_t)n)->addr[i],
		                memory_order_relaxed);
	memcpy(addr, key, TP_INET_LEN);
}

static void
arm(struct tp_inet *inet, const struct inet_neigh *n, uint64_t at)
{
	tp_wheel_arm(inet->wheel, n - inet->neigh, at);
}

/* ---- states ------------------------------------------------------------------------ */

void
inet_neigh_set(struct tp_inet *inet, struct inet_neigh *n, uint8_t state,
                const struct rte_ether_addr *mac)
{
	uint64_t was = get_word(n);
	uint16_t gen = word_gen(was);

	inet->nb_incomplete -= word_state(was) == TP_INET_NEIGH_INCOMPLETE;
	inet->nb_incomplete += state == TP_INET_NEIGH_INCOMPLETE;
	if (state == TP_INET_NEIGH_FREE)
		gen++;
	atomic_store_explicit(&n->word, word_of(mac, gen, state), memory_order_release);
	n->nb_sent = 0;
}

static void
set_state(struct tp_inet *inet, struct inet_neigh *n, uint8_t state)
{
	struct rte_ether_addr mac = word_mac(get_word(n));

	inet_neigh_set(inet, n, state, &mac);
}

void
inet_neigh_free(struct tp_inet *inet, struct inet_neigh *n, enum tp_inet_mib why)
{
	inet_neigh_drop(inet, n, why);
	inet_neigh_set(inet, n, TP_INET_NEIGH_FREE, &no_mac);
	tp_wheel_cancel(inet->wheel, n - inet->neigh);
}

static struct inet_neigh *
new_neigh(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], bool evict, uint64_t now)
{
	uint32_t index = inet_neigh_claim(inet, addr, evict, now);
	struct inet_neigh *n;

	if (index == NO_INDEX)
		return NULL;
	n = &inet->neigh[index];
	atomic_store_explicit(&n->use, 0, memory_order_relaxed);
	n->member = TP_MEMBER_NONE;
	n->router = false;
	n->confirmed_ns = TP_NEVER;
	n->changed_ns = now;
	n->used_ns = now;
	return n;
}

static void
make_stale(struct tp_inet *inet, struct inet_neigh *n, const struct rte_ether_addr *mac,
                uint64_t now)
{
	atomic_store_explicit(&n->use, 0, memory_order_relaxed);
	inet_neigh_set(inet, n, TP_INET_NEIGH_STALE, mac);
	arm(inet, n, now + STALE_LOOK_NS);
}

static void
make_reachable(struct tp_inet *inet, struct inet_neigh *n, const struct rte_ether_addr *mac,
                uint64_t now)
{
	uint64_t base = inet->conf.reachable_ns;

	n->confirmed_ns = now;
	atomic_store_explicit(&n->use, 0, memory_order_relaxed);
	inet_neigh_set(inet, n, TP_INET_NEIGH_REACHABLE, mac);
	/* MIN_RANDOM_FACTOR, MAX_RANDOM_FACTOR */
	arm(inet, n, now + inet_random_ns(inet, base / 2, base));
}

/* ---- what waits --------------------------------------------------------------------- */

static struct rte_mbuf *
take_pend(struct tp_inet *inet, struct inet_neigh *n)
{
	uint16_t at = n->pend_first;
	struct inet_pend *p = &inet->pend[at - 1];
	struct rte_mbuf *m = p->m;

	n->pend_first = p->next;
	n->nb_pend--;
	p->m = NULL;
	p->next = inet->pend_free;
	inet->pend_free = at;
	return m;
}

static bool
put_pend(struct tp_inet *inet, struct inet_neigh *n, struct rte_mbuf *m)
{
	uint16_t at = inet->pend_free;

	if (at == NO_PEND || n->nb_pend >= inet->conf.nb_pending_each)
		return false;
	inet->pend_free = inet->pend[at - 1].next;
	inet->pend[at - 1] = (struct inet_pend){ .m = m, .next = NO_PEND };
	if (n->nb_pend == 0)
		n->pend_first = at;
	else
		inet->pend[n->pend_last - 1].next = at;
	n->pend_last = at;
	n->nb_pend++;
	return true;
}

void
inet_neigh_drop(struct tp_inet *inet, struct inet_neigh *n, enum tp_inet_mib why)
{
	while (n->nb_pend > 0) {
		rte_pktmbuf_free(take_pend(inet, n));
		inet->mib[why]++;
	}
}

static void
send_to(struct tp_inet *inet, struct rte_mbuf *m, const struct rte_ether_addr *mac)
{
	rte_pktmbuf_mtod(m, struct rte_ether_hdr *)->dst_addr = *mac;
	inet_send(inet, m, tp_meta(m)->ingress);
}

static void
send_pending(struct tp_inet *inet, struct inet_neigh *n, const struct rte_ether_addr *mac)
{
	while (n->nb_pend > 0)
		send_to(inet, take_pend(inet, n), mac);
}

/* ---- questions ------------------------------------------------------------------------ */

/* A neighbour that is only to confirm itself is asked alone (RFC 4861 7.3.3). */
static void
make_unicast(struct rte_mbuf *ns, bool tagged, const struct rte_ether_addr *mac,
                const uint8_t addr[TP_INET_LEN])
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(ns, struct rte_ether_hdr *);
	struct rte_ipv6_hdr *ip = RTE_PTR_ADD(eth + 1, tagged ? sizeof(struct rte_vlan_hdr) : 0);
	uint8_t *icmp = (uint8_t *)(ip + 1);
	uint16_t sum = 0;

	eth->dst_addr = *mac;
	memcpy(ip->dst_addr, addr, TP_INET_LEN);
	memcpy(icmp + 2, &sum, sizeof(sum));
	sum = rte_ipv6_udptcp_cksum(ip, icmp);
	memcpy(icmp + 2, &sum, sizeof(sum));
}

static struct rte_mbuf *
build_question(const struct tp_inet *inet, const uint8_t addr[TP_INET_LEN],
                const struct rte_ether_addr *known)
{
	static const struct rte_ether_addr broadcast = { { 255, 255, 255, 255, 255, 255 } };
	const struct inet_addr *from = inet_addr_for(inet, addr);
	const struct tp_inet_conf *conf = &inet->conf;
	struct rte_mbuf *m;

	if (from == NULL)
		return NULL;
	if (tp_inet_is_v4(addr))
		return tp_pkt_build_arp(conf->pool, RTE_ARP_OP_REQUEST, conf->vlan_tci,
		                known != NULL ? known : &broadcast, &conf->mac,
		                tp_inet_v4(from->addr), known != NULL ? known : &no_mac,
		                tp_inet_v4(addr));
	m = tp_pkt_build_ns(conf->pool, conf->vlan_tci, &conf->mac, from->addr, addr);
	if (m != NULL && known != NULL)
		make_unicast(m, conf->vlan_tci != 0, known, addr);
	return m;
}

static void
ask(struct tp_inet *inet, struct inet_neigh *n, const struct rte_ether_addr *known, uint64_t now)
{
	uint8_t member = n->nb_sent == 0 ? n->member : TP_MEMBER_NONE;
	uint8_t addr[TP_INET_LEN];

	n->nb_sent++;
	arm(inet, n, now + inet->conf.retrans_ns);
	if (!inet_bucket_take(&inet->questions, now))
		return;
	get_addr(n, addr);
	inet->mib[TP_INET_M_NEIGH_SOLICIT]++;
	inet_send(inet, build_question(inet, addr, known), member);
}

static void
start_asking(struct tp_inet *inet, struct inet_neigh *n, uint64_t now)
{
	inet_neigh_set(inet, n, TP_INET_NEIGH_INCOMPLETE, &no_mac);
	ask(inet, n, NULL, now);
}

/* ---- time ------------------------------------------------------------------------------- */

static uint32_t
take_use(struct inet_neigh *n, uint64_t now)
{
	uint32_t use = atomic_exchange_explicit(&n->use, 0, memory_order_relaxed);

	if (use != 0)
		n->used_ns = now;
	return use;
}

static void
stale_timer(struct tp_inet *inet, struct inet_neigh *n, uint32_t use, uint64_t now)
{
	if (use & USE_USED) {
		set_state(inet, n, TP_INET_NEIGH_DELAY);
		arm(inet, n, now + DELAY_NS);
	} else if (now >= n->used_ns + STALE_KEEP_NS) {
		inet_neigh_free(inet, n, TP_INET_M_PEND_EXPIRED);
	} else {
		arm(inet, n, now + STALE_LOOK_NS);
	}
}

static void
probe_timer(struct tp_inet *inet, struct inet_neigh *n, const struct rte_ether_addr *mac,
                uint64_t now)
{
	if (n->nb_sent < MAX_SOLICITS)
		ask(inet, n, mac, now);
	else
		/* Perhaps it has another MAC now (RFC 7048 3). */
		start_asking(inet, n, now);
}

static void
incomplete_timer(struct tp_inet *inet, struct inet_neigh *n, uint64_t now)
{
	if (n->nb_sent < MAX_SOLICITS) {
		ask(inet, n, NULL, now);
		return;
	}
	inet_neigh_drop(inet, n, TP_INET_M_PEND_EXPIRED);
	inet_neigh_set(inet, n, TP_INET_NEIGH_FAILED, &no_mac);
	arm(inet, n, now + FAILED_NS);
}

void
inet_neigh_timer(struct tp_inet *inet, uint32_t index, uint64_t now)
{
	struct inet_neigh *n = &inet->neigh[index];
	struct rte_ether_addr mac = word_mac(get_word(n));
	uint8_t state = word_state(get_word(n));
	uint32_t use = take_use(n, now);

	if ((use & USE_CONFIRMED) && state >= TP_INET_NEIGH_REACHABLE &&
	                state <= TP_INET_NEIGH_PROBE) {
		make_reachable(inet, n, &mac, now);
		return;
	}
	switch (state) {
	case TP_INET_NEIGH_INCOMPLETE:
		incomplete_timer(inet, n, now);
		break;
	case TP_INET_NEIGH_REACHABLE:
		make_stale(inet, n, &mac, now);
		break;
	case TP_INET_NEIGH_STALE:
		stale_timer(inet, n, use, now);
		break;
	case TP_INET_NEIGH_DELAY:
		set_state(inet, n, TP_INET_NEIGH_PROBE);
		ask(inet, n, &mac, now);
		break;
	case TP_INET_NEIGH_PROBE:
		probe_timer(inet, n, &mac, now);
		break;
	case TP_INET_NEIGH_FAILED:
		inet_neigh_free(inet, n, TP_INET_M_PEND_EXPIRED);
		break;
	}
}

/* ---- what is heard --------------------------------------------------------------------------- */

static void
heard_new(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], const struct rte_ether_addr *mac,
                enum inet_hint hint, uint64_t now)
{
	struct inet_neigh *n = NULL;

	/* Who asks for us will have our answer's answer: it may fill free space, and nothing more. */
	if (hint == INET_HINT_QUESTION && inet_addr_on_link(inet, addr))
		n = new_neigh(inet, addr, false, now);
	if (n == NULL) {
		inet->mib[TP_INET_M_NEIGH_IGNORED]++;
		return;
	}
	make_stale(inet, n, mac, now);
}

static void
heard_other_mac(struct tp_inet *inet, struct inet_neigh *n, const struct rte_ether_addr *mac,
                enum inet_hint hint, uint64_t now)
{
	uint8_t state = word_state(get_word(n));

	if (hint == INET_HINT_WEAK) {
		/* Not believed, but no longer sure (RFC 4861 7.2.5). */
		if (state == TP_INET_NEIGH_REACHABLE) {
			set_state(inet, n, TP_INET_NEIGH_STALE);
			arm(inet, n, now + STALE_LOOK_NS);
		}
		return;
	}
	if (state == TP_INET_NEIGH_REACHABLE && now < n->confirmed_ns + MAC_HOLD_NS) {
		inet->mib[TP_INET_M_NEIGH_IGNORED]++;
		return;
	}
	n->changed_ns = now;
	make_stale(inet, n, mac, now);
}

static void
heard_known(struct tp_inet *inet, struct inet_neigh *n, const struct rte_ether_addr *mac,
                enum inet_hint hint, uint64_t now)
{
	uint8_t state = word_state(get_word(n));
	struct rte_ether_addr known = word_mac(get_word(n));
	bool asked = n->nb_sent > 0 &&
	             (state == TP_INET_NEIGH_INCOMPLETE || state == TP_INET_NEIGH_PROBE);

	if (hint == INET_HINT_ANSWER && asked) {
		make_reachable(inet, n, mac, now);
		send_pending(inet, n, mac);
	} else if (state == TP_INET_NEIGH_INCOMPLETE || state == TP_INET_NEIGH_FAILED) {
		make_stale(inet, n, mac, now);
		if (n->nb_pend > 0)
			atomic_store_explicit(&n->use, USE_USED, memory_order_relaxed);
		send_pending(inet, n, mac);
	} else if (!rte_is_same_ether_addr(&known, mac)) {
		heard_other_mac(inet, n, mac, hint, now);
	} else if (hint == INET_HINT_ANSWER) {
		inet->mib[TP_INET_M_NEIGH_IGNORED]++;
	}
}

void
inet_neigh_heard(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN],
                const struct rte_ether_addr *mac, enum inet_hint hint, bool router, uint64_t now)
{
	uint64_t word;
	uint32_t i;

	if (!rte_is_valid_assigned_ether_addr(mac) ||
	                rte_is_same_ether_addr(mac, &inet->conf.mac) || !inet_is_unicast(addr)) {
		inet->mib[TP_INET_M_NEIGH_INVALID]++;
		return;
	}
	i = inet_neigh_find(inet, addr, &word);
	if (i == NO_INDEX) {
		heard_new(inet, addr, mac, hint, now);
		return;
	}
	if (hint != INET_HINT_QUESTION)
		inet->neigh[i].router = router;
	heard_known(inet, &inet->neigh[i], mac, hint, now);
}

/* ---- packets to send --------------------------------------------------------------------------- */

/* Destination of a frame that tp_inet_push() made. */
static bool
frame_dst(const struct rte_mbuf *m, uint8_t dst[TP_INET_LEN])
{
	uint8_t src[TP_INET_LEN];
	struct tp_pkt_info info;

	tp_pkt_parse(m, &info);
	return m->data_len >= sizeof(struct rte_ether_hdr) && tp_inet_ends(m, &info, src, dst);
}

/* Too many questions at a time are somebody's scan: established neighbours come first. */
static struct inet_neigh *
neigh_to_ask(struct tp_inet *inet, const uint8_t addr[TP_INET_LEN], uint8_t member, uint64_t now)
{
	struct inet_neigh *n;

	if (inet->nb_incomplete >= inet->conf.nb_neighs / 4u) {
		inet->mib[TP_INET_M_NEIGH_FULL]++;
		return NULL;
	}
	n = new_neigh(inet, addr, true, now);
	if (n == NULL)
		return NULL;
	n->member = member;
	start_asking(inet, n, now);
	return n;
}

static void
pend_on(struct tp_inet *inet, struct inet_neigh *n, struct rte_mbuf *m, uint64_t now)
{
	uint64_t word = get_word(n);
	struct rte_ether_addr mac = word_mac(word);

	n->used_ns = now;
	switch (word_state(word)) {
	case TP_INET_NEIGH_INCOMPLETE:
		if (put_pend(inet, n, m))
			return;
		inet->mib[TP_INET_M_PEND_DROP]++;
		break;
	case TP_INET_NEIGH_FAILED:
		inet->mib[TP_INET_M_PEND_EXPIRED]++;
		break;
	case TP_INET_NEIGH_STALE:
		atomic_fetch_or_explicit(&n->use, USE_USED, memory_order_relaxed);
		send_to(inet, m, &mac);
		return;
	default:
		send_to(inet, m, &mac);
		return;
	}
	rte_pktmbuf_free(m);
}

void
tp_inet_pend(struct tp_inet *inet, struct rte_mbuf *m, uint64_t now)
{
	uint8_t dst[TP_INET_LEN], next_hop[TP_INET_LEN];
	struct inet_neigh *n = NULL;
	uint64_t word;
	uint32_t i;

	if (!frame_dst(m, dst) || inet_route_lookup(inet_view(inet), dst, next_hop) < 0) {
		inet->mib[TP_INET_M_OUT_NO_ROUTES]++;
		rte_pktmbuf_free(m);
		return;
	}
	i = inet_neigh_find(inet, next_hop, &word);
	if (i != NO_INDEX)
		n = &inet->neigh[i];
	else if (inet_is_unicast(next_hop))
		n = neigh_to_ask(inet, next_hop, tp_meta(m)->ingress, now);
	if (n == NULL) {
		inet->mib[TP_INET_M_PEND_DROP]++;
		rte_pktmbuf_free(m);
		return;
	}
	pend_on(inet, n, m, now);
}

/* ---- `show` --------------------------------------------------------------------------------------- */

uint32_t
tp_inet_neighs(const struct tp_inet *inet, uint64_t now, struct tp_inet_neigh_info *info,
                uint32_t max)
{
	uint32_t nb = 0;

	for (uint32_t i = 0; i < inet->conf.nb_neighs && nb < max; i++) {
		const struct inet_neigh *n = &inet->neigh[i];
		uint64_t word = get_word(n);

		if (word_state(word) == TP_INET_NEIGH_FREE)
			continue;
		info[nb] = (struct tp_inet_neigh_info){ .mac = word_mac(word),
			.state = word_state(word),
			.router = n->router,
			.nb_pending = n->nb_pend,
			.confirmed_ns = n->confirmed_ns == TP_NEVER ? TP_NEVER
			                : now > n->confirmed_ns     ? now - n->confirmed_ns
			                                            : 0 };
		get_addr(n, info[nb++].addr);
	}
	return nb;
}

void
tp_inet_neigh_flush(struct tp_inet *inet)
{
	for (uint32_t i = 0; i < inet->conf.nb_neighs; i++)
		if (word_state(get_word(&inet->neigh[i])) != TP_INET_NEIGH_FREE)
			inet_neigh_free(inet, &inet->neigh[i], TP_INET_M_PEND_DROP);
}
