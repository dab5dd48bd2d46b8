# Replay of a savefile: the frames of host.pcap are balanced over two members, each of which
# writes what it transmits to a file. Needs no rights and no NIC.
#
#   teampmd --no-huge --no-pci -m 256 \
#           --vdev net_pcap0,tx_pcap=/tmp/port0.pcap --vdev net_pcap1,tx_pcap=/tmp/port1.pcap \
#           --vdev net_pcap2,rx_pcap=host.pcap,tx_pcap=/tmp/to-host.pcap \
#           -- --host net_pcap2 --no-start --cmdline-file pcap-replay.cmd
#
# `teamctl show port stats all` tells when all is sent, `teamctl quit` closes the files.

set team mode hash
set team hash-policy l34

# Files lose no carrier; nothing is to be announced into them.
set team num_peer_notif 0
set team resend_igmp 0

start
