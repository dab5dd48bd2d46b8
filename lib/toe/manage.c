/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Control's part of migration: it decides who gets what asks to move, wakes what is parked, carries
 * out what it is told, and hears of ends.
 */

#include "manage.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "toe_int.h"

/* Wakes in one turn. */
#define WAKE_BURST 32
/* A member that is being emptied is told again, as new connections may still begin on it. */
#define DRAIN_AGAIN_NS (100 * TP_NS_PER_MS)

struct manager *
manager_create(struct tp_toe *toe)
{
	struct manager *m = rte_zmalloc("toe_manager", sizeof(*m), RTE_CACHE_LINE_SIZE);

	if (m == NULL)
		return NULL;
	m->nb = toe->nb_handles;
	m->wheel_mem = tp_mem_map(tp_wheel_size(m->nb));
	if (m->wheel_mem == NULL) {
		rte_free(m);
		return NULL;
	}
	return m;
}

void
manager_free(struct manager *m)
{
	if (m == NULL)
		return;
	tp_mem_unmap(m->wheel_mem, tp_wheel_size(m->nb));
	rte_free(m);
}

/* Without keepalive nobody is ever woken, and the wheel takes no memory. */
static void
wake_at(struct manager *m, uint32_t handle, uint64_t when)
{
	if (m->wheel == NULL)
		m->wheel = tp_wheel_init(m->wheel_mem, m->nb, tp_clock_now());
	tp_wheel_arm(m->wheel, handle, when);
}

void
manager_forget(struct tp_toe *toe, uint8_t member)
{
	toe->manager->place[member] = TP_TOE_ACTIVE;
	toe->manager->fencing &= ~RTE_BIT32(member);
	toe->manager->harvesting &= ~RTE_BIT32(member);
	atomic_fetch_and(&toe->dead, ~RTE_BIT32(member));
}

void
manager_absent(struct tp_toe *toe, uint8_t member, bool absent)
{
	if (absent)
		toe->manager->absent |= RTE_BIT32(member);
	else
		toe->manager->absent &= ~RTE_BIT32(member);
}

/* ---- mail ---------------------------------------------------------------------- */

static bool
is_usable(const struct tp_toe *toe, uint8_t member)
{
	return member < TP_MAX_MEMBERS &&
	       (atomic_load_explicit(&toe->usable, memory_order_relaxed) & RTE_BIT32(member)) &&
	       shard_alive(toe, member) != NULL;
}

/* The same letter goes on to the member that is to fetch the connection. */
static void
on_ask(struct tp_toe *toe, struct mail *mail)
{
	if (!is_usable(toe, mail->to)) {
		mail_free(toe, mail);
		return;
	}
	mail->op = MAIL_PULL;
	mail_put(&shard_of(toe, mail->to)->mail, mail);
}

static void
on_end(struct tp_toe *toe, const struct mail *mail)
{
	struct tp_toe_end end = {
		.id = mail->id,
		.key = mail->key,
		.member = mail->member,
		.reason = mail->reason,
	};

	if (toe->manager->on_end != NULL)
		toe->manager->on_end(toe->manager->on_end_arg, &end);
}

static unsigned int
read_mail(struct tp_toe *toe)
{
	struct mail *mail = mail_take(&toe->to_control), *next;
	unsigned int n = 0;

	for (; mail != NULL; mail = next, n++) {
		next = mail->next;
		switch ((enum mail_op)mail->op) {
		case MAIL_ASK:
			on_ask(toe, mail);
			continue;
		case MAIL_PARKED:
			wake_at(toe->manager, mail->handle, mail->until);
			break;
		case MAIL_END:
			on_end(toe, mail);
			break;
		case MAIL_PULL:
		case MAIL_WAKE:
			break;
		}
		mail_free(toe, mail);
	}
	return n;
}

/* ---- parked connections with keepalive -------------------------------------------- */

static uint8_t
any_usable(const struct tp_toe *toe, uint8_t rather)
{
	uint32_t usable = atomic_load_explicit(&toe->usable, memory_order_relaxed);

	if (is_usable(toe, rather))
		return rather;
	return usable != 0 ? __builtin_ctz(usable) : TP_MEMBER_NONE;
}

static unsigned int
wake_due(struct tp_toe *toe, uint64_t now)
{
	struct tp_wheel *wheel = toe->manager->wheel;
	uint32_t due[WAKE_BURST];
	uint32_t n;

	if (wheel == NULL || tp_wheel_next(wheel) > now)
		return 0;
	n = tp_wheel_expire(wheel, now, due, WAKE_BURST);
	for (uint32_t i = 0; i < n; i++) {
		const struct handle *h = &toe->handle[due[i]];
		uint64_t word = atomic_load_explicit(&h->word, memory_order_acquire);
		uint8_t to = any_usable(toe, WORD_MEMBER(word));
		struct mail *mail;

		if (WORD_STATE(word) != HANDLE_PARK)
			continue; /* it came back by itself */
		mail = to != TP_MEMBER_NONE ? mail_new(toe, MAIL_WAKE, due[i]) : NULL;
		if (mail == NULL) {
			tp_wheel_arm(wheel, due[i], now + DRAIN_AGAIN_NS);
			continue;
		}
		mail->word = word;
		mail_put(&shard_of(toe, to)->mail, mail);
	}
	return n;
}

/* ---- what members are told ---------------------------------------------------------- */

static void
order(struct tp_toe_shard *s, enum tp_toe_why why, uint32_t what)
{
	atomic_store_explicit(&s->order_why, why, memory_order_relaxed);
	atomic_fetch_or_explicit(&s->orders, what, memory_order_release);
}

void
tp_toe_set_place(struct tp_toe *toe, uint8_t member, enum tp_toe_place place)
{
	struct tp_toe_shard *s = shard_alive(toe, member);
	struct manager *m = toe->manager;

	if (s == NULL || m->place[member] == place)
		return;
	m->place[member] = place;
	if (place == TP_TOE_ACTIVE)
		atomic_fetch_or(&toe->usable, RTE_BIT32(member));
	else
		atomic_fetch_and(&toe->usable, ~RTE_BIT32(member));
	if (place == TP_TOE_DOWN)
		order(s, TP_TOE_WHY_LINK, SWEEP_PROBE | SWEEP_REHOME);
	else if (place == TP_TOE_DRAIN)
		order(s, TP_TOE_WHY_DRAIN, SWEEP_REHOME);
	else
		order(s, TP_TOE_WHY_COMMAND, SWEEP_STOP);
}

void
tp_toe_shed(struct tp_toe *toe, uint8_t member, uint8_t to, uint32_t nb)
{
	struct tp_toe_shard *s = shard_alive(toe, member);

	if (s == NULL || nb == 0 || !is_usable(toe, to))
		return;
	atomic_store_explicit(&s->order_shed, nb, memory_order_relaxed);
	atomic_store_explicit(&s->order_shed_to, to, memory_order_relaxed);
	order(s, TP_TOE_WHY_LOAD, SWEEP_SHED);
}

int
tp_toe_set_move(struct tp_toe *toe, const struct tp_toe_move_conf *conf)
{
	uint64_t idle = conf->idle_ns != 0 ? conf->idle_ns : TP_NEVER;

	if (conf->hysteresis_ms > TP_TOE_HYSTERESIS_MAX_MS)
		return -EINVAL;
	toe->conf.move = *conf;
	atomic_store(&toe->after, conf->after);
	atomic_store(&toe->hysteresis, conf->hysteresis_ms);
	if (atomic_exchange(&toe->idle_ns, idle) == idle)
		return 0;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		struct tp_toe_shard *s = shard_alive(toe, i);

		if (s != NULL)
			order(s, TP_TOE_WHY_COMMAND, SWEEP_REARM);
	}
	return 0;
}

void
tp_toe_get_move(const struct tp_toe *toe, struct tp_toe_move_conf *conf)
{
	*conf = toe->conf.move;
}

void
tp_toe_on_end(struct tp_toe *toe, void (*fn)(void *arg, const struct tp_toe_end *end), void *arg)
{
	toe->manager->on_end = fn;
	toe->manager->on_end_arg = arg;
}

static void
drain_again(struct tp_toe *toe, uint64_t now)
{
	struct manager *m = toe->manager;

	if (likely(now < m->drain_due))
		return;
	m->drain_due = now + DRAIN_AGAIN_NS;
	for (uint8_t i = 0; i < TP_MAX_MEMBERS; i++) {
		struct tp_toe_shard *s = shard_alive(toe, i);

		if (s != NULL && m->place[i] != TP_TOE_ACTIVE && tp_toe_nb_conns(toe, i) > 0)
			order(s, m->place[i] == TP_TOE_DOWN ? TP_TOE_WHY_LINK : TP_TOE_WHY_DRAIN,
			                SWEEP_REHOME);
	}
}

/* Those for nobody's handles; and those of members that are not there: whoever rang saw that member
 * there, maybe long ago. One that froze has its part of them in its hands until it is taken apart.
 */
static void
answer_bells(struct tp_toe *toe)
{
	uint32_t left = toe->manager->absent & ~toe->manager->fencing;

	for (; left != 0; left &= left - 1)
		bells_pass_on(toe, __builtin_ctz(left));
	bells_pass_on(toe, BELLS_CONTROL);
}

unsigned int
tp_toe_manage(struct tp_toe *toe, uint64_t now)
{
	unsigned int n = read_mail(toe);

	toe->manager->now = now;
	n += wake_due(toe, now);
	n += harvest_step(toe);
	answer_bells(toe);
	drain_again(toe, now);
	return n;
}
