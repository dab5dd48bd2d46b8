/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Settings, and TCP_INFO as Linux lays it out. */

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "pd.h"

static int
fails(int error)
{
	errno = error;
	return -1;
}

/* ---- TCP_INFO --------------------------------------------------------------------------------- */

static uint8_t
linux_state(const struct pd_socket *so)
{
	/* include/net/tcp_states.h, by enum tp_tcp_state */
	static const uint8_t state[TP_TCP_NB_STATES] = { [TP_TCP_CLOSED] = 7,
		[TP_TCP_SYN_SENT] = 2,
		[TP_TCP_SYN_RCVD] = 3,
		[TP_TCP_ESTABLISHED] = 1,
		[TP_TCP_FIN_WAIT_1] = 4,
		[TP_TCP_FIN_WAIT_2] = 5,
		[TP_TCP_CLOSE_WAIT] = 8,
		[TP_TCP_CLOSING] = 11,
		[TP_TCP_LAST_ACK] = 9,
		[TP_TCP_TIME_WAIT] = 6 };

	if (so->listens)
		return 10;
	return so->has_conn ? state[so->c->state] : 7;
}

/* Linux counts in segments what we count in bytes. */
static uint32_t
segments(uint32_t bytes, uint32_t mss)
{
	return mss > 0 ? (bytes + mss - 1) / mss : 0;
}

static void
fill_info(struct pd_stack *s, struct pd_socket *so, struct tcp_info *ti)
{
	struct tp_tcp_info i = so->last;

	if (so->has_conn)
		tp_tcp_info(so->c, s->now, &i);
	*ti = (struct tcp_info){
		.tcpi_state = linux_state(so),
		.tcpi_ca_state = i.ca,
		.tcpi_retransmits = i.nb_rexmit,
		.tcpi_probes = i.nb_probes,
		.tcpi_backoff = i.nb_rexmit,
		.tcpi_options = (i.opts & TP_TCP_O_TS ? TCPI_OPT_TIMESTAMPS : 0) |
		                (i.opts & (TP_TCP_O_SACK | TP_TCP_O_SACK_PERM) ? TCPI_OPT_SACK
		                                                               : 0) |
		                (i.opts & TP_TCP_O_WSCALE ? TCPI_OPT_WSCALE : 0) |
		                (i.opts & 0x80 ? TCPI_OPT_ECN : 0),
		.tcpi_snd_wscale = i.snd_wscale,
		.tcpi_rcv_wscale = i.rcv_wscale,
		.tcpi_rto = i.rto_us,
		.tcpi_snd_mss = i.snd_mss,
		.tcpi_rcv_mss = i.snd_mss,
		.tcpi_unacked = segments(i.unacked, i.snd_mss),
		.tcpi_sacked = segments(i.sacked, i.snd_mss),
		.tcpi_lost = segments(i.lost, i.snd_mss),
		.tcpi_retrans = segments(i.retrans, i.snd_mss),
		.tcpi_last_data_recv = i.idle_ms,
		.tcpi_last_ack_recv = i.idle_ms,
		.tcpi_pmtu = i.pmtu,
		.tcpi_rtt = i.rtt_us,
		.tcpi_rttvar = i.rttvar_us,
		.tcpi_snd_ssthresh = i.ssthresh > INT32_MAX ? INT32_MAX
		                                            : segments(i.ssthresh, i.snd_mss),
		.tcpi_snd_cwnd = i.snd_mss > 0 ? i.cwnd / i.snd_mss : 0,
		.tcpi_advmss = i.snd_mss,
		.tcpi_reordering = 3,
		.tcpi_rcv_space = i.rcv_wnd,
		.tcpi_total_retrans = i.total_retrans,
		.tcpi_bytes_acked = i.bytes_out,
		.tcpi_bytes_received = i.bytes_in,
		.tcpi_segs_out = i.segs_out,
		.tcpi_segs_in = i.segs_in,
		.tcpi_notsent_bytes = i.queued,
		.tcpi_min_rtt = i.min_rtt_us,
		.tcpi_snd_wnd = i.snd_wnd,
	};
}

/* ---- reading settings ---------------------------------------------------------------------------- */

static int
answer(const void *value, socklen_t size, void *to, socklen_t *len)
{
	*len = RTE_MIN(*len, size);
	memcpy(to, value, *len);
	return 0;
}

static int
get_tcp(struct pd_stack *s, struct pd_socket *so, int name, void *value, socklen_t *len)
{
	struct tcp_info info;
	const char *word = so->c->cc == TP_TCP_CC_CUBIC ? "cubic" : "reno";
	int n;

	switch (name) {
	case TCP_INFO:
		fill_info(s, so, &info);
		return answer(&info, sizeof(info), value, len);
	case TCP_CONGESTION:
		return answer(word, strlen(word) + 1, value, len);
	case TCP_NODELAY:
		n = (so->c->flags & TP_TCP_F_NODELAY) != 0;
		return answer(&n, sizeof(n), value, len);
	case TCP_QUICKACK:
		n = (so->c->flags & TP_TCP_F_QUICKACK) != 0;
		return answer(&n, sizeof(n), value, len);
	case TCP_MAXSEG:
		n = so->c->snd_mss;
		return answer(&n, sizeof(n), value, len);
	case TCP_USER_TIMEOUT:
		n = so->c->user_timeout_ms;
		return answer(&n, sizeof(n), value, len);
	default:
		return fails(ENOPROTOOPT);
	}
}

static int
get_socket(struct pd_socket *so, int name, void *value, socklen_t *len)
{
	int n;

	switch (name) {
	case SO_ERROR:
		n = so->error;
		so->error = 0;
		break;
	case SO_RCVBUF:
		n = so->c->rcv_buf;
		break;
	case SO_SNDBUF:
		n = so->c->snd_buf;
		break;
	case SO_KEEPALIVE:
		n = (so->c->flags & TP_TCP_F_KEEPALIVE) != 0;
		break;
	default:
		return fails(ENOPROTOOPT);
	}
	return answer(&n, sizeof(n), value, len);
}

static int
pd_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *len)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;
	int rc = -1;

	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so != NULL && level == IPPROTO_TCP)
		rc = get_tcp(s, so, name, value, len);
	else if (so != NULL && level == SOL_SOCKET)
		rc = get_socket(so, name, value, len);
	else if (so != NULL)
		rc = fails(ENOPROTOOPT);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* ---- changing them -------------------------------------------------------------------------------- */

/* Of one connection when there is one, else of those to come. */
static int
set_conn(struct pd_stack *s, struct pd_socket *so, enum tp_tcp_opt opt, uint64_t value)
{
	struct tp_tcp_conf *conf = &s->conf;
	int rc = 0;

	if (so->has_conn) {
		rc = tp_tcp_set(pd_env(s, so), so->c, opt, value, s->now);
		stack_settle(s, so);
		return rc < 0 ? fails(-rc) : 0;
	}
	if (opt == TP_TCP_OPT_NODELAY)
		conf->nodelay = value;
	else if (opt == TP_TCP_OPT_QUICKACK)
		conf->quickack = value;
	else if (opt == TP_TCP_OPT_KEEPALIVE)
		conf->keepalive = value;
	else if (opt == TP_TCP_OPT_USER_TIMEOUT)
		conf->user_timeout_ns = value * TP_NS_PER_MS;
	else if (opt == TP_TCP_OPT_CC)
		conf->cc = value;
	else if (opt == TP_TCP_OPT_RCV_BUF)
		conf->rcv_buf = value;
	else if (opt == TP_TCP_OPT_SND_BUF)
		conf->snd_buf = value;
	return 0;
}

static int
set_tcp(struct pd_stack *s, struct pd_socket *so, int name, const void *value, socklen_t len)
{
	int n = 0;

	memcpy(&n, value, RTE_MIN(len, (socklen_t)sizeof(n)));
	switch (name) {
	case TCP_NODELAY:
		return set_conn(s, so, TP_TCP_OPT_NODELAY, n != 0);
	case TCP_QUICKACK:
		return set_conn(s, so, TP_TCP_OPT_QUICKACK, n != 0);
	case TCP_USER_TIMEOUT:
		return set_conn(s, so, TP_TCP_OPT_USER_TIMEOUT, n);
	case TCP_CONGESTION:
		if (len >= 5 && memcmp(value, "cubic", 5) == 0)
			return set_conn(s, so, TP_TCP_OPT_CC, TP_TCP_CC_CUBIC);
		if (len >= 4 && memcmp(value, "reno", 4) == 0)
			return set_conn(s, so, TP_TCP_OPT_CC, TP_TCP_CC_NEWRENO);
		return fails(ENOENT);
	case TCP_KEEPIDLE:
		s->conf.keep_idle_ns = n * TP_NS_PER_S;
		return 0;
	case TCP_KEEPINTVL:
		s->conf.keep_intvl_ns = n * TP_NS_PER_S;
		return 0;
	case TCP_KEEPCNT:
		s->conf.keep_probes = n;
		return 0;
	default:
		return fails(ENOPROTOOPT);
	}
}

static int
set_socket(struct pd_stack *s, struct pd_socket *so, int name, const void *value, socklen_t len)
{
	struct linger linger = { .l_onoff = 0 };
	int n = 0;

	memcpy(&n, value, RTE_MIN(len, (socklen_t)sizeof(n)));
	memcpy(&linger, value, RTE_MIN(len, (socklen_t)sizeof(linger)));
	switch (name) {
	case SO_REUSEADDR:
	case SO_REUSEPORT:
		return 0;
	case SO_LINGER:
		so->linger_0 = linger.l_onoff != 0 && linger.l_linger == 0;
		return 0;
	case SO_KEEPALIVE:
		return set_conn(s, so, TP_TCP_OPT_KEEPALIVE, n != 0);
	case SO_RCVBUF:
		return set_conn(s, so, TP_TCP_OPT_RCV_BUF, n);
	case SO_SNDBUF:
		return set_conn(s, so, TP_TCP_OPT_SND_BUF, n);
	default:
		return fails(ENOPROTOOPT);
	}
}

static int
pd_setsockopt(void *userdata, int fd, int level, int name, const void *value, socklen_t len)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;
	int rc = -1;

	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so != NULL && level == IPPROTO_TCP)
		rc = set_tcp(s, so, name, value, len);
	else if (so != NULL && level == SOL_SOCKET)
		rc = set_socket(s, so, name, value, len);
	else if (so != NULL) /* of IP: nothing that TCP would notice */
		rc = 0;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static uint32_t
unread(const struct pd_socket *so)
{
	uint32_t n = 0;

	for (const struct rte_mbuf *m = so->rx; m != NULL; m = m->next)
		n += m->data_len;
	return n - so->rx_off;
}

static int
pd_ioctl(void *userdata, int fd, unsigned long request, ...)
{
	struct pd_stack *s = userdata;
	struct pd_socket *so;
	va_list args;
	int *value, rc = 0;

	va_start(args, request);
	value = va_arg(args, int *);
	va_end(args);
	pthread_mutex_lock(&s->lock);
	so = pd_find(s, fd);
	if (so == NULL)
		rc = -1;
	else if (request == SIOCINQ)
		*value = unread(so);
	else if (request == SIOCOUTQ)
		*value = so->c->snd_queued;
	else if (request == SIOCOUTQNSD)
		*value = so->c->snd_queued - (so->c->snd_nxt - so->c->snd_una);
	else
		rc = fails(EINVAL);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void
option_calls(struct packetdrill_interface *ifc)
{
	ifc->getsockopt = pd_getsockopt;
	ifc->setsockopt = pd_setsockopt;
	ifc->ioctl = pd_ioctl;
}
