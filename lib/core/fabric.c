/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "tp_core.h"

struct tp_fabric *
tp_fabric_create(const char *name)
{
	struct tp_fabric *fab;

	if (strlen(name) >= sizeof(fab->name)) {
		rte_errno = ENAMETOOLONG;
		return NULL;
	}
	fab = rte_zmalloc("tp_fabric", sizeof(*fab), 0);
	if (fab == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	strcpy(fab->name, name);
	return fab;
}

static int
fabric_ring(struct tp_fabric *fab, unsigned int from, unsigned int to, unsigned int size,
                int socket_id)
{
	char name[RTE_RING_NAMESIZE];

	if (fab->ring[from][to] != NULL)
		return 0;
	snprintf(name, sizeof(name), "%s_%u_%u", fab->name, from, to);
	fab->ring[from][to] = rte_ring_create(name, size, socket_id, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return fab->ring[from][to] == NULL ? -rte_errno : 0;
}

int
tp_fabric_join(struct tp_fabric *fab, unsigned int a, unsigned int b, unsigned int size,
                int socket_id)
{
	int rc;

	if (a >= TP_NB_NODES || b >= TP_NB_NODES || a == b)
		return -EINVAL;
	rc = fabric_ring(fab, a, b, size, socket_id);
	if (rc == 0)
		rc = fabric_ring(fab, b, a, size, socket_id);
	return rc;
}

unsigned int
tp_fabric_drain(struct tp_fabric *fab)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];
	unsigned int total = 0, n;
	struct rte_ring **ring = &fab->ring[0][0];

	for (unsigned int i = 0; i < TP_NB_NODES * TP_NB_NODES; i++) {
		if (ring[i] == NULL)
			continue;
		while ((n = rte_ring_sc_dequeue_burst(ring[i], (void **)pkts, TP_BURST_MAX, NULL)) >
		                0) {
			rte_pktmbuf_free_bulk(pkts, n);
			total += n;
		}
	}
	return total;
}

void
tp_fabric_free(struct tp_fabric *fab)
{
	struct rte_ring **ring;

	if (fab == NULL)
		return;
	tp_fabric_drain(fab);
	ring = &fab->ring[0][0];
	for (unsigned int i = 0; i < TP_NB_NODES * TP_NB_NODES; i++)
		rte_ring_free(ring[i]);
	rte_free(fab);
}

/* A ring's end moves its head, then copies, then moves its tail: up to the tail all is done. */
void
tp_fabric_mend(struct tp_fabric *fab, unsigned int node)
{
	for (unsigned int i = 0; i < TP_NB_NODES; i++) {
		struct rte_ring *from = fab->ring[node][i], *to = fab->ring[i][node];

		if (from != NULL)
			from->prod.head = from->prod.tail;
		if (to != NULL)
			to->cons.head = to->cons.tail;
	}
}

uint16_t
tp_fabric_send(struct rte_ring *ring, struct rte_mbuf **pkts, uint16_t nb_pkts,
                struct tp_counters *ctr, enum tp_drop reason_when_full)
{
	uint16_t n = rte_ring_sp_enqueue_burst(ring, (void **)pkts, nb_pkts, NULL);

	if (unlikely(n < nb_pkts))
		tp_drop_burst(ctr, reason_when_full, pkts + n, nb_pkts - n);
	return n;
}
