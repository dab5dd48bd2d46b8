/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* What registers comes before what is registered. */
/* clang-format off */
#include <rte_trace_point_register.h>

#include "trace.h"
/* clang-format on */

RTE_TRACE_POINT_REGISTER(toe_trace_ask, teampmd.toe.ask)
RTE_TRACE_POINT_REGISTER(toe_trace_release, teampmd.toe.release)
RTE_TRACE_POINT_REGISTER(toe_trace_adopt, teampmd.toe.adopt)
RTE_TRACE_POINT_REGISTER(toe_trace_park, teampmd.toe.park)
RTE_TRACE_POINT_REGISTER(toe_trace_torn, teampmd.toe.torn)
