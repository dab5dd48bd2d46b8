# Another DPDK or VPP process is the host, over memif: teampmd is the server of the socket, the
# other side connects to it. Any mode will do; here flows are spread by load.
#
#   teampmd -a 0000:03:00.0 -a 0000:03:00.1 --single-file-segments \
#           --vdev net_memif0,role=server,id=0,socket=/run/teampmd/memif.sock,socket-abstract=no \
#           -- --host net_memif0 --no-start --cmdline-file memif-host.cmd
#   dpdk-testpmd -l 4,5 --proc-type=primary --file-prefix host --no-pci --single-file-segments \
#           --vdev net_memif0,role=client,id=0,socket=/run/teampmd/memif.sock,socket-abstract=no \
#           -- --forward-mode=macswap --auto-start

set team mode load
set team rebalance_interval 100
set team rebalance_threshold 3

# The MAC must be the same after a restart of either side.
set team mac 02:00:00:00:70:01

# The host loses its carrier when less than one member distributes.
set team min_links 1

start
