/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A member's transmit side: who may use it, what leaves by it in which order, and what is thrown
 * away when its port is parked. Frames are numbers here.
 */

#include "host_int.h"
#include "test_port.h"

#define RING_SIZE 128
#define BURST 8
#define HOLDER 2 /* of the host port; it has nothing to send by */
#define HALTED (2 | TP_PORT_HALT)

static struct tp_fabric *fabric;
static struct tp_host *host;
static struct tp_member member[3];
static struct test_port port;

static int
setup_port(void **state, unsigned int size)
{
	struct tp_member *m = &member[0];

	port = test_port_open(size);
	fabric = tp_fabric_create("member");
	host = tp_host_create(fabric, RING_SIZE, BURST, 0);
	assert_non_null(host);
	memset(member, 0, sizeof(member));
	for (uint8_t i = 0; i < RTE_DIM(member); i++) {
		member[i].id = i;
		member[i].host = host;
		member[i].fabric = fabric;
		assert_int_equal(tp_fabric_join(fabric, TP_NODE_HOST, i, RING_SIZE, 0), 0);
		assert_int_equal(tp_fabric_join(fabric, TP_NODE_CONTROL, i, RING_SIZE, 0), 0);
		tp_host_set_member(host, i, &member[i]);
	}
	assert_int_equal(tp_egress_init(&m->egress, port.id, 0, 0, test_pool(), NULL, &m->ctr), 0);
	return test_mbufs_setup(state);
}

static int
setup(void **state)
{
	return setup_port(state, 128);
}

/* Its port takes one frame. */
static int
setup_small(void **state)
{
	return setup_port(state, 2);
}

static int
teardown(void **state)
{
	struct rte_mbuf *pkts[TP_EGRESS_HOLD];

	rte_pktmbuf_free_bulk(pkts, tp_egress_take_back(&member[0].egress, pkts));
	tp_host_free(host);
	tp_fabric_free(fabric);
	test_port_close(&port);
	return test_mbufs_teardown(state);
}

static struct rte_mbuf *
numbered(uint8_t number)
{
	uint8_t data[60] = { number };
	struct rte_mbuf *m = test_mbuf(data, sizeof(data));

	tp_meta(m)->kind = TP_KIND_TX;
	return m;
}

static void
put(unsigned int from, uint8_t first, uint8_t nb)
{
	for (uint8_t i = 0; i < nb; i++)
		assert_int_equal(
		                rte_ring_sp_enqueue(fabric->ring[from][0], numbered(first + i)), 0);
}

static unsigned int
waiting(unsigned int from, uint8_t to)
{
	return rte_ring_count(fabric->ring[from][to]);
}

/* The number of a frame; it is freed. -1: none */
static int
number_of(struct rte_mbuf *m)
{
	int number = m != NULL ? *rte_pktmbuf_mtod(m, uint8_t *) : -1;

	rte_pktmbuf_free(m);
	return number;
}

static int
sent(void)
{
	return number_of(test_port_take(&port));
}

static uint64_t
stopped(void)
{
	return member[0].ctr.drop[TP_DROP_TX_PORT_STOPPED];
}

/* ---- transmitting ---------------------------------------------------------------- */

static void
test_controls_frames_leave_first(void **state)
{
	(void)state;
	assert_int_equal(tp_member_transmit(&member[0], BURST), 0);
	put(TP_NODE_HOST, 1, BURST + 1);
	put(TP_NODE_CONTROL, 100, 2);
	assert_int_equal(tp_member_transmit(&member[0], BURST), BURST + 2);
	assert_int_equal(sent(), 100);
	assert_int_equal(sent(), 101);
	for (int i = 1; i <= BURST; i++)
		assert_int_equal(sent(), i);
	assert_int_equal(sent(), -1);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 1);
	assert_int_equal(sent(), BURST + 1);
	assert_int_equal(member[0].ctr.c[TP_C_TX_CTL], 2);
	assert_int_equal(member[0].ctr.c[TP_C_TX_PACKETS], BURST + 3);
	assert_int_equal(member[0].tx_guard, 0);
}

static void
test_what_is_no_frame_to_send_is_dropped(void **state)
{
	struct rte_mbuf *m = numbered(1);

	(void)state;
	tp_meta(m)->kind = TP_KIND_MESSAGE;
	assert_int_equal(rte_ring_sp_enqueue(fabric->ring[TP_NODE_CONTROL][0], m), 0);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 1);
	assert_int_equal(member[0].ctr.drop[TP_DROP_MSG_STALE], 1);
	put(TP_NODE_CONTROL, 3, 1);
	tp_member_transmit(&member[0], BURST);
	assert_int_equal(sent(), 3);
	assert_int_equal(member[0].ctr.drop[TP_DROP_MSG_STALE], 1);
}

/* A drain may give what is held to another member; control's frames name this one. */
static void
test_a_full_port_holds_the_hosts_frames_alone(void **state)
{
	(void)state;
	put(TP_NODE_CONTROL, 100, 2);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 2);
	assert_int_equal(member[0].ctr.drop[TP_DROP_TX_PORT_FULL], 1);
	assert_int_equal(member[0].egress.nb_hold, 0);
	put(TP_NODE_HOST, 1, 2);
	tp_member_transmit(&member[0], BURST);
	assert_int_equal(member[0].egress.nb_hold, 2);
	/* Control's wait behind them. */
	put(TP_NODE_CONTROL, 102, 1);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 0);
	assert_int_equal(waiting(TP_NODE_CONTROL, 0), 1);
	assert_int_equal(sent(), 100);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 1);
	assert_int_equal(waiting(TP_NODE_CONTROL, 0), 1);
	assert_int_equal(sent(), 1);
	tp_member_transmit(&member[0], BURST);
	assert_int_equal(sent(), 2);
	assert_int_equal(waiting(TP_NODE_CONTROL, 0), 0);
	assert_int_equal(member[0].ctr.drop[TP_DROP_TX_PORT_FULL], 2);
}

static void
test_nothing_leaves_while_revoked_or_halted(void **state)
{
	(void)state;
	put(TP_NODE_HOST, 1, 1);
	put(TP_NODE_CONTROL, 2, 1);
	atomic_store(&member[0].tx_guard, TP_TXG_REVOKED);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 0);
	assert_int_equal(member[0].tx_guard, TP_TXG_REVOKED);
	atomic_store(&member[0].tx_guard, 0);
	atomic_store(&member[0].port_ack, HALTED);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 0);
	assert_int_equal(sent(), -1);
	atomic_store(&member[0].port_ack, HALTED & ~TP_PORT_HALT);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 2);
	assert_int_equal(sent(), 2);
	assert_int_equal(sent(), 1);
}

/* ---- open and close -------------------------------------------------------------- */

static void
test_open_is_for_one(void **state)
{
	(void)state;
	put(TP_NODE_HOST, 1, 1);
	assert_true(tp_member_open(&member[0]));
	assert_int_equal(member[0].tx_guard, TP_TXG_BUSY);
	assert_false(tp_member_open(&member[0]));
	assert_int_equal(tp_member_transmit(&member[0], BURST), 0);
	tp_member_close(&member[0]);
	assert_int_equal(member[0].tx_guard, 0);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 1);
	assert_true(tp_member_open(&member[0]));
	tp_member_close(&member[0]);
	assert_int_equal(sent(), 1);
}

static void
test_not_opened_while_halted_or_revoked(void **state)
{
	(void)state;
	atomic_store(&member[0].port_ack, HALTED);
	assert_false(tp_member_open(&member[0]));
	assert_int_equal(member[0].tx_guard, 0);
	atomic_store(&member[0].port_ack, HALTED & ~TP_PORT_HALT);
	atomic_store(&member[0].tx_guard, TP_TXG_REVOKED);
	assert_false(tp_member_open(&member[0]));
	assert_int_equal(member[0].tx_guard, TP_TXG_REVOKED);
	atomic_store(&member[0].tx_guard, 0);
	assert_true(tp_member_open(&member[0]));
	/* Revoked meanwhile: that stays. */
	atomic_fetch_or(&member[0].tx_guard, TP_TXG_REVOKED);
	tp_member_close(&member[0]);
	assert_int_equal(member[0].tx_guard, TP_TXG_REVOKED);
}

/* ---- parked ---------------------------------------------------------------------- */

/* One frame is in the port, 2 and 3 are held, 4 and 5 are on the ring. */
static void
hold_two(void)
{
	put(TP_NODE_HOST, 1, 3);
	tp_member_transmit(&member[0], BURST);
	assert_int_equal(member[0].egress.nb_hold, 2);
	put(TP_NODE_HOST, 4, 2);
	assert_int_equal(sent(), 1);
}

static void
publish(uint32_t version, uint8_t active)
{
	struct tp_dist *d = tp_host_spare(host, false);

	assert_non_null(d);
	memset(d, 0, offsetof(struct tp_dist, map));
	d->version = version;
	d->mode = TP_MODE_ACTIVE_BACKUP;
	d->active = active;
	d->nb_alive = 1;
	d->alive[0] = active;
	d->alive_mask = RTE_BIT32(active);
	tp_host_publish(host, d);
	host_apply(host, &member[HOLDER], 0);
}

/* All that was for member 0 is on member 1's ring, from this number to 5. */
static void
assert_taken_over(int first)
{
	void *m;

	assert_int_equal(tp_host_applied(host), 2);
	while (stash_count(&host->stash) > 0)
		assert_int_not_equal(host_hand_out(host, &member[HOLDER], 0), 0);
	for (int i = first; i <= 5; i++) {
		assert_int_equal(rte_ring_sc_dequeue(host_ring(host, 1), &m), 0);
		assert_int_equal(number_of(m), i);
	}
	assert_int_equal(waiting(TP_NODE_HOST, 1), 0);
	assert_int_equal(member[0].tx_guard, 0);
}

/* Its ring is the host port's: whoever follows balances that anew. */
static void
test_purge_leaves_what_others_can_send(void **state)
{
	(void)state;
	publish(1, 0);
	hold_two();
	put(TP_NODE_CONTROL, 100, TP_BURST_MAX + 1);
	tp_member_purge(&member[0]);
	assert_int_equal(stopped(), 2 + TP_BURST_MAX + 1);
	assert_int_equal(member[0].egress.nb_hold, 0);
	assert_int_equal(waiting(TP_NODE_CONTROL, 0), 0);
	assert_int_equal(waiting(TP_NODE_HOST, 0), 2);
	assert_int_equal(member[0].tx_guard, 0);
	tp_member_purge(&member[0]);
	assert_int_equal(stopped(), 2 + TP_BURST_MAX + 1);
	publish(2, 1);
	assert_taken_over(4);
}

/* Parked while nobody was primary: the next one takes back what is held, if it had begun to. */
static void
test_purge_leaves_what_a_drain_wants_back(void **state)
{
	(void)state;
	publish(1, 0);
	hold_two();
	assert_true(tp_member_open(&member[0]));
	publish(2, 1);
	assert_int_equal(tp_host_applied(host), 1); /* it waits for the consumer */
	tp_member_purge(&member[0]);
	tp_member_close(&member[0]);
	put(TP_NODE_CONTROL, 100, 1);
	tp_member_purge(&member[0]);
	assert_int_equal(stopped(), 0);
	assert_int_equal(member[0].egress.nb_hold, 2);
	assert_int_equal(waiting(TP_NODE_CONTROL, 0), 1);
	host_apply(host, &member[HOLDER], 0);
	assert_taken_over(2);
}

/* Nobody will end the drain: what was let go may leave as it is, or be thrown away. */
static void
test_purge_of_what_was_let_go(void **state)
{
	(void)state;
	publish(1, 0);
	hold_two();
	assert_true(tp_member_open(&member[0]));
	publish(2, 1);
	tp_member_close(&member[0]);
	assert_int_equal(tp_member_transmit(&member[0], BURST), 0);
	tp_host_let_go(host);
	assert_int_not_equal(tp_member_transmit(&member[0], BURST), 0);
	assert_int_equal(sent(), 2);
	tp_member_purge(&member[0]);
	assert_int_equal(member[0].egress.nb_hold, 0);
	assert_int_equal(stopped(), 3); /* transmit had moved the ring's behind 3 */
	host_apply(host, &member[HOLDER], 0);
	assert_taken_over(6);
}

static int
group_setup(void **state)
{
	int rc = test_eal_setup(state);

	return rc < 0 ? rc : tp_meta_init();
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define test_small(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_controls_frames_leave_first),
		test(test_what_is_no_frame_to_send_is_dropped),
		test_small(test_a_full_port_holds_the_hosts_frames_alone),
		test(test_nothing_leaves_while_revoked_or_halted),
		test(test_open_is_for_one),
		test(test_not_opened_while_halted_or_revoked),
		test_small(test_purge_leaves_what_others_can_send),
		test_small(test_purge_leaves_what_a_drain_wants_back),
		test_small(test_purge_of_what_was_let_go),
	};

	return cmocka_run_group_tests(tests, group_setup, test_eal_teardown);
}
