/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** The daemon's parts and how they meet. Threads: control (EAL's main lcore), one worker per
 * member, and the front thread (prompt, sockets, telemetry). Only control.c and port.c change
 * the team; the front asks through control_call().
 */
#ifndef APP_H
#define APP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_rcu_qsbr.h>

#include "notify.h"
#include "tp_core.h"
#include "tp_flow.h"
#include "tp_link.h"
#include "tp_pkt.h"
#include "tp_team.h"
#include "tp_toe.h"

#define APP_NAME_LEN 64
#define APP_TEXT_LEN 256

/* ==== options ============================================================ */

enum idle_policy {
	IDLE_AUTO, /**< poll with a CPU of its own, sleep where lcores share one */
	IDLE_POLL,
	IDLE_PAUSE,
	IDLE_SLEEP,
	NB_IDLE_POLICIES,
};

extern const char *const idle_names[NB_IDLE_POLICIES];

/** An address of the team: `--ip ADDR/LEN`. */
struct ip_prefix {
	uint8_t family;   /**< 4 or 6 */
	uint8_t len;      /**< of the prefix, bits */
	uint8_t addr[16]; /**< wire order; 4 or 16 octets */
};
#define APP_MAX_IPS 8

/** Who answers ARP and ND for the team's addresses: `--neigh`. */
enum neigh_policy {
	NEIGH_AUTO, /**< the host if there is one */
	NEIGH_TOE,
	NEIGH_HOST,
};

/** A service of the offload engine: `--service NAME:PORT`. */
struct service_option {
	char name[16];
	uint16_t port;
};
#define APP_MAX_SERVICES 16

/** What the command line said, behind EAL's `--`. Written once by args.c, then read-only. */
struct options {
	bool interactive;
	bool no_start;                  /**< --no-start: wait for `start` */
	uint16_t ports[TP_MAX_MEMBERS]; /**< --portlist, in order */
	uint16_t nb_ports;
	bool all_ports;          /**< no --portlist: every port but the host port */
	char host[APP_NAME_LEN]; /**< --host NAME or id; empty: no host port */
	bool has_mac;
	struct rte_ether_addr mac;
	struct ip_prefix ip[APP_MAX_IPS]; /**< --ip: of the offload engine, and announced */
	uint8_t nb_ips;
	uint8_t neigh; /**< enum neigh_policy */
	struct service_option service[APP_MAX_SERVICES];
	uint8_t nb_services;
	uint32_t max_conns;                   /**< --max-conns */
	uint16_t toe_port_low, toe_port_high; /**< --toe-ports: of active opens */
	uint32_t stats_period_s;              /**< 0: none */
	char cmdline_file[APP_TEXT_LEN];
	char control_socket[APP_TEXT_LEN];
	uint16_t nb_rxd, nb_txd;
	uint16_t burst;
	uint16_t mbcache;
	uint16_t mbuf_size;       /**< data room, headroom included; 0: default */
	uint32_t total_num_mbufs; /**< 0: computed */
	uint32_t ring_size;
	uint8_t idle; /**< enum idle_policy */
	struct tp_team_conf team;
};

/** Parse options. @return 0, or 1 for --help/--version done, or -EINVAL after one clear line on
 * stderr (what, where, what would be right).
 */
int args_parse(int argc, char **argv, struct options *opt);
/** @param addr out: IPv4-mapped or IPv6 */
void ip_address(const struct ip_prefix *ip, uint8_t addr[TP_INET_LEN]);
/** EAL's arguments with defaults put in front: lcores over the CPUs that we may use, --no-huge
 * where there are no free huge pages. @param out [max] @return their number, or -errno
 */
int args_eal(int argc, char **argv, char **out, int max);

/* ==== ports ============================================================== */

/** An ethdev that the daemon uses. Control only. */
struct port {
	bool used;
	bool started;
	bool removed;    /**< hot-unplugged */
	bool set_mac_ok; /**< the port took the team's MAC */
	bool hears_all;  /**< promiscuous, as it has no filter for its probes' MAC */
	struct rte_ether_addr probe_mac; /**< heard besides the team's; zero: none */
	bool tx_queue_off;               /**< Tx queue stopped after a failure */
	uint16_t port_id;
	char name[RTE_ETH_NAME_MAX_LEN];
	char driver[APP_NAME_LEN];
	int socket_id;
	struct rte_ether_addr orig_mac;
	uint16_t orig_mtu;
	bool orig_promisc, orig_allmulti;
	uint16_t nb_rxd, nb_txd;
	uint64_t tx_offloads; /**< enabled ones */
	uint16_t mtu;
	uint32_t if_index;    /**< kernel interface behind it, 0: none */
	uint16_t orig_if_mtu; /**< that interface's, 0: not known */
};

/** Everything about port handling that may fail says why here: "port 1 (net_af_packet): ...". */
struct error_text {
	char text[APP_TEXT_LEN];
};

struct daemon;

/** Configure and start a port with one Rx and one Tx queue. @return 0 or -errno with err filled */
int port_open(struct daemon *d, struct port *p, uint16_t port_id, struct error_text *err);
/** Log what makes the kernel behind a member's port a second host. */
void port_warn_kernel(const struct port *p);
/** Give it back its MAC, MTU and promiscuity. */
void port_restore(const struct port *p);
/** Stop, restore MAC, MTU and promiscuity; close if close_dev. Idempotent. */
void port_close(struct port *p, bool close_dev);
/** Stop or close an ethdev on the thread where its driver's own work is done, if it has such. Any
 * thread that is no lcore. @return 0 or -errno
 */
int port_stop_dev(uint16_t port_id);
int port_close_dev(uint16_t port_id);
/** From now on EAL's interrupt thread unmaps nothing that a reader of qsbr may be using; NULL ends
 * this. @return 0 or -errno
 */
int port_shield(struct rte_rcu_qsbr *qsbr);
/** Let EAL's interrupt thread finish what it does, and do nothing ever again: before EAL's end. */
void port_rest_interrupts(void);
/** Give the port the team's MAC, or make it promiscuous where it refuses. */
int port_take_mac(struct port *p, const struct rte_ether_addr *mac);
/** Let the port receive what is sent to this MAC besides the team's: replies to its probes. At most
 * one: another takes its place. @return 0 or -errno
 */
int port_hear_mac(struct port *p, const struct rte_ether_addr *mac);
/** Change the MTU; the caller has quiesced the port. Ports that refuse while running are
 * stopped and started. */
int port_set_mtu(struct port *p, uint16_t mtu, struct error_text *err);
int port_set_promisc(struct port *p, bool on);
/** Let the host see carrier, or none. A TAP stays up administratively, or the host's kernel would
 * forget routes and IPv6 addresses; its driver's set_link_down would take it down.
 * @return 0 or -errno
 */
int port_set_carrier(const struct port *p, bool on);
int port_set_mcast(struct port *p, const struct rte_ether_addr *list, uint32_t nb);
int port_vlan_filter(struct port *p, uint16_t vlan_id, bool on);
/** Did each --vdev that names a network device become a port? @return 0 or -ENODEV, err filled */
int port_check_vdevs(struct error_text *err);
/** Does another process map the buffers that this port sends and receives? */
bool port_shares_buffers(uint16_t port_id);
/** Id of the port with that name or decimal id. @return port id or -ENODEV */
int port_find(const char *name);

/* ==== workers ============================================================ */

/** One member's lcore. */
struct worker {
	struct tp_member *member;
	struct daemon *daemon;
	struct tp_toe_shard *toe;   /**< its connections; NULL: no offload engine */
	_Atomic uint32_t toe_peers; /**< ctl w: members that may have put packets on its rings */
	_Atomic uint8_t toe_via; /**< ctl w: member whose port its connections send by, or NONE */
	bool toe_open;           /**< owner: the member's egress is ours this moment */
	_Atomic bool run;        /**< ctl w: leave the loop when false */
	_Atomic bool active;     /**< owner w: the loop is running */
	_Atomic int tid;         /**< kernel thread id, for the freeze and for its CPU clock */
	_Atomic bool frozen;     /**< set by the freeze handler, which never returns */
	unsigned int lcore_id;
	uint8_t idle; /**< policy decided for this lcore */
	uint16_t burst;
};

/** One turn of a member's lcore (design: "the walk of a packet").
 * @return packets moved; 0 lets the idle policy act
 */
unsigned int tp_worker_step(struct worker *w, uint64_t now);
/** The loop around it; lcore function, arg is struct worker *. */
int worker_main(void *arg);
/** Let the freeze signal find this thread's worker. On the worker's lcore. */
void worker_freezable(struct worker *w);
/** The loop around tp_control_step(), until daemon.quit. */
void control_loop(struct daemon *d);
/** What `--idle auto` means for a lcore: enum idle_policy. Control, or before it runs. */
uint8_t idle_decide(const struct daemon *d, unsigned int lcore_id);

/** The offload engine's part of a turn: packets from other members, timers, users, output. */
unsigned int worker_toe(struct worker *w, uint64_t now);
/** What a shard asks of its member; arg is struct worker *. */
extern const struct tp_toe_ops worker_toe_ops;

struct control;

/* ==== the offload engine ================================================= */

/** Held TCP data: so many bytes may be in queues of each member's connections. */
#define TOE_HELD_BYTES (UINT64_C(64) << 20)

/** Addresses, neighbours and the engine, if the options name an address. Before the members join;
 * control is there. @return 0 or -errno, err filled
 */
int toe_init(struct daemon *d, struct error_text *err);
/** All workers have ended. */
void toe_fini(struct daemon *d);
/** A member joins: its shard, and rings to and from the others. Before its lcore runs. */
int toe_join(struct daemon *d, struct worker *w, struct error_text *err);
/** Its lcore runs no more. With rehome its connections go to the members that are left, which run;
 * else they end. Not control, unless that runs no more.
 */
void toe_leave(struct worker *w, bool rehome);
/** Ends are to be told to control. */
void migrate_init(struct control *c);
/** Control's turn: where connections may be, requests to move. @return work done */
unsigned int migrate_step(struct control *c, uint64_t now);
/** Neighbours and routes: one turn. Control. @return work done */
unsigned int toe_control_step(struct control *c, uint64_t now);
/** After a failover: report the groups of the own addresses again. */
void toe_report(struct control *c, uint64_t now);
/** A neighbour frame that this member received. Control. @param m borrowed */
void toe_heard(struct control *c, uint8_t member, const struct rte_mbuf *m, uint64_t now);
/** The distribution changed: by whose port a member's connections send, and where new ones go.
 * Control.
 */
void toe_distribute(struct control *c);

/* ==== control ============================================================ */

/** Where a hung lcore stands (control_fence.c). */
enum fence {
	FENCE_NONE,
	FENCE_SOFT,     /**< no role, no buckets; it may come back */
	FENCE_FREEZING, /**< it holds a guard: signal sent */
	FENCE_FROZEN,   /**< it will never run again */
};

/** A member and what control knows about it. */
struct slot {
	bool used;
	struct tp_member *member; /**< shared with its lcore */
	struct worker *worker;
	struct port port;
	struct tp_link *link; /**< its link watches */
	struct tp_link_conf link_conf;
	bool forced_down; /**< set link-down */
	bool wanted;      /**< may be enabled: not about to be changed or removed */
	bool fresh;    /**< the team has not run since it joined or was stopped: its port rests */
	bool carrier;  /**< what lsc, poll and netlink say */
	bool parked;   /**< no carrier: its lcore leaves the port alone, Tx queue stopped */
	bool hung;     /**< the heart watch says so */
	bool draining; /**< no connection shall be there: `drain member` */
	uint8_t fence; /**< enum fence */
	uint64_t fence_due;           /**< next step of the fence at this time */
	struct tp_link_thread thread; /**< of its lcore, for the heart watch */
};

/** Events worth a line in the log, the timeline of the quickstart and `show events`. */
struct event {
	uint64_t at_ns;
	char text[120];
};
#define NB_EVENTS 256

/** Control's part of migration. */
struct migrate {
	bool rebalance; /**< `set toe_rebalance` */
	uint8_t after;  /**< `set migrate_after`, also while `set migrate off` */
	uint64_t load_due;
	uint64_t busy_last[TP_MAX_MEMBERS], total_last[TP_MAX_MEMBERS];
	uint64_t ends_second; /**< in which nb_ends were told */
	uint32_t nb_ends;
	struct tp_toe_end last_end; /**< premature one */
	uint64_t last_end_ns;       /**< 0: none */
};

struct request;

struct control {
	struct daemon *daemon;
	struct tp_team team;
	struct migrate migrate;
	struct slot slot[TP_MAX_MEMBERS];
	uint8_t slot_of_port[RTE_MAX_ETHPORTS]; /**< member index or TP_MEMBER_NONE */
	bool running;                           /**< start / stop */
	bool mtu_set;
	uint16_t mtu; /**< of the team */
	bool promisc;
	bool allmulti;
	struct rte_ether_addr mac;
	struct rte_ether_addr mcast[64];
	uint32_t nb_mcast;
	uint64_t vlan_filter[64]; /**< bitmap of 4096; in force when vlan_filter_on */
	bool vlan_filter_on;
	struct port host_port;
	bool has_host;
	uint32_t epoch; /**< of the host port's guard */
	uint32_t role_seq;
	struct tp_flow *flow;       /**< named by the published distribution */
	struct tp_flow *retired[8]; /**< replaced ones: freed once the holder uses none of them */
	uint8_t nb_retired;
	bool dist_dirty;              /**< engine changed, snapshot not yet published */
	bool gave_up;                 /**< on a lcore that holds up others: no drain will end */
	uint8_t primary;              /**< member whose role register says primary, or NONE */
	bool host_halted;             /**< the host port is being changed: no role is given */
	struct tp_announce *announce; /**< addresses and groups that the host uses */
	uint32_t announced_version;   /**< of the own addresses in there, as tp_inet_version() */
	struct tp_inet_addr_info own[TP_INET_MAX_ADDRS]; /**< they, as they were then */
	uint32_t nb_own;
	uint64_t bucket_last[TP_MAX_BUCKETS];  /**< mode load: counters at the last look */
	uint64_t bucket_delta[TP_MAX_BUCKETS]; /**< and what came since */
	struct tp_counters ctr;
	struct tp_counters left; /**< counted by members that are gone */
	struct tp_load load;
	uint8_t idle;                   /**< policy decided for control's lcore */
	struct event events[NB_EVENTS]; /**< ring, newest at (nb_events - 1) % NB_EVENTS */
	uint64_t nb_events;
	struct notify notify;      /**< service manager */
	struct rte_ring *requests; /**< of struct request *, from the front; multi-producer */
};

/** One turn of control. @return work done */
unsigned int tp_control_step(struct control *c, uint64_t now);
int control_init(struct daemon *d, struct error_text *err);
/** Answer what threads still ask, after the loop has ended. */
void control_serve(struct control *c);
void control_fini(struct control *c);
/** Run fn on the control lcore between two steps and wait for it. Any thread but control; while
 * control does not run (before and after the loop) fn runs at once.
 * @param fn short; returns its result
 */
int control_call(struct control *c, int (*fn)(struct control *c, void *arg), void *arg);
/** Note an event (printf-like) and log it. Control only. */
void control_event(struct control *c, uint64_t now, const char *fmt, ...) __rte_format_printf(3, 4);

/* ==== operations: what the commands do =================================== */

/* Straight-line code on the caller's thread: the front, or main before control runs. Where an
 * operation needs control it asks by control_call(); where it needs a port left alone it waits
 * for the worker's acknowledgement; slow ethdev calls block the caller and never control.
 * 0 or -errno with err filled (what, where, what would be right).
 */
int op_start(struct daemon *d, struct error_text *err);
int op_stop(struct daemon *d, struct error_text *err);
/** End all workers, restore and close all ports. After control's loop has ended.
 * @return 0, or -EBUSY after a line on stderr: a lcore does not end, so ports are only restored, and
 * nothing may be freed
 */
int op_close_all(struct daemon *d);
int op_set_conf(struct daemon *d, const struct tp_team_conf *conf, struct error_text *err);
int op_set_member(struct daemon *d, uint8_t member, const struct tp_member_conf *conf,
                struct error_text *err);
int op_set_watch(struct daemon *d, uint8_t member, const struct tp_link_conf *conf,
                struct error_text *err);
/** Open a port and make it a member with an lcore of its own. */
int op_add(struct daemon *d, uint16_t port_id, struct error_text *err);
/** Take a member out: drained, quiesced, its port restored. @param detach also close the ethdev */
int op_del(struct daemon *d, uint8_t member, bool detach, struct error_text *err);
int op_set_link(struct daemon *d, uint8_t member, bool up, struct error_text *err);
#define MTU_MAX 9702 /**< bytes: what the largest jumbo frames leave */
/** The MTU of team, members and host port. */
int op_set_mtu(struct daemon *d, uint16_t mtu, struct error_text *err);
int op_set_promisc(struct daemon *d, bool on, struct error_text *err);
int op_set_mcast(struct daemon *d, const struct rte_ether_addr *addr, bool add,
                struct error_text *err);
int op_set_vlan_filter(struct daemon *d, bool on, struct error_text *err);
int op_set_vlan(struct daemon *d, uint16_t vlan_id, bool add, struct error_text *err);
/** Use another host port, or none (name ""). */
int op_set_host(struct daemon *d, const char *name, struct error_text *err);
int op_set_mac(struct daemon *d, const struct rte_ether_addr *mac, struct error_text *err);

/* ==== the daemon ========================================================= */

struct daemon {
	struct options opt;
	struct control control;
	struct worker worker[TP_MAX_MEMBERS];
	struct tp_fabric *fabric;
	struct tp_host *host;
	struct tp_inet *inet; /**< the team as an IP host; NULL: it has no address */
	struct tp_toe *toe;
	_Atomic uint8_t toe_map[256]; /**< which member a new connection's hash proposes; ctl w */
	struct rte_mempool *pool[RTE_MAX_NUMA_NODES];
	struct rte_mempool *pool_indirect[RTE_MAX_NUMA_NODES];
	bool pool_shared;          /**< other processes can map the pools' buffers */
	struct rte_rcu_qsbr *qsbr; /**< readers: workers by member index */
	bool start_due; /**< start once the command file has been carried out. main, then front */
	bool has_run;   /**< its lcores run, or did. main, before control_runs; then read-only */
	bool simulated; /**< no lcores, no threads: somebody else calls the steps */
	uint32_t (*distance)(int node, int other); /**< NUMA distances; NULL: libnuma */
	/** CPU time of a member's lcore, and whether it is blocked; NULL: ask the kernel */
	int (*thread)(struct daemon *d, uint8_t member, uint64_t *cpu_ns, bool *blocked);
	uint64_t grace_ns; /**< before a hung lcore that holds up others is frozen; 0: default */
	void (*pump)(struct daemon *d); /**< called while an operation waits; NULL: sleep */
	/** Likewise on the front's thread, in place of its sleep: others may look meanwhile. It comes
	 * back after some 200 us. NULL: sleep */
	void (*meanwhile)(struct daemon *d);
	_Atomic bool quit; /**< set by signals and by `quit` */
	_Atomic int exit_code;
	_Atomic bool control_runs;
};

/** Set everything up from the options: pools, fabric, host port, members; traffic still stopped.
 * @return 0 or -errno, err filled
 */
int daemon_init(struct daemon *d, struct error_text *err);
/** Launch workers, run control until quit, stop. @return exit code */
int daemon_run(struct daemon *d);
/** @return true; false if a lcore was frozen: EAL's clean-up would wait for it for ever */
bool daemon_fini(struct daemon *d);

/* ==== the front ========================================================== */

/** Start the front thread: prompt (if interactive), command file, control socket, telemetry,
 * periodic statistics. @return 0 or -errno, err filled
 */
int front_start(struct daemon *d, struct error_text *err);
/** Ask it to end and join it. */
void front_stop(struct daemon *d);

#endif
