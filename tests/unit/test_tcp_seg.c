/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* From a frame to a segment. */

#include <errno.h>
#include <netinet/in.h>

#include "tcp_int.h"
#include "test_frames.h"
#include "test_tcp.h"

#define CKSUM_OFF 16 /* in a TCP header */

/* A frame with opt_len bytes of TCP options (NOP) and len of payload, checksummed. */
static void
make(struct frame *f, bool v6, uint8_t opt_len, uint32_t len)
{
	uint16_t sum;

	frame_reset(f);
	frame_eth(f);
	if (v6)
		frame_ip6(f, IPPROTO_TCP);
	else
		frame_ip4(f, IPPROTO_TCP, 0);
	frame_tcp(f, opt_len);
	frame_payload(f, len);
	frame_end(f);
	frame_be16(f->b + f->l4 + CKSUM_OFF, 0);
	sum = frame_sum(f->b + f->l4, f->len - f->l4,
	                frame_pseudo(f->b + RTE_ETHER_HDR_LEN, IPPROTO_TCP, f->len - f->l4));
	frame_be16(f->b + f->l4 + CKSUM_OFF, ~sum);
}

/* In segments of at most `piece` bytes. */
static struct rte_mbuf *
cut(const struct frame *f, uint16_t piece)
{
	struct rte_mbuf *head = test_mbuf(f->b, RTE_MIN(f->len, (uint32_t)piece));

	for (uint32_t at = piece; at < f->len; at += piece)
		assert_int_equal(rte_pktmbuf_chain(head,
		                                 test_mbuf(f->b + at,
		                                                 RTE_MIN(f->len - at,
		                                                                 (uint32_t)piece))),
		                0);
	return head;
}

static int
parse(struct rte_mbuf *m, struct tp_tcp_seg *seg)
{
	struct tp_pkt_info info;
	int rc;

	tp_pkt_parse(m, &info);
	assert_true(info.flags & TP_PKT_F_L4);
	memset(seg, 0xaa, sizeof(*seg));
	rc = tp_tcp_parse(m, &info, seg);
	if (rc != 0)
		rte_pktmbuf_free(m);
	return rc;
}

/* The payload is what stands behind the header, no byte more; the buffers are freed. */
static void
check_payload(const struct frame *f, uint8_t opt_len, struct tp_tcp_seg *seg)
{
	const uint8_t *want = f->b + f->l4 + sizeof(struct rte_tcp_hdr) + opt_len;
	uint32_t len = 0;

	for (struct rte_mbuf *m = seg->data; m != NULL; m = m->next) {
		assert_true(len + m->data_len <= seg->len);
		assert_memory_equal(rte_pktmbuf_mtod(m, void *), want + len, m->data_len);
		len += m->data_len;
	}
	assert_int_equal(len, seg->len);
	rte_pktmbuf_free(seg->data);
}

static void
fields_are_read(void **state)
{
	struct tp_tcp_seg seg;
	struct frame f;

	(void)state;
	make(&f, false, 0, 5);
	frame_be32(f.b + f.l4 + 4, 0xfffffffe);
	frame_be32(f.b + f.l4 + 8, 0x80000001);
	f.b[f.l4 + 13] = TP_TCP_ACK | TP_TCP_URG;
	frame_be16(f.b + f.l4 + 14, 0x1234);
	frame_be16(f.b + f.l4 + 18, 7);
	struct rte_mbuf *m = test_mbuf(f.b, f.len);

	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(parse(m, &seg), 0);
	assert_int_equal(seg.seq, 0xfffffffe);
	assert_int_equal(seg.ack, 0x80000001);
	assert_int_equal(seg.flags, TP_TCP_ACK | TP_TCP_URG);
	assert_int_equal(seg.wnd, 0x1234);
	assert_int_equal(seg.urg_ptr, 7);
	assert_int_equal(seg.opts, 0);
	assert_int_equal(seg.nb_sack, 0);
	assert_int_equal(seg.nb_coalesced, 1);
	assert_false(seg.ce);
	assert_false(seg.is_v6);
	check_payload(&f, 0, &seg);
}

/* However the frame is cut into buffers, whatever stands in front and behind. */
static void
payload_is_trimmed(void **state)
{
	static const uint16_t pieces[] = { 3, 7, 13, 60, 61, 2000 };
	struct tp_tcp_seg seg;
	struct frame f;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++)
		for (uint8_t opt = 0; opt <= 40; opt += 20)
			for (uint32_t len = 0; len < 300; len += len < 8 ? 1 : 97)
				for (unsigned int i = 0; i < RTE_DIM(pieces); i++) {
					make(&f, v6, opt, len);
					frame_pad(&f, f.len + 1);
					frame_pad(&f, f.len + 60);
					assert_int_equal(parse(cut(&f, pieces[i]), &seg), 0);
					assert_int_equal(seg.len, len);
					assert_int_equal(seg.is_v6, v6);
					assert_true((seg.data == NULL) == (len == 0));
					check_payload(&f, opt, &seg);
				}
}

/* RFC 9293 MUST-50: options of IP are skipped, known or not. */
static void
options_of_ip_are_ignored(void **state)
{
	struct tp_tcp_seg seg;
	struct frame f;
	uint16_t sum;

	(void)state;
	for (uint8_t len = 4; len <= 40; len += 4) {
		frame_reset(&f);
		frame_eth(&f);
		frame_ip4(&f, IPPROTO_TCP, len);
		memset(f.b + f.ip4 + 20, 1, len);
		memcpy(f.b + f.ip4 + 20, (const uint8_t[]){ 94, 4, 1, 2 }, 4);
		frame_tcp(&f, 0);
		frame_payload(&f, 33);
		frame_end(&f);
		frame_be16(f.b + f.l4 + CKSUM_OFF, 0);
		sum = frame_sum(f.b + f.l4, f.len - f.l4,
		                frame_pseudo(f.b + RTE_ETHER_HDR_LEN, IPPROTO_TCP, f.len - f.l4));
		frame_be16(f.b + f.l4 + CKSUM_OFF, ~sum);
		assert_int_equal(parse(test_mbuf(f.b, f.len), &seg), 0);
		assert_int_equal(seg.len, 33);
		check_payload(&f, 0, &seg);
	}
}

/* RFC 9293 MUST-3: the checksum is checked; every bit counts, also over odd buffers. */
static void
wrong_checksums_are_refused(void **state)
{
	struct tp_tcp_seg seg;
	struct frame f;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		make(&f, v6, 20, 101);
		for (uint32_t at = f.l4; at < f.len; at += 3) {
			if (at - f.l4 == 12)
				continue; /* the header's length */
			f.b[at] ^= 1 << at % 8;
			assert_int_equal(parse(cut(&f, 33), &seg), -EBADMSG);
			f.b[at] ^= 1 << at % 8;
		}
		/* The pseudo header. */
		f.b[f.l4 - 1] ^= 1;
		assert_int_equal(parse(cut(&f, 2000), &seg), -EBADMSG);
	}
}

static void
what_the_port_says_of_a_checksum_counts(void **state)
{
	struct tp_tcp_seg seg;
	struct rte_mbuf *m;
	struct frame f;

	(void)state;
	make(&f, false, 0, 10);
	m = test_mbuf(f.b, f.len);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD;
	assert_int_equal(parse(m, &seg), -EBADMSG);
	f.b[f.len - 1] ^= 1;
	m = test_mbuf(f.b, f.len);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	assert_int_equal(parse(m, &seg), 0);
	rte_pktmbuf_free(seg.data);
	m = test_mbuf(f.b, f.len);
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
	assert_int_equal(parse(m, &seg), 0);
	rte_pktmbuf_free(seg.data);
}

/* RFC 3168 5. */
static void
congestion_experienced_is_seen(void **state)
{
	struct tp_tcp_seg seg;
	struct frame f;

	(void)state;
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		make(&f, false, 0, 1);
		f.b[RTE_ETHER_HDR_LEN + 1] = 0xfc | ecn;
		assert_int_equal(parse(test_mbuf(f.b, f.len), &seg), 0);
		assert_int_equal(seg.ce, ecn == 3);
		rte_pktmbuf_free(seg.data);
		make(&f, true, 0, 1);
		f.b[RTE_ETHER_HDR_LEN + 1] = ecn << 4 | 0x0f;
		assert_int_equal(parse(test_mbuf(f.b, f.len), &seg), 0);
		assert_int_equal(seg.ce, ecn == 3);
		rte_pktmbuf_free(seg.data);
	}
}

static void
coalesced_segments_are_counted(void **state)
{
	struct tp_tcp_seg seg;
	struct rte_mbuf *m;
	struct frame f;

	(void)state;
	make(&f, false, 0, 1000);
	m = test_mbuf(f.b, f.len);
	m->ol_flags |= RTE_MBUF_F_RX_LRO;
	m->tso_segsz = 300;
	assert_int_equal(parse(m, &seg), 0);
	assert_int_equal(seg.nb_coalesced, 4);
	rte_pktmbuf_free(seg.data);
}

/* What one segment may say differently, so that it stays alone. */
static void
joined_if_they_say_the_same(void **state)
{
	const struct tp_tcp_seg plain = { .seq = UINT32_MAX - 500,
		.len = 1000,
		.ack = 7,
		.wnd = 9,
		.flags = TP_TCP_ACK,
		.opts = TP_TCP_O_TS,
		.ts_val = 5,
		.ts_ecr = 6,
		.nb_coalesced = 2 };
	static const uint8_t zeros[1000];
	struct tp_tcp_seg follows = plain, other[14];
	unsigned int n = 0;

	(void)state;
	follows.seq += plain.len;
	other[n] = follows, other[n++].seq++;
	other[n] = follows, other[n++].seq--;
	other[n] = follows, other[n++].ack++;
	other[n] = follows, other[n++].wnd++;
	other[n] = follows, other[n++].ts_val++;
	other[n] = follows, other[n++].ts_ecr++;
	other[n] = follows, other[n++].opts = 0;
	other[n] = follows, other[n++].opts |= TP_TCP_O_SACK;
	other[n] = follows, other[n++].ce = true;
	other[n] = follows, other[n++].flags |= TP_TCP_FIN;
	other[n] = follows, other[n++].flags |= TP_TCP_URG;
	other[n] = follows, other[n++].flags |= TP_TCP_CWR;
	other[n] = follows, other[n++].len = TCP_COPY_MAX;
	other[n] = follows, other[n++].len = UINT16_MAX - 999;
	assert_int_equal(n, RTE_DIM(other));
	for (unsigned int i = 0; i <= n; i++) {
		struct tp_tcp_seg a = plain, b = i < n ? other[i] : follows;

		a.data = test_mbuf(zeros, 1000);
		b.data = test_mbuf(zeros, 1000);
		a.last = a.data;
		b.last = b.data;
		assert_int_equal(tp_tcp_join(&a, &b), i == n);
		assert_int_equal(a.len, i == n ? 2000 : 1000);
		assert_int_equal(a.nb_coalesced, i == n ? 4 : 2);
		assert_true((b.data == NULL) == (i == n));
		assert_true(a.data->next == (i == n ? a.last : NULL));
		rte_pktmbuf_free(a.data);
		rte_pktmbuf_free(b.data);
	}
}

static void
chains_are_skipped_and_cut(void **state)
{
	struct frame f = { .len = 100 };
	struct rte_mbuf *m;

	(void)state;
	for (uint32_t i = 0; i < f.len; i++)
		f.b[i] = i;
	for (uint32_t skip = 0; skip <= f.len; skip++)
		for (uint32_t keep = 0; keep <= f.len - skip; keep += 7) {
			uint32_t at = skip;

			m = tcp_chain_skip(cut(&f, 9), skip);
			assert_true((m == NULL) == (skip == f.len));
			if (m != NULL)
				m = tcp_chain_cut(m, keep);
			for (struct rte_mbuf *s = m; s != NULL; at += s->data_len, s = s->next)
				assert_memory_equal(
				                rte_pktmbuf_mtod(s, void *), f.b + at, s->data_len);
			assert_int_equal(at - skip, RTE_MIN(keep, f.len - skip));
			rte_pktmbuf_free(m);
		}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_mbufs_setup, test_mbufs_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fields_are_read),
		TEST(payload_is_trimmed),
		TEST(options_of_ip_are_ignored),
		TEST(wrong_checksums_are_refused),
		TEST(what_the_port_says_of_a_checksum_counts),
		TEST(congestion_experienced_is_seen),
		TEST(coalesced_segments_are_counted),
		TEST(joined_if_they_say_the_same),
		TEST(chains_are_skipped_and_cut),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
