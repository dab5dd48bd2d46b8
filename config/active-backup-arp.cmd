# Active-backup to two independent switch ports, with ARP watch: a member counts as up only while
# the gateway, or the second address, answers by it. Finds a path that is dead behind a link
# that is up.
#
#   teampmd --vdev net_af_packet0,iface=eth1 --vdev net_af_packet1,iface=eth2 \
#           --vdev net_tap0,iface=team0 -- --host net_tap0 --no-start \
#           --cmdline-file active-backup-arp.cmd
#
# eth1 and eth2 prepared as docs/deploy.md says: no address on them, or the kernel answers, too.
# Of NICs bound to vfio-pci lsc, or poll, tells about the cable, not netlink.
# 192.0.2.1 and 192.0.2.2 stand for addresses on the same link.

set team mode active-backup

# Port 0 is preferred, and taken back as soon as it is good again.
set team primary 0
set team primary_reselect always

# Tell the neighbours three times, 100 ms apart, where the host is now.
set team num_peer_notif 3
set team peer_notif_delay 100
set team resend_igmp 2

set watch 0 arp_targets 192.0.2.1,192.0.2.2
set watch 0 arp_interval 200
set watch 0 missed_max 3
set watch 0 netlink,arp,heart
set watch 1 arp_targets 192.0.2.1,192.0.2.2
set watch 1 arp_interval 200
set watch 1 missed_max 3
set watch 1 netlink,arp,heart

start
