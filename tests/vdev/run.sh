#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The real daemon on virtual ports: frames in, frames out.
# Usage: tests/vdev/run.sh [-l] [NAME...]   rows whose name contains one of NAME; -l lists them
# TP_BUILD names the build directory (default: build-release, build-debug or build).
set -u
exec python3 "$(dirname "$0")/vdev.py" "$@"
