/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Listeners: an immutable array, replaced as a whole; one listen covers all members. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>

#include "toe_int.h"

#define BACKLOG_DEFAULT 1024

static const uint8_t any_addr[16];

const struct listener *
listener_find(const struct tp_toe *toe, const uint8_t laddr[16], rte_be16_t port)
{
	const struct listeners *ls = atomic_load_explicit(&toe->listeners, memory_order_acquire);
	const struct listener *any = NULL;

	for (uint32_t i = 0; ls != NULL && i < ls->nb; i++) {
		const struct listener *l = &ls->l[i];

		if (l->port != port)
			continue;
		if (l->any)
			any = l;
		else if (memcmp(l->addr, laddr, 16) == 0)
			return l;
	}
	return any;
}

int
user_index(struct tp_toe *toe, const struct tp_toe_user *user)
{
	for (int i = 0; i < MAX_USERS; i++) {
		const struct tp_toe_user *there = NULL;

		if (atomic_compare_exchange_strong(&toe->users[i], &there, user) || there == user)
			return i;
	}
	return -ENOSPC;
}

/* Publish a new array; the old one goes when no worker can have it any more. */
static void
replace(struct tp_toe *toe, struct listeners *ls)
{
	struct listeners *old = atomic_exchange(&toe->listeners, ls);

	rte_rcu_qsbr_synchronize(toe->qsbr, RTE_QSBR_THRID_INVALID);
	free(old);
}

static struct listeners *
listeners_copy(const struct listeners *from, uint32_t room)
{
	uint32_t nb = from != NULL ? from->nb : 0;
	struct listeners *ls;

	ls = malloc(sizeof(*ls) + (nb + room) * sizeof(ls->l[0]));
	if (ls == NULL)
		return NULL;
	ls->nb = nb;
	if (nb > 0)
		memcpy(ls->l, from->l, nb * sizeof(ls->l[0]));
	return ls;
}

/* @return the lowest index that no listener has, or -1 */
static int
free_index(const struct listeners *ls)
{
	uint64_t used = 0;

	static_assert(MAX_LISTENERS == 64, "one bit each");
	for (uint32_t i = 0; ls != NULL && i < ls->nb; i++)
		used |= UINT64_C(1) << ls->l[i].index;
	return ~used == 0 ? -1 : __builtin_ctzll(~used);
}

static const struct listener *
same(const struct listeners *ls, const uint8_t addr[16], rte_be16_t port)
{
	for (uint32_t i = 0; ls != NULL && i < ls->nb; i++) {
		if (ls->l[i].port == port && memcmp(ls->l[i].addr, addr, 16) == 0)
			return &ls->l[i];
	}
	return NULL;
}

int
tp_toe_listen(struct tp_toe *toe, const struct tp_toe_listen *how)
{
	struct listeners *now = atomic_load_explicit(&toe->listeners, memory_order_relaxed);
	rte_be16_t port = rte_cpu_to_be_16(how->port);
	int index = free_index(now), user;
	struct listeners *ls;

	if (how->port == 0 || how->user == NULL)
		return -EINVAL;
	if (same(now, how->addr, port) != NULL)
		return -EADDRINUSE;
	user = user_index(toe, how->user);
	if (user < 0 || index < 0 || (now != NULL && now->nb >= toe->conf.max_listeners))
		return -ENOSPC;
	ls = listeners_copy(now, 1);
	if (ls == NULL)
		return -ENOMEM;
	ls->l[ls->nb] = (struct listener){
		.port = port,
		.any = memcmp(how->addr, any_addr, 16) == 0,
		.user = user,
		.index = index,
		.arg = how->arg,
		.backlog = how->backlog > 0 ? how->backlog : BACKLOG_DEFAULT,
	};
	memcpy(ls->l[ls->nb].addr, how->addr, 16);
	ls->nb++;
	replace(toe, ls);
	return 0;
}

int
tp_toe_unlisten(struct tp_toe *toe, const uint8_t addr[16], uint16_t port)
{
	struct listeners *now = atomic_load_explicit(&toe->listeners, memory_order_relaxed);
	const struct listener *gone = same(now, addr, rte_cpu_to_be_16(port));
	struct listeners *ls;
	uint32_t at;

	if (gone == NULL)
		return -ENOENT;
	at = gone - now->l;
	ls = listeners_copy(now, 0);
	if (ls == NULL)
		return -ENOMEM;
	ls->nb--;
	memmove(&ls->l[at], &ls->l[at + 1], (ls->nb - at) * sizeof(ls->l[0]));
	replace(toe, ls);
	return 0;
}

uint32_t
tp_toe_listeners(struct tp_toe *toe, struct tp_toe_listener_info *info, uint32_t max)
{
	const struct listeners *ls = atomic_load_explicit(&toe->listeners, memory_order_acquire);
	uint32_t nb = ls != NULL ? ls->nb : 0;

	pthread_mutex_lock(&toe->tally->lock);
	for (uint32_t i = 0; i < RTE_MIN(nb, max); i++) {
		const struct listener *l = &ls->l[i];

		info[i] = (struct tp_toe_listener_info){
			.port = rte_be_to_cpu_16(l->port),
			.backlog = l->backlog,
		};
		info[i].accepted = toe->tally->accepted[l->index];
		memcpy(info[i].addr, l->addr, 16);
		strlcpy(info[i].user, user_get(toe, l->user)->name, sizeof(info[i].user));
		for (uint8_t m = 0; m < TP_MAX_MEMBERS; m++) {
			const struct tp_toe_shard *s =
			                atomic_load_explicit(&toe->shard[m], memory_order_acquire);

			if (s == NULL)
				continue;
			info[i].pending += s->pending[l->index];
			info[i].accepted += s->accepted[l->index];
		}
	}
	pthread_mutex_unlock(&toe->tally->lock);
	return nb;
}
