/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>
#include <string.h>

#include "test_team.h"

static void
test_defaults_are_valid_and_documented(void **state)
{
	struct tp_team_conf conf;
	char why[128] = "untouched";

	(void)state;
	tp_team_conf_default(&conf);
	assert_int_equal(tp_team_conf_check(&conf, why, sizeof(why)), 0);
	assert_string_equal(why, "untouched");
	assert_int_equal(conf.mode, TP_MODE_HASH);
	assert_int_equal(conf.primary, TP_MEMBER_NONE);
	assert_int_equal(conf.primary_reselect, TP_RESELECT_ALWAYS);
	assert_int_equal(conf.num_peer_notif, 1);
	assert_int_equal(conf.resend_igmp, 1);
	assert_int_equal(conf.nb_buckets, 1024);
	assert_int_equal(conf.flap_max, 0);
	assert_memory_equal(conf.flow.key, tp_flow_key_default, TP_FLOW_KEY_LEN);
}

#define FIELD(field, value)                                                                        \
	offsetof(struct tp_team_conf, field), sizeof(((struct tp_team_conf *)0)->field), value

static const struct bad_conf {
	size_t offset;
	size_t size;
	uint32_t value;
	bool good;
	const char *why; /* part of the clause */
} bad_confs[] = {
	{ FIELD(mode, TP_NB_MODES), false, "mode 5" },
	{ FIELD(mode, TP_MODE_BROADCAST), true, NULL },
	{ FIELD(primary, TP_MAX_MEMBERS), false, "primary 32" },
	{ FIELD(primary, TP_MAX_MEMBERS - 1), true, NULL },
	{ FIELD(primary_reselect, 3), false, "primary_reselect 3 is not in 0..2" },
	{ FIELD(fail_over_mac, 3), false, "fail_over_mac 3" },
	{ FIELD(peer_notif_delay_ms, 0), false, "peer_notif_delay 0 is not in 1.." },
	{ FIELD(min_links, TP_MAX_MEMBERS + 1), false, "min_links 33" },
	{ FIELD(updelay_ms, 3600001), false, "updelay 3600001" },
	{ FIELD(updelay_ms, 3600000), true, NULL },
	{ FIELD(downdelay_ms, UINT32_MAX), false, "downdelay" },
	{ FIELD(flap_max, 16), false, "flap_max 16 is not in 0..15" },
	{ FIELD(flap_window_ms, 0), false, "flap_window" },
	{ FIELD(flap_hold_ms, 0), false, "flap_hold" },
	{ FIELD(nb_buckets, 128), false, "buckets 128 is not in 256..65536" },
	{ FIELD(nb_buckets, 131072), false, "buckets 131072" },
	{ FIELD(nb_buckets, 1000), false, "not a power of two" },
	{ FIELD(nb_buckets, 65536), true, NULL },
	{ FIELD(skew_us, 1000001), false, "skew" },
	{ FIELD(rebalance_interval_ms, 0), false, "rebalance_interval" },
	{ FIELD(rebalance_threshold, 0), false, "rebalance_threshold" },
	{ FIELD(rebalance_threshold, 101), false, "rebalance_threshold" },
	{ FIELD(flow.policy, TP_FLOW_NB_POLICIES), false, "flow policy" },
	{ FIELD(flow.fn, TP_FLOW_NB_FNS), false, "flow function" },
	{ FIELD(flow.isa, TP_FLOW_ISA_BEST + 1), false, "flow isa" },
};

static void
test_check_names_the_bad_value(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fixture_defaults(&f);
	fixture_start(&f);
	for (size_t i = 0; i < RTE_DIM(bad_confs); i++) {
		const struct bad_conf *c = &bad_confs[i];
		struct tp_team_conf conf;
		char why[128] = "";
		int rc = c->good ? 0 : -EINVAL;

		tp_team_conf_default(&conf);
		memcpy((char *)&conf + c->offset, &c->value, c->size);
		if (tp_team_conf_check(&conf, why, sizeof(why)) != rc)
			fail_msg("case %zu: not %d", i, rc);
		assert_int_equal(tp_team_conf_check(&conf, NULL, 0), rc);
		if (!c->good && strstr(why, c->why) == NULL)
			fail_msg("case %zu: \"%s\" without \"%s\"", i, why, c->why);
		assert_int_equal(tp_team_set_conf(&f.team, &conf, T0), rc);
	}
}

static void
test_member_conf(void **state)
{
	const struct tp_member_conf good = { .prio = INT32_MIN, .weight = 1000 };
	const struct tp_member_conf bad = { .weight = 1001 };
	char why[64];

	(void)state;
	assert_int_equal(tp_member_conf_check(&good, why, sizeof(why)), 0);
	assert_int_equal(tp_member_conf_check(&bad, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "weight 1001 is not in 0..1000");
}

static void
test_names_round_trip(void **state)
{
	static const char *const modes[] = { "hash", "load", "active-backup", "round-robin",
		"broadcast" };

	(void)state;
	for (int i = 0; i < TP_NB_MODES; i++) {
		assert_string_equal(tp_modes[i].name, modes[i]);
		assert_int_equal(tp_mode_parse(modes[i]), i);
	}
	assert_int_equal(tp_mode_parse("hashes"), -EINVAL);
	for (int i = TP_RESELECT_ALWAYS; i <= TP_RESELECT_FAILURE; i++)
		assert_int_equal(tp_reselect_parse(tp_reselect_name(i)), i);
	for (int i = TP_FOM_NONE; i <= TP_FOM_FOLLOW; i++)
		assert_int_equal(tp_fail_over_mac_parse(tp_fail_over_mac_name(i)), i);
	assert_int_equal(tp_reselect_parse("better"), TP_RESELECT_BETTER);
	assert_int_equal(tp_fail_over_mac_parse("follow"), TP_FOM_FOLLOW);
	assert_int_equal(tp_reselect_parse(""), -EINVAL);
	assert_int_equal(tp_fail_over_mac_parse("x"), -EINVAL);
	assert_null(tp_reselect_name(TP_RESELECT_FAILURE + 1));
	assert_null(tp_fail_over_mac_name(TP_FOM_FOLLOW + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_valid_and_documented),
		cmocka_unit_test(test_check_names_the_bad_value),
		cmocka_unit_test(test_member_conf),
		cmocka_unit_test(test_names_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
