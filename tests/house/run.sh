#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 teampmd authors
#
# The scripts around the code: do they count, refuse and report as they say?
set -u
exec python3 "$(dirname "$0")/house.py"
