/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

#define DUP_THRESH 3

/* Step 4, the part that DSACKs decide: each round with one widens the window by a quarter of the
 * minimum round trip, sixteen recoveries without one reset it. */
static void
rack_dsack_round(struct tp_tcp_conn *c, const struct tcp_ack *ack)
{
	if (c->rack_dsack_round_valid && tp_seq_geq(c->snd_una, c->rack_dsack_round))
		c->rack_dsack_round_valid = false;
	if (!ack->dsack || c->rack_dsack_round_valid)
		return;
	c->rack_dsack_round_valid = true;
	c->rack_dsack_round = c->snd_nxt;
	if (c->rack_reo_wnd_mult < UINT8_MAX)
		c->rack_reo_wnd_mult++;
	c->rack_reo_wnd_persist = TCP_RACK_PERSIST;
}

void
tcp_rack_recovered(struct tp_tcp_conn *c)
{
	if (c->rack_reo_wnd_persist > 0)
		c->rack_reo_wnd_persist--;
	if (c->rack_reo_wnd_persist == 0)
		c->rack_reo_wnd_mult = 1;
}

/* RFC 8985 6.2 steps 1 (the caller's tcp_rtt_min()) and 2; step 3 is in tcp_ack_note(). */
void
tcp_rack_update(struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now)
{
	if (likely(ack->has_newest)) {
		c->rack_rtt_us = RTE_MAX(tcp_since(ack->newest_sent_ns, now) / TP_NS_PER_US, 1u);
		if (tcp_sent_after(ack->newest_sent_ns, ack->newest_end_seq, c->rack_xmit_ns,
		                    c->rack_end_seq)) {
			c->rack_xmit_ns = ack->newest_sent_ns;
			c->rack_end_seq = ack->newest_end_seq;
		}
	}
	if (unlikely(ack->dsack || c->rack_dsack_round_valid))
		rack_dsack_round(c, ack);
}

/* Step 4: how long a segment may be late. The count of SACKed segments is taken in bytes, like RFC
 * 6675 4 does. */
static uint64_t
rack_reo_wnd_ns(const struct tp_tcp_conn *c)
{
	bool recovering = c->ca == TP_TCP_CA_RECOVERY || c->ca == TP_TCP_CA_LOSS;
	uint64_t wnd_us;

	if (!c->rack_reordering_seen &&
	                (recovering || c->sacked_out > (DUP_THRESH - 1) * (uint32_t)c->snd_mss))
		return 0;
	wnd_us = (uint64_t)c->rack_reo_wnd_mult * c->min_rtt_us / 4;
	return RTE_MIN(wnd_us, c->srtt_us) * TP_NS_PER_US;
}

void
tcp_mark_lost(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tp_tcp_rec *rec,
                struct tcp_ack *ack)
{
	ack->lost += rec->len;
	if (!(rec->flags & (TP_TCP_REC_EXEMPT | TP_TCP_REC_PROBE)))
		ack->lost_congested += rec->len;
	if (rec->flags & TP_TCP_REC_PROBE)
		tcp_pmtu_probe_lost(env, c, rec->len);
	tcp_rec_mark(c, rec, TP_TCP_REC_LOST, TP_TCP_REC_RETRANS | TP_TCP_REC_PROBE);
}

/* Step 5. */
uint64_t
tcp_rack_detect(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now)
{
	uint64_t late_ns = c->rack_rtt_us * TP_NS_PER_US + rack_reo_wnd_ns(c), timeout = 0, due;
	struct tp_tcp_rec *rec;

	for (rec = c->tx_head; rec != NULL; rec = rec->next) {
		if (tcp_rec_is_out_of_play(rec))
			continue;
		if (!tcp_sent_after(c->rack_xmit_ns, c->rack_end_seq, rec->sent_ns,
		                    rec->seq + rec->len)) {
			/* First transmissions are in order: all behind it are younger still. */
			if (rec->nb_sent <= 1)
				break;
			continue;
		}
		due = rec->sent_ns + late_ns;
		if (due <= now)
			tcp_mark_lost(env, c, rec, ack);
		else
			timeout = RTE_MAX(timeout, due - now);
	}
	return timeout;
}

/* RFC 8985 6.3: after a timeout the first one is lost, and what is older than a round trip. */
void
tcp_rack_timeout(struct tp_tcp_env *env, struct tp_tcp_conn *c, struct tcp_ack *ack, uint64_t now)
{
	uint64_t late_ns = c->rack_rtt_us * TP_NS_PER_US + rack_reo_wnd_ns(c);
	struct tp_tcp_rec *rec;

	for (rec = c->tx_head; rec != NULL; rec = rec->next) {
		if (tcp_rec_is_out_of_play(rec))
			continue;
		if (rec == c->tx_head || !(c->flags & TP_TCP_F_SACK) ||
		                rec->sent_ns + late_ns <= now)
			tcp_mark_lost(env, c, rec, ack);
	}
}
