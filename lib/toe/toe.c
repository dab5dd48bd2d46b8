/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "toe_int.h"

/* Segments in flight or out of order for each connection, on average; a pool of them has at
 * least, and at most, so many. */
#define RECS_PER_CONN 4
#define MIN_RECS UINT64_C(16384)
#define MAX_RECS UINT64_C(1048576)
/* Beyond the connections: handles that wait for their grace period. */
#define SPARE_HANDLES (2 * LIMBO_SIZE)
#define CACHE_SIZE 256
#define NB_MAILS 16383
/* A slot's number has 24 bits (WHERE). */
#define MAX_CONNS ((1u << 24) - SPARE_HANDLES - SLOTS_AWAY)
/* IANA's dynamic range (RFC 6335 6). */
#define PORT_LOW 49152
#define PORT_HIGH 65535

void
tp_toe_conf_default(struct tp_toe_conf *conf)
{
	*conf = (struct tp_toe_conf){
		.max_conns = 65536,
		.max_listeners = MAX_LISTENERS,
		.refuse_rate = 1000,
		.syn_cookies = true,
		.park_socket_id = SOCKET_ID_ANY,
		.move = { .after = 3, .hysteresis_ms = 100, .idle_ns = 60 * TP_NS_PER_S },
	};
	tp_tcp_conf_default(&conf->tcp);
}

static const char *
conf_check(const struct tp_toe_conf *conf)
{
	const char *what = NULL;

	if (conf->max_conns < 64 || conf->max_conns > MAX_CONNS)
		return "max_conns";
	if (conf->move.hysteresis_ms > TP_TOE_HYSTERESIS_MAX_MS)
		return "hysteresis_ms";
	if (conf->max_listeners == 0 || conf->max_listeners > MAX_LISTENERS)
		return "max_listeners";
	return tp_tcp_conf_check(&conf->tcp, &what) == 0 ? NULL : what;
}

static void
secrets(struct tp_tcp_secret *secret)
{
	uint64_t *word = (uint64_t *)secret;

	for (unsigned int i = 0; i < sizeof(*secret) / sizeof(*word); i++)
		word[i] = rte_rand();
}

static const struct tp_toe_user nobody = { .name = "-" };

/* Simulations have several in one process. */
static void
make_pools(struct tp_toe *toe, uint32_t nb_recs)
{
	static _Atomic uint32_t nb_engines;
	uint32_t nb = atomic_fetch_add_explicit(&nb_engines, 1, memory_order_relaxed);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "toe_recs_%u", nb);
	toe->recs = tp_tcp_rec_pool_create(name, nb_recs, CACHE_SIZE, SOCKET_ID_ANY);
	snprintf(name, sizeof(name), "toe_posts_%u", nb);
	toe->posts = tp_pool_create_objects(name, NB_POSTS, sizeof(struct post), 0, SOCKET_ID_ANY);
	snprintf(name, sizeof(name), "toe_mails_%u", nb);
	toe->mails = tp_pool_create_objects(name, NB_MAILS, sizeof(struct mail), 0, SOCKET_ID_ANY);
}

struct tp_toe *
tp_toe_create(const struct tp_toe_conf *conf, struct tp_inet *inet, struct rte_rcu_qsbr *qsbr,
                uint8_t (*member_of)(void *arg, uint32_t hash), void *member_of_arg,
                const char **why)
{
	uint64_t nb_recs = (uint64_t)conf->max_conns * RECS_PER_CONN;
	struct tp_toe *toe;
	int rc = -ENOMEM;

	*why = conf_check(conf);
	if (*why != NULL) {
		rte_errno = EINVAL;
		return NULL;
	}
	toe = rte_zmalloc("toe", sizeof(*toe), RTE_CACHE_LINE_SIZE);
	if (toe == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	toe->conf = *conf;
	toe->inet = inet;
	toe->qsbr = qsbr;
	toe->member_of = member_of;
	toe->member_of_arg = member_of_arg;
	toe->port_low = PORT_LOW;
	toe->port_high = PORT_HIGH;
	toe->nb_handles = conf->max_conns + SPARE_HANDLES;
	toe->nobody = user_index(toe, &nobody);
	secrets(&toe->secret);
	nb_recs = RTE_MIN(RTE_MAX(nb_recs, MIN_RECS), MAX_RECS);
	make_pools(toe, nb_recs - 1);
	toe->park = park_create(conf->max_conns, conf->park_socket_id);
	toe->manager = manager_create(toe);
	toe->tally = tally_create();
	if (toe->recs != NULL && toe->posts != NULL && toe->mails != NULL && toe->park != NULL &&
	                toe->manager != NULL && toe->tally != NULL)
		rc = handles_init(toe);
	if (rc == 0)
		rc = table_init(&toe->table, toe->nb_handles);
	if (rc == 0)
		rc = tp_toe_set_move(toe, &conf->move);
	if (rc != 0) {
		tp_toe_free(toe);
		rte_errno = -rc;
		return NULL;
	}
	return toe;
}

void
tp_toe_set_mtu(struct tp_toe *toe, uint16_t mtu)
{
	toe->conf.tcp.mtu = mtu; /* one store: a SYN sees the old one or the new one */
}

void
tp_toe_free(struct tp_toe *toe)
{
	if (toe == NULL)
		return;
	free(atomic_load(&toe->listeners));
	table_fini(&toe->table);
	handles_fini(toe);
	if (toe->manager != NULL)
		manager_free(toe->manager);
	park_free(toe->park);
	tally_free(toe->tally);
	rte_mempool_free(toe->mails);
	rte_mempool_free(toe->posts);
	rte_mempool_free(toe->recs);
	rte_free(toe);
}
