/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** What bench_failover measures in the simulator and on real threads. Main lcore only. */
#ifndef FAILOVER_H
#define FAILOVER_H

#include <stdbool.h>
#include <stdint.h>

/** Whose steps count. */
enum failover_lcore {
	FAILOVER_CONTROL,
	FAILOVER_PRIMARY, /**< after the failure */
	FAILOVER_SURVIVOR,
	FAILOVER_NB_LCORES,
};
#define FAILOVER_MAX_STEPS 64
/** What a round of steps takes on the simulator's clock, on average. */
#define FAILOVER_STEP_S 2e-6

/** Sums over seeds. */
struct failover_sim {
	uint64_t nb_seeds;
	uint64_t nb_cuts;      /**< of a member with flows; of the primary: */
	uint64_t nb_primaries; /**< likewise */
	/** [n]: switches in which that lcore took n steps (the last one: as many or more) */
	uint64_t steps[FAILOVER_NB_LCORES][FAILOVER_MAX_STEPS];
	uint64_t nb_frames; /**< read from the host */
	uint64_t lost;      /**< of those, neither taken by a port nor refused by a full ring */
	uint64_t refused;   /**< by a full ring */
	uint64_t reordered;
};

/** A team of 2 to 8 members under more traffic than it takes; members lose their carriers one after
 * another. In each round every lcore has one turn.
 * @param stops let steps stop in the middle for some turns
 * @param why [why_len] out: what was wrong
 * @return 0, or -EINVAL when a seed violated what the simulator checks
 */
int failover_sim_cuts(uint64_t seed, bool stops, struct failover_sim *sum, char *why,
                unsigned int why_len);

struct failover_handover {
	uint64_t nb_seeds;
	uint64_t nb_handovers;
	uint64_t nb_frames;      /**< that the host sent */
	uint64_t lost;           /**< anywhere from the host's port to the far ends */
	uint64_t lost_unchanged; /**< likewise, in the same runs without a hand-over */
};

/** Highest rate (frames a second) at which a team of so many members loses nothing.
 * @param nb_seeds of each trial @return 0: none was found
 */
uint64_t failover_sim_zero_loss(uint8_t nb_members, unsigned int nb_seeds);
/** Number of members of the team that a seed makes. */
uint8_t failover_sim_members(uint64_t seed);
/** The primary changes again and again while the host sends at a rate. */
int failover_sim_handover(uint64_t seed, uint64_t rate, struct failover_handover *sum, char *why,
                unsigned int why_len);

/** Of one switch on real threads, in us. */
struct failover_wall {
	double detect;  /**< from the cut to control's event */
	double switchs; /**< from there to the first frame of an orphaned flow on the survivor */
	bool primary;   /**< the primary was cut */
};

/** Two members on wires, each on a lcore of its own; control on the main lcore, the peers on one
 * thread more. @param poll_us of the watch
 * @param out [nb] out
 * @return how many were measured, or -errno with why filled
 */
int failover_wall(unsigned int nb, uint32_t poll_us, struct failover_wall *out, char *why,
                unsigned int why_len);

#endif
