/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Who gets into the host port: the guard word against the role word (tests/model/handover.pml). */

#include "host_int.h"
#include "test_eal.h"

static struct tp_fabric fabric;
static struct tp_host host;
static struct tp_member member[2];

static int
setup(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	memset(member, 0, sizeof(member));
	host.fabric = &fabric;
	host.port_id = RTE_MAX_ETHPORTS;
	for (uint8_t i = 0; i < RTE_DIM(member); i++) {
		member[i].id = i;
		member[i].host = &host;
	}
	return 0;
}

static void
set_role(uint8_t id, bool primary, uint32_t epoch)
{
	atomic_store(&member[id].role, tp_role_word(primary, epoch, 1));
}

static bool
gets_in(uint8_t id)
{
	uint64_t lost = member[id].ctr.c[TP_C_GUARD_LOST];

	tp_host_step(&host, &member[id], 0);
	assert_true(tp_host_idle(&host) || (host.guard & TP_GUARD_BUSY) != TP_GUARD_HOLDER(id));
	return member[id].ctr.c[TP_C_GUARD_LOST] == lost;
}

static void
test_primary_of_the_present_epoch_gets_in(void **state)
{
	(void)state;
	set_role(0, true, tp_host_raise(&host));
	assert_true(gets_in(0));
	assert_true(gets_in(0));
}

static void
test_stale_primary_stays_out(void **state)
{
	(void)state;
	set_role(0, true, tp_host_raise(&host));
	set_role(1, true, tp_host_raise(&host));
	assert_false(gets_in(0));
	assert_true(gets_in(1));
}

/* MUT_ROLE_TWICE: its turn began as primary, then its word was rewritten with the new epoch. */
static void
test_secondary_of_the_present_epoch_stays_out(void **state)
{
	(void)state;
	set_role(0, false, tp_host_raise(&host));
	assert_false(gets_in(0));
}

static void
test_busy_keeps_others_out(void **state)
{
	(void)state;
	set_role(1, true, tp_host_raise(&host));
	atomic_fetch_add(&host.guard, TP_GUARD_HOLDER(0));
	assert_false(tp_host_idle(&host));
	assert_false(gets_in(1));
	atomic_fetch_sub(&host.guard, TP_GUARD_HOLDER(0));
	assert_true(gets_in(1));
}

/* MUT_ANON_BUSY: the frozen one had left, its successor is inside. */
static void
test_evict_takes_only_the_named_one_out(void **state)
{
	uint32_t epoch;

	(void)state;
	atomic_fetch_add(&host.guard, TP_GUARD_HOLDER(1));
	epoch = tp_host_raise(&host);
	assert_false(tp_host_evict(&host, 0));
	assert_false(tp_host_idle(&host));
	assert_true(tp_host_evict(&host, 1));
	assert_true(tp_host_idle(&host));
	assert_false(tp_host_evict(&host, 1));
	set_role(0, true, epoch);
	assert_true(gets_in(0));
}

/* MUT_STORE_RELEASE: leaving must not undo the raise. */
static void
test_epoch_raised_meanwhile_stays(void **state)
{
	uint32_t epoch;

	(void)state;
	atomic_fetch_add(&host.guard, TP_GUARD_HOLDER(1));
	epoch = tp_host_raise(&host);
	guard_leave(&host.guard, sizeof(host.guard));
	assert_int_equal(TP_ROLE_EPOCH(host.guard), epoch);
	assert_true(tp_host_idle(&host));
}

/* MUT_NO_REVOKE: nor may leaving the Tx guard undo that it was revoked meanwhile. */
static void
test_revoked_meanwhile_stays(void **state)
{
	(void)state;
	assert_true(txg_enter(&member[0]));
	assert_false(txg_enter(&member[0]));
	atomic_fetch_or(&member[0].tx_guard, TP_TXG_REVOKED);
	txg_leave(&member[0]);
	assert_int_equal(member[0].tx_guard, TP_TXG_REVOKED);
	assert_false(txg_enter(&member[0]));
	atomic_fetch_and(&member[0].tx_guard, ~TP_TXG_REVOKED);
	assert_true(txg_enter(&member[0]));
}

/* A drain waited for member 1 when the last primary went: nobody is left to end it. */
static void
test_revoked_by_nobody_is_given_back(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < RTE_DIM(member); i++)
		tp_host_set_member(&host, i, &member[i]);
	atomic_store(&member[0].tx_guard, TP_TXG_REVOKED);
	atomic_store(&member[1].tx_guard, TP_TXG_REVOKED | TP_TXG_BUSY);
	tp_host_let_go(&host);
	assert_int_equal(member[0].tx_guard, 0);
	assert_int_equal(member[1].tx_guard, TP_TXG_BUSY);
}

static void
test_epoch_wraps(void **state)
{
	(void)state;
	for (unsigned int high = 0; high < 2; high++) {
		atomic_store(&host.guard, ((uint64_t)high << 63) | UINT64_C(0x7fffffff) << 32);
		set_role(0, true, 0x7fffffff);
		assert_true(gets_in(0));
		assert_int_equal(tp_host_raise(&host), 0);
		assert_false(gets_in(0));
		set_role(0, true, 0);
		assert_true(gets_in(0));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_primary_of_the_present_epoch_gets_in, setup),
		cmocka_unit_test_setup(test_stale_primary_stays_out, setup),
		cmocka_unit_test_setup(test_secondary_of_the_present_epoch_stays_out, setup),
		cmocka_unit_test_setup(test_busy_keeps_others_out, setup),
		cmocka_unit_test_setup(test_evict_takes_only_the_named_one_out, setup),
		cmocka_unit_test_setup(test_epoch_raised_meanwhile_stays, setup),
		cmocka_unit_test_setup(test_revoked_meanwhile_stays, setup),
		cmocka_unit_test_setup(test_revoked_by_nobody_is_given_back, setup),
		cmocka_unit_test_setup(test_epoch_wraps, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
