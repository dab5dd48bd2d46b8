/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_bpf.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_pcapng.h>

#define RING_SIZE 1024
#define POLL_MS 5
#define BURST TP_BURST_MAX
/* Data room of a copy; what is longer takes several. */
#define ROOM_MAX 16384
/* Readers that hold out longer are stuck: their memory is left to them. */
#define RCU_TIMEOUT_NS (2 * TP_NS_PER_S)

/** One captured port. Its lcore (of the host port: who holds the guard) is the one producer. */
struct tap {
	uint16_t port_id;
	uint32_t snaplen;
	struct rte_mempool *pool;
	struct rte_ring *ring; /**< single producer, single consumer */
	const struct rte_bpf *bpf;
	uint64_t (*jit)(void *m);
	uint64_t captured; /**< owner w, front r */
	uint64_t missed;   /**< owner w, front r: no buffer, or the ring was full */
	const struct rte_eth_rxtx_callback *rx, *tx;
};

static struct {
	bool active;
	char file[APP_TEXT_LEN];
	char filter[APP_TEXT_LEN];
	char error[APP_TEXT_LEN]; /**< why the last one ended by itself */
	uint32_t snaplen;
	rte_pcapng_t *out;
	struct rte_mempool *pool;
	struct rte_bpf *bpf;
	struct tap *tap[TP_MAX_MEMBERS + 1];
	unsigned int nb_taps;
	uint64_t packets, bytes;             /**< written */
	uint64_t gone_captured, gone_missed; /**< of ports that went */
	uint32_t serial;                     /**< names of rings and pools must not repeat */
} cap;

/* ---- on the lcores ------------------------------------------------------- */

static bool
tap_wants(const struct tap *t, struct rte_mbuf *m)
{
	if (t->bpf == NULL)
		return true;
	return (t->jit != NULL ? t->jit(m) : rte_bpf_exec(t->bpf, m)) != 0;
}

static void
tap_copy(struct tap *t, struct rte_mbuf **pkts, uint16_t nb_pkts, enum rte_pcapng_direction dir)
{
	struct rte_mbuf *copy[BURST];
	unsigned int n = 0, sent;
	uint64_t tsc = rte_get_tsc_cycles();

	for (uint16_t i = 0; i < nb_pkts && n < BURST; i++) {
		if (!tap_wants(t, pkts[i]))
			continue;
		copy[n] = rte_pcapng_copy(t->port_id, 0, pkts[i], t->pool, t->snaplen, tsc, dir);
		if (copy[n] != NULL)
			n++;
		else
			t->missed++;
	}
	sent = rte_ring_sp_enqueue_burst(t->ring, (void **)copy, n, NULL);
	t->captured += sent;
	t->missed += n - sent;
	rte_pktmbuf_free_bulk(copy + sent, n - sent);
}

static uint16_t
on_rx(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t nb_pkts, uint16_t max,
                void *arg)
{
	(void)port;
	(void)queue;
	(void)max;
	if (nb_pkts > 0)
		tap_copy(arg, pkts, nb_pkts, RTE_PCAPNG_DIRECTION_IN);
	return nb_pkts;
}

static uint16_t
on_tx(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t nb_pkts, void *arg)
{
	(void)port;
	(void)queue;
	tap_copy(arg, pkts, nb_pkts, RTE_PCAPNG_DIRECTION_OUT);
	return nb_pkts;
}

/* ---- taps ---------------------------------------------------------------- */

/** Wait until no lcore can be inside a callback that was removed. @return false: not in time */
static bool
lcores_left(struct daemon *d)
{
	uint64_t token, deadline = tp_clock_now() + RCU_TIMEOUT_NS;

	if (d->qsbr == NULL)
		return true;
	token = rte_rcu_qsbr_start(d->qsbr);
	while (rte_rcu_qsbr_check(d->qsbr, token, false) == 0) {
		if (tp_clock_now() > deadline)
			return false;
		usleep(200);
	}
	return true;
}

static void
tap_free(struct tap *t)
{
	rte_free((void *)(uintptr_t)t->rx);
	rte_free((void *)(uintptr_t)t->tx);
	rte_ring_free(t->ring);
	rte_free(t);
}

static void
tap_remove_callbacks(struct tap *t)
{
	if (t->rx != NULL && rte_eth_remove_rx_callback(t->port_id, 0, t->rx) != 0)
		t->rx = NULL; /* the port is gone, and they with it */
	if (t->tx != NULL && rte_eth_remove_tx_callback(t->port_id, 0, t->tx) != 0)
		t->tx = NULL;
}

static struct tap *
tap_new(uint16_t port_id)
{
	struct tap *t = rte_zmalloc("tap", sizeof(*t), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];

	if (t == NULL)
		return NULL;
	t->port_id = port_id;
	t->snaplen = cap.snaplen;
	t->pool = cap.pool;
	t->bpf = cap.bpf;
	if (cap.bpf != NULL) {
		struct rte_bpf_jit jit;

		if (rte_bpf_get_jit(cap.bpf, &jit) == 0)
			t->jit = jit.func;
	}
	snprintf(name, sizeof(name), "cap%u_%u", cap.serial, port_id);
	t->ring = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (t->ring == NULL) {
		rte_free(t);
		return NULL;
	}
	t->rx = rte_eth_add_rx_callback(port_id, 0, on_rx, t);
	t->tx = rte_eth_add_tx_callback(port_id, 0, on_tx, t);
	return t;
}

/* ---- the file ------------------------------------------------------------ */

static void
tap_write(struct tap *t)
{
	struct rte_mbuf *pkts[BURST];
	unsigned int n;
	ssize_t len;

	/* No more than a ring full: a fast port must not keep the front here. */
	for (unsigned int total = 0; total < RING_SIZE; total += n) {
		n = rte_ring_sc_dequeue_burst(t->ring, (void **)pkts, BURST, NULL);
		if (n == 0)
			return;
		if (cap.error[0] != '\0') {
			rte_pktmbuf_free_bulk(pkts, n);
			continue;
		}
		len = rte_pcapng_write_packets(cap.out, pkts, n);
		if (len < 0) {
			snprintf(cap.error, sizeof(cap.error), "writing stopped: %s",
			                rte_strerror(rte_errno));
			continue;
		}
		cap.packets += n;
		cap.bytes += len;
	}
}

void
capture_poll(void)
{
	for (unsigned int i = 0; cap.active && i < cap.nb_taps; i++)
		tap_write(cap.tap[i]);
}

uint64_t
capture_due(void)
{
	return cap.active ? tp_clock_now() + POLL_MS * TP_NS_PER_MS : TP_NEVER;
}

static int
fail(struct error_text *err, int rc, const char *what, const char *why)
{
	snprintf(err->text, sizeof(err->text), "capture: %.100s: %.120s", what, why);
	return rc;
}

static int
open_file(const char *path, struct error_text *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;
	int rc;

	if (fd < 0)
		return fail(err, -errno, path, strerror(errno));
	/* A pipe could stall every session. */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rc = fail(err, -EINVAL, path, "not a regular file");
	else if (ftruncate(fd, 0) != 0)
		rc = fail(err, -errno, path, strerror(errno));
	else
		return fd;
	close(fd);
	return rc;
}

static int
make_filter(const struct capture_conf *conf, struct error_text *err)
{
	struct bpf_program prog;
	struct rte_bpf_prm *prm;
	pcap_t *pcap;
	int rc = 0;

	if (conf->filter == NULL)
		return 0;
	pcap = pcap_open_dead(DLT_EN10MB, conf->snaplen);
	if (pcap == NULL)
		return fail(err, -ENOMEM, "filter", "no memory");
	if (pcap_compile(pcap, &prog, conf->filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		rc = fail(err, -EINVAL, conf->filter, pcap_geterr(pcap));
		pcap_close(pcap);
		return rc;
	}
	prm = rte_bpf_convert(&prog);
	if (prm != NULL)
		cap.bpf = rte_bpf_load(prm);
	if (cap.bpf == NULL)
		rc = fail(err, -rte_errno, conf->filter, rte_strerror(rte_errno));
	rte_free(prm);
	pcap_freecode(&prog);
	pcap_close(pcap);
	return rc;
}

static int
make_pool(const struct capture_conf *conf, struct error_text *err)
{
	uint32_t room = rte_pcapng_mbuf_size(RTE_MIN(conf->snaplen, (uint32_t)RTE_ETHER_MAX_LEN));
	uint16_t mtu;
	char name[RTE_MEMPOOL_NAMESIZE];

	for (uint16_t i = 0; i < conf->nb_ports; i++)
		if (rte_eth_dev_get_mtu(conf->port[i], &mtu) == 0)
			room = RTE_MAX(room, rte_pcapng_mbuf_size(RTE_MIN(conf->snaplen,
			                                     mtu + RTE_ETHER_HDR_LEN +
			                                                     2 * RTE_VLAN_HLEN)));
	snprintf(name, sizeof(name), "capture_%u", cap.serial);
	cap.pool = tp_pool_create(name, RTE_MIN(conf->nb_ports + 1, 4) * RING_SIZE - 1, 0,
	                RTE_MIN(room, (uint32_t)ROOM_MAX), SOCKET_ID_ANY);
	if (cap.pool == NULL)
		return fail(err, -rte_errno, "buffers", rte_strerror(rte_errno));
	return 0;
}

/* ---- start and stop ------------------------------------------------------ */

static void
release(void)
{
	rte_bpf_destroy(cap.bpf);
	cap.bpf = NULL;
	rte_mempool_free(cap.pool);
	cap.pool = NULL;
	if (cap.out != NULL)
		rte_pcapng_close(cap.out);
	cap.out = NULL;
	cap.nb_taps = 0;
	cap.active = false;
}

static int
prepare(const struct capture_conf *conf, struct error_text *err)
{
	int fd, rc = make_filter(conf, err);

	if (rc == 0)
		rc = make_pool(conf, err);
	if (rc != 0)
		return rc;
	fd = open_file(conf->file, err);
	if (fd < 0)
		return fd;
	cap.out = rte_pcapng_fdopen(fd, NULL, NULL, "teampmd " TEAMPMD_VERSION, NULL);
	if (cap.out == NULL) {
		close(fd);
		return fail(err, -rte_errno, conf->file, rte_strerror(rte_errno));
	}
	return 0;
}

int
capture_start(struct daemon *d, const struct capture_conf *conf, struct error_text *err)
{
	int rc;

	if (cap.active)
		return fail(err, -EBUSY, cap.file,
		                "a capture is in progress; 'capture stop' first");
	cap.serial++;
	cap.snaplen = conf->snaplen;
	snprintf(cap.file, sizeof(cap.file), "%s", conf->file);
	snprintf(cap.filter, sizeof(cap.filter), "%s", conf->filter != NULL ? conf->filter : "");
	cap.error[0] = '\0';
	cap.packets = cap.bytes = cap.gone_captured = cap.gone_missed = 0;
	rc = prepare(conf, err);
	if (rc != 0) {
		release();
		return rc;
	}
	cap.active = true;
	for (uint16_t i = 0; i < conf->nb_ports; i++) {
		cap.tap[cap.nb_taps] = tap_new(conf->port[i]);
		if (cap.tap[cap.nb_taps++] != NULL)
			continue;
		cap.nb_taps--;
		capture_close(d);
		return fail(err, -ENOMEM, conf->file, "no memory");
	}
	return 0;
}

/** End taps from first on, and write what they hold. */
static void
end_taps(struct daemon *d, unsigned int first, unsigned int nb)
{
	bool left;

	for (unsigned int i = first; i < first + nb; i++)
		tap_remove_callbacks(cap.tap[i]);
	left = lcores_left(d);
	for (unsigned int i = first; i < first + nb; i++) {
		struct tap *t = cap.tap[i];

		tap_write(t);
		cap.gone_captured += t->captured;
		cap.gone_missed += t->missed;
		if (left)
			tap_free(t);
	}
	if (!left) {
		/* A stuck lcore may still use them. */
		cap.pool = NULL;
		cap.bpf = NULL;
	}
}

void
capture_forget(struct daemon *d, uint16_t port_id)
{
	for (unsigned int i = 0; cap.active && i < cap.nb_taps; i++) {
		if (cap.tap[i]->port_id != port_id)
			continue;
		end_taps(d, i, 1);
		cap.tap[i] = cap.tap[--cap.nb_taps];
		return;
	}
}

void
capture_close(struct daemon *d)
{
	if (!cap.active)
		return;
	end_taps(d, 0, cap.nb_taps);
	release();
}

int
capture_stop(struct daemon *d, struct error_text *err)
{
	if (!cap.active)
		return fail(err, -ENOENT, "stop", "no capture is in progress");
	capture_close(d);
	return 0;
}

json_t *
show_capture(struct daemon *d, const char *arg, struct error_text *err)
{
	json_t *ports = json_array();
	uint64_t captured = cap.gone_captured, missed = cap.gone_missed;

	(void)d;
	(void)arg;
	(void)err;
	for (unsigned int i = 0; i < cap.nb_taps; i++) {
		captured += cap.tap[i]->captured;
		missed += cap.tap[i]->missed;
		json_array_append_new(ports, json_integer(cap.tap[i]->port_id));
	}
	return json_pack("{s:b s:s s:s s:I s:o s:I s:I s:I s:I s:s}", "active", cap.active, "file",
	                cap.file, "filter", cap.filter, "snaplen", (json_int_t)cap.snaplen, "ports",
	                ports, "captured", (json_int_t)captured, "missed", (json_int_t)missed,
	                "written", (json_int_t)cap.packets, "bytes", (json_int_t)cap.bytes, "error",
	                cap.error);
}
