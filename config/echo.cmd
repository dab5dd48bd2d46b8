# The small services of inetd, by the offload engine, beside a host whose kernel has the same
# address on team0: what no service wants goes to the kernel, which answers ARP and ND.
#
#   teampmd --vdev net_af_packet0,iface=eth1 --vdev net_af_packet1,iface=eth2 \
#           --vdev net_tap0,iface=team0 \
#           -- --host net_tap0 --ip 192.0.2.10/24 --no-start --cmdline-file echo.cmd
#   ip address add 192.0.2.10/24 dev team0; ip link set team0 up
#   nc 192.0.2.10 7                                       (from another machine)
#
# eth1 and eth2 prepared as docs/deploy.md says: no address on them, or the kernel answers, too.

set team mode active-backup

add service echo port 7
add service discard port 9
add service chargen port 19
start
