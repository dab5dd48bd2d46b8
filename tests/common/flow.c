/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "flow.h"

#include "check.h"

uint64_t
flow_random(uint64_t *state, uint64_t n)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint64_t)(((unsigned __int128)(z ^ z >> 31) * n) >> 64);
}

static uint8_t
octet(uint32_t flow, uint32_t at)
{
	return (at * UINT32_C(2654435761) + flow * 40503) >> 16;
}

void
flow_fill(uint8_t *data, uint32_t len, uint32_t flow, uint32_t at)
{
	for (uint32_t i = 0; i < len; i++)
		data[i] = octet(flow, at + i);
}

bool
flow_is(const struct rte_mbuf *chain, uint32_t flow, uint32_t at)
{
	for (const struct rte_mbuf *m = chain; m != NULL; m = m->next) {
		const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

		for (uint16_t i = 0; i < m->data_len; i++) {
			if (p[i] != octet(flow, at++))
				return false;
		}
	}
	return true;
}

struct rte_mbuf *
flow_on_wire(struct rte_mbuf *m, struct rte_mempool *pool)
{
	bool good = (m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM) != 0;
	struct rte_mbuf *copy = tp_pkt_copy(m, pool);

	rte_pktmbuf_free(m);
	if (copy != NULL)
		copy->ol_flags = good ? RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_GOOD
		                      : 0;
	return copy;
}

void
flow_echo(struct tp_toe_call *call, struct rte_mbuf **held)
{
	uint32_t len = *held != NULL ? (*held)->pkt_len : 0;

	if (*held != NULL && tp_toe_send(call, *held, true) == 0) {
		*held = NULL;
		tp_toe_consumed(call, len);
	}
	if (*held == NULL && tp_toe_at_eof(call))
		tp_toe_close(call);
}

void
flow_echo_data(struct tp_toe_call *call, struct rte_mbuf **held, struct rte_mbuf *data)
{
	if (*held == NULL)
		*held = data;
	else
		CHECK(rte_pktmbuf_chain(*held, data) == 0);
	flow_echo(call, held);
}
