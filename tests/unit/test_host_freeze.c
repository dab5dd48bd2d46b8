/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* A holder of the host port is frozen at a random point of a drain, again and again; whoever
 * follows finds frames in order, none twice and none that never was (tests/model/drain.pml,
 * freeze). Frames are numbers here: in a mode without hashing nobody looks into them.
 */

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "host_int.h"
#include "test_eal.h"

#define ROUNDS 300
#define FRAMES 60
#define HOLDER 2
#define STACK 65536

static struct tp_fabric *fabric;
static struct tp_host *host;
static struct tp_member member[3];
static uint32_t version;
static _Atomic bool drains, frozen;
static unsigned int with_loss;

static void
on_freeze(int sig)
{
	(void)sig;
	atomic_store_explicit(&frozen, true, memory_order_release);
	for (;;)
		pause();
}

static void
publish(uint8_t active)
{
	struct tp_dist *d = host->dist == host->dist_buf[0] ? host->dist_buf[1] : host->dist_buf[0];

	memset(d, 0, offsetof(struct tp_dist, map));
	d->version = ++version;
	d->mode = TP_MODE_ACTIVE_BACKUP;
	d->active = active;
	d->nb_alive = 2;
	d->alive[1] = 1;
	d->alive_mask = 3;
	tp_host_publish(host, d);
}

/* Drain to the other member until all is on its ring. */
static void
drain(uint8_t to)
{
	publish(to);
	host_apply(host, &member[0], 0);
	while (stash_count(&host->stash) > 0)
		host_hand_out(host, &member[HOLDER], 0);
}

static void *
holder_main(void *arg)
{
	(void)arg;
	atomic_store(&drains, true);
	for (uint8_t to = 0;; to = !to)
		drain(to);
	return NULL;
}

static void
freeze_a_holder(unsigned int round)
{
	pthread_attr_t attr;
	pthread_t holder;

	atomic_store(&drains, false);
	atomic_store(&frozen, false);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	assert_int_equal(pthread_create(&holder, &attr, holder_main, NULL), 0);
	pthread_attr_destroy(&attr);
	while (!atomic_load(&drains))
		usleep(10);
	usleep(round % 7 * 13);
	pthread_kill(holder, SIGUSR1);
	while (!atomic_load_explicit(&frozen, memory_order_acquire))
		usleep(10);
	pthread_detach(holder);
}

static uintptr_t
take_all(struct rte_ring *ring)
{
	uintptr_t last = 0, nb = 0;
	void *obj;

	while (rte_ring_sc_dequeue(ring, &obj) == 0) {
		assert_true((uintptr_t)obj > last);
		assert_true((uintptr_t)obj <= FRAMES);
		last = (uintptr_t)obj;
		nb++;
	}
	return nb;
}

static void
one_round(unsigned int round)
{
	uintptr_t nb;

	fabric = tp_fabric_create("freeze");
	host = tp_host_create(fabric, 64, 8, 0);
	assert_non_null(host);
	memset(member, 0, sizeof(member));
	for (uint8_t i = 0; i < RTE_DIM(member); i++) {
		member[i].id = i;
		assert_int_equal(tp_fabric_join(fabric, TP_NODE_HOST, i, 64, 0), 0);
		tp_host_set_member(host, i, &member[i]);
	}
	drain(0);
	for (uintptr_t i = 1; i <= FRAMES; i++)
		assert_int_equal(rte_ring_sp_enqueue(host_ring(host, 0), (void *)i), 0);
	atomic_fetch_add(&host->guard, TP_GUARD_HOLDER(HOLDER));
	freeze_a_holder(round);

	assert_true(tp_host_evict(host, HOLDER));
	drain(0);
	drain(1);
	assert_int_equal(take_all(host_ring(host, 0)), 0);
	nb = take_all(host_ring(host, 1));
	with_loss += nb < FRAMES;
	assert_int_equal(member[0].tx_guard | member[1].tx_guard, 0);
	tp_host_free(host);
	tp_fabric_free(fabric);
}

static void
test_frozen_holder_leaves_no_half(void **state)
{
	struct sigaction sa = { .sa_handler = on_freeze };

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	alarm(100); /* a half that is left makes the next one turn for ever */
	for (unsigned int round = 0; round < ROUNDS; round++)
		one_round(round);
	print_message("%u of %u freezes lost frames\n", with_loss, ROUNDS);
	assert_in_range(with_loss, 1, ROUNDS - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frozen_holder_leaves_no_half),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
