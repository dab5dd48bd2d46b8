/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include <errno.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "inet_int.h"

void
tp_inet_worker_conf_default(struct tp_inet_worker_conf *conf)
{
	*conf = (struct tp_inet_worker_conf){
		.socket_id = SOCKET_ID_ANY,
		.echo_per_s = 10000,
		.error_per_s = 100,
		.nb_frags = 256,
		.frag_ns = 5 * TP_NS_PER_S,
	};
}

struct tp_inet_worker *
tp_inet_worker_create(const struct tp_inet_worker_conf *conf)
{
	struct tp_inet_worker *w;

	if (conf->inet == NULL || conf->mac == NULL || conf->pool == NULL) {
		rte_errno = EINVAL;
		return NULL;
	}
	w = rte_zmalloc_socket("tp_inet_worker", sizeof(*w), RTE_CACHE_LINE_SIZE, conf->socket_id);
	if (w == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	w->conf = *conf;
	inet_bucket_init(&w->echoes, conf->echo_per_s, 0);
	inet_bucket_init(&w->errors, conf->error_per_s, 0);
	if (conf->nb_frags != 0) {
		w->frags = inet_frags_create(conf);
		if (w->frags == NULL) {
			rte_free(w);
			rte_errno = ENOMEM;
			return NULL;
		}
	}
	return w;
}

void
tp_inet_worker_free(struct tp_inet_worker *w)
{
	if (w == NULL)
		return;
	inet_frags_free(w->frags);
	rte_free(w);
}

const uint64_t *
tp_inet_worker_mib(const struct tp_inet_worker *w)
{
	return w->mib;
}
