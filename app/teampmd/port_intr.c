/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* net_memif does its own work on EAL's interrupt thread, and shares it with nobody: when a peer
 * quits, that thread clears a flag and unmaps the rings, though a lcore may be in the middle of a
 * burst; and it may do so while another thread closes the same port. So the mapping goes only
 * when every lcore has been seen outside of its bursts (each begins by looking at the flag), and
 * the port is closed on the interrupt thread itself. EAL's clean-up in turn unmaps what that thread
 * uses without a word to it: it has to rest before.
 */

#include <semaphore.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_interrupts.h>

#include "app.h"

/* A lcore that hangs does not keep the interrupt thread for longer. */
#define GRACE_US 1000000
#define GRACE_POLL_US 20

static _Thread_local bool is_interrupts;
static struct rte_rcu_qsbr *_Atomic shield;

/* ---- unmapping ----------------------------------------------------------------- */

/* @return true once every burst that had begun has ended */
static bool
bursts_ended(struct rte_rcu_qsbr *qsbr)
{
	uint64_t token = rte_rcu_qsbr_start(qsbr);

	for (unsigned int us = 0; us < GRACE_US; us += GRACE_POLL_US) {
		if (rte_rcu_qsbr_check(qsbr, token, false) == 1)
			return true;
		rte_delay_us_sleep(GRACE_POLL_US);
	}
	return false;
}

/* Instead of the C library's, for the drivers too. What a hung lcore may still touch stays mapped,
 * for good.
 */
int
munmap(void *addr, size_t len)
{
	struct rte_rcu_qsbr *qsbr = atomic_load_explicit(&shield, memory_order_acquire);

	if (is_interrupts && qsbr != NULL && !bursts_ended(qsbr))
		return 0;
	return syscall(SYS_munmap, addr, len);
}

static void
note_interrupts(void *arg)
{
	(void)arg;
	is_interrupts = true;
}

int
port_shield(struct rte_rcu_qsbr *qsbr)
{
	atomic_store_explicit(&shield, qsbr, memory_order_release);
	return qsbr == NULL ? 0 : rte_eal_alarm_set(1, note_interrupts, NULL);
}

static void
rest(void *arg)
{
	sem_post(arg);
	for (;;)
		pause();
}

/* In a callback of our own: EAL's clean-up waits for those of its alarms. */
void
port_rest_interrupts(void)
{
	struct rte_intr_handle *handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	static sem_t resting;
	bool asked;

	sem_init(&resting, 0, 0);
	asked = handle != NULL && rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) == 0 &&
	        rte_intr_fd_set(handle, eventfd(1, EFD_CLOEXEC)) == 0 &&
	        rte_intr_callback_register(handle, rest, &resting) == 0;
	rte_intr_instance_free(handle); /* EAL has a copy */
	while (asked && sem_wait(&resting) != 0)
		continue; /* EINTR */
}

/* ---- closing ------------------------------------------------------------------- */

struct call {
	int (*fn)(uint16_t port_id);
	uint16_t port_id;
	int result;
	sem_t done;
};

static void
run_call(void *arg)
{
	struct call *call = arg;

	call->result = call->fn(call->port_id);
	sem_post(&call->done);
}

static int
on_interrupts(uint16_t port_id, int (*fn)(uint16_t port_id))
{
	struct call call = { .fn = fn, .port_id = port_id };
	struct rte_eth_dev_info info;

	if (is_interrupts || rte_eth_dev_info_get(port_id, &info) != 0 ||
	                strcmp(info.driver_name, "net_memif") != 0)
		return fn(port_id);
	sem_init(&call.done, 0, 0);
	if (rte_eal_alarm_set(1, run_call, &call) != 0) {
		sem_destroy(&call.done);
		return fn(port_id);
	}
	while (sem_wait(&call.done) != 0)
		continue; /* EINTR */
	sem_destroy(&call.done);
	return call.result;
}

int
port_stop_dev(uint16_t port_id)
{
	return on_interrupts(port_id, rte_eth_dev_stop);
}

int
port_close_dev(uint16_t port_id)
{
	return on_interrupts(port_id, rte_eth_dev_close);
}
