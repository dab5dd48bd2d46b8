# Eight 100G ports on a server of two NUMA nodes, a VM as host. Ports 0-3 are on node 0, ports 4-7
# on node 1; each gets an lcore of its own node, control the first one. CPUs 0-31 are on node 0,
# 32-63 on node 1; those used here should be isolated (isolcpus, nohz_full).
#
#   teampmd --lcores 0@0,1@2,2@4,3@6,4@8,5@34,6@36,7@38,8@40 --socket-mem 4096,4096 \
#           -a 0000:17:00.0 -a 0000:17:00.1 -a 0000:31:00.0 -a 0000:31:00.1 \
#           -a 0000:b1:00.0 -a 0000:b1:00.1 -a 0000:ca:00.0 -a 0000:ca:00.1 \
#           --vdev net_vhost0,iface=/run/teampmd/vm0.sock,queues=1 \
#           -- --host net_vhost0 --idle poll --rxd 2048 --txd 2048 --ring-size 4096 --burst 64 \
#           --no-start --cmdline-file eight-port-100g.cmd
#
# The VM's memory should be on node 0, where the host port's queue is served from: hence the higher
# rank of ports 0-3, which keeps the primary there while any of them is up.

set team mode hash
set team hash-policy l34

# A key of our own: a switch behind these that hashes by the well-known one again would find all
# flows of a member alike.
set team hash-key 79c4121fc60857dffefc74b999cc85f190ac46c8bcdf728e70fe6cce861e33e6b0ea5f5d98c9875e
set team buckets 8192

set member 0 prio 10
set member 1 prio 10
set member 2 prio 10
set member 3 prio 10

# With fewer than six members left the VM's carrier goes: another path of its has more room.
set team min_links 6

set team updelay 500
set team flap 3 60000 300000
set team mtu 9000

start
