-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 teampmd authors
--
-- Pktgen-DPDK as scripts/pktgen.sh drives it: commands are read from the file (a FIFO) that
-- TP_PKTGEN_IN names, a JSON object for each is written to TP_PKTGEN_OUT.
--   link                             which ports are up
--   trial tx FRAME PPS MS SETTLE_MS  send from port 0; bytes with FCS or imix
--   quit
-- Port 0 is joined to the team's host port, 1.. to its members.

local directory = os.getenv("TP_PKTGEN_DIR")
local nb_ports = tonumber(os.getenv("TP_PKTGEN_PORTS"))
local commands = assert(io.open(os.getenv("TP_PKTGEN_IN"), "r"))
local answers = assert(io.open(os.getenv("TP_PKTGEN_OUT"), "w"))
answers:setvbuf("line")

local WIRE_OVERHEAD = 20 -- preamble and gap, which Pktgen's rate includes
local IMIX_BYTES = (7 * 64 + 4 * 594 + 1518) / 12
local loaded

local function answer(...)
	answers:write(string.format(...), "\n")
end

local function array(values)
	return "[" .. table.concat(values, ",") .. "]"
end

-- Seconds, in steps of 10 ms: Lua itself has whole seconds and CPU time.
local function now()
	local file = assert(io.open("/proc/uptime"))
	local seconds = file:read("n")
	file:close()
	return seconds
end

local function link_states()
	local states = pktgen.linkState("all")
	local up = {}
	for port = 0, nb_ports - 1 do
		up[#up + 1] = tostring(states[port]:find("UP", 1, true) ~= nil)
	end
	answer('{"up":%s}', array(up))
end

-- Mbit/s; a memif says 100000.
local function port_speed()
	return tonumber(pktgen.linkState("0")[0]:match("UP%-(%d+)")) or 100000
end

local function load_traffic(frame)
	if frame == loaded then
		return
	end
	if frame == "imix" then
		pktgen.load(directory .. "/imix.pkt")
	else
		pktgen.set("0", "seq_cnt", 0)
		pktgen.set_range("0", "on")
		for _, what in ipairs({ "start", "min", "max" }) do
			pktgen.range.pkt_size("0", what, tonumber(frame))
		end
	end
	loaded = frame
end

local function set_rate(frame, pps)
	local bytes = frame == "imix" and IMIX_BYTES or tonumber(frame)
	local bits = (bytes + WIRE_OVERHEAD) * 8 * pps
	pktgen.set("0", "rate", math.min(100, 100 * bits / (port_speed() * 1e6)))
end

local function latencies()
	local stats = pktgen.pktStats("all")
	local count, low, high = 0, nil, 0
	for port = 1, nb_ports - 1 do
		local l = stats[port].latency
		if l.num_pkts > 0 then
			count = count + l.num_pkts
			low = math.min(low or l.min_us, l.min_us)
			high = math.max(high, l.max_us)
		end
	end
	if count == 0 then
		return "{}"
	end
	return string.format('{"min":%f,"max":%f,"probes":%d}', low, high, count)
end

local function trial(frame, pps, ms, settle_ms)
	load_traffic(frame)
	set_rate(frame, pps)
	pktgen.delay(settle_ms)
	pktgen.clr()
	pktgen.delay(settle_ms)
	local before = pktgen.portStats("all", "port")
	local start = now()
	pktgen.start("0")
	pktgen.delay(ms)
	pktgen.stop("0")
	local seconds = now() - start
	pktgen.delay(settle_ms)
	local after = pktgen.portStats("all", "port")
	local member, received = {}, 0
	for port = 1, nb_ports - 1 do
		member[port] = after[port].ipackets - before[port].ipackets
		received = received + member[port]
	end
	answer('{"offered":%d,"received":%d,"seconds":%f,"member":%s,"latency_us":%s}',
		after[0].opackets - before[0].opackets, received, seconds, array(member),
		latencies())
end

pktgen.screen("off")
pktgen.load(directory .. "/team.pkt")
for line in commands:lines() do
	local frame, pps, ms, settle_ms = line:match("^trial tx (%w+) ([%d.]+) (%d+) (%d+)$")
	if frame then
		trial(frame, tonumber(pps), tonumber(ms), tonumber(settle_ms))
	elseif line == "link" then
		link_states()
	elseif line == "quit" then
		break
	else
		answer('{"error":"no such command"}')
	end
end
pktgen.quit()
