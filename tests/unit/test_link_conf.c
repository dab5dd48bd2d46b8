/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Names of watches, defaults, and what a configuration may not be. */
#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "test_link.h"

static uint16_t port;

static int
group_setup(void **state)
{
	return test_link_null_setup(state, &port);
}

static void
test_mask_round_trip(void **state)
{
	char text[80];
	uint32_t mask;

	(void)state;
	for (uint32_t m = 0; m <= TP_LINK_W_ALL; m++) {
		mask = ~m;
		tp_link_mask_format(m, text, sizeof(text));
		assert_int_equal(tp_link_mask_parse(text, &mask), 0);
		assert_int_equal(mask, m);
	}
	assert_string_equal(text, "lsc poll netlink arp nd tx heart");
	assert_string_equal(tp_link_mask_format(0, text, sizeof(text)), "none");
	assert_int_equal(tp_link_mask_parse(" ,poll,,arp\t", &mask), 0);
	assert_int_equal(mask, TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_ARP));
}

static void
test_mask_refuses_unknown_names(void **state)
{
	static const char *const bad[] = { "", " ", "pol", "polls", "poll mii", "POLL", "none arp",
		"arp none", "poll+arp" };
	uint32_t mask = 77;

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(bad); i++)
		assert_int_equal(tp_link_mask_parse(bad[i], &mask), -EINVAL);
	assert_int_equal(mask, 77);
}

static void
test_mask_format_never_overruns(void **state)
{
	char text[12];

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		memset(text, 'x', sizeof(text));
		tp_link_mask_format(TP_LINK_W_ALL, text, len);
		assert_int_equal(text[len], 'x');
		if (len > 0)
			assert_int_equal(text[len - 1], '\0');
	}
	assert_string_equal(tp_link_watch_name(TP_LINK_NETLINK), "netlink");
	assert_string_equal(tp_link_watch_name(TP_LINK_NB_WATCHES), "unknown");
}

static void
test_defaults_pass_the_check(void **state)
{
	struct tp_link_conf conf;
	char why[80] = "";

	(void)state;
	tp_link_conf_default(&conf, port);
	assert_int_equal(tp_link_conf_check(&conf, why, sizeof(why)), 0);
	assert_int_equal(conf.poll_us, 500);
	assert_true(conf.validate);
	assert_string_equal(why, "");
	/* No event, no interface: nothing but polling. */
	assert_int_equal(conf.watches, TP_LINK_W(TP_LINK_POLL));
	assert_int_equal(tp_link_default(RTE_MAX_ETHPORTS), TP_LINK_W(TP_LINK_POLL));
}

static void
test_check_names_what_is_wrong(void **state)
{
	struct tp_link_conf good, conf;
	char why[80];

	(void)state;
	tp_link_conf_default(&good, port);
#define BAD(word, ...)                                                                             \
	do {                                                                                       \
		conf = good;                                                                       \
		__VA_ARGS__;                                                                       \
		assert_int_equal(tp_link_conf_check(&conf, why, sizeof(why)), -EINVAL);            \
		assert_non_null(strstr(why, word));                                                \
	} while (0)
	BAD("poll_us 9 ", conf.poll_us = 9);
	BAD("poll_us", conf.poll_us = 1000001);
	BAD("interval", conf.interval_ms = 0);
	BAD("missed_max", conf.missed_max = 256);
	BAD("tx_ms", conf.tx_ms = 0);
	BAD("heart_ms", conf.heart_ms = 7);
	BAD("0x80", conf.watches = TP_LINK_W_ALL + 1);
	BAD("'arp'", conf.watches = TP_LINK_W(TP_LINK_ARP));
	BAD("'nd'", conf.watches = TP_LINK_W(TP_LINK_ND));
	BAD("targets", conf.nb_ip4 = TP_LINK_MAX_TARGETS + 1);
	BAD("targets", conf.nb_ip6 = TP_LINK_MAX_TARGETS + 1);
}

static void
test_create_refuses(void **state)
{
	struct tp_link_ctx ctx = { .port_id = port };
	struct tp_link_conf conf;

	(void)state;
	tp_link_conf_default(&conf, port);
	tp_link_destroy(NULL);
#define REFUSED(error)                                                                             \
	do {                                                                                       \
		assert_null(tp_link_create(&ctx, &conf, 0));                                       \
		assert_int_equal(rte_errno, error);                                                \
	} while (0)
	conf.poll_us = 0;
	REFUSED(EINVAL);
	conf.poll_us = 500;
	ctx.port_id = RTE_MAX_ETHPORTS - 1;
	REFUSED(ENODEV);
	ctx.port_id = port;
	conf.watches = TP_LINK_W(TP_LINK_LSC);
	REFUSED(ENOTSUP);
	conf.watches = TP_LINK_W(TP_LINK_POLL) | TP_LINK_W(TP_LINK_NETLINK);
	REFUSED(ENODEV);
	conf.watches = TP_LINK_W(TP_LINK_HEART); /* nobody to ask about the thread */
	REFUSED(EINVAL);
	conf.watches = TP_LINK_W(TP_LINK_ARP); /* no pool */
	conf.nb_ip4 = 1;
	REFUSED(EINVAL);
}

static void
test_no_watch_is_always_up(void **state)
{
	struct tp_link_ctx ctx = { .port_id = port };
	struct tp_link_conf conf;
	struct tp_link *watched;

	(void)state;
	tp_link_conf_default(&conf, port);
	conf.watches = 0;
	watched = tp_link_create(&ctx, &conf, 5);
	assert_non_null(watched);
	assert_true(tp_link_verdict(watched).up);
	assert_int_equal(tp_link_verdict(watched).since, 5);
	assert_true(tp_link_next(watched) == TP_NEVER);
	assert_false(tp_link_poll(watched, 1000, NULL, NULL));
	tp_link_destroy(watched);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask_round_trip),
		cmocka_unit_test(test_mask_refuses_unknown_names),
		cmocka_unit_test(test_mask_format_never_overruns),
		cmocka_unit_test(test_defaults_pass_the_check),
		cmocka_unit_test(test_check_names_what_is_wrong),
		cmocka_unit_test(test_create_refuses),
		cmocka_unit_test(test_no_watch_is_always_up),
	};

	return cmocka_run_group_tests(tests, group_setup, test_link_null_teardown);
}
