/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The kernel behind net_af_packet and net_af_xdp is a second host on the member's wire: say so
 * where it would take part.
 */

#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

RTE_LOG_REGISTER_SUFFIX(kernel_log, kernel, NOTICE)

static void
warn(const struct port *p, const char *interface, const char *what, const char *right)
{
	rte_log(RTE_LOG_WARNING, kernel_log,
	                "teampmd: port %u (%s): the kernel's %s %s: the host may see frames twice; "
	                "%s\n",
	                p->port_id, p->name, interface, what, right);
}

static bool
has_address(const char *interface)
{
	struct ifaddrs *all, *ifa;
	bool found = false;

	if (getifaddrs(&all) != 0)
		return false;
	for (ifa = all; ifa != NULL; ifa = ifa->ifa_next) {
		int family = ifa->ifa_addr == NULL ? AF_UNSPEC : ifa->ifa_addr->sa_family;

		if ((family == AF_INET || family == AF_INET6) &&
		                strcmp(ifa->ifa_name, interface) == 0)
			found = true;
	}
	freeifaddrs(all);
	return found;
}

/* @return the value, or missing when there is no such file */
static int
sysctl_of(const char *family, const char *interface, const char *name, int missing)
{
	char path[128], text[16];
	int value = missing;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
	f = fopen(path, "r");
	if (f == NULL)
		return missing;
	if (fgets(text, sizeof(text), f) != NULL)
		value = atoi(text);
	fclose(f);
	return value;
}

void
port_warn_kernel(const struct port *p)
{
	char interface[IF_NAMESIZE];

	if (strcmp(p->driver, "net_af_packet") != 0 && strcmp(p->driver, "net_af_xdp") != 0)
		return;
	if (p->if_index == 0 || if_indextoname(p->if_index, interface) == NULL)
		return;
	if (has_address(interface))
		warn(p, interface, "has an address", "remove it and set disable_ipv6=1");
	/* Strict reverse path: a frame for the host's address is not taken on this interface. */
	if (sysctl_of("ipv4", interface, "rp_filter", 1) != 1)
		warn(p, interface, "has rp_filter other than 1", "set it to 1");
}
