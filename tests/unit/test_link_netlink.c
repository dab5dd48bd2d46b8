/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* net_af_packet on a veth in a network namespace of our own. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

#include "test_eal.h"
#include "tp_link.h"

#define US TP_NS_PER_US
#define WAIT_LOOKS 4000 /* 2 s */

static const char *no_namespace;
static uint16_t port;
static struct tp_link *watched;
static uint64_t now;

static int
ip(const char *args)
{
	char cmd[160];

	snprintf(cmd, sizeof(cmd), "ip link %s >/dev/null 2>&1", args);
	return system(cmd);
}

/* As an ordinary user: be root of a user namespace, as programs started there lose their
 * capabilities otherwise.
 */
static int
user_namespace(void)
{
	uid_t uid = getuid();
	FILE *map;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -1;
	map = fopen("/proc/self/uid_map", "w");
	if (map == NULL)
		return -1;
	fprintf(map, "0 %u 1\n", uid);
	return fclose(map);
}

static int
group_setup(void **state)
{
	if (unshare(CLONE_NEWNET) < 0 && user_namespace() < 0)
		no_namespace = "no permission to make a network namespace";
	else if (ip("add tpl0 type veth peer name tpl1") != 0)
		no_namespace = "no veth (or no 'ip') in a network namespace";
	else
		ip("del tpl0");
	if (no_namespace != NULL)
		print_message("skipped: %s\n", no_namespace);
	return test_eal_setup(state);
}

static int
setup(void **state)
{
	struct tp_link_conf conf;

	(void)state;
	if (no_namespace != NULL)
		return 0;
	if (ip("add tpl0 type veth peer name tpl1") != 0 || ip("set tpl0 up") != 0 ||
	                ip("set tpl1 up") != 0 ||
	                rte_vdev_init("net_af_packet0", "iface=tpl0,framecnt=64,blocksz=65536,"
	                                                "framesz=2048") < 0 ||
	                rte_eth_dev_get_port_by_name("net_af_packet0", &port) < 0)
		return -1;
	now = 0;
	tp_link_conf_default(&conf, port);
	assert_int_equal(conf.watches, TP_LINK_W(TP_LINK_NETLINK));
	watched = tp_link_create(&(struct tp_link_ctx){ .port_id = port }, &conf, now);
	return watched == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (no_namespace != NULL)
		return 0;
	tp_link_destroy(watched);
	watched = NULL;
	rte_vdev_uninit("net_af_packet0");
	ip("del tpl0");
	return 0;
}

#define NEEDS_NAMESPACE()                                                                          \
	do {                                                                                       \
		if (no_namespace != NULL)                                                          \
			skip();                                                                    \
	} while (0)

/* Look every poll_us until it is so. @return whether it came to be */
static bool
becomes(bool up)
{
	for (unsigned int i = 0; i < WAIT_LOOKS && tp_link_verdict(watched).up != up; i++) {
		usleep(500);
		now += 500 * US;
		tp_link_poll(watched, now, NULL, NULL);
	}
	return tp_link_verdict(watched).up == up;
}

static void
test_peer_down_and_up(void **state)
{
	struct rte_eth_link status;

	(void)state;
	NEEDS_NAMESPACE();
	assert_true(becomes(true));
	assert_int_equal(tp_link_verdict(watched).speed_mbps, 10000);
	assert_int_equal(ip("set tpl1 down"), 0);
	assert_true(becomes(false));
	assert_int_equal(tp_link_verdict(watched).down, TP_LINK_W(TP_LINK_NETLINK));
	assert_false(tp_link_verdict(watched).removed);
	/* The reason why this watch exists: the port itself knows nothing. */
	assert_int_equal(rte_eth_link_get_nowait(port, &status), 0);
	assert_int_equal(tp_link_stats(watched).resyncs, 0);
	assert_int_equal(ip("set tpl1 up"), 0);
	assert_true(becomes(true));
	assert_int_equal(ip("set tpl0 down"), 0);
	assert_true(becomes(false));
}

static void
test_starts_down_when_it_is(void **state)
{
	struct tp_link_conf conf;
	struct tp_link *other;

	(void)state;
	NEEDS_NAMESPACE();
	assert_int_equal(ip("set tpl1 down"), 0);
	assert_true(becomes(false));
	tp_link_conf_default(&conf, port);
	other = tp_link_create(&(struct tp_link_ctx){ .port_id = port }, &conf, 0);
	assert_non_null(other);
	assert_false(tp_link_verdict(other).up);
	tp_link_destroy(other);
}

static void
test_other_interfaces_do_not_matter(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	assert_true(becomes(true));
	assert_int_equal(ip("add tpl2 type veth peer name tpl3"), 0);
	assert_int_equal(ip("set tpl2 up"), 0);
	assert_int_equal(ip("del tpl2"), 0);
	for (unsigned int i = 0; i < 20; i++)
		tp_link_poll(watched, now += 500 * US, NULL, NULL);
	assert_true(tp_link_verdict(watched).up);
	assert_int_equal(tp_link_stats(watched).changes, 0);
}

static void
test_leaving_a_bridge_is_not_the_end(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	if (ip("add tpbr type bridge") != 0)
		skip();
	assert_int_equal(ip("set tpl0 master tpbr"), 0);
	assert_int_equal(ip("set tpl0 nomaster"), 0);
	assert_int_equal(ip("del tpbr"), 0);
	for (unsigned int i = 0; i < 20; i++)
		tp_link_poll(watched, now += 500 * US, NULL, NULL);
	assert_false(tp_link_verdict(watched).removed);
	assert_true(becomes(true));
}

static void
test_renamed_interface_is_still_the_one(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	assert_true(becomes(true));
	assert_int_equal(ip("set tpl0 down"), 0);
	assert_int_equal(ip("set tpl0 name tpl9"), 0);
	assert_true(becomes(false));
	assert_int_equal(ip("set tpl9 up"), 0);
	assert_true(becomes(true));
	now += 2 * TP_NS_PER_S; /* the regular look by name */
	tp_link_poll(watched, now, NULL, NULL);
	assert_true(tp_link_verdict(watched).up);
	assert_int_equal(ip("set tpl9 down"), 0);
	assert_int_equal(ip("set tpl9 name tpl0"), 0);
}

static void
test_deleted_interface_is_removed(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	assert_true(becomes(true));
	assert_int_equal(ip("del tpl0"), 0);
	assert_true(becomes(false));
	assert_true(tp_link_verdict(watched).removed);
	/* A new one of that name is another one. */
	assert_int_equal(ip("add tpl0 type veth peer name tpl1"), 0);
	assert_int_equal(ip("set tpl0 up"), 0);
	assert_int_equal(ip("set tpl1 up"), 0);
	for (unsigned int i = 0; i < 20; i++)
		tp_link_poll(watched, now += TP_NS_PER_S, NULL, NULL);
	assert_true(tp_link_verdict(watched).removed);
	assert_false(tp_link_verdict(watched).up);
}

/* Announcements that nobody read fill the socket: the last ones are lost. */
static void
test_overflow_is_resynchronised(void **state)
{
	(void)state;
	NEEDS_NAMESPACE();
	assert_true(becomes(true));
	assert_int_equal(system("(for i in $(seq 400); do echo link set tpl0 alias x$i; "
	                        "echo link set tpl1 alias x$i; done; echo link set tpl1 down) | "
	                        "ip -batch - >/dev/null 2>&1"),
	                0);
	for (unsigned int i = 0; i < 200; i++)
		tp_link_poll(watched, now += 500 * US, NULL, NULL);
	assert_false(tp_link_verdict(watched).up);
	assert_true(tp_link_stats(watched).resyncs > 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_peer_down_and_up),
		T(test_starts_down_when_it_is),
		T(test_other_interfaces_do_not_matter),
		T(test_leaving_a_bridge_is_not_the_end),
		T(test_renamed_interface_is_still_the_one),
		T(test_deleted_interface_is_removed),
		T(test_overflow_is_resynchronised),
	};
	int failed = cmocka_run_group_tests(tests, group_setup, test_eal_teardown);

	/* 77: meson's word for skipped. */
	return failed == 0 && no_namespace != NULL ? 77 : failed;
}
