/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Memory of shards and of the parked. It is mapped for all that may come, and costs nothing until it is
 * touched; but whoever touches a page first waits until the kernel has cleared it, 2 MB at a time: 0.1 ms
 * to 5 ms. So pages are made ahead of their use by a thread that may wait: as many contexts in every
 * shard as the team has connections, so that any of them can take all when the others fail.
 */

#include <errno.h>
#include <numa.h>
#include <sys/mman.h>

#include "toe_int.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define PIECE ((size_t)2 << 20)
#define SMALL_PAGE 4096

void *
memory_map(size_t len, int socket_id)
{
	void *mem = tp_mem_map(len);

	if (mem != NULL && socket_id >= 0 && numa_available() >= 0 && socket_id <= numa_max_node())
		numa_tonode_memory(mem, len, socket_id);
	return mem;
}

/* What others may be writing meanwhile stays as it is. */
static void
memory_populate(void *mem, size_t len)
{
	char *at = mem;

	if (len == 0 || madvise(mem, len, MADV_POPULATE_WRITE) == 0 || errno != EINVAL)
		return; /* without memory now, whoever comes there waits for it */
	for (size_t off = 0; off < len; off += SMALL_PAGE)
		__atomic_fetch_or(&at[off], 0, __ATOMIC_RELAXED);
}

/* One piece, if fewer than `wanted` bytes of it are ready. */
static bool
extend(void *mem, size_t *ready, size_t wanted)
{
	if (*ready >= wanted)
		return false;
	memory_populate(RTE_PTR_ADD(mem, *ready), PIECE);
	*ready += PIECE;
	return true;
}

static bool
shard_prepare(struct tp_toe_shard *s, uint32_t nb_conns)
{
	size_t slots = RTE_MIN((size_t)nb_conns + CONNS_AHEAD, (size_t)s->toe->conf.max_conns);

	return extend((void *)(uintptr_t)s->link, &s->link_ready, slots * sizeof(s->link[0])) ||
	       extend(s->pull, &s->pull_ready, NB_PULLS * sizeof(s->pull[0])) ||
	       extend(s->conn, &s->conn_ready, slots * sizeof(s->conn[0]));
}

bool
tp_toe_prepare(struct tp_toe *toe)
{
	uint32_t alive = atomic_load(&toe->alive), nb_conns = 0;

	/* Nobody can take over from a single one. */
	if ((alive & (alive - 1)) == 0)
		return false;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++)
		nb_conns += tp_toe_nb_conns(toe, i);
	if (nb_conns == 0)
		return false;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		struct tp_toe_shard *s = shard_alive(toe, i);

		if (s != NULL && shard_prepare(s, nb_conns))
			return true;
	}
	return park_prepare(toe, nb_conns, extend);
}
