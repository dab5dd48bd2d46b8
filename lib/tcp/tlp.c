/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

/* RFC 8985 7.2 TLP.max_ack_delay: the largest delay of an ACK that is common. */
#define TLP_MAX_ACK_DELAY_NS (200 * TP_NS_PER_MS)

/* RFC 8985 7.2: not when something better watches; 7.3: nor twice without a measurement, as what
 * a probe repeats tells no time, and a path that became longer would never be noticed. */
bool
tcp_tlp_allowed(const struct tp_tcp_conn *c)
{
	return (c->flags & (TP_TCP_F_SACK | TP_TCP_F_TLP_BLIND)) == TP_TCP_F_SACK &&
	       (c->ca == TP_TCP_CA_OPEN || c->ca == TP_TCP_CA_CWR) && c->sacked_out == 0 &&
	       !c->tlp_out && c->nb_rexmit == 0 && c->state > TP_TCP_SYN_RCVD;
}

/* TLP_calc_PTO(), but for the bound by the RTO. */
uint64_t
tcp_tlp_pto_ns(const struct tp_tcp_conn *c)
{
	uint64_t pto;

	if (c->srtt_us == 0)
		return TP_NS_PER_S;
	pto = 2 * c->srtt_us * TP_NS_PER_US;
	if (c->snd_nxt - c->snd_una <= c->snd_mss)
		pto += TLP_MAX_ACK_DELAY_NS;
	return pto;
}

/* TLP_send_probe() has sent new data, or the last segment again. */
void
tcp_tlp_sent(struct tp_tcp_env *env, struct tp_tcp_conn *c, bool again)
{
	c->flags &= ~(TP_TCP_F_TLP_NOW | TP_TCP_F_TLP_RETRANS);
	c->flags |= again ? TP_TCP_F_TLP_RETRANS | TP_TCP_F_TLP_BLIND : TP_TCP_F_TLP_BLIND;
	c->tlp_out = true;
	c->tlp_end_seq = c->snd_nxt;
	tcp_count(env, TP_TCP_M_LOSS_PROBES);
}

/* TLP_process_ack(), RFC 8985 7.4.2 */
void
tcp_tlp_ack(struct tp_tcp_env *env, struct tp_tcp_conn *c, const struct tp_tcp_seg *seg,
                const struct tcp_ack *ack, uint64_t now)
{
	if (!c->tlp_out || tp_seq_lt(seg->ack, c->tlp_end_seq))
		return;
	if (!(c->flags & TP_TCP_F_TLP_RETRANS)) {
		c->tlp_out = false; /* new data was delivered */
	} else if (ack->dsack && ack->dsack_right == c->tlp_end_seq) {
		c->tlp_out = false; /* case 1: both copies were */
	} else if (tp_seq_gt(seg->ack, c->tlp_end_seq)) {
		c->tlp_out = false; /* case 2: the probe repaired a loss */
		tcp_count(env, TP_TCP_M_LOSS_PROBE_RECOVERY);
		tcp_reduce_once(c, now);
	} else if (ack->dup && !ack->has_sack) {
		c->tlp_out = false; /* case 3: a duplicate ACK answers the probe */
	}
}
