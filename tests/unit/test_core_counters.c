/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What is dropped is freed and counted by its reason; reasons and counters have names. */

#include <limits.h>
#include <string.h>

#include "test_eal.h"
#include "tp_core.h"

#define RING_SIZE 16 /* takes 15 */
#define NB 20

static struct tp_counters ctr;

static int
setup(void **state)
{
	memset(&ctr, 0, sizeof(ctr));
	return test_mbufs_setup(state);
}

static void
make(struct rte_mbuf **pkts)
{
	for (uint8_t i = 0; i < NB; i++)
		pkts[i] = test_mbuf(&i, sizeof(i));
}

static void
assert_dropped(enum tp_drop reason, uint64_t nb)
{
	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		assert_int_equal(ctr.drop[i], i == reason ? nb : 0);
}

static void
test_dropped_is_freed_and_counted(void **state)
{
	unsigned int out = test_pools_out();
	struct rte_mbuf *pkts[NB];

	(void)state;
	make(pkts);
	tp_drop_burst(&ctr, TP_DROP_MSG_STALE, pkts, 0);
	assert_dropped(TP_DROP_MSG_STALE, 0);
	assert_int_equal(test_pools_out(), out + NB);
	tp_drop_burst(&ctr, TP_DROP_MSG_STALE, pkts, 1);
	assert_dropped(TP_DROP_MSG_STALE, 1);
	assert_int_equal(test_pools_out(), out + NB - 1);
	tp_drop_burst(&ctr, TP_DROP_MSG_STALE, pkts + 1, NB - 1);
	assert_dropped(TP_DROP_MSG_STALE, NB);
	assert_int_equal(test_pools_out(), out);
}

static void
test_what_does_not_fit_is_dropped(void **state)
{
	struct tp_fabric *fabric = tp_fabric_create("send");
	struct rte_mbuf *pkts[NB], *m = NULL;
	struct rte_ring *ring;

	(void)state;
	assert_int_equal(tp_fabric_join(fabric, 0, 1, RING_SIZE, 0), 0);
	ring = fabric->ring[0][1];
	make(pkts);
	assert_int_equal(tp_fabric_send(ring, pkts, 0, &ctr, TP_DROP_TX_RING_FULL), 0);
	assert_int_equal(tp_fabric_send(ring, pkts, 10, &ctr, TP_DROP_TX_RING_FULL), 10);
	assert_dropped(TP_DROP_TX_RING_FULL, 0);
	assert_int_equal(tp_fabric_send(ring, pkts + 10, 8, &ctr, TP_DROP_TX_RING_FULL), 5);
	assert_dropped(TP_DROP_TX_RING_FULL, 3);
	assert_int_equal(tp_fabric_send(ring, pkts + 18, 2, &ctr, TP_DROP_TX_RING_FULL), 0);
	assert_dropped(TP_DROP_TX_RING_FULL, 5);
	/* Buffers that were freed are used again; the first ones are not among them. */
	for (uint8_t i = 15; i < NB; i++)
		pkts[i] = test_mbuf("\xff", 1);
	rte_pktmbuf_free_bulk(pkts + 15, NB - 15);
	for (uint8_t i = 0; i < RING_SIZE - 1; i++) {
		assert_int_equal(rte_ring_sc_dequeue(ring, (void **)&m), 0);
		assert_int_equal(*rte_pktmbuf_mtod(m, uint8_t *), i);
		rte_pktmbuf_free(m);
	}
	assert_true(rte_ring_empty(ring));
	tp_fabric_free(fabric);
}

/* ---- names ---------------------------------------------------------------------- */

static void
assert_names(unsigned int nb, const char *(*name)(unsigned int), const char *(*text)(unsigned int))
{
	for (unsigned int i = 0; i < nb; i++) {
		assert_string_not_equal(name(i), "?");
		assert_true(strlen(name(i)) > 0 && strlen(text(i)) > 0);
		assert_string_not_equal(name(i), text(i));
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(name(i), name(k));
	}
	assert_string_equal(name(nb), "?");
	assert_string_equal(text(nb), "?");
	assert_string_equal(name(UINT_MAX), "?");
	assert_string_equal(text(UINT_MAX), "?");
}

static const char *
drop_name(unsigned int i)
{
	return tp_drop_name(i);
}

static const char *
drop_text(unsigned int i)
{
	return tp_drop_text(i);
}

static const char *
counter_name(unsigned int i)
{
	return tp_counter_name(i);
}

static const char *
counter_text(unsigned int i)
{
	return tp_counter_text(i);
}

static void
test_each_has_a_name_of_its_own(void **state)
{
	(void)state;
	assert_names(TP_NB_DROPS, drop_name, drop_text);
	assert_names(TP_NB_COUNTERS, counter_name, counter_text);
	assert_string_equal(tp_drop_name(TP_DROP_RX_OWN_MAC), "rx_own_mac");
	assert_string_equal(tp_drop_text(TP_DROP_HOST_NONE), "no host port to deliver to");
	assert_string_equal(tp_counter_name(TP_C_TX_BYTES), "tx_good_bytes");
	assert_string_equal(tp_counter_text(TP_C_TX_TOE), "frames sent for connections");
}

static void
test_row_of_a_table(void **state)
{
	static const struct tp_name table[] = { { "a", "first" }, { "b", "last" } };

	(void)state;
	assert_ptr_equal(tp_name_at(table, 2, 0), &table[0]);
	assert_ptr_equal(tp_name_at(table, 2, 1), &table[1]);
	assert_string_equal(tp_name_at(table, 2, 2)->name, "?");
	assert_string_equal(tp_name_at(table, 1, 1)->text, "?");
	assert_string_equal(tp_name_at(NULL, 0, 0)->name, "?");
	assert_string_equal(TP_NAME_AT(table, -1)->name, "?");
	assert_ptr_equal(TP_NAME_AT(table, 1), &table[1]);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, test_mbufs_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_dropped_is_freed_and_counted),
		test(test_what_does_not_fit_is_dropped),
		test(test_each_has_a_name_of_its_own),
		test(test_row_of_a_table),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
