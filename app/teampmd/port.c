/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Ethdevs: configure and start, take the team's MAC, give everything back on exit. */

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>

#include "app.h"
#include "netif.h"

/* Bursts in which a ring of net_af_packet is empty, though frames come all the time. */
#define EARLY_TURNS 128

/* Everything egress can make use of; what a port lacks is done in software. */
#define PORT_TX_OFFLOADS                                                                           \
	(RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_VLAN_INSERT |                          \
	                RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |             \
	                RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_SCTP_CKSUM |             \
	                RTE_ETH_TX_OFFLOAD_TCP_TSO)

#define PORT_RSS_TYPES (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)

static int
fail(struct error_text *err, const struct port *p, int rc, const char *what)
{
	snprintf(err->text, sizeof(err->text), "port %u (%s): %s: %s", p->port_id, p->name, what,
	                rte_strerror(-rc));
	return rc;
}

int
port_find(const char *name)
{
	uint16_t port_id;
	char *end;
	unsigned long id = strtoul(name, &end, 10);

	if (*name >= '0' && *name <= '9' && *end == '\0')
		return id < RTE_MAX_ETHPORTS && rte_eth_dev_is_valid_port(id) ? (int)id : -ENODEV;
	return rte_eth_dev_get_port_by_name(name, &port_id) == 0 ? port_id : -ENODEV;
}

/* EAL goes on without a device that its driver refused. */
int
port_check_vdevs(struct error_text *err)
{
	struct rte_devargs *da;
	uint16_t port_id;

	RTE_EAL_DEVARGS_FOREACH("vdev", da)
	{
		/* This one makes ports of other names. */
		if (strncmp(da->name, "net_", 4) != 0 ||
		                strncmp(da->name, "net_vdev_netvsc", 15) == 0)
			continue;
		if (rte_eth_dev_get_port_by_name(da->name, &port_id) == 0)
			continue;
		snprintf(err->text, sizeof(err->text),
		                "--vdev %s: no port came of it; see its driver's message above",
		                da->name);
		return -ENODEV;
	}
	return 0;
}

/* What the device was made with; never NULL. */
static const char *
device_args(const struct rte_eth_dev_info *info)
{
	const struct rte_devargs *devargs =
	                info->device == NULL ? NULL : rte_dev_devargs(info->device);

	return devargs == NULL || devargs->args == NULL ? "" : devargs->args;
}

bool
port_shares_buffers(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port_id, &info) != 0)
		return false;
	if (strcmp(info.driver_name, "net_virtio_user") == 0)
		return true;
	return strcmp(info.driver_name, "net_memif") == 0 &&
	       strstr(device_args(&info), "zero-copy=yes") != NULL;
}

static void
port_remember(struct port *p, uint16_t port_id, const struct rte_eth_dev_info *info)
{
	memset(p, 0, sizeof(*p));
	p->used = true;
	p->port_id = port_id;
	rte_eth_dev_get_name_by_port(port_id, p->name);
	snprintf(p->driver, sizeof(p->driver), "%s", info->driver_name);
	p->socket_id = RTE_MAX(rte_eth_dev_socket_id(port_id), 0);
	p->if_index = info->if_index;
	p->orig_if_mtu = netif_mtu(info->if_index);
	rte_eth_macaddr_get(port_id, &p->orig_mac);
	rte_eth_dev_get_mtu(port_id, &p->orig_mtu);
	p->orig_promisc = rte_eth_promiscuous_get(port_id) == 1;
	p->orig_allmulti = rte_eth_allmulticast_get(port_id) == 1;
	p->mtu = p->orig_mtu;
}

static void
port_rss(struct rte_eth_conf *conf, const struct rte_eth_dev_info *info, const uint8_t *key)
{
	uint64_t types = PORT_RSS_TYPES & info->flow_type_rss_offloads;

	if (types == 0 || (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH) == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
	conf->rx_adv_conf.rss_conf.rss_hf = types;
	if (info->hash_key_size == TP_FLOW_KEY_LEN) {
		conf->rx_adv_conf.rss_conf.rss_key = (uint8_t *)(uintptr_t)key;
		conf->rx_adv_conf.rss_conf.rss_key_len = TP_FLOW_KEY_LEN;
	}
}

static void
port_conf(struct rte_eth_conf *conf, const struct port *p, const struct rte_eth_dev_info *info,
                const uint8_t *key)
{
	memset(conf, 0, sizeof(*conf));
	conf->txmode.offloads = PORT_TX_OFFLOADS & info->tx_offload_capa;
	conf->rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER & info->rx_offload_capa;
	/* Else it completes a guest's partial checksums itself, though the port that they leave by
	 * may have hardware for that.
	 */
	if (strcmp(p->driver, "net_vhost") == 0)
		conf->rxmode.offloads |=
		                info->rx_offload_capa &
		                (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	conf->rxmode.mtu = p->mtu;
	port_rss(conf, info, key);
	/* net_tap says that it has this event, and never raises it. */
	conf->intr_conf.lsc = strcmp(p->driver, "net_tap") != 0 &&
	                      (*info->dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
	conf->intr_conf.rmv = (*info->dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
}

static int
port_queues(struct daemon *d, struct port *p, struct error_text *err)
{
	struct rte_mempool *pool = d->pool[p->socket_id];
	int rc;

	p->nb_rxd = d->opt.nb_rxd;
	p->nb_txd = d->opt.nb_txd;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(p->port_id, &p->nb_rxd, &p->nb_txd);
	if (rc != 0)
		return fail(err, p, rc, "adjusting the number of descriptors");
	rc = rte_eth_rx_queue_setup(p->port_id, 0, p->nb_rxd, p->socket_id, NULL, pool);
	if (rc != 0)
		return fail(err, p, rc, "setting up the Rx queue");
	rc = rte_eth_tx_queue_setup(p->port_id, 0, p->nb_txd, p->socket_id, NULL);
	if (rc != 0)
		return fail(err, p, rc, "setting up the Tx queue");
	return 0;
}

/* net_af_packet has a socket for all interfaces before it binds it to its own: what came to others
 * meanwhile, and what came here while nobody asked, stands in its ring. No other driver keeps such.
 */
static void
drop_early(const struct port *p)
{
	struct rte_mbuf *pkts[TP_BURST_MAX];
	uint16_t n = 1;

	if (strcmp(p->driver, "net_af_packet") != 0)
		return;
	for (unsigned int turn = 0; n > 0 && turn < EARLY_TURNS; turn++) {
		n = rte_eth_rx_burst(p->port_id, 0, pkts, TP_BURST_MAX);
		rte_pktmbuf_free_bulk(pkts, n);
	}
}

int
port_open(struct daemon *d, struct port *p, uint16_t port_id, struct error_text *err)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	int rc;

	rc = rte_eth_dev_info_get(port_id, &info);
	if (rc != 0) {
		p->port_id = port_id;
		return fail(err, p, rc, "no such port");
	}
	port_remember(p, port_id, &info);
	if (d->pool[p->socket_id] == NULL)
		return fail(err, p, -ENOMEM, "no mbuf pool on its NUMA node");
	if (!d->pool_shared && port_shares_buffers(port_id)) {
		snprintf(err->text, sizeof(err->text),
		                "port %u (%s): another process is to map its buffers: name it by "
		                "--vdev at the start, or use huge pages",
		                port_id, p->name);
		return -ENOTSUP;
	}
	port_conf(&conf, p, &info, d->opt.team.flow.key);
	rc = rte_eth_dev_configure(port_id, 1, 1, &conf);
	if (rc != 0)
		return fail(err, p, rc, "configuring it with one Rx and one Tx queue");
	p->tx_offloads = conf.txmode.offloads;
	rc = port_queues(d, p, err);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_start(port_id);
	if (rc != 0)
		return fail(err, p, rc, "starting it");
	p->started = true;
	drop_early(p);
	return 0;
}

static void
restore_mtu(const struct port *p)
{
	rte_eth_dev_set_mtu(p->port_id, p->orig_mtu);
	if (p->orig_if_mtu != 0 && p->orig_if_mtu != p->orig_mtu)
		netif_set_mtu(p->if_index, p->orig_if_mtu);
}

void
port_restore(const struct port *p)
{
	struct rte_ether_addr now = p->probe_mac;

	if (!p->used || p->removed)
		return;
	if (!rte_is_zero_ether_addr(&p->probe_mac) && !p->hears_all)
		rte_eth_dev_mac_addr_remove(p->port_id, &now);
	if (p->set_mac_ok && rte_eth_macaddr_get(p->port_id, &now) == 0 &&
	                !rte_is_same_ether_addr(&now, &p->orig_mac)) {
		now = p->orig_mac;
		rte_eth_dev_default_mac_addr_set(p->port_id, &now);
	}
	if (p->mtu != p->orig_mtu)
		restore_mtu(p);
	if (!p->orig_promisc)
		rte_eth_promiscuous_disable(p->port_id);
	if (!p->orig_allmulti)
		rte_eth_allmulticast_disable(p->port_id);
}

void
port_close(struct port *p, bool close_dev)
{
	if (!p->used)
		return;
	port_restore(p);
	if (p->started)
		port_stop_dev(p->port_id);
	p->started = false;
	if (close_dev)
		port_close_dev(p->port_id);
	p->used = false;
}

int
port_take_mac(struct port *p, const struct rte_ether_addr *mac)
{
	struct rte_ether_addr addr = *mac;

	p->set_mac_ok = rte_eth_dev_default_mac_addr_set(p->port_id, &addr) == 0;
	if (p->set_mac_ok)
		return 0;
	return rte_eth_promiscuous_enable(p->port_id);
}

int
port_hear_mac(struct port *p, const struct rte_ether_addr *mac)
{
	struct rte_ether_addr addr = *mac;

	if (rte_is_same_ether_addr(mac, &p->probe_mac))
		return 0;
	if (!rte_is_zero_ether_addr(&p->probe_mac) && !p->hears_all)
		rte_eth_dev_mac_addr_remove(p->port_id, &p->probe_mac);
	p->probe_mac = addr;
	p->hears_all = rte_eth_dev_mac_addr_add(p->port_id, &addr, 0) != 0;
	return p->hears_all ? rte_eth_promiscuous_enable(p->port_id) : 0;
}

/* DPDK 22.11's net_af_packet allows 1518 bytes whatever fits its ring: what the kernel puts into a
 * frame (tpacket_rcv) behind its header, and the Ethernet header before the network layer's.
 */
static uint16_t
af_packet_max_mtu(const struct rte_eth_dev_info *info)
{
	const char *framesz = strstr(device_args(info), "framesz=");
	unsigned long size = framesz == NULL ? 2048 : strtoul(framesz + 8, NULL, 10);
	unsigned long head = TPACKET_ALIGN(TPACKET2_HDRLEN + 16);

	return size <= head ? 0 : RTE_MIN(size - head, (unsigned long)UINT16_MAX);
}

/* The largest MTU that ethdev lets pass. */
static uint16_t
max_mtu(const struct rte_eth_dev_info *info)
{
	uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (strcmp(info->driver_name, "net_af_packet") == 0)
		return af_packet_max_mtu(info);
	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		overhead = info->max_rx_pktlen - info->max_mtu;
	return RTE_MIN((uint32_t)info->max_mtu, info->max_rx_pktlen - overhead);
}

static int
try_mtu(struct port *p, const struct rte_eth_dev_info *info, uint16_t mtu)
{
	int rc = rte_eth_dev_set_mtu(p->port_id, mtu);

	if (rc == -EINVAL && strcmp(p->driver, "net_af_packet") == 0 && mtu <= max_mtu(info))
		rc = netif_set_mtu(p->if_index, mtu);
	return rc;
}

int
port_set_mtu(struct port *p, uint16_t mtu, struct error_text *err)
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(p->port_id, &info);

	if (rc == 0)
		rc = try_mtu(p, &info, mtu);
	if (rc == -EBUSY && p->started) {
		port_stop_dev(p->port_id);
		rc = try_mtu(p, &info, mtu);
		p->started = rte_eth_dev_start(p->port_id) == 0;
		if (!p->started)
			return fail(err, p, -EIO, "starting it again after the MTU changed");
	}
	if (rc == -EINVAL && mtu > max_mtu(&info)) {
		snprintf(err->text, sizeof(err->text),
		                "port %u (%s): MTU %u is more than the %u that it takes",
		                p->port_id, p->name, mtu, max_mtu(&info));
		return rc;
	}
	/* Ports without the call have no limit of their own. */
	if (rc != 0 && rc != -ENOTSUP)
		return fail(err, p, rc, "setting its MTU");
	p->mtu = mtu;
	return 0;
}

int
port_set_carrier(const struct port *p, bool on)
{
	if (strcmp(p->driver, "net_tap") == 0 && p->if_index != 0)
		return netif_set_carrier(p->if_index, on);
	return on ? rte_eth_dev_set_link_up(p->port_id) : rte_eth_dev_set_link_down(p->port_id);
}

int
port_set_promisc(struct port *p, bool on)
{
	/* A port that did not take a MAC that it is to hear stays promiscuous. */
	if (!on && (!p->set_mac_ok || p->hears_all))
		return 0;
	return on ? rte_eth_promiscuous_enable(p->port_id)
	          : rte_eth_promiscuous_disable(p->port_id);
}

int
port_set_mcast(struct port *p, const struct rte_ether_addr *list, uint32_t nb)
{
	int rc = rte_eth_dev_set_mc_addr_list(
	                p->port_id, (struct rte_ether_addr *)(uintptr_t)list, nb);

	return rc == -ENOTSUP ? rte_eth_allmulticast_enable(p->port_id) : rc;
}

int
port_vlan_filter(struct port *p, uint16_t vlan_id, bool on)
{
	int rc = rte_eth_dev_vlan_filter(p->port_id, vlan_id, on);

	/* Ports without a filter of their own: the worker filters. */
	return rc == -ENOTSUP || rc == -ENOSYS || rc == -EINVAL ? 0 : rc;
}
