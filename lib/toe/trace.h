/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Trace points of migration (rte_trace): `--trace=teampmd.toe.*` of EAL records them, babeltrace reads
 * them. The handle is the lower half of a connection's id.
 */
#ifndef TOE_TRACE_H
#define TOE_TRACE_H

#include <rte_trace_point.h>

RTE_TRACE_POINT(toe_trace_ask, RTE_TRACE_POINT_ARGS(uint32_t handle, uint8_t from, uint8_t to),
                rte_trace_point_emit_u32(handle);
                rte_trace_point_emit_u8(from); rte_trace_point_emit_u8(to);)

RTE_TRACE_POINT(toe_trace_release,
                RTE_TRACE_POINT_ARGS(uint32_t handle, uint8_t from, uint8_t to, uint8_t why),
                rte_trace_point_emit_u32(handle);
                rte_trace_point_emit_u8(from); rte_trace_point_emit_u8(to);
                rte_trace_point_emit_u8(why);)

RTE_TRACE_POINT(toe_trace_adopt, RTE_TRACE_POINT_ARGS(uint32_t handle, uint8_t from, uint8_t to),
                rte_trace_point_emit_u32(handle);
                rte_trace_point_emit_u8(from); rte_trace_point_emit_u8(to);)

RTE_TRACE_POINT(toe_trace_park, RTE_TRACE_POINT_ARGS(uint32_t handle, uint8_t from),
                rte_trace_point_emit_u32(handle);
                rte_trace_point_emit_u8(from);)

RTE_TRACE_POINT(toe_trace_torn, RTE_TRACE_POINT_ARGS(uint8_t member, uint32_t handle),
                rte_trace_point_emit_u8(member);
                rte_trace_point_emit_u32(handle);)

#endif
