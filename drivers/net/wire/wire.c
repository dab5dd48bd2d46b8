/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "wire_int.h"

RTE_LOG_REGISTER_DEFAULT(tp_wire_log, NOTICE)

#define DESC_RING 1024
#define POOL_CACHE 32
/* Caches of the lcores at both ends may hold half as much again. */
#define POOL_SLACK (4 * POOL_CACHE)

static int
dir_create(struct tp_wire *w, enum tp_wire_dir dir, const struct tp_wire_conf *conf, int socket_id)
{
	struct wire_dir *d = &w->dir[dir];
	const char *suffix = dir == TP_WIRE_A_TO_B ? "ab" : "ba";
	uint32_t nb_mbufs = conf->nb_frames + POOL_SLACK;
	char name[RTE_RING_NAMESIZE];

	d->wire = w;
	d->dir = dir;
	d->nb_frames = conf->nb_frames;
	atomic_init(&d->path, PATH_NO_LINK);
	if (tp_wire_set_conf(w, dir, &conf->dir[dir]) < 0)
		return -EINVAL;
	wire_conf_refresh(d);
	wire_seed(d, conf->seed);

	d->wait = rte_calloc_socket("tp_wire", d->nb_frames, sizeof(*d->wait), 0, socket_id);
	d->heap = rte_calloc_socket("tp_wire", nb_mbufs, sizeof(*d->heap), 0, socket_id);
	if (d->wait == NULL || d->heap == NULL)
		return -ENOMEM;
	snprintf(name, sizeof(name), "wire_%s_%s", w->name, suffix);
	d->pool = tp_pool_create(name, nb_mbufs, POOL_CACHE, TP_POOL_DATA_ROOM, socket_id);
	if (d->pool == NULL)
		return -rte_errno;
	d->air = rte_ring_create(name, d->nb_frames, socket_id, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (d->air == NULL)
		return -rte_errno;
	snprintf(name, sizeof(name), "wire_%s_%s_d", w->name, suffix);
	d->desc = rte_ring_create(name, DESC_RING, socket_id, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return d->desc == NULL ? -rte_errno : 0;
}

static void
dir_free(struct wire_dir *d)
{
	if (d->desc != NULL)
		wire_reclaim(d);
	if (d->air != NULL)
		wire_drain(d);
	rte_ring_free(d->desc);
	rte_ring_free(d->air);
	if (d->pool != NULL && rte_mempool_in_use_count(d->pool) > 0)
		rte_log(RTE_LOG_ERR, tp_wire_log,
		                "%s: %u mbufs of the wire are still held, its pool stays\n",
		                d->pool->name, rte_mempool_in_use_count(d->pool));
	else
		rte_mempool_free(d->pool);
	rte_free(d->heap);
	rte_free(d->wait);
}

static int
end_create(struct tp_wire *w, enum tp_wire_end end, int socket_id)
{
	struct wire_end *e = &w->end[end];
	char name[TP_WIRE_NAME_MAX + 2];
	int port;

	e->wire = w;
	e->end = end;
	snprintf(name, sizeof(name), "%s%c", w->name, end == TP_WIRE_A ? 'a' : 'b');
	port = rte_eth_from_rings(name, &w->dir[!end].air, 1, &w->dir[end].desc, 1,
	                socket_id == SOCKET_ID_ANY ? 0 : socket_id);
	if (port < 0)
		return rte_errno == 0 ? -ENODEV : -rte_errno;
	e->port_id = port;
	snprintf(e->dev_name, sizeof(e->dev_name), "net_ring_%s", name);
	e->rx_cb = rte_eth_add_rx_callback(e->port_id, 0, wire_rx, e);
	e->tx_cb = rte_eth_add_tx_callback(e->port_id, 0, wire_tx, e);
	return e->rx_cb == NULL || e->tx_cb == NULL ? -rte_errno : 0;
}

static void
end_free(struct wire_end *e)
{
	if (e->dev_name[0] == '\0')
		return;
	/* ethdev keeps callbacks for the next port with that number. */
	if (e->rx_cb != NULL && rte_eth_remove_rx_callback(e->port_id, 0, e->rx_cb) == 0)
		rte_free((void *)(uintptr_t)e->rx_cb);
	if (e->tx_cb != NULL && rte_eth_remove_tx_callback(e->port_id, 0, e->tx_cb) == 0)
		rte_free((void *)(uintptr_t)e->tx_cb);
	rte_eth_dev_stop(e->port_id);
	rte_vdev_uninit(e->dev_name);
}

struct tp_wire *
tp_wire_create(const char *name, const struct tp_wire_conf *conf, int socket_id)
{
	struct tp_wire *w;
	int rc = 0;

	if (strlen(name) > TP_WIRE_NAME_MAX || name[0] == '\0' || conf->nb_frames < 64 ||
	                conf->nb_frames > 65536 || !rte_is_power_of_2(conf->nb_frames)) {
		rte_errno = EINVAL;
		return NULL;
	}
	w = rte_zmalloc_socket("tp_wire", sizeof(*w), RTE_CACHE_LINE_SIZE, socket_id);
	if (w == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	strcpy(w->name, name);
	w->tap = conf->tap;
	w->tap_arg = conf->tap_arg;
	atomic_init(&w->carrier, true);
	atomic_flag_clear(&w->sync_busy);
	for (unsigned int i = 0; i < TP_WIRE_NB_DIRS && rc == 0; i++)
		rc = dir_create(w, i, conf, socket_id);
	for (unsigned int i = 0; i < TP_WIRE_NB_ENDS && rc == 0; i++)
		rc = end_create(w, i, socket_id);
	if (rc < 0) {
		tp_wire_destroy(w);
		rte_errno = -rc;
		return NULL;
	}
	return w;
}

void
tp_wire_destroy(struct tp_wire *w)
{
	if (w == NULL)
		return;
	for (unsigned int i = 0; i < TP_WIRE_NB_ENDS; i++)
		end_free(&w->end[i]);
	for (unsigned int i = 0; i < TP_WIRE_NB_DIRS; i++)
		dir_free(&w->dir[i]);
	rte_free(w);
}

static int
end_start(struct wire_end *e, struct rte_mempool *mp)
{
	static const struct rte_eth_conf conf;
	int rc, socket_id = rte_eth_dev_socket_id(e->port_id);

	rc = rte_eth_dev_configure(e->port_id, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(e->port_id, 0, 512, socket_id, NULL, mp);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(e->port_id, 0, 512, socket_id, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(e->port_id);
	return rc;
}

int
tp_wire_start(struct tp_wire *w, struct rte_mempool *mp)
{
	int rc = 0;

	for (unsigned int i = 0; i < TP_WIRE_NB_ENDS && rc == 0; i++)
		rc = end_start(&w->end[i], mp);
	tp_wire_sync(w);
	return rc;
}

uint16_t
tp_wire_port(const struct tp_wire *w, enum tp_wire_end end)
{
	return w->end[end].port_id;
}

void
tp_wire_get_stats(const struct tp_wire *w, enum tp_wire_dir dir, struct tp_wire_stats *stats)
{
	const struct wire_dir *d = &w->dir[dir];
	const struct tp_wire_stats *rx = &d->rx;

	*stats = d->tx;
	stats->delivered = rx->delivered;
	stats->delivered_bytes = rx->delivered_bytes;
	stats->lost_link += rx->lost_link;
	stats->in_flight = stats->sent + stats->dup - stats->delivered - stats->lost -
	                   stats->lost_link - stats->drop_queue - stats->drop_ring -
	                   stats->drop_mbuf - stats->drop_mtu;
}

uint64_t
tp_wire_next(const struct tp_wire *w)
{
	return RTE_MIN(wire_next_due(&w->dir[0]), wire_next_due(&w->dir[1]));
}
