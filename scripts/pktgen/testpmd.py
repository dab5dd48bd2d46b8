# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
"""dpdk-testpmd between memifs."""

import shutil

from procs import Process, eal, memif, wait_for


def available():
    return shutil.which("dpdk-testpmd") is not None


class Testpmd:
    """One process between memifs, at its prompt."""

    def __init__(self, directory, name, lcores, prefix, vdevs, mode, options=(), memory=256):
        self.process = Process(directory, name, [
            "dpdk-testpmd", *eal(f"{prefix}-{name}", lcores, memory), *vdevs, "--", "-i",
            "--nb-cores=1", f"--forward-mode={mode}", "--no-flush-rx", "--disable-link-check",
            "--total-num-mbufs=32768", *options], talk=True)
        wait_for(f"{name} has its prompt", self.ready)

    def ready(self):
        self.check()
        return self.process.said("testpmd>")

    def check(self):
        self.process.check()

    def tell(self, *lines):
        for line in lines:
            self.process.tell(line)

    def stop(self):
        self.tell("stop", "quit")
        self.process.wait(10)
        self.process.stop()
