/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The kernel interface behind a port: the kernel's announcements of changes (rtnetlink multicast),
 * and SIOCGIFFLAGS to begin with, after an overflow, and now and then. Both take no lock in the
 * kernel; an RTM_GETLINK request would wait for RTNL, which others hold for long.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link_int.h"

#define RESYNC_NS TP_NS_PER_S
/* Messages taken in one look; the rest waits for the next. */
#define MAX_MESSAGES 16
#define UP_FLAGS (IFF_UP | IFF_RUNNING)

static void
set_flags(struct tp_link *link, unsigned int flags)
{
	link->state[TP_LINK_NETLINK].up = (flags & UP_FLAGS) == UP_FLAGS;
}

static void
gone(struct tp_link *link)
{
	link->state[TP_LINK_NETLINK].up = false;
	link->removed = true;
}

/* The interface may have been renamed, so its name is asked each time. */
static void
resync(struct tp_link *link, uint64_t now)
{
	struct ifreq ifr = { .ifr_ifindex = (int)link->netlink.if_index };

	link->netlink.resync_due = now + RESYNC_NS;
	if (ioctl(link->netlink.fd, SIOCGIFNAME, &ifr) < 0 ||
	                ioctl(link->netlink.fd, SIOCGIFFLAGS, &ifr) < 0) {
		if (errno == ENODEV || errno == ENXIO)
			gone(link);
		return;
	}
	set_flags(link, (unsigned short)ifr.ifr_flags);
}

/* The speed of the device; this one waits for RTNL, so only at the start. */
static uint32_t
device_speed(const struct tp_link *link)
{
	struct ethtool_cmd cmd = { .cmd = ETHTOOL_GSET };
	struct ifreq ifr = { .ifr_ifindex = (int)link->netlink.if_index };
	uint32_t speed;

	if (ioctl(link->netlink.fd, SIOCGIFNAME, &ifr) < 0)
		return 0;
	ifr.ifr_data = (void *)&cmd;
	if (ioctl(link->netlink.fd, SIOCETHTOOL, &ifr) < 0)
		return 0;
	speed = ethtool_cmd_speed(&cmd);
	return speed > INT32_MAX ? 0 : speed;
}

static int
on_message(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct tp_link *link = arg;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
	                ifi->ifi_index != (int)link->netlink.if_index)
		return MNL_CB_OK;
	/* A bridge announces its ports' departure from it in the same way. */
	if (nlh->nlmsg_type == RTM_DELLINK && ifi->ifi_family == AF_UNSPEC)
		gone(link);
	else if (nlh->nlmsg_type == RTM_NEWLINK)
		set_flags(link, ifi->ifi_flags);
	return MNL_CB_OK;
}

/* @return false when there is nothing more to read */
static bool
receive(struct tp_link *link)
{
	alignas(struct nlmsghdr) char buf[16384];
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n = recvmsg(link->netlink.fd, &msg, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 || (msg.msg_flags & MSG_TRUNC) != 0) {
		/* ENOBUFS: the kernel dropped the newest announcements. */
		link->stats.resyncs++;
		link->netlink.stale = true;
	} else if (from.nl_pid == 0) {
		/* Only the kernel's word counts. */
		mnl_cb_run(buf, (size_t)n, 0, 0, on_message, link);
	}
	return true;
}

static void
netlink_poll(struct tp_link *link, const struct link_look *look)
{
	unsigned int n = 0;

	while (n < MAX_MESSAGES && receive(link))
		n++;
	if (link->netlink.stale || look->now >= link->netlink.resync_due)
		resync(link, look->now);
	/* What comes into an empty queue is news. */
	if (n < MAX_MESSAGES)
		link->netlink.stale = false;
	link->state[TP_LINK_NETLINK].due = look->now + link->conf.poll_us * TP_NS_PER_US;
}

static void
netlink_close(struct tp_link *link)
{
	close(link->netlink.fd);
}

static int
netlink_open(struct tp_link *link, uint64_t now)
{
	const struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(link->ctx.port_id, &info);

	if (rc != 0)
		return rc;
	if (info.if_index == 0)
		return -ENODEV;
	link->netlink.if_index = info.if_index;
	link->netlink.fd =
	                socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (link->netlink.fd < 0)
		return -errno;
	if (bind(link->netlink.fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0) {
		rc = -errno;
		netlink_close(link);
		return rc;
	}
	/* Listening first: a change after this look is announced. */
	resync(link, now);
	link->if_speed = device_speed(link);
	link->state[TP_LINK_NETLINK].due = now + link->conf.poll_us * TP_NS_PER_US;
	return 0;
}

const struct link_watch link_netlink = {
	.name = "netlink",
	.open = netlink_open,
	.close = netlink_close,
	.poll = netlink_poll,
};
