/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Set-up and tear-down: pools, fabric, host port, members, in this order and back. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "control_int.h"
#include "ops_int.h"

#define DRAIN_NS TP_NS_PER_S

static int
fail(struct error_text *err, int rc, const char *what)
{
	snprintf(err->text, sizeof(err->text), "%s: %s", what, rte_strerror(-rc));
	return rc;
}

static int
select_ports(struct daemon *d, struct error_text *err)
{
	struct options *opt = &d->opt;
	int host = opt->host[0] == '\0' ? -1 : port_find(opt->host);
	uint16_t port_id;

	if (opt->all_ports) {
		RTE_ETH_FOREACH_DEV(port_id) {
			if (port_id == host)
				continue;
			if (opt->nb_ports == TP_MAX_MEMBERS) {
				snprintf(err->text, sizeof(err->text),
				                "more than %d ports; name them by --portlist",
				                TP_MAX_MEMBERS);
				return -E2BIG;
			}
			opt->ports[opt->nb_ports++] = port_id;
		}
	}
	for (uint16_t i = 0; i < opt->nb_ports; i++) {
		if (opt->ports[i] == host) {
			snprintf(err->text, sizeof(err->text),
			                "port %u is named by both --host and --portlist", host);
			return -EINVAL;
		}
	}
	return 0;
}

/* All ports could sit on one node, and members may come later: each pool covers everything. */
static uint32_t
pool_size(const struct daemon *d)
{
	const struct options *opt = &d->opt;
	uint32_t nb_ports = RTE_MAX(opt->nb_ports, 4) + 2;
	struct tp_pool_need need = {
		.nb_desc = nb_ports * (opt->nb_rxd + opt->nb_txd),
		.nb_ring = nb_ports * 2 * (opt->ring_size + CONTROL_RING_SIZE),
		.nb_cache = (nb_ports + 1) * opt->mbcache * 3 / 2,
		.nb_burst = nb_ports * (2 * TP_BURST_MAX + TP_EGRESS_HOLD),
		.nb_held = opt->nb_ips > 0 ? TOE_HELD_BYTES / RTE_MBUF_DEFAULT_DATAROOM : 0,
	};
	uint32_t size = tp_pool_size(&need);

	if (opt->total_num_mbufs == 0)
		return size;
	if (opt->total_num_mbufs < size)
		fprintf(stderr,
		                "teampmd: --total-num-mbufs %u: full queues may take %u: "
		                "%u descriptors, %u ring slots, %u in caches, %u in hand\n",
		                opt->total_num_mbufs, size, need.nb_desc, need.nb_ring,
		                need.nb_cache, need.nb_burst);
	return opt->total_num_mbufs;
}

/* Any port of the process may become one of ours later. */
static bool
any_port_shares(void)
{
	uint16_t port_id;

	RTE_ETH_FOREACH_DEV(port_id) {
		if (port_shares_buffers(port_id))
			return true;
	}
	return false;
}

static int
no_pool(const struct daemon *d, uint32_t size, struct error_text *err)
{
	snprintf(err->text, sizeof(err->text), "mbuf pool of %u: %s%s", size,
	                rte_strerror(rte_errno),
	                d->pool_shared ? "; EAL's -m gives more memory" : "");
	return -rte_errno;
}

static int
make_pools(struct daemon *d, struct error_text *err)
{
	uint32_t size = pool_size(d);
	uint16_t room = d->opt.mbuf_size == 0 ? TP_POOL_DATA_ROOM : d->opt.mbuf_size;
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *(*create)(const char *, uint32_t, uint32_t, uint16_t, int) =
	                tp_pool_create;

	d->pool_shared = rte_eal_has_hugepages() || any_port_shares();
	if (d->pool_shared)
		create = tp_pool_create_shared;
	for (unsigned int i = 0; i < rte_socket_count(); i++) {
		int node = rte_socket_id_by_idx(i);

		snprintf(name, sizeof(name), "teampmd_%d", node);
		d->pool[node] = create(name, size, d->opt.mbcache, room, node);
		if (d->pool[node] == NULL)
			return no_pool(d, size, err);
		snprintf(name, sizeof(name), "teampmd_seg_%d", node);
		d->pool_indirect[node] =
		                tp_pool_create(name, size / 4, d->opt.mbcache / 4, 0, node);
		if (d->pool_indirect[node] == NULL)
			return fail(err, -rte_errno, "mbuf pool for segments");
	}
	return 0;
}

static int
make_qsbr(struct daemon *d)
{
	d->qsbr = rte_zmalloc(
	                "qsbr", rte_rcu_qsbr_get_memsize(TP_MAX_MEMBERS), RTE_CACHE_LINE_SIZE);
	if (d->qsbr == NULL)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(d->qsbr, TP_MAX_MEMBERS) != 0)
		return -rte_errno;
	return d->simulated ? 0 : port_shield(d->qsbr);
}

/* The node that host port, fabric and control's tables live on. */
static int
home_node(const struct daemon *d)
{
	int host = d->opt.host[0] == '\0' ? -1 : port_find(d->opt.host);

	return host < 0 ? (int)rte_socket_id() : RTE_MAX(rte_eth_dev_socket_id(host), 0);
}

static int
make_shared(struct daemon *d, struct error_text *err)
{
	int rc = make_pools(d, err);

	if (rc != 0)
		return rc;
	rc = make_qsbr(d);
	if (rc != 0)
		return fail(err, rc, "RCU variable");
	d->fabric = tp_fabric_create("fab");
	if (d->fabric == NULL)
		return fail(err, -rte_errno, "fabric");
	d->host = tp_host_create(d->fabric, d->opt.ring_size, d->opt.burst, home_node(d));
	if (d->host == NULL)
		return fail(err, -rte_errno, "host port's tables");
	return 0;
}

int
daemon_init(struct daemon *d, struct error_text *err)
{
	int rc;

	if (!d->simulated)
		tp_clock_init();
	rc = tp_meta_init();
	if (rc != 0)
		return fail(err, rc, "mbuf field");
	rc = select_ports(d, err);
	if (rc == 0)
		rc = make_shared(d, err);
	if (rc == 0)
		rc = control_init(d, err);
	if (rc == 0)
		rc = toe_init(d, err);
	if (rc == 0 && d->opt.host[0] != '\0')
		rc = op_set_host(d, d->opt.host, err);
	for (uint16_t i = 0; i < d->opt.nb_ports && rc == 0; i++)
		rc = op_add(d, d->opt.ports[i], err);
	if (rc == 0 && d->opt.nb_ports == 0)
		fprintf(stderr, "teampmd: the team has no ports yet; EAL's --vdev or -a, or the "
		                "command "
		                "'port attach', gives it some\n");
	d->start_due = !d->opt.no_start && d->opt.cmdline_file[0] != '\0';
	if (rc == 0 && !d->opt.no_start && !d->start_due)
		rc = op_start(d, err);
	return rc;
}

/* Let what the host has handed over leave by the ports; bounded, as a port may take nothing. */
static void
drain(struct daemon *d)
{
	uint64_t deadline = tp_clock_now() + DRAIN_NS;

	op_enable_all(&d->control, false);
	while (!op_drained(&d->control) && tp_clock_now() < deadline)
		tp_control_step(&d->control, tp_clock_now());
}

int
daemon_run(struct daemon *d)
{
	d->has_run = true;
	atomic_store(&d->control_runs, true);
	control_loop(d);
	if (!d->control.gave_up)
		drain(d);
	atomic_store(&d->control_runs, false);
	return atomic_load(&d->exit_code);
}

static uint64_t
dropped(const struct tp_counters *ctr)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		sum += ctr->drop[i];
	return sum;
}

static void
print_counters(const struct control *c)
{
	FOREACH_SLOT(c, s) {
		const struct tp_counters *ctr = &s->member->ctr;

		printf("port %u (%s): received %" PRIu64 " packets %" PRIu64 " bytes, sent %" PRIu64
		       " packets %" PRIu64 " bytes, dropped %" PRIu64 "\n",
		                s->port.port_id, s->port.name, ctr->c[TP_C_RX_PACKETS],
		                ctr->c[TP_C_RX_BYTES], ctr->c[TP_C_TX_PACKETS],
		                ctr->c[TP_C_TX_BYTES], dropped(ctr));
	}
}

static bool
any_frozen(const struct daemon *d)
{
	for (unsigned int i = 0; i < TP_MAX_MEMBERS; i++) {
		if (atomic_load(&d->worker[i].frozen))
			return true;
	}
	return false;
}

bool
daemon_fini(struct daemon *d)
{
	if (d->control.daemon != NULL) {
		if (d->has_run)
			print_counters(&d->control);
		if (op_close_all(d) != 0) {
			/* Whatever is freed now that lcore may still use. */
			fflush(NULL);
			_exit(EXIT_FAILURE);
		}
		control_fini(&d->control);
	}
	toe_fini(d);
	tp_host_free(d->host);
	tp_fabric_free(d->fabric);
	port_shield(NULL);
	rte_free(d->qsbr);
	for (unsigned int i = 0; i < RTE_MAX_NUMA_NODES; i++) {
		rte_mempool_free(d->pool[i]);
		rte_mempool_free(d->pool_indirect[i]);
	}
	return !any_frozen(d);
}
