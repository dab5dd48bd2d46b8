/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/**
 * @file
 * Two hosts with TCP engines, a link between them, applications that do what applications do,
 * on one thread and a virtual clock. All that happens follows from a seed.
 *
 *   scenario.c  what a seed means
 *   world.c     what comes next; the end
 *   end.c       one end of a connection: the engine's owner, and the application
 *   shard.c     owners that connections go to and from
 *   link.c      what happens to a packet on its way
 *   watch.c     what every packet on the wire must be like; trace and capture
 *   pools.c     buffers: none may be lost, any may be refused
 *   measured.c  how fast, how fair: scenarios with an expected result
 */
#ifndef TCPSIM_H
#define TCPSIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tp_tcp.h"

#define MAX_FLOWS 8
#define MAX_CUTS 4
#define NB_SHARDS 3
#define FRAME_MAX 65600
#define MS TP_NS_PER_MS
#define S TP_NS_PER_S

/* ---- random numbers -------------------------------------------------------- */

struct rng {
	uint64_t s;
};

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
static inline uint64_t
rng_next(struct rng *r)
{
	uint64_t z = r->s += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/** lo <= result <= hi */
static inline uint64_t
rng_between(struct rng *r, uint64_t lo, uint64_t hi)
{
	return lo + (uint64_t)(((unsigned __int128)rng_next(r) * (hi - lo + 1)) >> 64);
}

static inline bool
rng_one_in(struct rng *r, uint64_t n)
{
	return rng_between(r, 1, n) == 1;
}

/** So many in a million. */
static inline bool
rng_ppm(struct rng *r, uint32_t ppm)
{
	return ppm > 0 && rng_between(r, 1, 1000000) <= ppm;
}

/** Between lo and hi, each power of two as likely as any other. */
static inline uint64_t
rng_log(struct rng *r, uint64_t lo, uint64_t hi)
{
	uint64_t span = hi / (lo ? lo : 1), top = lo ? lo : 1;

	for (uint64_t n = rng_between(r, 0, span > 1 ? 64 - __builtin_clzll(span) : 0); n > 0; n--)
		top *= 2;
	return rng_between(r, lo, top < hi ? top : hi);
}

/* ---- what a seed means -------------------------------------------------------- */

/** One direction of the link. */
struct link_conf {
	uint64_t delay_ns, jitter_ns;             /**< jitter: up to so much more, order is kept */
	uint32_t loss;                            /**< ppm */
	uint32_t burst;                           /**< packets lost in a row, 1 and more */
	uint32_t dup, corrupt, truncate, reorder; /**< ppm */
	uint64_t reorder_ns;                      /**< up to so much later */
	uint64_t rate_bps;                        /**< 0: any */
	uint32_t queue_bytes;                     /**< in front of the rate limit */
	uint32_t ce_bytes; /**< longer queue: ECN-capable packets are marked; 0 never */
	uint16_t mtu;
	uint16_t mtu_later; /**< from mtu_at on; 0: no change */
	uint64_t mtu_at;
	bool icmp; /**< too big: says so */
	struct {
		uint64_t from, to;
	} cut[MAX_CUTS]; /**< nothing passes */
};

enum app_end {
	APP_NORMAL, /**< write all, shut down; read until EOF; close */
	APP_ABORT,  /**< abort at end_at */
	APP_CLOSE,  /**< close at end_at, whatever there is */
};

struct app_conf {
	uint64_t start_ns;
	uint64_t total; /**< bytes to write */
	uint32_t chunk_min, chunk_max;
	uint32_t pause;    /**< ppm of writes that are followed by a pause */
	uint64_t pause_ns; /**< up to so long */
	bool steady;       /**< just so long, after each write */
	uint32_t read_max; /**< bytes consumed at once; 0: all */
	uint64_t read_ns;  /**< up to so long until the next */
	uint64_t sleep_at; /**< reader stops for sleep_ns when it has read so much; 0: never */
	uint64_t sleep_ns;
	bool early;   /**< writes before it is connected */
	bool message; /**< each chunk is a message: push */
	enum app_end end;
	uint64_t end_at;
	bool echo;     /**< writes back what it reads */
	bool pingpong; /**< the next message only after the answer to the one before */
	bool split;    /**< a message is two writes: 4 bytes, then the others */
};

enum open_mode {
	OPEN_ACTIVE_0, /**< host 0 connects, host 1 listens */
	OPEN_COOKIE,   /**< the same, the listener's backlog is full */
	OPEN_BOTH,     /**< both connect at about the same time */
};

/** When connections go to another owner. */
enum moves {
	MOVES_NONE,
	MOVES_SOME, /**< at one in 16 calls of the engine */
	MOVES_ALL,  /**< at each */
	MOVES_PARK, /**< they are parked whenever they may be, and move now and then */
};

/** What happened, as pairs of numbers: when, and a hash of what. */
struct trail {
	uint64_t *at;
	size_t nb, size;
};

struct setup {
	uint64_t seed;
	enum moves moves;
	struct trail *trail; /**< out, NULL: not wanted */
	bool v6;
	enum open_mode open;
	unsigned int nb_flows;
	struct tp_tcp_conf conf[2]; /**< of the hosts */
	struct link_conf link[2];   /**< from host 0, from host 1 */
	struct app_conf app[MAX_FLOWS][2];
	uint64_t calm_at;      /**< from then on the link only delays, and memory suffices */
	uint32_t fail[2];      /**< ppm of allocations that are refused */
	uint32_t attack;       /**< ppm of packets that are followed by a forged one */
	uint32_t path_changed; /**< ppm of packets after which tp_tcp_path_changed() is said */
	uint32_t knobs;        /**< ppm of packets after which a setting is changed */
	uint16_t rx_piece;     /**< bytes in a buffer of what is received */
	uint64_t held_max;     /**< 0: no limit */
	bool gentle;           /**< nobody gives up: both sides get everything */
	uint64_t end_ns;       /**< must be over by then */
	bool (*drop)(void *arg, int from, const uint8_t *tcp, uint32_t l4_len); /**< measured.c */
	void *drop_arg;
};

void scenario_make(struct setup *set, uint64_t seed);
/** Defaults without any trouble, for measured.c to change. */
void scenario_plain(struct setup *set);

/* ---- the world -------------------------------------------------------------------- */

struct world;

/** What was seen on the wire from one end. */
struct watch {
	bool syn, ack, ts;
	uint32_t iss, max_sent; /**< highest number behind anything sent */
	uint32_t ack_sent, edge_sent;
	uint32_t ts_sent;
	uint8_t wscale; /**< of its SYN */
	bool wscale_on;
	uint16_t mss;      /**< of its SYN */
	uint32_t edge_got; /**< highest right edge that reached it */
	bool edge_known;
	uint32_t nb_rst;
};

struct end {
	struct world *w;
	unsigned int host, flow;
	const struct app_conf *app;
	struct tp_tcp_key key;
	struct tp_tcp_conn *c; /**< NULL: none */
	unsigned int shard;    /**< its owner */
	bool used, established, eof, closed, shut, gone;
	uint8_t reason;
	uint8_t last_state; /**< before it was CLOSED */
	uint64_t timer_late;
	unsigned int nb_spins, nb_checks;
	/* the application */
	uint64_t write_at, read_at, wake_at; /**< wake: connect, abort, close */
	bool asleep, slept;
	uint64_t written, read, unconsumed;
	uint32_t to_echo, rest; /**< rest: second half of a message that is split */
	/* what it did */
	uint64_t first_byte_ns, last_byte_ns, done_ns;
	uint64_t half_ns, half_read; /**< when half of all had come, and how much it was */
	uint64_t nb_frames;          /**< on the wire */
	uint32_t nb_segs, nb_out;
	uint64_t wire_bytes;
	struct tp_tcp_info info; /**< shortly before the end */
	struct watch watch;
};

struct host {
	struct tp_tcp_env env[NB_SHARDS];
	struct tp_tcp_secret secret;
	uint64_t clock; /**< its clock is ahead of the world's by so much */
	uint64_t nb_in, nb_in_err, nb_refused;
};

/** A packet under way: a frame, or what ICMP says. */
struct packet {
	uint64_t at, order;
	uint32_t len; /**< 0: ICMP */
	unsigned int to;
	uint32_t seq, flow; /**< ICMP: what it quotes */
	uint16_t mtu;
	uint8_t frame[];
};

struct link_state {
	uint64_t busy_until, last_at;
	uint32_t in_burst;
	uint64_t sent, lost, queue_lost, marked;
};

struct world {
	const struct setup *set;
	struct rng rng, rng_app, rng_fail, rng_move;
	uint64_t now;
	struct host host[2];
	struct end end[MAX_FLOWS][2];
	struct link_state link[2];
	struct packet **heap;
	unsigned int nb_heap, size_heap;
	uint64_t order, nb_steps, nb_moves, nb_parked;
	unsigned int nb_spins;
	bool trace;
	FILE *pcap;
	char failure[200];
};

/** Run it to its end. @return whether all was as it must be; else w->failure says what not */
bool world_run(struct world *w, const struct setup *set, bool trace, const char *pcap);
/** Something is wrong: the first such word stays. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool
world_failed(const struct world *w)
{
	return w->failure[0] != '\0';
}
static inline uint64_t
host_now(const struct world *w, unsigned int host)
{
	return w->now + w->host[host].clock;
}
/** Free what is under way. */
void world_clear(struct world *w);

/* ---- end.c ---------------------------------------------------------------------------- */

void end_init(struct world *w, unsigned int flow, unsigned int host);
/** @return when it wants to act next, TP_NEVER */
uint64_t end_next(const struct end *e);
/** Do what is due. */
void end_step(struct end *e);
/** A segment came; its data is consumed. */
void end_input(struct end *e, struct tp_tcp_seg *seg);
void end_icmp(struct end *e, uint32_t seq, uint16_t mtu);
/** Nothing will happen any more: the application gives up. */
void end_give_up(struct end *e);

/* ---- shard.c --------------------------------------------------------------------------- */

struct tp_tcp_env *end_env(const struct end *e);
/** Zero, at any of the owners. */
void end_conn_new(struct end *e);
/** Its memory goes; what it holds must be gone. */
void end_conn_free(struct end *e);
/** Between two calls of the engine it may go elsewhere. */
void end_shift(struct end *e);
/** Of all owners. */
uint64_t host_mib(const struct world *w, unsigned int host, enum tp_tcp_mib counter);
/** Note it. */
void trail_add(struct world *w, const void *what, uint32_t len);
/** @param when out: where they part */
bool trail_same(const struct trail *a, const struct trail *b, uint64_t *when);

/* ---- link.c ---------------------------------------------------------------------------- */

/** A segment leaves an end. @param m freed */
void link_send(struct world *w, struct end *e, struct rte_mbuf *m);
/** The packet that arrives next, NULL. */
struct packet *link_first(const struct world *w);
/** Let it arrive. */
void link_deliver(struct world *w);

/* ---- watch.c ---------------------------------------------------------------------------- */

/** Check a segment as an end sent it.
 * @param tcp its TCP header and payload, contiguous
 * @param segsz payload of a segment when it will be cut, 0: it will not
 */
void watch_sent(struct world *w, struct end *e, const uint8_t *tcp, uint32_t l4_len,
                uint16_t segsz);
/** A segment reached this end. */
void watch_got(struct end *e, const struct tp_tcp_seg *seg);
/** Say what happens to a frame. */
void watch_trace(struct world *w, unsigned int from, const uint8_t *frame, uint32_t len,
                const char *fate);
void watch_note(struct end *e, const char *what);
FILE *watch_pcap_open(const char *path);

/** Bytes of a stream, from offset on. */
void stream_fill(const struct end *writer, uint64_t offset, uint8_t *to, uint32_t len);
bool stream_same(const struct end *writer, uint64_t offset, const uint8_t *at, uint32_t len);

/* ---- pools.c ---------------------------------------------------------------------------- */

enum {
	POOL_HDR,      /**< tp_tcp_env.pool */
	POOL_INDIRECT, /**< tp_tcp_env.pool_indirect */
	POOL_RECS,     /**< tp_tcp_env.recs */
	POOL_APP,      /**< what applications write */
	POOL_RX,       /**< what ports receive */
	NB_POOLS,
};

extern struct rte_mempool *pools[2][NB_POOLS];
/** Once, after EAL. @return 0 or -1 */
int pools_create(void);
/** So many in a million allocations of the engine fail from now on. */
void pools_fail(unsigned int host, uint32_t ppm, struct rng *rng);
/** @return objects that are out */
uint32_t pools_out(unsigned int host, unsigned int pool);

/* ---- measured.c --------------------------------------------------------------------------- */

/** Run all, or the one of this name. @return how many failed, or -1: no such */
int measured_run(const char *name, bool trace, const char *pcap, unsigned int *nb_run);

#endif /* TCPSIM_H */
