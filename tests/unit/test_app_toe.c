/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The offload engine's part of a member's lcore (app/teampmd/worker_toe.c) and of control (toe.c): by
 * whose port connections send, what the rings between members carry, and what is dropped with its reason.
 * Member 0 has a port; its shard is one of a real engine.
 */

#include "app.h"
#include "test_port.h"
#include "test_toe.h"

#define RING_SIZE 16 /* holds one less */

static struct daemon d;
static struct tp_fabric *fabric;
static struct tp_member members[FAKE_MEMBERS];
static struct worker workers[FAKE_MEMBERS];
static struct test_port port;
static struct worker *const me = &workers[0];

static void
join_all(void)
{
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++) {
		members[i].id = i;
		members[i].fabric = fabric;
		members[i].pool = test_pool();
		workers[i].member = &members[i];
		workers[i].daemon = &d;
		workers[i].burst = 8;
		atomic_store(&workers[i].toe_via, i);
		assert_int_equal(tp_fabric_join(fabric, TP_NODE_CONTROL, i, RING_SIZE, 0), 0);
		for (uint8_t k = 0; k < i; k++)
			assert_int_equal(tp_fabric_join(fabric, k, i, RING_SIZE, 0), 0);
		d.control.slot[i].used = true;
		d.control.slot[i].member = &members[i];
		d.control.slot[i].worker = &workers[i];
	}
}

static int
setup(void **state)
{
	int rc;

	port = test_port_open(64);
	fabric = tp_fabric_create("apptoe");
	memset(&d, 0, sizeof(d));
	memset(members, 0, sizeof(members));
	memset(workers, 0, sizeof(workers));
	join_all();
	assert_int_equal(tp_egress_init(&members[0].egress, port.id, 0, 0, test_pool(), NULL,
	                                 &members[0].ctr),
	                0);
	rc = toe_setup(state);
	d.toe = team.toe;
	d.inet = team.inet;
	d.control.daemon = &d;
	me->toe = team.member[0].shard;
	atomic_store(&me->toe_peers, RTE_BIT32(1) | RTE_BIT32(2));
	return rc;
}

static int
teardown(void **state)
{
	struct rte_mbuf *pkts[TP_EGRESS_HOLD];

	rte_pktmbuf_free_bulk(pkts, tp_egress_take_back(&members[0].egress, pkts));
	tp_fabric_free(fabric);
	test_port_close(&port);
	return toe_teardown(state);
}

#define app_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static struct rte_mbuf *
numbered(uint8_t number, uint8_t kind)
{
	uint8_t data[60] = { number };
	struct rte_mbuf *m = test_mbuf(data, sizeof(data));

	*tp_meta(m) = (struct tp_meta){ .kind = kind };
	return m;
}

/* Frames 0 to nb - 1. */
static void
some(struct rte_mbuf **pkts, uint16_t nb)
{
	for (uint16_t i = 0; i < nb; i++)
		pkts[i] = numbered(i, 0);
}

static void
send_some(uint16_t nb)
{
	struct rte_mbuf *pkts[32];

	some(pkts, nb);
	worker_toe_ops.transmit(me, pkts, nb);
}

static unsigned int
sent_here(void)
{
	struct rte_mbuf *m;
	unsigned int n = 0;

	while ((m = test_port_take(&port)) != NULL) {
		assert_int_equal(*rte_pktmbuf_mtod(m, uint8_t *), n++);
		rte_pktmbuf_free(m);
	}
	return n;
}

static uint64_t
dropped(enum tp_drop why)
{
	return members[0].ctr.drop[why];
}

/* ---- out --------------------------------------------------------------------------- */

static void
test_it_sends_by_its_own_port(void **state)
{
	(void)state;
	send_some(3);
	assert_int_equal(sent_here(), 3);
	assert_int_equal(members[0].ctr.c[TP_C_TX_TOE], 3);
	/* The egress was opened for that alone. */
	assert_int_equal(atomic_load(&members[0].tx_guard), 0);
	/* In the middle of a turn it is open, and stays so. */
	assert_true(tp_member_open(&members[0]));
	me->toe_open = true;
	send_some(2);
	assert_int_equal(sent_here(), 2);
	assert_int_equal(atomic_load(&members[0].tx_guard), TP_TXG_BUSY);
	tp_member_close(&members[0]);
	me->toe_open = false;
}

/* The holder of the host port has it just now, or the port is halted. */
static void
test_a_port_that_rests_sends_nothing(void **state)
{
	(void)state;
	atomic_store(&members[0].tx_guard, TP_TXG_REVOKED);
	assert_int_equal(worker_toe_ops.room(me), 0);
	send_some(3);
	assert_int_equal(dropped(TP_DROP_TX_PORT_STOPPED), 3);
	assert_int_equal(members[0].ctr.c[TP_C_TX_TOE], 0);
	assert_int_equal(sent_here(), 0);
	assert_int_equal(atomic_load(&members[0].tx_guard), TP_TXG_REVOKED);
}

static void
test_it_sends_by_anothers_port(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	atomic_store(&me->toe_via, 2);
	assert_int_equal(worker_toe_ops.room(me), RING_SIZE - 1);
	send_some(RING_SIZE + 2);
	assert_int_equal(dropped(TP_DROP_TX_RING_FULL), 3);
	assert_int_equal(worker_toe_ops.room(me), 0);
	for (unsigned int i = 0; i < RING_SIZE - 1; i++) {
		assert_int_equal(rte_ring_dequeue(fabric->ring[0][2], (void **)&m), 0);
		assert_int_equal(*rte_pktmbuf_mtod(m, uint8_t *), i);
		assert_int_equal(tp_meta(m)->kind, TP_KIND_TX);
		assert_int_equal(tp_meta(m)->ingress, 0);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(sent_here(), 0);
	assert_int_equal(members[0].ctr.c[TP_C_TX_TOE], 0); /* counted where it leaves */
}

static void
test_without_any_port_it_waits(void **state)
{
	(void)state;
	atomic_store(&me->toe_via, TP_MEMBER_NONE);
	assert_int_equal(worker_toe_ops.room(me), 0);
	send_some(4);
	assert_int_equal(dropped(TP_DROP_TX_NO_MEMBER), 4);
}

static void
test_its_room_is_the_egress_of_this_turn(void **state)
{
	(void)state;
	assert_int_equal(worker_toe_ops.room(me), 0);
	me->toe_open = true;
	assert_int_equal(worker_toe_ops.room(me), tp_egress_room(&members[0].egress));
	assert_true(worker_toe_ops.room(me) > 0);
}

static void
test_foreign_packets_go_to_members_that_listen(void **state)
{
	struct rte_mbuf *pkts[32];

	(void)state;
	some(pkts, RING_SIZE);
	worker_toe_ops.forward(me, 1, pkts, RING_SIZE);
	assert_int_equal(members[0].ctr.c[TP_C_RX_FOREIGN], RING_SIZE - 1);
	assert_int_equal(dropped(TP_DROP_FOREIGN_RING_FULL), 1);
	assert_int_equal(rte_ring_count(fabric->ring[0][1]), RING_SIZE - 1);
	/* One that has no rings yet. */
	atomic_store(&me->toe_peers, RTE_BIT32(1));
	some(pkts, 2);
	worker_toe_ops.forward(me, 2, pkts, 2);
	assert_int_equal(dropped(TP_DROP_TX_NO_MEMBER), 2);
	assert_int_equal(rte_ring_count(fabric->ring[0][2]), 0);
}

static void
test_control_hears_what_it_can_take(void **state)
{
	struct rte_mbuf *pkts[32];

	(void)state;
	some(pkts, RING_SIZE + 1);
	worker_toe_ops.control(me, pkts, RING_SIZE + 1);
	assert_int_equal(members[0].ctr.c[TP_C_RX_CTL], RING_SIZE - 1);
	assert_int_equal(dropped(TP_DROP_CTL_RING_FULL), 2);
	assert_int_equal(rte_ring_count(fabric->ring[0][TP_NODE_CONTROL]), RING_SIZE - 1);
}

/* ---- in ----------------------------------------------------------------------------- */

/* What others send by our port leaves, in order; all else is the engine's. */
static void
test_a_turn_sorts_what_the_others_put(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 6; i++)
		assert_int_equal(rte_ring_enqueue(fabric->ring[2][0], numbered(i, TP_KIND_TX)), 0);
	assert_int_equal(rte_ring_enqueue(fabric->ring[1][0], numbered(99, TP_KIND_MESSAGE)), 0);
	assert_true(worker_toe(me, team.now) >= 7);
	assert_int_equal(sent_here(), 6);
	assert_int_equal(members[0].ctr.c[TP_C_TX_TOE], 6);
	assert_int_equal(rte_ring_count(fabric->ring[1][0]), 0);
	assert_false(me->toe_open);
	assert_int_equal(atomic_load(&members[0].tx_guard), 0);
	assert_int_equal(worker_toe(me, team.now), 0);
}

/* Members that may not put anything there are not asked. */
static void
test_a_turn_reads_the_rings_of_peers_only(void **state)
{
	(void)state;
	atomic_store(&me->toe_peers, RTE_BIT32(2));
	assert_int_equal(rte_ring_enqueue(fabric->ring[1][0], numbered(0, TP_KIND_TX)), 0);
	worker_toe(me, team.now);
	assert_int_equal(sent_here(), 0);
	assert_int_equal(rte_ring_count(fabric->ring[1][0]), 1);
}

static void
test_a_turn_leaves_a_revoked_egress_alone(void **state)
{
	(void)state;
	atomic_store(&members[0].tx_guard, TP_TXG_REVOKED);
	assert_int_equal(rte_ring_enqueue(fabric->ring[1][0], numbered(0, TP_KIND_TX)), 0);
	assert_int_equal(worker_toe(me, team.now), 1);
	assert_int_equal(dropped(TP_DROP_TX_PORT_STOPPED), 1);
	assert_int_equal(atomic_load(&members[0].tx_guard), TP_TXG_REVOKED);
}

/* ---- by whose port, where to -------------------------------------------------------------- */

static void
distribute(uint8_t mode, uint8_t primary, uint8_t distributing)
{
	struct tp_team *t = &d.control.team;

	t->conf.mode = mode;
	t->conf.nb_buckets = 512;
	t->primary = primary;
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++)
		t->member[i].distributing = (distributing >> i & 1) != 0;
	for (unsigned int b = 0; b < 512; b++)
		t->map[b] = b / 2 % 3;
	toe_distribute(&d.control);
}

#define assert_via(a, b, c)                                                                        \
	do {                                                                                       \
		assert_int_equal(atomic_load(&workers[0].toe_via), a);                             \
		assert_int_equal(atomic_load(&workers[1].toe_via), b);                             \
		assert_int_equal(atomic_load(&workers[2].toe_via), c);                             \
	} while (0)

static void
test_each_sends_by_its_port_while_it_distributes(void **state)
{
	(void)state;
	distribute(TP_MODE_HASH, 1, 7);
	assert_via(0, 1, 2);
	/* Its connections leave by the primary at once. */
	distribute(TP_MODE_HASH, 1, 6);
	assert_via(1, 1, 2);
	/* None distributes: the primary keeps its own. */
	distribute(TP_MODE_HASH, 1, 0);
	assert_via(1, 1, 1);
	distribute(TP_MODE_HASH, TP_MEMBER_NONE, 0);
	assert_via(TP_MEMBER_NONE, TP_MEMBER_NONE, TP_MEMBER_NONE);
}

static void
test_in_active_backup_all_send_by_the_primary(void **state)
{
	(void)state;
	distribute(TP_MODE_ACTIVE_BACKUP, 2, 7);
	assert_via(2, 2, 2);
	for (unsigned int i = 0; i < RTE_DIM(d.toe_map); i++)
		assert_int_equal(atomic_load(&d.toe_map[i]), 2);
}

static void
test_new_connections_go_where_the_map_says(void **state)
{
	(void)state;
	distribute(TP_MODE_HASH, 1, 7);
	for (unsigned int i = 0; i < RTE_DIM(d.toe_map); i++)
		assert_int_equal(atomic_load(&d.toe_map[i]), i % 3);
	/* Without an engine there is nothing to tell. */
	d.toe = NULL;
	distribute(TP_MODE_ACTIVE_BACKUP, 2, 7);
	assert_via(0, 1, 2);
}

/* ---- frames of control ---------------------------------------------------------------------- */

/* An address is claimed: probes, then announcements. @return frames on each member's ring */
static void
claim(unsigned int nb[FAKE_MEMBERS])
{
	uint8_t addr[16] = { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = 9 };

	assert_int_equal(tp_inet_addr_add(team.inet, addr, 24, team.now), 0);
	for (unsigned int i = 0; i < 3; i++) {
		team.now += TP_NS_PER_S;
		toe_control_step(&d.control, team.now);
	}
	for (uint8_t i = 0; i < FAKE_MEMBERS; i++) {
		struct rte_mbuf *m;

		for (nb[i] = 0; rte_ring_dequeue(fabric->ring[TP_NODE_CONTROL][i], (void **)&m) ==
		                0;
		                nb[i]++) {
			assert_int_equal(tp_meta(m)->kind, TP_KIND_TX);
			rte_pktmbuf_free(m);
		}
	}
}

static int
setup_announce(void **state)
{
	int rc = setup(state);

	d.fabric = fabric;
	d.control.announce = tp_announce_create(SOCKET_ID_ANY);
	assert_non_null(d.control.announce);
	return rc;
}

static int
teardown_announce(void **state)
{
	tp_announce_free(d.control.announce);
	return teardown(state);
}

static void
test_all_distributing_members_announce(void **state)
{
	unsigned int nb[FAKE_MEMBERS];

	(void)state;
	distribute(TP_MODE_HASH, 1, 6);
	claim(nb);
	assert_int_equal(nb[0], 0);
	assert_true(nb[1] > 0);
	assert_int_equal(nb[1], nb[2]);
}

static void
test_the_primary_alone_announces_in_active_backup(void **state)
{
	unsigned int nb[FAKE_MEMBERS];

	(void)state;
	distribute(TP_MODE_ACTIVE_BACKUP, 2, 7);
	claim(nb);
	assert_int_equal(nb[0] + nb[1], 0);
	assert_true(nb[2] > 0);
	assert_int_equal(d.control.announced_version, tp_inet_version(team.inet));
}

static void
test_without_a_primary_frames_are_counted(void **state)
{
	unsigned int nb[FAKE_MEMBERS];

	(void)state;
	distribute(TP_MODE_ACTIVE_BACKUP, TP_MEMBER_NONE, 0);
	claim(nb);
	assert_int_equal(nb[0] + nb[1] + nb[2], 0);
	assert_true(d.control.ctr.drop[TP_DROP_TX_NO_MEMBER] > 0);
}

#define announce_test(f) cmocka_unit_test_setup_teardown(f, setup_announce, teardown_announce)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		app_test(test_it_sends_by_its_own_port),
		app_test(test_a_port_that_rests_sends_nothing),
		app_test(test_it_sends_by_anothers_port),
		app_test(test_without_any_port_it_waits),
		app_test(test_its_room_is_the_egress_of_this_turn),
		app_test(test_foreign_packets_go_to_members_that_listen),
		app_test(test_control_hears_what_it_can_take),
		app_test(test_a_turn_sorts_what_the_others_put),
		app_test(test_a_turn_reads_the_rings_of_peers_only),
		app_test(test_a_turn_leaves_a_revoked_egress_alone),
		app_test(test_each_sends_by_its_port_while_it_distributes),
		app_test(test_in_active_backup_all_send_by_the_primary),
		app_test(test_new_connections_go_where_the_map_says),
		announce_test(test_all_distributing_members_announce),
		announce_test(test_the_primary_alone_announces_in_active_backup),
		announce_test(test_without_a_primary_frames_are_counted),
	};

	return toe_run(tests);
}
