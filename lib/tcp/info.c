/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "tcp_int.h"

static uint8_t
opts_of(const struct tp_tcp_conn *c)
{
	return (c->flags & TP_TCP_F_TS ? TP_TCP_O_TS : 0) |
	       (c->flags & TP_TCP_F_SACK ? TP_TCP_O_SACK_PERM : 0) |
	       (c->flags & TP_TCP_F_WSCALE ? TP_TCP_O_WSCALE : 0) |
	       (c->flags & TP_TCP_F_ECN ? 0x80 : 0);
}

void
tp_tcp_info(const struct tp_tcp_conn *c, uint64_t now, struct tp_tcp_info *info)
{
	*info = (struct tp_tcp_info){
		.state = c->state,
		.ca = c->ca,
		.opts = opts_of(c),
		.snd_wscale = c->snd_wscale,
		.rcv_wscale = c->rcv_wscale,
		.nb_rexmit = c->nb_rexmit,
		.nb_probes = c->nb_probes,
		.rto_us = c->rto_us,
		.rtt_us = c->srtt_us,
		.rttvar_us = c->rttvar_us,
		.min_rtt_us = c->min_rtt_us,
		.snd_mss = c->snd_mss,
		.pmtu = c->pmtu,
		.cwnd = c->cwnd,
		.ssthresh = c->ssthresh,
		.snd_wnd = c->snd_wnd,
		.rcv_wnd = c->rcv_adv - c->rcv_nxt,
		.unacked = c->snd_nxt - c->snd_una,
		.sacked = c->sacked_out,
		.lost = c->lost_out,
		.retrans = c->retrans_out,
		.queued = c->state == TP_TCP_CLOSED ? 0 : tcp_unsent(c),
		.total_retrans = c->retrans_segs,
		.idle_ms = now > c->rcvd_ns ? (now - c->rcvd_ns) / TP_NS_PER_MS : 0,
		.bytes_in = c->bytes_in,
		.bytes_out = c->bytes_out,
		.segs_in = c->segs_in,
		.segs_out = c->segs_out,
	};
}

uint64_t
tp_tcp_held(const struct tp_tcp_conn *c)
{
	uint64_t held = c->rcv_unread;

	for (const struct tp_tcp_rec *rec = c->ooo_head; rec != NULL; rec = rec->next)
		held += rec->len - (rec->tcp_flags & TP_TCP_FIN ? 1 : 0);
	return held;
}
