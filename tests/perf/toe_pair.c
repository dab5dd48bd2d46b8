/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "toe_pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#define NB_MBUFS 16383
#define MIN_CONNS 1024
#define CACHE_SIZE 256
#define FOREIGN_RING 1024
#define RX_RING 8192
#define FIRST_PORT 1024
#define FIRST_SERVICE 100
#define NB_PORTS (UINT16_MAX - FIRST_PORT + 1)
#define BATCH 16 /* their SYNs and ACKs fit a burst */
#define SETTLE_TURNS 20000000

static unsigned int nb_pairs; /* for names */

/* ---- what the shards ask for ---------------------------------------------------- */

static uint16_t
memory_room(const struct pair_side *to)
{
	return RTE_MIN(PAIR_QUEUE - (to->in_tail - to->in_head), (uint32_t)UINT16_MAX);
}

static uint16_t
op_room(void *arg)
{
	const struct pair_shard *sh = arg;

	if (sh->side->pair->link == PAIR_MEMORY)
		return memory_room(sh->side->peer);
	if (sh->side->pair->link == PAIR_RINGS)
		return rte_ring_free_count(sh->side->peer->shard[0].rx);
	return tp_egress_room(&sh->side->egress);
}

static void
ring_send(struct pair_side *to, struct rte_mbuf *m)
{
	uint8_t at = to->steer != NULL ? to->steer(m) : to->arrive_at;

	if (rte_ring_mp_enqueue(to->shard[at].rx, m) == 0)
		return;
	to->ctr.drop[TP_DROP_TX_PORT_FULL]++;
	rte_pktmbuf_free(m);
}

static void
memory_send(struct pair_side *to, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	for (uint16_t i = 0; i < nb_pkts; i++) {
		if (to->pair->link == PAIR_RINGS) {
			pkts[i]->ol_flags =
			                RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
			ring_send(to, pkts[i]);
			continue;
		}
		if (to->in_tail - to->in_head == PAIR_QUEUE) {
			to->ctr.drop[TP_DROP_TX_PORT_FULL]++;
			rte_pktmbuf_free(pkts[i]);
			continue;
		}
		pkts[i]->ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		to->in[to->in_tail++ % PAIR_QUEUE] = pkts[i];
	}
}

static void
side_send(struct pair_side *s, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	if (s->pair->link != PAIR_WIRE)
		memory_send(s->peer, pkts, nb_pkts);
	else
		tp_egress_burst(&s->egress, pkts, nb_pkts);
}

static void
op_transmit(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct pair_shard *sh = arg;

	if (sh->side->transmit != NULL)
		sh->side->transmit(sh, pkts, nb_pkts);
	else
		side_send(sh->side, pkts, nb_pkts);
}

static void
op_forward(void *arg, uint8_t member, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct pair_shard *sh = arg;

	tp_fabric_send(sh->side->shard[member].foreign, pkts, nb_pkts, &sh->side->ctr,
	                TP_DROP_FOREIGN_RING_FULL);
}

static void
op_control(void *arg, struct rte_mbuf **pkts, uint16_t nb_pkts)
{
	struct pair_shard *sh = arg;

	for (uint16_t i = 0; i < nb_pkts; i++)
		tp_inet_pend(sh->side->inet, pkts[i], tp_clock_now());
	sh->side->asked = true;
}

static const struct tp_toe_ops ops = { op_room, op_transmit, op_forward, op_control };

static uint8_t
member_of(void *arg, uint32_t hash)
{
	const struct pair_side *s = arg;

	return ((uint64_t)hash * s->nb_shards) >> 32;
}

/* ---- set-up ---------------------------------------------------------------------- */

int
pair_bench_init(struct bench *b, const char *name, int argc, char **argv,
                const char *const *eal_args)
{
	int rc = bench_init(b, name, argc, argv, eal_args);

	if (rc != 0)
		return rc;
	tp_clock_init();
	rc = tp_meta_init();
	if (rc != 0)
		bench_fail(b, "all", "no field in mbufs");
	return rc;
}

static int
inet_open(struct pair_side *s, uint8_t index)
{
	uint64_t now = tp_clock_now();
	struct tp_inet_conf conf;

	s->mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, index + 1 } };
	tp_inet_map_v4(s->addr, rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, index + 1)));
	tp_inet_conf_default(&conf);
	conf.pool = s->pair->pool;
	conf.qsbr = s->qsbr;
	conf.mac = s->mac;
	conf.mtu = RTE_ETHER_MTU;
	conf.answer = true;
	conf.dad_probes = 0;
	conf.seed = index + 1;
	s->inet = tp_inet_create(&conf, now);
	return s->inet == NULL ? -rte_errno : tp_inet_addr_add(s->inet, s->addr, 24, now);
}

static int
toe_open(struct pair_side *s, const struct pair_conf *how)
{
	struct tp_toe_conf conf;
	const char *why;

	tp_toe_conf_default(&conf);
	conf.max_conns = RTE_MAX(how->nb_conns, (uint32_t)MIN_CONNS);
	conf.tcp.tso_max = 0;
	conf.move = how->move != NULL ? *how->move : (struct tp_toe_move_conf){ 0 };
	conf.tcp.snd_buf = how->snd_buf > 0 ? how->snd_buf : conf.tcp.snd_buf;
	conf.tcp.rcv_buf = how->rcv_buf > 0 ? how->rcv_buf : conf.tcp.rcv_buf;
	s->toe = tp_toe_create(&conf, s->inet, s->qsbr, member_of, s, &why);
	return s->toe == NULL ? -rte_errno : 0;
}

static int
shards_open(struct pair_side *s, uint8_t index)
{
	struct pair *p = s->pair;
	char name[32];

	for (uint8_t i = 0; i < s->nb_shards; i++) {
		struct pair_shard *sh = &s->shard[i];

		sh->side = s;
		sh->member = i;
		snprintf(name, sizeof(name), "pair%u_%u_%u", nb_pairs, index, i);
		sh->foreign = rte_ring_create(
		                name, FOREIGN_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		sh->toe = tp_toe_shard_create(s->toe, i, SOCKET_ID_ANY, p->pool, p->pool_indirect,
		                &s->mac, &ops, sh);
		snprintf(name, sizeof(name), "pair%u_%u_%u_rx", nb_pairs, index, i);
		sh->rx = rte_ring_create(name, RX_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
		if (sh->foreign == NULL || sh->toe == NULL || sh->rx == NULL)
			return -rte_errno;
	}
	return 0;
}

static int
side_open(struct pair *p, struct pair_side *s, uint8_t index, const struct pair_conf *conf)
{
	uint8_t wanted = index == 0 ? conf->client_shards : conf->server_shards;
	int rc;

	s->pair = p;
	s->peer = index == 0 ? &p->server : &p->client;
	s->nb_shards = RTE_MAX(wanted, 1);
	s->qsbr = rte_zmalloc(
	                "qsbr", rte_rcu_qsbr_get_memsize(PAIR_MAX_SHARDS), RTE_CACHE_LINE_SIZE);
	if (s->qsbr == NULL)
		return -ENOMEM;
	rte_rcu_qsbr_init(s->qsbr, PAIR_MAX_SHARDS);
	rc = inet_open(s, index);
	if (rc == 0)
		rc = toe_open(s, conf);
	if (rc == 0)
		rc = shards_open(s, index);
	if (rc == 0 && p->wire != NULL) {
		s->port_id = tp_wire_port(p->wire, index == 0 ? TP_WIRE_A : TP_WIRE_B);
		rc = tp_egress_init(&s->egress, s->port_id, 0, 0, p->pool, NULL, &s->ctr);
		/* The wire gathers chains as it copies, as a NIC does; net_ring cannot say so. */
		s->egress.max_segs = s->egress.max_segs_tso = UINT16_MAX;
	}
	return rc;
}

static int
wire_open(struct pair *p)
{
	struct tp_wire_conf conf;
	char name[TP_WIRE_NAME_MAX + 1];

	tp_wire_conf_default(&conf);
	snprintf(name, sizeof(name), "pair%u", nb_pairs);
	p->wire = tp_wire_create(name, &conf, SOCKET_ID_ANY);
	return p->wire == NULL ? -rte_errno : tp_wire_start(p->wire, p->pool);
}

static int
pools_open(struct pair *p, uint32_t nb)
{
	char name[32];

	snprintf(name, sizeof(name), "pair%u_mbuf", nb_pairs);
	p->pool = tp_pool_create(name, nb, CACHE_SIZE, TP_POOL_DATA_ROOM, SOCKET_ID_ANY);
	snprintf(name, sizeof(name), "pair%u_ind", nb_pairs);
	p->pool_indirect = tp_pool_create(name, nb, CACHE_SIZE, 0, SOCKET_ID_ANY);
	return p->pool == NULL || p->pool_indirect == NULL ? -rte_errno : 0;
}

struct pair *
pair_create(const struct pair_conf *conf)
{
	struct pair *p = rte_zmalloc("pair", sizeof(*p), RTE_CACHE_LINE_SIZE);
	int rc;

	if (p == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	p->link = conf->link;
	p->burst = conf->burst > 0 ? conf->burst : 32;
	rc = pools_open(p, conf->nb_mbufs > 0 ? conf->nb_mbufs : NB_MBUFS);
	if (rc == 0 && p->link == PAIR_WIRE)
		rc = wire_open(p);
	if (rc == 0)
		rc = side_open(p, &p->client, 0, conf);
	if (rc == 0)
		rc = side_open(p, &p->server, 1, conf);
	nb_pairs++;
	if (rc == 0)
		return p;
	pair_free(p);
	rte_errno = -rc;
	return NULL;
}

static void
side_close(struct pair_side *s)
{
	struct rte_mbuf *m;

	for (uint8_t i = 0; i < s->nb_shards; i++) {
		struct pair_shard *sh = &s->shard[i];

		if (sh->toe != NULL)
			tp_toe_shard_free(sh->toe);
		while (sh->foreign != NULL && rte_ring_sc_dequeue(sh->foreign, (void **)&m) == 0)
			rte_pktmbuf_free(m);
		while (sh->rx != NULL && rte_ring_sc_dequeue(sh->rx, (void **)&m) == 0)
			rte_pktmbuf_free(m);
		rte_ring_free(sh->foreign);
		rte_ring_free(sh->rx);
	}
	rte_pktmbuf_free_bulk(s->egress.hold, tp_egress_take_back(&s->egress, s->egress.hold));
	while (s->in_head != s->in_tail)
		rte_pktmbuf_free(s->in[s->in_head++ % PAIR_QUEUE]);
	tp_toe_free(s->toe);
	tp_inet_free(s->inet);
	rte_free(s->qsbr);
}

void
pair_free(struct pair *p)
{
	if (p == NULL)
		return;
	side_close(&p->client);
	side_close(&p->server);
	tp_wire_destroy(p->wire);
	rte_mempool_free(p->pool);
	rte_mempool_free(p->pool_indirect);
	rte_free(p);
}

int
pair_listen(struct pair *p, const struct tp_toe_user *user, uint16_t port)
{
	struct tp_toe_listen how = { .user = user, .port = port, .backlog = UINT16_MAX };

	return tp_toe_listen(p->server.toe, &how);
}

tp_toe_id
pair_connect(struct pair *p, const struct tp_toe_user *user, void *arg, uint16_t lport,
                uint16_t rport)
{
	struct tp_toe_connect how = {
		.user = user, .arg = arg, .lport = lport, .rport = rport, .member = TP_MEMBER_NONE
	};

	memcpy(how.raddr, p->server.addr, sizeof(how.raddr));
	return tp_toe_connect(p->client.toe, &how);
}

/* ---- running ---------------------------------------------------------------------- */

static void
control_step(struct pair_side *s, uint64_t now)
{
	struct tp_inet_frame frames[16];
	uint16_t n;

	s->asked = false;
	tp_inet_step(s->inet, now);
	n = tp_inet_take(s->inet, frames, RTE_DIM(frames));
	for (uint16_t i = 0; i < n; i++)
		op_transmit(&s->shard[s->arrive_at], &frames[i].m, 1);
}

static uint16_t
shard_receive(struct pair_shard *sh, struct rte_mbuf **pkts)
{
	struct pair_side *s = sh->side;
	uint16_t n = 0;

	if (s->pair->link == PAIR_RINGS)
		return rte_ring_sc_dequeue_burst(sh->rx, (void **)pkts, s->pair->burst, NULL);
	if (sh->member != s->arrive_at)
		return 0;
	if (s->pair->link == PAIR_WIRE)
		return rte_eth_rx_burst(s->port_id, 0, pkts, s->pair->burst);
	while (n < s->pair->burst && s->in_head != s->in_tail)
		pkts[n++] = s->in[s->in_head++ % PAIR_QUEUE];
	return n;
}

/* What no connection wanted: ARP is control's. */
static void
left_over(struct pair_side *s, struct rte_mbuf *m, const struct tp_pkt_info *info, uint64_t now)
{
	if (info->flags & TP_PKT_F_NEIGH) {
		tp_inet_heard(s->inet, m, info, s->arrive_at, now);
		s->asked = true;
	}
	rte_pktmbuf_free(m);
}

void
pair_control_turn(struct pair_side *s, uint64_t now)
{
	if (unlikely(s->asked || tp_inet_next(s->inet) <= now))
		control_step(s, now);
	if (s->nb_shards > 1)
		tp_toe_manage(s->toe, now);
}

unsigned int
pair_shard_turn(struct pair_shard *sh, uint64_t now)
{
	struct tp_pkt_info info[TP_BURST_MAX];
	struct rte_mbuf *pkts[TP_BURST_MAX];
	struct pair_side *s = sh->side;
	uint16_t n = shard_receive(sh, pkts), rest;
	unsigned int work = n;

	if (n > 0) {
		tp_pkt_parse_burst(pkts, n, info);
		rest = tp_toe_input(sh->toe, pkts, info, n, now);
		for (uint16_t i = 0; i < rest; i++)
			left_over(s, pkts[i], &info[i], now);
	}
	if (s->nb_shards > 1) {
		n = rte_ring_sc_dequeue_burst(sh->foreign, (void **)pkts, s->pair->burst, NULL);
		if (n > 0)
			tp_toe_foreign(sh->toe, pkts, n, now);
		work += n;
	}
	return work + tp_toe_step(sh->toe, now);
}

unsigned int
pair_side_turn(struct pair_side *s, uint64_t now)
{
	unsigned int work = 0;

	pair_control_turn(s, now);
	for (uint8_t i = 0; i < s->nb_shards; i++)
		work += pair_shard_turn(&s->shard[i], now);
	return work;
}

unsigned int
pair_turn(struct pair *p)
{
	uint64_t now = tp_clock_now();

	return pair_side_turn(&p->client, now) + pair_side_turn(&p->server, now);
}

static bool
settle(struct pair *p, const uint64_t *count, uint64_t wanted)
{
	for (uint32_t i = 0; i < SETTLE_TURNS && *count < wanted; i++)
		pair_turn(p);
	return *count >= wanted;
}

bool
pair_connect_many(struct pair *p, const struct tp_toe_user *client,
                const struct tp_toe_user *server, uint32_t nb, const uint64_t *nb_established)
{
	uint64_t first = *nb_established;
	uint32_t i;

	for (i = 0; i <= nb / NB_PORTS; i++) {
		if (pair_listen(p, server, FIRST_SERVICE + i) != 0)
			return false;
	}
	for (i = 0; i < nb; i++) {
		if (pair_connect(p, client, NULL, FIRST_PORT + i % NB_PORTS,
		                    FIRST_SERVICE + i / NB_PORTS) == TP_TOE_ID_NONE)
			return false;
		if (i == 0 && !settle(p, nb_established, first + 1)) /* the neighbours meet */
			return false;
		if (i % BATCH == 0)
			pair_turn(p);
	}
	return settle(p, nb_established, first + nb);
}

/* ---- looking ---------------------------------------------------------------------- */

static uint64_t
side_losses(const struct pair_side *s)
{
	uint64_t counters[TP_TOE_NB_COUNTERS], mib[TP_TCP_NB_MIB], sum = 0;

	for (unsigned int i = 0; i < TP_NB_DROPS; i++)
		sum += s->ctr.drop[i];
	tp_toe_counters(s->toe, counters, mib);
	return sum + counters[TP_TOE_C_CONNS_PREMATURE] + mib[TP_TCP_M_OUT_RSTS] +
	       mib[TP_TCP_M_NO_MBUF];
}

uint64_t
pair_losses(const struct pair *p)
{
	uint64_t sum = side_losses(&p->client) + side_losses(&p->server);

	for (enum tp_wire_dir dir = 0; p->wire != NULL && dir < TP_WIRE_NB_DIRS; dir++) {
		struct tp_wire_stats st;

		tp_wire_get_stats(p->wire, dir, &st);
		sum += st.drop_queue + st.drop_ring + st.drop_mbuf + st.drop_mtu + st.lost_link;
	}
	return sum;
}

/* ---- users ------------------------------------------------------------------------ */

void
pair_send_byte(struct tp_toe_call *call, void *arg)
{
	struct rte_mbuf *m = tp_toe_alloc(call);

	(void)arg;
	if (m == NULL || rte_pktmbuf_append(m, 1) == NULL || tp_toe_send(call, m, true) != 0)
		rte_panic("a byte cannot be sent\n");
}

void
pair_bounce(struct tp_toe_call *call, struct rte_mbuf *data)
{
	tp_toe_consumed(call, data->pkt_len);
	if (tp_toe_send(call, data, true) != 0)
		rte_panic("a byte cannot be sent back\n");
}

uint32_t
pair_discard(struct tp_toe_call *call, struct rte_mbuf *data)
{
	uint32_t nb = data->pkt_len;

	tp_toe_consumed(call, nb);
	rte_pktmbuf_free(data);
	return nb;
}
