/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "inet_int.h"

#define ANSWERS_PER_S 1000
#define QUESTIONS_PER_S 1000
#define MIN_MTU 576
/* Timers that one step runs. */
#define STEP_MAX 64

/* ---- settings ------------------------------------------------------------------ */

void
tp_inet_conf_default(struct tp_inet_conf *conf)
{
	*conf = (struct tp_inet_conf){
		.socket_id = SOCKET_ID_ANY,
		.mtu = RTE_ETHER_MTU,
		.nb_neighs = 1024,
		.nb_pending = 256,
		.nb_pending_each = 8,
		.answer = true,
		.link_local = true,
		.mld = true,
		.dad_probes = 3,
		.dad_wait_ns = TP_NS_PER_S,
		.dad_interval_ns = TP_NS_PER_S,
		.retrans_ns = TP_NS_PER_S,
		.reachable_ns = 30 * TP_NS_PER_S,
	};
}

static bool
is_conf_good(const struct tp_inet_conf *conf)
{
	return conf->pool != NULL && rte_is_valid_assigned_ether_addr(&conf->mac) &&
	       conf->mtu >= MIN_MTU && conf->nb_neighs >= 64 && conf->nb_neighs <= 32768 &&
	       rte_is_power_of_2(conf->nb_neighs) && conf->nb_pending != UINT16_MAX &&
	       conf->retrans_ns >= TP_NS_PER_MS && conf->reachable_ns >= TP_NS_PER_MS &&
	       (conf->dad_probes == 0 || conf->dad_interval_ns >= TP_NS_PER_MS);
}

/* ---- limits and chance ----------------------------------------------------------- */

static uint32_t
burst_of(const struct inet_bucket *b)
{
	return RTE_MAX(b->per_s / 8, 10u);
}

void
inet_bucket_init(struct inet_bucket *b, uint32_t per_s, uint64_t now)
{
	b->per_s = per_s;
	b->filled_ns = now;
	b->left = burst_of(b);
}

bool
inet_bucket_take(struct inet_bucket *b, uint64_t now)
{
	uint64_t each, nb;

	if (b->per_s == 0)
		return true;
	each = TP_NS_PER_S / b->per_s;
	nb = now > b->filled_ns ? (now - b->filled_ns) / each : 0;
	if (nb >= burst_of(b)) {
		b->left = burst_of(b);
		b->filled_ns = now;
	} else if (nb > 0) {
		b->left = RTE_MIN(b->left + (uint32_t)nb, burst_of(b));
		b->filled_ns += nb * each;
	}
	if (b->left == 0)
		return false;
	b->left--;
	return true;
}

uint64_t
inet_random_ns(struct tp_inet *inet, uint64_t from, uint64_t span)
{
	inet->rng ^= inet->rng << 13;
	inet->rng ^= inet->rng >> 7;
	inet->rng ^= inet->rng << 17;
	return span == 0 ? from : from + inet->rng % span;
}

/* ---- addresses as bytes ------------------------------------------------------------ */

bool
inet_same_prefix(const uint8_t *a, const uint8_t *b, uint8_t bits)
{
	uint8_t whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool
inet_is_unicast(const uint8_t addr[TP_INET_LEN])
{
	static const uint8_t none[TP_INET_LEN];

	if (tp_inet_is_v4(addr))
		return addr[12] != 0 && addr[12] != 127 && addr[12] < 224;
	/* RFC 4291 2.5.2, 2.5.3, 2.5.5.1: with :: and ::1 all of ::/96 is no host's any more. */
	return addr[0] != 0xff && !inet_same_prefix(addr, none, 96);
}

bool
tp_inet_is_unicast(const uint8_t addr[TP_INET_LEN])
{
	return inet_is_unicast(addr);
}

/* ---- views ------------------------------------------------------------------------- */

static void
fill_addrs(const struct tp_inet *inet, struct inet_view *v)
{
	for (uint32_t i = 0; i < TP_INET_MAX_ADDRS; i++) {
		const struct inet_addr *a = &inet->addr[i];
		struct view_addr *to = &v->addr[v->nb_addrs];

		if (!a->used)
			continue;
		memcpy(to->addr, a->addr, TP_INET_LEN);
		to->bits = inet_bits(a->addr, a->prefix_len);
		to->usable = a->state == TP_INET_PREFERRED;
		v->nb_addrs++;
	}
}

static void
free_views(struct inet_view *v)
{
	struct inet_view *next;

	for (; v != NULL; v = next) {
		next = v->next;
		rte_free(v);
	}
}

/* Free views that no worker reads any more. Their grace periods end in order, the last in the list
 * first.
 */
static void
reclaim(struct tp_inet *inet)
{
	struct inet_view **at = &inet->retired;

	while (*at != NULL && inet->conf.qsbr != NULL &&
	                rte_rcu_qsbr_check(inet->conf.qsbr, (*at)->token, false) != 1)
		at = &(*at)->next;
	free_views(*at);
	*at = NULL;
}

static bool
is_read(const struct tp_inet *inet, const struct inet_fibs *f)
{
	const struct inet_view *v = inet_view(inet);

	if (v != NULL && v->fibs == f)
		return true;
	for (v = inet->retired; v != NULL; v = v->next)
		if (v->fibs == f)
			return true;
	return false;
}

/* Routes for a new view. @return NULL: workers may still read both sets of them */
static const struct inet_fibs *
get_fibs(struct tp_inet *inet)
{
	if (!inet->new_routes)
		return inet_view(inet)->fibs;
	for (int i = 0; i < NB_FIBS; i++) {
		if (is_read(inet, inet->fibs[i]))
			continue;
		inet_fibs_fill(inet, inet->fibs[i]);
		inet->new_routes = false;
		return inet->fibs[i];
	}
	return NULL;
}

static void
replace_view(struct tp_inet *inet, struct inet_view *v)
{
	struct inet_view *old = atomic_exchange_explicit(&inet->view, v, memory_order_acq_rel);

	if (old == NULL)
		return;
	if (inet->conf.qsbr != NULL)
		old->token = rte_rcu_qsbr_start(inet->conf.qsbr);
	old->next = inet->retired;
	inet->retired = old;
	reclaim(inet);
}

int
inet_publish(struct tp_inet *inet)
{
	struct inet_view *v;

	reclaim(inet);
	inet->dirty = true;
	v = rte_zmalloc_socket(
	                "tp_inet_view", sizeof(*v), RTE_CACHE_LINE_SIZE, inet->conf.socket_id);
	if (v == NULL)
		return -ENOMEM;
	v->fibs = get_fibs(inet);
	if (v->fibs == NULL) {
		rte_free(v);
		return 0;
	}
	v->version = ++inet->version;
	v->vlan_tci = inet->conf.vlan_tci;
	v->mtu = inet->conf.mtu;
	fill_addrs(inet, v);
	replace_view(inet, v);
	inet->dirty = false;
	return 0;
}

uint32_t
tp_inet_version(const struct tp_inet *inet)
{
	return inet_view(inet)->version;
}

/* ---- life --------------------------------------------------------------------------- */

static void *
new_array(const struct tp_inet_conf *conf, size_t nb, size_t size)
{
	return rte_calloc_socket("tp_inet", nb, size, RTE_CACHE_LINE_SIZE, conf->socket_id);
}

static int
create_parts(struct tp_inet *inet, const struct tp_inet_conf *conf, uint64_t now)
{
	inet->neigh = new_array(conf, conf->nb_neighs, sizeof(*inet->neigh));
	inet->pmtu = new_array(conf, NB_PMTU, sizeof(*inet->pmtu));
	inet->pend = new_array(conf, RTE_MAX(conf->nb_pending, 1), sizeof(*inet->pend));
	inet->wheel = tp_wheel_create(nb_timers(inet), conf->socket_id, now);
	if (inet->neigh == NULL || inet->pmtu == NULL || inet->pend == NULL || inet->wheel == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < conf->nb_pending; i++)
		inet->pend[i].next = i;
	inet->pend_free = conf->nb_pending;
	if (inet_fibs_create(inet) < 0 || inet_publish_routes(inet) < 0)
		return -ENOMEM;
	if (conf->accept_ra)
		tp_wheel_arm(inet->wheel, solicit_timer(inet), now);
	return inet_addr_link_local(inet, now);
}

struct tp_inet *
tp_inet_create(const struct tp_inet_conf *conf, uint64_t now)
{
	struct tp_inet *inet;

	if (!is_conf_good(conf)) {
		rte_errno = EINVAL;
		return NULL;
	}
	inet = new_array(conf, 1, sizeof(*inet));
	if (inet == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	inet->conf = *conf;
	inet->rng = conf->seed | 1;
	inet_bucket_init(&inet->answers, ANSWERS_PER_S, now);
	inet_bucket_init(&inet->questions, QUESTIONS_PER_S, now);
	if (create_parts(inet, conf, now) < 0) {
		tp_inet_free(inet);
		rte_errno = ENOMEM;
		return NULL;
	}
	return inet;
}

void
tp_inet_free(struct tp_inet *inet)
{
	if (inet == NULL)
		return;
	for (uint32_t i = 0; inet->pend != NULL && i < inet->conf.nb_pending; i++)
		rte_pktmbuf_free(inet->pend[i].m);
	for (; inet->nb_out > 0; inet->nb_out--)
		rte_pktmbuf_free(inet->out[inet->out_first++ % NB_OUT].m);
	free_views(inet->retired);
	free_views(atomic_load_explicit(&inet->view, memory_order_relaxed));
	inet_fibs_free(inet);
	tp_wheel_free(inet->wheel);
	rte_free(inet->pend);
	rte_free(inet->pmtu);
	rte_free(inet->neigh);
	rte_free(inet);
}

int
tp_inet_set_mac(struct tp_inet *inet, const struct rte_ether_addr *mac, uint64_t now)
{
	if (!rte_is_valid_assigned_ether_addr(mac))
		return -EINVAL;
	inet->conf.mac = *mac;
	return inet_addr_link_local(inet, now);
}

int
tp_inet_set_mtu(struct tp_inet *inet, uint16_t mtu)
{
	if (mtu < MIN_MTU)
		return -EINVAL;
	inet->conf.mtu = mtu;
	return inet_publish(inet);
}

/* ---- running -------------------------------------------------------------------------- */

void
inet_send(struct tp_inet *inet, struct rte_mbuf *m, uint8_t member)
{
	if (m == NULL || inet->nb_out == NB_OUT) {
		rte_pktmbuf_free(m);
		inet->mib[TP_INET_M_NO_MBUF]++;
		return;
	}
	inet->out[(uint16_t)(inet->out_first + inet->nb_out) % NB_OUT] =
	                (struct tp_inet_frame){ .m = m, .member = member };
	inet->nb_out++;
}

uint16_t
tp_inet_take(struct tp_inet *inet, struct tp_inet_frame *frames, uint16_t max)
{
	uint16_t nb = RTE_MIN(max, inet->nb_out);

	for (uint16_t i = 0; i < nb; i++)
		frames[i] = inet->out[inet->out_first++ % NB_OUT];
	inet->nb_out -= nb;
	return nb;
}

static void
run_timer(struct tp_inet *inet, uint32_t id, uint64_t now)
{
	uint32_t first_addr = addr_timer(inet, inet->addr);
	uint32_t first_route = route_timer(inet, inet->route);

	if (id < first_addr)
		inet_neigh_timer(inet, id, now);
	else if (id < first_route)
		inet_addr_timer(inet, &inet->addr[id - first_addr], now);
	else if (id < report_timer(inet))
		inet_route_timer(inet, &inet->route[id - first_route]);
	else if (id == report_timer(inet))
		inet_report_timer(inet, now);
	else
		inet_solicit_timer(inet, now);
}

unsigned int
tp_inet_step(struct tp_inet *inet, uint64_t now)
{
	uint32_t due[STEP_MAX];
	uint32_t nb = tp_wheel_expire(inet->wheel, now, due, STEP_MAX);

	for (uint32_t i = 0; i < nb; i++)
		run_timer(inet, due[i], now);
	if (unlikely(inet->dirty))
		inet_publish(inet);
	else if (unlikely(inet->retired != NULL))
		reclaim(inet);
	return nb;
}

uint64_t
tp_inet_next(const struct tp_inet *inet)
{
	/* Grace periods are short. */
	return inet->dirty ? 0 : tp_wheel_next(inet->wheel);
}

const uint64_t *
tp_inet_mib(const struct tp_inet *inet)
{
	return inet->mib;
}
