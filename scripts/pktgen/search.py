# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""The search for the highest rate without loss (RFC 2544 26.1). Pure: a trial is a callable."""

import math
from dataclasses import dataclass, field


@dataclass
class Trial:
    """One trial's outcome. Rates are frames per second, shares add up to 1."""
    asked_pps: float
    offered: int
    lost: int
    seconds: float
    missed: int = 0  # never offered: the generator was kept from its CPU
    details: dict = field(default_factory=dict)

    @property
    def offered_pps(self):
        return self.offered / self.seconds if self.seconds else 0.0

    @property
    def lost_percent(self):
        return 100.0 * self.lost / self.offered if self.offered else 0.0

    @property
    def missed_percent(self):
        due = self.offered + self.missed
        return 100.0 * self.missed / due if due else 0.0

    def passed(self, tolerance_percent):
        return self.offered > 0 and self.lost_percent <= tolerance_percent


@dataclass
class Found:
    """best is None where even the lowest rate lost frames."""
    best: Trial = None        # of the confirming trials the one with the lowest offered rate
    first_loss: Trial = None  # at the lowest rate that lost frames
    at_max: bool = False      # the highest rate allowed was carried: there may be more
    runs: int = 0


class Search:
    def __init__(self, trial, low, high, resolution, confirm=1, tolerance=0.0):
        """trial(pps) -> Trial. Rates from low to high; the answer is known when the rates that
        passed and failed are within a factor of 1 + resolution. The rate found must pass `confirm`
        more trials."""
        if not 0 < low <= high or resolution <= 0 or confirm < 0:
            raise ValueError("rates or resolution are not positive, or low > high")
        self.trial, self.low, self.high = trial, low, high
        self.resolution, self.confirm, self.tolerance = resolution, confirm, tolerance
        self.found = Found()

    def passes(self, pps):
        """The trial, or None and the loss is noted."""
        self.found.runs += 1
        trial = self.trial(pps)
        if trial.passed(self.tolerance):
            return trial
        lowest = self.found.first_loss
        if lowest is None or trial.asked_pps <= lowest.asked_pps:
            self.found.first_loss = trial
        return None

    def bisect(self):
        """The highest rate that passed once, with its trial; (low, None) for none.

        Rates are spread over decades, so the middle is the geometric one.
        """
        low, high = self.low, self.high
        best = self.passes(high)
        if best:
            return high, best
        while high / low > 1 + self.resolution:
            middle = math.sqrt(low * high)
            trial = self.passes(middle)
            if trial:
                low, best = middle, trial
            else:
                high = middle
        if best is None:
            best = self.passes(low)
        return low, best

    def confirmed(self, pps, first):
        trials = [first]
        for _ in range(self.confirm):
            trial = self.passes(pps)
            if trial is None:
                return None
            trials.append(trial)
        return min(trials, key=lambda t: t.offered_pps)

    def run(self):
        """A Found. A rate that does not pass again was luck: lower ones are tried, in growing
        steps, each as often."""
        pps, first = self.bisect()
        step = 1 + self.resolution
        while first:
            best = self.confirmed(pps, first)
            if best:
                self.found.best = best
                self.found.at_max = pps >= self.high
                break
            if pps <= self.low:
                break
            pps = max(self.low, pps / step)
            step *= 1 + self.resolution
            first = self.passes(pps)
            while first is None and pps > self.low:
                pps = max(self.low, pps / step)
                step *= 1 + self.resolution
                first = self.passes(pps)
        return self.found
