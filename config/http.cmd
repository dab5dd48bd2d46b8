# HTTP by the offload engine, without a host's stack: the team itself is 192.0.2.10.
#
#   teampmd --vdev net_af_packet0,iface=eth1 --vdev net_af_packet1,iface=eth2 \
#           -- --ip 192.0.2.10/24 --ip 2001:db8::10/64 --no-start --cmdline-file http.cmd
#   curl http://192.0.2.10/bytes/1G | sha256sum          (from another machine)
#   curl -T FILE http://192.0.2.10/sink
#
# It serves once it knows that nobody else has its addresses, some seconds after the start: `show
# addr` says "preferred" then.
#
# eth1 and eth2 prepared as docs/deploy.md says: no address on them, or the kernel answers, too.
# The switch must have the two ports in a static link aggregation.

set team mode hash

# Beyond the link, by a router.
add route 0.0.0.0/0 via 192.0.2.1

add service http port 80
start
