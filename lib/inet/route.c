/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Routes: connected prefixes, static ones, default routers that advertise themselves. A view has
 * them in rte_fib and rte_fib6, of the kind that is a tree: the flat kinds take 64 MB each for
 * lookups by the packet, but a connection looks its way up once.
 */

#include <errno.h>
#include <stdio.h>

#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_malloc.h>

#include "inet_int.h"

#define NO_ROUTE UINT64_MAX

/* ---- views ----------------------------------------------------------------------- */

static int
create_one(struct tp_inet *inet, struct inet_fibs *f)
{
	static _Atomic uint32_t nb_fibs; /* names must differ in the whole process */
	uint32_t nb = atomic_fetch_add_explicit(&nb_fibs, 1, memory_order_relaxed);
	struct rte_fib_conf conf4 = {
		.type = RTE_FIB_DUMMY, .default_nh = NO_ROUTE, .max_routes = TP_INET_MAX_ROUTES
	};
	struct rte_fib6_conf conf6 = {
		.type = RTE_FIB6_DUMMY, .default_nh = NO_ROUTE, .max_routes = TP_INET_MAX_ROUTES
	};
	char name[24];

	snprintf(name, sizeof(name), "tp_inet4_%u", nb);
	f->fib4 = rte_fib_create(name, inet->conf.socket_id, &conf4);
	snprintf(name, sizeof(name), "tp_inet6_%u", nb);
	f->fib6 = rte_fib6_create(name, inet->conf.socket_id, &conf6);
	return f->fib4 == NULL || f->fib6 == NULL ? -ENOMEM : 0;
}

int
inet_fibs_create(struct tp_inet *inet)
{
	for (int i = 0; i < NB_FIBS; i++) {
		inet->fibs[i] = rte_zmalloc_socket("tp_inet_fibs", sizeof(*inet->fibs[i]),
		                RTE_CACHE_LINE_SIZE, inet->conf.socket_id);
		if (inet->fibs[i] == NULL || create_one(inet, inet->fibs[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

void
inet_fibs_free(struct tp_inet *inet)
{
	for (int i = 0; i < NB_FIBS; i++) {
		if (inet->fibs[i] == NULL)
			continue;
		rte_fib_free(inet->fibs[i]->fib4);
		rte_fib6_free(inet->fibs[i]->fib6);
		rte_free(inet->fibs[i]);
	}
}

static void
empty(struct inet_fibs *f)
{
	for (; f->nb > 0; f->nb--) {
		const uint8_t *prefix = f->prefix[f->nb - 1];
		uint8_t len = f->prefix_len[f->nb - 1];

		/* One that is there twice is found once. */
		if (tp_inet_is_v4(prefix))
			rte_fib_delete(f->fib4, rte_be_to_cpu_32(tp_inet_v4(prefix)), len);
		else
			rte_fib6_delete(f->fib6, prefix, len);
	}
}

/* There are nodes for all routes that can be, so that none is refused. */
static void
put_in(struct inet_fibs *f, const uint8_t prefix[TP_INET_LEN], uint8_t len,
                const uint8_t gateway[TP_INET_LEN])
{
	memcpy(f->next_hop[f->nb], gateway, TP_INET_LEN);
	memcpy(f->prefix[f->nb], prefix, TP_INET_LEN);
	f->prefix_len[f->nb] = len;
	if (tp_inet_is_v4(prefix))
		rte_fib_add(f->fib4, rte_be_to_cpu_32(tp_inet_v4(prefix)), len, f->nb);
	else
		rte_fib6_add(f->fib6, prefix, len, f->nb);
	f->nb++;
}

/* Of routes with the same prefix the last replaces the others. Connected ones are last, so that no
 * gateway takes the place of the link.
 */
void
inet_fibs_fill(const struct tp_inet *inet, struct inet_fibs *f)
{
	static const uint8_t on_link[TP_INET_LEN];

	empty(f);
	for (uint32_t i = 0; i < TP_INET_MAX_ROUTES; i++) {
		const struct inet_route *r = &inet->route[i];

		if (r->used)
			put_in(f, r->prefix, r->prefix_len, r->gateway);
	}
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++) {
		const struct inet_addr *a = &inet->addr[i];

		if (a->used)
			put_in(f, a->addr, a->prefix_len, on_link);
	}
}

int
inet_route_lookup(const struct inet_view *v, const uint8_t addr[TP_INET_LEN],
                uint8_t next_hop[TP_INET_LEN])
{
	const struct inet_fibs *f = v->fibs;
	uint8_t ip6[1][TP_INET_LEN];
	uint64_t nh = NO_ROUTE;
	uint32_t ip4;

	if (tp_inet_is_v4(addr)) {
		ip4 = rte_be_to_cpu_32(tp_inet_v4(addr));
		rte_fib_lookup_bulk(f->fib4, &ip4, &nh, 1);
	} else {
		memcpy(ip6[0], addr, TP_INET_LEN);
		rte_fib6_lookup_bulk(f->fib6, ip6, &nh, 1);
	}
	if (nh >= TP_INET_MAX_ROUTES)
		return -ENETUNREACH;
	memcpy(next_hop, inet_is_zero(f->next_hop[nh]) ? addr : f->next_hop[nh], TP_INET_LEN);
	return 0;
}

/* ---- the set ----------------------------------------------------------------------- */

/* Connected prefixes take part of the space. */
static struct inet_route *
new_route(struct tp_inet *inet)
{
	for (uint32_t i = 0; i < TP_INET_MAX_ROUTES - TP_INET_MAX_ADDRS; i++)
		if (!inet->route[i].used)
			return &inet->route[i];
	return NULL;
}

static struct inet_route *
find_route(struct tp_inet *inet, const uint8_t prefix[TP_INET_LEN], uint8_t prefix_len)
{
	for (uint32_t i = 0; i < TP_INET_MAX_ROUTES; i++) {
		struct inet_route *r = &inet->route[i];

		if (r->used && r->prefix_len == prefix_len && inet_same(r->prefix, prefix))
			return r;
	}
	return NULL;
}

/* @return false: no prefix, or bits are set behind its length */
static bool
is_prefix(const uint8_t prefix[TP_INET_LEN], uint8_t prefix_len)
{
	uint8_t bits = inet_bits(prefix, prefix_len);

	if (prefix_len > (tp_inet_is_v4(prefix) ? 32 : 128))
		return false;
	for (uint32_t i = bits; i < 128; i++)
		if (prefix[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

static int
set_route(struct tp_inet *inet, const struct inet_route *to)
{
	struct inet_route *r = find_route(inet, to->prefix, to->prefix_len);
	struct inet_route before;

	if (r == NULL)
		r = new_route(inet);
	if (r == NULL)
		return -ENOSPC;
	before = *r;
	*r = *to;
	if (inet_publish_routes(inet) < 0) {
		*r = before;
		return -ENOMEM;
	}
	tp_wheel_arm(inet->wheel, route_timer(inet, r), r->expires);
	return 0;
}

int
tp_inet_route_add(struct tp_inet *inet, const uint8_t prefix[TP_INET_LEN], uint8_t prefix_len,
                const uint8_t *gateway)
{
	struct inet_route r = { .used = true, .prefix_len = prefix_len, .expires = TP_NEVER };

	if (!is_prefix(prefix, prefix_len))
		return -EINVAL;
	if (gateway != NULL) {
		if (!inet_is_unicast(gateway) || tp_inet_is_v4(gateway) != tp_inet_is_v4(prefix) ||
		                inet_addr_find(inet, gateway) != NULL)
			return -EINVAL;
		memcpy(r.gateway, gateway, TP_INET_LEN);
	}
	memcpy(r.prefix, prefix, TP_INET_LEN);
	return set_route(inet, &r);
}

static void
remove_route(struct tp_inet *inet, struct inet_route *r)
{
	r->used = false;
	tp_wheel_cancel(inet->wheel, route_timer(inet, r));
	inet_publish_routes(inet);
}

int
tp_inet_route_del(struct tp_inet *inet, const uint8_t prefix[TP_INET_LEN], uint8_t prefix_len)
{
	struct inet_route *r = find_route(inet, prefix, prefix_len);

	if (r == NULL)
		return -ENOENT;
	remove_route(inet, r);
	return 0;
}

void
inet_route_timer(struct tp_inet *inet, struct inet_route *r)
{
	remove_route(inet, r);
}

/* One router at a time: another is taken when this one has gone. A static route comes first. */
void
inet_route_advertised(struct tp_inet *inet, const uint8_t router[TP_INET_LEN], uint16_t lifetime_s,
                uint64_t now)
{
	static const uint8_t any[TP_INET_LEN];
	struct inet_route *r = find_route(inet, any, 0);
	struct inet_route to = { .used = true, .advertised = true };

	if (r != NULL && (!r->advertised || !inet_same(r->gateway, router))) {
		inet->mib[TP_INET_M_RA_IGNORED]++;
		return;
	}
	if (lifetime_s == 0) {
		if (r != NULL)
			remove_route(inet, r);
		return;
	}
	to.expires = now + lifetime_s * TP_NS_PER_S;
	memcpy(to.gateway, router, TP_INET_LEN);
	if (r != NULL) {
		r->expires = to.expires;
		tp_wheel_arm(inet->wheel, route_timer(inet, r), r->expires);
	} else if (set_route(inet, &to) < 0) {
		inet->mib[TP_INET_M_RA_IGNORED]++;
	}
}

static void
put_connected(struct tp_inet_route_info *to, const struct inet_addr *a)
{
	uint8_t bits = inet_bits(a->addr, a->prefix_len);

	*to = (struct tp_inet_route_info){
		.prefix_len = a->prefix_len, .connected = true, .expires = TP_NEVER
	};
	for (uint32_t i = 0; i < bits; i++)
		to->prefix[i / 8] |= a->addr[i / 8] & 0x80 >> i % 8;
}

uint32_t
tp_inet_routes(const struct tp_inet *inet, struct tp_inet_route_info *info, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS && n < max; i++)
		if (inet->addr[i].used)
			put_connected(&info[n++], &inet->addr[i]);
	for (uint32_t i = 0; i < TP_INET_MAX_ROUTES && n < max; i++) {
		const struct inet_route *r = &inet->route[i];

		if (!r->used)
			continue;
		info[n] = (struct tp_inet_route_info){ .prefix_len = r->prefix_len,
			.advertised = r->advertised,
			.expires = r->expires };
		memcpy(info[n].prefix, r->prefix, TP_INET_LEN);
		memcpy(info[n++].gateway, r->gateway, TP_INET_LEN);
	}
	return n;
}
