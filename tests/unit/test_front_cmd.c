/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_control.h"
#include "front.h"
#include "show.h"
#include "test_eal.h"

static struct language *lang;
static struct daemon *d;

static int
group_setup(void **state)
{
	lang = language_new(cmd_sections);
	return lang != NULL ? test_eal_setup(state) : -1;
}

static int
group_teardown(void **state)
{
	language_free(lang);
	return test_eal_teardown(state);
}

static int
setup(void **state)
{
	(void)state;
	d = fake_daemon(2);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_daemon_end(d);
	return 0;
}

/** What a line printed (to be freed), its result and error. */
struct result {
	int rc;
	char *out;
	struct error_text err;
};

static struct result
run(const char *text)
{
	struct result r = { .out = NULL };
	struct cmd_line line;
	struct cmd_ctx x = { .d = d, .lang = lang };
	size_t len;

	r.rc = language_parse(lang, text, &line, &r.err);
	if (r.rc != 0)
		return r;
	x.argc = line.argc;
	x.argv = line.argv;
	x.json = line.json;
	x.out = open_memstream(&r.out, &len);
	r.rc = line.cmd->run(&x);
	fclose(x.out);
	r.err = x.err;
	return r;
}

static void
ok(const char *text)
{
	struct result r = run(text);

	if (r.rc != 0)
		fail_msg("'%s': %d %s", text, r.rc, r.err.text);
	free(r.out);
}

static void
fails(const char *text, int rc, const char *says)
{
	struct result r = run(text);

	if (r.rc != rc || strstr(r.err.text, says) == NULL)
		fail_msg("'%s': %d '%s', expected %d '%s'", text, r.rc, r.err.text, rc, says);
	assert_null(strchr(r.err.text, '\n'));
	free(r.out);
}

static void
test_bad_numbers_are_refused(void **state)
{
	static const char *const lines[] = { "set team updelay %s", "set team buckets %s",
		"set team min_links %s", "set team rebalance_threshold %s", "set team mtu %s",
		"set team vlan add %s", "set member 0 prio %s", "set member 0 weight %s",
		"set watch 0 poll_us %s", "set watch 0 vlan %s", "set link-down port %s",
		"port detach %s", "team add port %s", "show port stats %s", "clear port stats %s",
		"set team flap 1 2 %s", "set team flap %s 2 3", "set team primary %s",
		"capture start /dev/null port %s", "capture start /dev/null snaplen %s",
		"set portlist 0,%s" };
	static const char *const bad[] = { "x", "1x", "-99999999999", "99999999999999999999", "0x",
		"1.5", "--1", "+1", "\"\"", "\" 1\"", "99999999999", "1,", ",", "%s%n" };
	char text[FRONT_LINE_MAX];

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(lines); i++)
		for (unsigned int k = 0; k < RTE_DIM(bad); k++) {
			struct result r;

			snprintf(text, sizeof(text), lines[i], bad[k]);
			r = run(text);
			if (r.rc != -EINVAL || r.err.text[0] == '\0')
				fail_msg("'%s': %d '%s'", text, r.rc, r.err.text);
			free(r.out);
		}
	assert_string_equal(fake_last(), "");
}

static void
test_limits_are_named(void **state)
{
	(void)state;
	fails("set team updelay -1", -EINVAL, "updelay '-1' is not a number from 0 to 86400000");
	fails("set team min_links 33", -EINVAL, "min_links '33' is not a number from 0 to 32");
	fails("set member 0 weight 1001", -EINVAL, "weight '1001' is not a number from 0 to 1000");
	fails("set team vlan add 4096", -EINVAL, "from 0 to 4095");
	fails("set team buckets 1000", -EINVAL, "1000");
	fails("set watch 0 poll_us 9", -EINVAL, "from 10 to 1000000");
	fails("set watch 0 lsc,foo", -EINVAL, "'lsc,foo' is no list of lsc");
	fails("set watch 0 arp", -EINVAL, "needs an IPv4 target");
	fails("set watch 0 arp_targets 10.0.0", -EINVAL, "'10.0.0' is no IPv4 address");
	fails("set watch 0 arp_targets ::1", -EINVAL, "'::1' is no IPv4 address");
	fails("set watch 0 nd_targets fe80::1,", -EINVAL, "'' is no IPv6 address");
	fails("set team mac 01:00:5e:00:00:01", -EINVAL, "not a unicast address");
	fails("set team mac 02:00", -EINVAL, "is not a MAC address");
	fails("set team mcast_addr add 02:00:00:00:00:01", -EINVAL, "not a multicast address");
	fails("set team hash-key 00", -EINVAL, "not 40 bytes in hexadecimal");
	fails("show port info 77", -EINVAL, "'77' is no port");
	fails("set link-up port 2", -EINVAL, "port 2 is not a member of the team");
	fails("set link-up port 9", -EINVAL, "there is no port 9");
	fails("set host nonsense", -EINVAL, "'nonsense' is no port's name or id");
	fails("help nonsense", -EINVAL, "no command begins with 'nonsense'");
}

static void
test_targets_are_bounded(void **state)
{
	char text[FRONT_LINE_MAX] = "set watch 0 arp_targets 10.0.0.1";

	(void)state;
	for (int i = 1; i < TP_LINK_MAX_TARGETS; i++)
		strcat(text, ",10.0.0.1");
	ok(text);
	assert_int_equal(d->control.slot[0].link_conf.nb_ip4, TP_LINK_MAX_TARGETS);
	strcat(text, ",10.0.0.1");
	fails(text, -EINVAL, "more than 16 targets");
	strcpy(text, "set watch 0 nd_targets ::1");
	for (int i = 0; i < 600; i++)
		strcat(text, ",::1");
	fails(text, -EINVAL, "more than 16 targets");
	assert_int_equal(d->control.slot[0].link_conf.nb_ip6, 0);
}

static void
test_knobs_arrive(void **state)
{
	const struct tp_team_conf *c = &d->control.team.conf;
	const struct tp_link_conf *w = &d->control.slot[1].link_conf;

	(void)state;
	ok("set team mode active-backup");
	assert_int_equal(c->mode, TP_MODE_ACTIVE_BACKUP);
	ok("set team hash-policy vlan+srcmac");
	assert_int_equal(c->flow.policy, TP_FLOW_VLAN_SRCMAC);
	ok("set team hash-function crc32c");
	assert_int_equal(c->flow.fn, TP_FLOW_CRC32C);
	ok("set team symmetric on");
	assert_true(c->flow.symmetric);
	ok("set team buckets 0x400");
	assert_int_equal(c->nb_buckets, 1024);
	ok("set team primary 1");
	assert_int_equal(c->primary, 1);
	ok("set team primary none");
	assert_int_equal(c->primary, TP_MEMBER_NONE);
	ok("set team num_peer_notif 255");
	assert_int_equal(c->num_peer_notif, 255);
	ok("set team primary_reselect failure");
	assert_int_equal(c->primary_reselect, TP_RESELECT_FAILURE);
	ok("set team fail_over_mac follow");
	assert_int_equal(c->fail_over_mac, TP_FOM_FOLLOW);
	ok("set team flap 3 1000 5000");
	assert_int_equal(c->flap_max, 3);
	assert_int_equal(c->flap_hold_ms, 5000);
	ok("set member 1 prio -5");
	assert_int_equal(d->control.team.member[1].conf.prio, -5);
	assert_int_equal(d->control.team.member[1].conf.weight, 100);
	ok("set watch 1 arp_targets 10.0.0.1,10.0.0.2");
	ok("set watch 1 nd_targets fe80::1");
	ok("set watch 1 arp_source 10.0.0.9");
	ok("set watch 1 arp_validate off");
	ok("set watch 1 arp,nd,tx");
	assert_int_equal(w->watches,
	                TP_LINK_W(TP_LINK_ARP) | TP_LINK_W(TP_LINK_ND) | TP_LINK_W(TP_LINK_TX));
	assert_int_equal(w->nb_ip4, 2);
	assert_int_equal(w->ip4[1], rte_cpu_to_be_32(0x0a000002));
	assert_int_equal(w->src_ip4, rte_cpu_to_be_32(0x0a000009));
	assert_int_equal(w->nb_ip6, 1);
	assert_false(w->validate);
	assert_true(d->control.slot[0].link_conf.validate);
}

static void
test_keys(void **state)
{
	const uint8_t *key = d->control.team.conf.flow.key;
	char text[FRONT_LINE_MAX] = "set team hash-key ";

	(void)state;
	for (int i = 0; i < TP_FLOW_KEY_LEN; i++)
		sprintf(text + strlen(text), "%s%02X", i > 0 ? ":" : "", i + 0xa0);
	ok(text);
	assert_int_equal(key[0], 0xa0);
	assert_int_equal(key[TP_FLOW_KEY_LEN - 1], 0xa0 + TP_FLOW_KEY_LEN - 1);
	strcat(text, ":");
	fails(text, -EINVAL, "hash-key");
	text[strlen(text) - 2] = 'g';
	fails(text, -EINVAL, "hash-key");
	ok("set team hash-key default");
	assert_memory_equal(key, tp_flow_key_default, TP_FLOW_KEY_LEN);
}

static void
test_operations_are_asked(void **state)
{
	static const char *const cases[][2] = {
		{ "start", "op_start" },
		{ "stop", "op_stop" },
		{ "set team mtu 9000", "op_set_mtu 9000" },
		{ "set team promisc on", "op_set_promisc on" },
		{ "set team mcast_addr add 01:00:5e:00:00:01", "op_set_mcast add" },
		{ "set team mcast_addr remove 01:00:5e:00:00:01", "op_set_mcast remove" },
		{ "set team vlan filter on", "op_set_vlan_filter on" },
		{ "set team vlan add 5", "op_set_vlan add 5" },
		{ "set team vlan rm 5", "op_set_vlan rm 5" },
		{ "set team mac 02:00:00:00:00:01", "op_set_mac" },
		{ "set link-down port 1", "op_set_link 1 down" },
		{ "set link-up port 1", "op_set_link 1 up" },
		{ "set host 3", "op_set_host 3" },
		{ "team add port 2", "op_add 2" },
		{ "team remove port 2", "op_del 2" },
		{ "set host none", "op_set_host " },
	};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(cases); i++) {
		ok(cases[i][0]);
		assert_string_equal(fake_last(), cases[i][1]);
	}
}

static void
test_present_host_is_left_alone(void **state)
{
	(void)state;
	ok("set host net_null3");
	assert_string_equal(fake_last(), "op_set_host net_null3");
	ok("set team promisc on");
	ok("set host 3");
	assert_string_equal(fake_last(), "op_set_promisc on");
}

static void
test_failures_are_passed_on(void **state)
{
	struct result r;

	(void)state;
	fake_fail_next(-EIO, "the cable is cut");
	fails("set team mtu 9000", -EIO, "the cable is cut");
	fake_fail_next(-EALREADY, "already started");
	r = run("start");
	assert_int_equal(r.rc, 0);
	assert_string_equal(r.out, "already started\n");
	free(r.out);
}

static void
test_portlist(void **state)
{
	(void)state;
	ok("set portlist 2,1");
	assert_int_equal(d->control.slot_of_port[0], TP_MEMBER_NONE);
	assert_int_not_equal(d->control.slot_of_port[1], TP_MEMBER_NONE);
	assert_int_not_equal(d->control.slot_of_port[2], TP_MEMBER_NONE);
	ok("set portlist none");
	assert_int_equal(d->control.slot_of_port[1], TP_MEMBER_NONE);
	fails("set portlist 0,9", -EINVAL, "there is no port 9");
	assert_int_equal(d->control.slot_of_port[0], TP_MEMBER_NONE);
}

static void
test_attach_and_detach(void **state)
{
	struct result r;

	(void)state;
	fails("port attach net_nonsense0", -EIO, "port attach net_nonsense0");
	fails("port attach net_null0", -EEXIST, "there is a port of that name");
	r = run("port attach net_null9,size=128 spare");
	assert_int_equal(r.rc, 0);
	assert_string_equal(r.out, "port 4\n");
	free(r.out);
	assert_string_equal(fake_last(), "");
	assert_string_equal(front_attached(0), "net_null9,size=128");
	ok("port detach 4");
	assert_null(front_attached(0));
	assert_false(rte_eth_dev_is_valid_port(4));
	ok("port attach net_null9");
	assert_string_equal(fake_last(), "op_add 4");
	ok("set host 3");
	fails("port detach 3", -EBUSY, "port 3 is the host port");
	ok("port detach 4");
	assert_string_equal(fake_last(), "op_del 2 detach");
}

/** Every topic in both forms; JSON must parse. */
static void
test_show_every_topic(void **state)
{
	static const char *const topics_words[] = { "team", "port info all", "port info 0",
		"port info 3", "port summary", "port stats all", "port stats 1", "port xstats 0",
		"bucket", "bucket map", "lcore", "config", "events", "announce", "capture",
		"memory", "version" };
	char text[FRONT_LINE_MAX];
	json_error_t error;

	(void)state;
	ok("set host 3");
	for (unsigned int i = 0; i < RTE_DIM(topics_words); i++) {
		struct result r;
		json_t *json;

		snprintf(text, sizeof(text), "show %s", topics_words[i]);
		ok(text);
		strcat(text, " json");
		r = run(text);
		assert_int_equal(r.rc, 0);
		json = json_loads(r.out, 0, &error);
		if (json == NULL)
			fail_msg("'%s': %s", text, error.text);
		json_decref(json);
		free(r.out);
	}
}

static char *
config(void)
{
	struct result r = run("show config");

	assert_int_equal(r.rc, 0);
	return r.out;
}

static void
feed(const char *text)
{
	char *copy = strdup(text), *save = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line != NULL;
	                line = strtok_r(NULL, "\n", &save))
		ok(line);
	free(copy);
}

#define SET_KEY                                                                                    \
	"set team hash-key "                                                                       \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"

/** What the configuration is about; the text alone would not miss what it leaves out. */
static void
assert_same_state(const struct control *a, const struct control *b)
{
	assert_memory_equal(&a->team.conf.flow, &b->team.conf.flow, sizeof(a->team.conf.flow));
	assert_memory_equal(&a->team.conf, &b->team.conf, sizeof(a->team.conf));
	for (uint16_t port = 0; port < 4; port++) {
		uint8_t i = a->slot_of_port[port], k = b->slot_of_port[port];

		assert_int_equal(i == TP_MEMBER_NONE, k == TP_MEMBER_NONE);
		if (i == TP_MEMBER_NONE)
			continue;
		assert_memory_equal(&a->team.member[i].conf, &b->team.member[k].conf,
		                sizeof(a->team.member[i].conf));
		assert_memory_equal(&a->slot[i].link_conf, &b->slot[k].link_conf,
		                sizeof(a->slot[i].link_conf));
		assert_int_equal(a->slot[i].forced_down, b->slot[k].forced_down);
	}
	assert_int_equal(a->running, b->running);
	assert_int_equal(a->has_host, b->has_host);
	assert_int_equal(a->host_port.port_id, b->host_port.port_id);
	assert_int_equal(a->mtu, b->mtu);
	assert_int_equal(a->promisc, b->promisc);
	assert_memory_equal(&a->mac, &b->mac, sizeof(a->mac));
	assert_int_equal(a->nb_mcast, b->nb_mcast);
	assert_memory_equal(a->mcast, b->mcast, sizeof(a->mcast));
	assert_int_equal(a->vlan_filter_on, b->vlan_filter_on);
	assert_memory_equal(a->vlan_filter, b->vlan_filter, sizeof(a->vlan_filter));
}

static void
test_config_recreates_itself(void **state)
{
	static const char *const changes[] = { "set host 3", "set portlist 1,2,0",
		"set team mode load", "set team hash-policy dst", "set team hash-function crc32c",
		"set team symmetric on", "set team buckets 4096", "set team num_peer_notif 9",
		"set team peer_notif_delay 8", "set team resend_igmp 7", "set team min_links 2",
		"set team updelay 6", "set team downdelay 5", "set team skew 4",
		"set team rebalance_interval 11", "set team rebalance_threshold 12",
		"set team flap 2 3 4", "set team fail_over_mac active",
		"set team primary_reselect better", "set team all_members_active on", SET_KEY,
		"set team mac 02:00:00:00:0a:01", "set team mtu 9000", "set team promisc on",
		"set team mcast_addr add 33:33:00:00:00:01", "set team vlan add 7",
		"set team vlan add 4095", "set team vlan filter on", "set member 1 prio -1",
		"set member 2 weight 7", "set watch 1 arp_targets 10.0.0.1,10.0.0.2",
		"set watch 1 nd_targets fe80::1,::2", "set watch 1 nd_source fe80::9",
		"set watch 1 arp_source 10.0.0.9", "set watch 1 missed_max 9",
		"set watch 1 arp_interval 99", "set watch 1 poll_us 77", "set watch 1 tx_ms 66",
		"set watch 1 heart_ms 55", "set watch 1 arp_validate off",
		"set watch 1 arp_all_targets on", "set watch 1 vlan 12", "set watch 1 arp,nd,heart",
		"set watch 2 none", "set link-down port 2", "start" };
	struct control *before = malloc(sizeof(*before));
	char *first, *second;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(changes); i++)
		ok(changes[i]);
	first = config();
	*before = d->control;
	fake_daemon_end(d);
	d = fake_daemon(2);
	feed(first);
	assert_same_state(before, &d->control);
	second = config();
	assert_string_equal(first, second);
	/* By port, so that it is no matter which slot it has. */
	ok("set team primary 2");
	free(first);
	first = config();
	assert_non_null(strstr(first, "set team primary 2\n"));
	free(before);
	free(first);
	free(second);
}

static void
test_clear_counts_from_zero(void **state)
{
	struct tp_counters *ctr = &d->control.slot[0].member->ctr;
	struct result r;

	(void)state;
	ctr->c[TP_C_RX_PACKETS] = 1000;
	ctr->drop[TP_DROP_RX_PLACE] = 50;
	ok("clear port stats 0");
	ctr->c[TP_C_RX_PACKETS] += 7;
	ctr->drop[TP_DROP_RX_PLACE] += 3;
	r = run("show port stats 0");
	assert_non_null(strstr(r.out, "rx_good_packets  7\n"));
	assert_non_null(strstr(r.out, "rx_place  3\n"));
	assert_null(strstr(r.out, "rx_runt"));
	free(r.out);
	ctr->c[TP_C_RX_PACKETS] = 2; /* a new member in that slot */
	r = run("show port stats 0");
	assert_non_null(strstr(r.out, "rx_good_packets  2\n"));
	free(r.out);
}

static void
test_quit(void **state)
{
	(void)state;
	assert_false(atomic_load(&d->quit));
	ok("quit");
	assert_true(atomic_load(&d->quit));
}

static void
test_capture_is_checked(void **state)
{
	char path[] = "/tmp/tp-test-capture-XXXXXX", text[FRONT_LINE_MAX];
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	fails("capture stop", -ENOENT, "no capture is in progress");
	fails("capture start /nonexistent/x", -ENOENT, "No such file or directory");
	fails("capture start /dev/null", -EINVAL, "not a regular file");
	fails("capture start /tmp/x filter \"tcp prot 80\"", -EINVAL, "syntax error");
	fails("capture start /tmp/x port host", -EINVAL, "there is no host port");
	fails("capture start /tmp/x port 2", -EINVAL, "port 2 is neither a member nor the host");
	snprintf(text, sizeof(text), "capture start %s port 0 filter \"ip6 or arp\" snaplen 64",
	                path);
	ok(text);
	fails(text, -EBUSY, "a capture is in progress");
	ok("capture stop");
	unlink(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_numbers_are_refused),
		TEST(test_limits_are_named),
		TEST(test_targets_are_bounded),
		TEST(test_knobs_arrive),
		TEST(test_keys),
		TEST(test_operations_are_asked),
		TEST(test_present_host_is_left_alone),
		TEST(test_failures_are_passed_on),
		TEST(test_portlist),
		TEST(test_attach_and_detach),
		TEST(test_show_every_topic),
		TEST(test_config_recreates_itself),
		TEST(test_clear_counts_from_zero),
		TEST(test_quit),
		TEST(test_capture_is_checked),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
