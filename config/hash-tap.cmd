# Two ports hashed onto a TAP: the kernel's stack sends and receives by one interface, team0.
# The switch must have the two ports in a static link aggregation.
#
#   teampmd --vdev net_af_packet0,iface=eth1 --vdev net_af_packet1,iface=eth2 \
#           --vdev net_tap0,iface=team0 -- --host net_tap0 --no-start --cmdline-file hash-tap.cmd
#   ip address add 192.0.2.10/24 dev team0; ip link set team0 up
#
# eth1 and eth2 prepared as docs/deploy.md says: no address on them, or the kernel answers, too.
# Ports 0 and 1 are the members. With NICs bound to vfio-pci: -a 0000:03:00.0 -a 0000:03:00.1
# instead of the first two --vdev.

set team mode hash
set team hash-policy l34

# A link must be up for 200 ms before it gets traffic again.
set team updelay 200

# A member that fails more than 5 times in 10 s stays out for 30 s.
set team flap 5 10000 30000

start
