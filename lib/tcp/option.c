/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <rte_byteorder.h>

#include "tcp_int.h"

/* Kinds (IANA), and their lengths. */
#define OPT_END 0
#define OPT_NOP 1
#define OPT_MSS 2
#define OPT_WSCALE 3
#define OPT_SACK_PERM 4
#define OPT_SACK 5
#define OPT_TS 8
#define OPT_UTO 28

#define LEN_MSS 4
#define LEN_WSCALE 3
#define LEN_SACK_PERM 2
#define LEN_SACK 4 /* with two NOPs before it, without blocks */
#define LEN_SACK_BLOCK 8
#define LEN_TS 10
#define LEN_UTO 4

static inline uint16_t
get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline uint32_t
get32(const uint8_t *p)
{
	uint32_t be;

	memcpy(&be, p, sizeof(be));
	return rte_be_to_cpu_32(be);
}

static inline void
put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline void
put32(uint8_t *p, uint32_t v)
{
	uint32_t be = rte_cpu_to_be_32(v);

	memcpy(p, &be, sizeof(be));
}

/* ---- received ------------------------------------------------------------- */

/* RFC 2018 3: pairs of edges, as many as the length says and we keep. */
static void
parse_sack(const uint8_t *p, uint8_t len, struct tp_tcp_seg *seg)
{
	uint8_t nb = (len - 2) / LEN_SACK_BLOCK;

	if (nb == 0 || (len - 2) % LEN_SACK_BLOCK != 0)
		return;
	seg->opts |= TP_TCP_O_SACK;
	seg->nb_sack = RTE_MIN(nb, TP_TCP_MAX_SACK);
	for (uint8_t i = 0; i < seg->nb_sack; i++) {
		seg->sack[i].left = get32(p + 2 + i * LEN_SACK_BLOCK);
		seg->sack[i].right = get32(p + 6 + i * LEN_SACK_BLOCK);
	}
}

/* An option of a length that is not its kind's is skipped like an unknown one. Some are for
 * segments with SYN only (RFC 9293 3.2, RFC 7323 2.2, RFC 2018 2).
 */
static void
parse_one(const uint8_t *p, uint8_t len, struct tp_tcp_seg *seg)
{
	bool syn = (seg->flags & TP_TCP_SYN) != 0;

	switch (p[0]) {
	case OPT_MSS:
		if (len == LEN_MSS && syn) {
			seg->mss = get16(p + 2);
			seg->opts |= TP_TCP_O_MSS;
		}
		break;
	case OPT_WSCALE:
		if (len == LEN_WSCALE && syn) {
			seg->wscale = RTE_MIN(p[2], TCP_MAX_WSCALE);
			seg->opts |= TP_TCP_O_WSCALE;
		}
		break;
	case OPT_SACK_PERM:
		if (len == LEN_SACK_PERM && syn)
			seg->opts |= TP_TCP_O_SACK_PERM;
		break;
	case OPT_SACK:
		if (!syn)
			parse_sack(p, len, seg);
		break;
	case OPT_TS:
		if (len == LEN_TS) {
			seg->ts_val = get32(p + 2);
			seg->ts_ecr = get32(p + 6);
			seg->opts |= TP_TCP_O_TS;
		}
		break;
	case OPT_UTO:
		if (len == LEN_UTO) {
			seg->uto = get16(p + 2);
			seg->opts |= TP_TCP_O_UTO;
		}
		break;
	}
}

/* What nearly every segment has: two NOPs and timestamps (RFC 7323 appendix A). */
static inline bool
parse_expected(const uint8_t *opt, uint8_t len, struct tp_tcp_seg *seg)
{
	if (len != LEN_TS + 2 ||
	                get32(opt) != (OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | LEN_TS))
		return false;
	seg->ts_val = get32(opt + 4);
	seg->ts_ecr = get32(opt + 8);
	seg->opts = TP_TCP_O_TS;
	return true;
}

void
tcp_options_parse(const uint8_t *opt, uint8_t len, struct tp_tcp_seg *seg)
{
	uint8_t n;

	if (parse_expected(opt, len, seg))
		return;
	for (; len > 0 && opt[0] != OPT_END; opt += n, len -= n) {
		if (opt[0] == OPT_NOP) {
			n = 1;
			continue;
		}
		if (len < 2 || opt[1] < 2 || opt[1] > len)
			return;
		n = opt[1];
		parse_one(opt, n, seg);
	}
}

/* ---- sent ------------------------------------------------------------------ */

uint32_t
tcp_ts_now(const struct tp_tcp_conn *c, uint64_t now)
{
	return (uint32_t)(now / TP_NS_PER_MS) + c->ts_off;
}

static uint8_t *
put_ts(const struct tp_tcp_conn *c, uint64_t now, uint8_t *p)
{
	p[0] = OPT_NOP;
	p[1] = OPT_NOP;
	p[2] = OPT_TS;
	p[3] = LEN_TS;
	put32(p + 4, tcp_ts_now(c, now));
	put32(p + 8, c->ts_recent);
	return p + LEN_TS + 2;
}

/* MSS that we receive: of our own MTU, without options (RFC 9293 3.7.1, RFC 6691). */
static uint16_t
mss_offered(const struct tp_tcp_env *env, const struct tp_tcp_conn *c)
{
	return env->conf->mtu - (c->flags & TP_TCP_F_IS_V6 ? 60 : 40);
}

uint8_t
tcp_options_syn(const struct tp_tcp_env *env, const struct tp_tcp_conn *c, uint64_t now,
                uint8_t out[40])
{
	uint8_t *p = out;

	p[0] = OPT_MSS;
	p[1] = LEN_MSS;
	put16(p + 2, mss_offered(env, c));
	p += LEN_MSS;
	if (c->flags & TP_TCP_F_SACK) {
		p[0] = OPT_NOP;
		p[1] = OPT_NOP;
		p[2] = OPT_SACK_PERM;
		p[3] = LEN_SACK_PERM;
		p += 4;
	}
	if (c->flags & TP_TCP_F_TS)
		p = put_ts(c, now, p);
	if (c->flags & TP_TCP_F_WSCALE) {
		p[0] = OPT_NOP;
		p[1] = OPT_WSCALE;
		p[2] = LEN_WSCALE;
		p[3] = c->rcv_wscale;
		p += 4;
	}
	return p - out;
}

uint8_t
tcp_options_data(const struct tp_tcp_conn *c, uint64_t now, uint8_t out[40])
{
	if (!(c->flags & TP_TCP_F_TS))
		return 0;
	return put_ts(c, now, out) - out;
}

/* A full segment gives away an eighth of itself at most. */
#define SACK_SHARE 8

uint8_t
tcp_sack_len(const struct tp_tcp_conn *c, uint32_t room)
{
	struct tp_tcp_span blocks[TP_TCP_MAX_SACK];
	uint8_t nb = tcp_reass_blocks(c, blocks), len;

	for (; nb > 0; nb--) {
		len = LEN_SACK + nb * LEN_SACK_BLOCK;
		if (len <= room)
			return len;
	}
	return 0;
}

uint16_t
tcp_mss_beside_sack(const struct tp_tcp_conn *c)
{
	return c->snd_mss - tcp_sack_len(c, c->snd_mss / SACK_SHARE);
}

uint8_t
tcp_options(const struct tp_tcp_conn *c, uint64_t now, uint32_t room, uint8_t out[40])
{
	uint8_t *p = out + tcp_options_data(c, now, out), len = tcp_sack_len(c, room);
	struct tp_tcp_span blocks[TP_TCP_MAX_SACK];
	uint8_t nb;

	if (len == 0)
		return p - out;
	tcp_reass_blocks(c, blocks);
	nb = (len - LEN_SACK) / LEN_SACK_BLOCK;
	p[0] = OPT_NOP;
	p[1] = OPT_NOP;
	p[2] = OPT_SACK;
	p[3] = 2 + nb * LEN_SACK_BLOCK;
	p += 4;
	for (uint8_t i = 0; i < nb; i++, p += LEN_SACK_BLOCK) {
		put32(p, blocks[i].left);
		put32(p + 4, blocks[i].right);
	}
	return p - out;
}
