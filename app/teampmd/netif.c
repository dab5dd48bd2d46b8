/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "netif.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ip link set dev TAP carrier on|off */
int
netif_set_carrier(uint32_t if_index, bool on)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
		struct rtattr attr;
		uint8_t carrier[RTA_ALIGN(1)];
	} req = {
		.nlh = { .nlmsg_len = sizeof(req),
		                .nlmsg_type = RTM_SETLINK,
		                .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.ifi = { .ifi_family = AF_UNSPEC, .ifi_index = if_index },
		.attr = { .rta_len = RTA_LENGTH(1), .rta_type = IFLA_CARRIER },
		.carrier = { on },
	};
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr error;
		char more[256];
	} reply;
	int rc = 0, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	/* The kernel handles the request, and queues its answer, before send() returns. */
	if (send(fd, &req, sizeof(req), 0) < 0 || recv(fd, &reply, sizeof(reply), MSG_DONTWAIT) < 0)
		rc = -errno;
	else if (reply.nlh.nlmsg_type == NLMSG_ERROR)
		rc = reply.error.error;
	close(fd);
	return rc;
}

static int
mtu_ioctl(uint32_t if_index, unsigned long request, struct ifreq *ifr)
{
	int rc = 0, fd;

	if (if_indextoname(if_index, ifr->ifr_name) == NULL)
		return -errno;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, request, ifr) != 0)
		rc = -errno;
	close(fd);
	return rc;
}

uint16_t
netif_mtu(uint32_t if_index)
{
	struct ifreq ifr = { .ifr_mtu = 0 };

	if (if_index == 0 || mtu_ioctl(if_index, SIOCGIFMTU, &ifr) != 0)
		return 0;
	return ifr.ifr_mtu < UINT16_MAX ? ifr.ifr_mtu : UINT16_MAX;
}

int
netif_set_mtu(uint32_t if_index, uint16_t mtu)
{
	struct ifreq ifr = { .ifr_mtu = mtu };

	return mtu_ioctl(if_index, SIOCSIFMTU, &ifr);
}
