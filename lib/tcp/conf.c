/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include "tcp_int.h"

void
tp_tcp_conf_default(struct tp_tcp_conf *conf)
{
	*conf = (struct tp_tcp_conf){
		.cc = TP_TCP_CC_CUBIC,
		.timestamps = true,
		.sack = true,
		.window_scale = true,
		.ecn = true,
		.mtu_probing = true,
		.syn_retries = 7,
		.retries = 15,
		.keep_probes = 9,
		.mtu = 1500,
		.rcv_buf = 1 << 20,
		.snd_buf = 1 << 20,
		.tso_max = 65000,
		.keep_idle_ns = 7200 * TP_NS_PER_S,
		.keep_intvl_ns = 75 * TP_NS_PER_S,
		.msl_ns = 30 * TP_NS_PER_S,
		.delack_ns = 40 * TP_NS_PER_MS,
		.min_rto_ns = 200 * TP_NS_PER_MS,
		.max_rto_ns = 120 * TP_NS_PER_S,
		.init_rto_ns = TP_NS_PER_S,
	};
}

/* The smallest link MTU of IPv4 (RFC 791), the largest packet, what a window can be (RFC 7323
 * 2.3), and half the space of sequence numbers.
 */
#define MTU_MIN 68
#define BUF_MAX (1u << 30)

int
tp_tcp_conf_check(const struct tp_tcp_conf *conf, const char **what)
{
	const struct {
		const char *name;
		uint64_t value, min, max;
	} range[] = {
		{ "cc", conf->cc, 0, TP_TCP_NB_CC - 1 },
		{ "syn_retries", conf->syn_retries, 1, 30 },
		{ "retries", conf->retries, 1, 60 },
		{ "keep_probes", conf->keep_probes, 1, 100 },
		{ "mtu", conf->mtu, MTU_MIN, UINT16_MAX },
		{ "rcv_buf", conf->rcv_buf, 1, BUF_MAX },
		{ "snd_buf", conf->snd_buf, 1, BUF_MAX },
		{ "tso_max", conf->tso_max, 0, UINT16_MAX - 120 },
		{ "keep_idle", conf->keep_idle_ns, TP_NS_PER_MS, TP_NEVER / 4 },
		{ "keep_intvl", conf->keep_intvl_ns, TP_NS_PER_MS, TP_NEVER / 4 },
		{ "user_timeout", conf->user_timeout_ns, 0, UINT32_MAX * TP_NS_PER_MS },
		{ "msl", conf->msl_ns, TP_NS_PER_MS, 240 * TP_NS_PER_S },
		{ "delack", conf->delack_ns, 0, 500 * TP_NS_PER_MS - 1 },
		{ "min_rto", conf->min_rto_ns, TP_NS_PER_MS, conf->max_rto_ns },
		{ "max_rto", conf->max_rto_ns, 60 * TP_NS_PER_S, TP_NEVER / 4 },
		{ "init_rto", conf->init_rto_ns, conf->min_rto_ns, conf->max_rto_ns },
	};

	for (unsigned int i = 0; i < RTE_DIM(range); i++) {
		if (range[i].value >= range[i].min && range[i].value <= range[i].max)
			continue;
		*what = range[i].name;
		return -EINVAL;
	}
	return 0;
}
