/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Workers read neighbours while control gives their entries away: whatever they see, a packet never
 * goes to the MAC of another address.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "test_inet.h"

#define NB_HOSTS 100
#define NB_TURNS 3000

static _Atomic bool stop;
static uint64_t nb_sent, nb_wrong;

/* Sends to each host in turn by a way that it remembers; a host's MAC ends as its address does. */
static void *
work(void *arg)
{
	struct tp_inet_dst dst[NB_HOSTS] = { 0 };
	struct rte_mbuf *m = arg;
	uint8_t i = 0;

	while (!atomic_load_explicit(&stop, memory_order_acquire)) {
		i = (i + 1) % NB_HOSTS;
		switch (tp_inet_push(worker, &dst[i], OURS4, A4(10, 0, 0, 2 + i), 0, m)) {
		case TP_INET_SEND:
			nb_sent++;
			nb_wrong += eth_of(m)->dst_addr.addr_bytes[5] != 2 + i;
			/* fallthrough */
		case TP_INET_ASK:
			rte_pktmbuf_adj(m, 34);
			break;
		default:
			break;
		}
	}
	return NULL;
}

static void
test_entries_given_away(void **state)
{
	struct rte_mbuf *m = segment(10);
	struct rte_ether_addr mac = mac_2;
	pthread_t thread;

	(void)state;
	conf.nb_neighs = 64;
	start();
	assert_int_equal(pthread_create(&thread, NULL, work, m), 0);
	for (uint32_t turn = 0; turn < NB_TURNS; turn++) {
		tp_inet_neigh_flush(inet);
		/* Other hosts get the entries each time. */
		for (uint8_t k = 0; k < NB_HOSTS; k++) {
			uint8_t host = (k * 37 + turn) % NB_HOSTS;

			mac.addr_bytes[5] = 2 + host;
			hear(arp(RTE_ARP_OP_REQUEST, &mac, IP4(10, 0, 0, 2 + host),
			                IP4(10, 0, 0, 1)));
		}
		take();
		now += SEC;
	}
	atomic_store_explicit(&stop, true, memory_order_release);
	pthread_join(thread, NULL);
	rte_pktmbuf_free(m);
	assert_int_equal(nb_wrong, 0);
	assert_true(nb_sent > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_entries_given_away),
	};

	return cmocka_run_group_tests(tests, inet_group_setup, test_eal_teardown);
}
