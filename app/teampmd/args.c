/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* The command line: what EAL gets, and the daemon's own options behind `--`. */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

#include "app.h"
#include "service.h"

/* Worker lcores that EAL is asked for when the user names none: members may come later too. */
#define DEFAULT_WORKERS 16

enum {
	OPT_PORTLIST = 256,
	OPT_HOST,
	OPT_MAC,
	OPT_IP,
	OPT_MODE,
	OPT_STATS_PERIOD,
	OPT_CMDLINE_FILE,
	OPT_CONTROL_SOCKET,
	OPT_RXD,
	OPT_TXD,
	OPT_BURST,
	OPT_MBCACHE,
	OPT_MBUF_SIZE,
	OPT_TOTAL_NUM_MBUFS,
	OPT_RING_SIZE,
	OPT_IDLE,
	OPT_NO_START,
	OPT_NEIGH,
	OPT_SERVICE,
	OPT_MAX_CONNS,
	OPT_TOE_PORTS,
};

static const struct option long_options[] = {
	{ "interactive", no_argument, NULL, 'i' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ "portlist", required_argument, NULL, OPT_PORTLIST },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "mac", required_argument, NULL, OPT_MAC },
	{ "ip", required_argument, NULL, OPT_IP },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "stats-period", required_argument, NULL, OPT_STATS_PERIOD },
	{ "cmdline-file", required_argument, NULL, OPT_CMDLINE_FILE },
	{ "control-socket", required_argument, NULL, OPT_CONTROL_SOCKET },
	{ "rxd", required_argument, NULL, OPT_RXD },
	{ "txd", required_argument, NULL, OPT_TXD },
	{ "burst", required_argument, NULL, OPT_BURST },
	{ "mbcache", required_argument, NULL, OPT_MBCACHE },
	{ "mbuf-size", required_argument, NULL, OPT_MBUF_SIZE },
	{ "total-num-mbufs", required_argument, NULL, OPT_TOTAL_NUM_MBUFS },
	{ "ring-size", required_argument, NULL, OPT_RING_SIZE },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "no-start", no_argument, NULL, OPT_NO_START },
	{ "neigh", required_argument, NULL, OPT_NEIGH },
	{ "service", required_argument, NULL, OPT_SERVICE },
	{ "max-conns", required_argument, NULL, OPT_MAX_CONNS },
	{ "toe-ports", required_argument, NULL, OPT_TOE_PORTS },
	{ NULL, 0, NULL, 0 },
};

static const char usage_text[] =
                "Usage: teampmd [EAL options] -- [options]\n"
                "  -i, --interactive        prompt on standard input\n"
                "      --host NAME          port (name or id) that the host sends and receives by\n"
                "      --portlist N[,N...]  ports of the team; default: all but the host port\n"
                "      --mode MODE          hash, load, active-backup, round-robin or broadcast\n"
                "      --mac XX:XX:...      MAC of the team; default: the first member's\n"
                "      --ip ADDR/LEN        address of the team, for its own TCP; announced after "
                "a failover;\n"
                "                           up to 8 times\n"
                "      --neigh WHO          toe or host answers ARP and ND for --ip; default: the "
                "host port,\n"
                "                           if there is one\n"
                "      --service NAME:PORT  serve TCP: echo, discard, chargen or http; up to 16 "
                "times\n"
                "      --max-conns N        TCP connections (65536)\n"
                "      --toe-ports LOW-HIGH local ports of connections to others (49152-65535)\n"
                "      --cmdline-file FILE  run these commands before anything else\n"
                "      --control-socket S   Unix socket for teamctl; default: see teampmd(8)\n"
                "      --stats-period N     print statistics every N seconds\n"
                "      --no-start           wait for the command `start`\n"
                "      --idle POLICY        auto, poll, pause or sleep: what idle lcores do\n"
                "      --burst N            packets in a burst, 1..64 (32)\n"
                "      --rxd N, --txd N     descriptors of each queue (1024)\n"
                "      --ring-size N        slots of a ring between two lcores, power of two "
                "(1024)\n"
                "      --mbcache N          mbufs in each lcore's cache of a pool (256)\n"
                "      --mbuf-size N        bytes of a mbuf, 128 of headroom included (2176)\n"
                "      --total-num-mbufs N  mbufs of each pool; default: computed\n"
                "  -v, --version            print the version\n"
                "  -h, --help               print this\n"
                "EAL options are those of every DPDK program: --vdev, -a, --lcores, --file-prefix "
                "...\n";

static int
bad(const char *option, const char *value, const char *right)
{
	fprintf(stderr, "teampmd: --%s %s: %s\n", option, value, right);
	return -EINVAL;
}

static int
parse_number(const char *option, const char *text, unsigned long min, unsigned long max,
                unsigned long *out)
{
	char right[64], *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || v < min || v > max) {
		snprintf(right, sizeof(right), "not a number from %lu to %lu", min, max);
		return bad(option, text, right);
	}
	*out = v;
	return 0;
}

static int
parse_u16(const char *option, const char *text, unsigned long min, unsigned long max, uint16_t *out)
{
	unsigned long v;
	int rc = parse_number(option, text, min, max, &v);

	if (rc == 0)
		*out = v;
	return rc;
}

static int
parse_u32(const char *option, const char *text, unsigned long min, unsigned long max, uint32_t *out)
{
	unsigned long v;
	int rc = parse_number(option, text, min, max, &v);

	if (rc == 0)
		*out = v;
	return rc;
}

static int
parse_portlist(const char *text, struct options *opt)
{
	char buf[APP_TEXT_LEN], *save = NULL;

	if (strlen(text) >= sizeof(buf))
		return bad("portlist", text, "too long");
	strcpy(buf, text);
	opt->all_ports = false;
	opt->nb_ports = 0;
	for (char *s = strtok_r(buf, ",", &save); s != NULL; s = strtok_r(NULL, ",", &save)) {
		int port_id = port_find(s);

		if (port_id < 0)
			return bad("portlist", s,
			                "no such port; EAL's --vdev and -a make ports, "
			                "0 is the first");
		if (opt->nb_ports == TP_MAX_MEMBERS)
			return bad("portlist", text, "more than 32 ports");
		for (uint16_t i = 0; i < opt->nb_ports; i++) {
			if (opt->ports[i] == port_id)
				return bad("portlist", s, "named twice");
		}
		opt->ports[opt->nb_ports++] = port_id;
	}
	if (opt->nb_ports == 0)
		return bad("portlist", text, "names no port");
	return 0;
}

static int
parse_idle(const char *text, struct options *opt)
{
	for (uint8_t i = 0; i < NB_IDLE_POLICIES; i++) {
		if (strcmp(text, idle_names[i]) == 0) {
			opt->idle = i;
			return 0;
		}
	}
	return bad("idle", text, "not one of auto, poll, pause, sleep");
}

static int
parse_mode(const char *text, struct options *opt)
{
	int mode = tp_mode_parse(text);

	if (mode < 0)
		return bad("mode", text,
		                "not one of hash, load, active-backup, round-robin, broadcast");
	opt->team.mode = mode;
	return 0;
}

static int
parse_mac(const char *text, struct options *opt)
{
	if (rte_ether_unformat_addr(text, &opt->mac) != 0 ||
	                !rte_is_valid_assigned_ether_addr(&opt->mac))
		return bad("mac", text, "not a unicast MAC address like 02:00:00:00:00:01");
	opt->has_mac = true;
	return 0;
}

void
ip_address(const struct ip_prefix *ip, uint8_t addr[TP_INET_LEN])
{
	rte_be32_t v4;

	if (ip->family == 6) {
		memcpy(addr, ip->addr, TP_INET_LEN);
		return;
	}
	memcpy(&v4, ip->addr, sizeof(v4));
	tp_inet_map_v4(addr, v4);
}

/* @return what is wrong with it, or NULL */
static const char *
ip_fault(const struct ip_prefix *ip, const struct options *opt)
{
	uint8_t addr[TP_INET_LEN], other[TP_INET_LEN];

	ip_address(ip, addr);
	if (!tp_inet_is_unicast(addr) || (ip->family == 6 && tp_inet_is_v4(addr)))
		return "not an address that a host can have (unicast, no loopback)";
	if (ip->len == 0)
		return "prefix length 0 would put every address on this link; right is the "
		       "subnet's, 1 to 32 or 128 (for a default route: `add route 0.0.0.0/0 via "
		       "GATEWAY`)";
	for (uint8_t i = 0; i < opt->nb_ips; i++) {
		ip_address(&opt->ip[i], other);
		if (memcmp(addr, other, TP_INET_LEN) == 0)
			return "given twice";
	}
	return NULL;
}

static int
parse_ip(const char *text, struct options *opt)
{
	static const char *const right =
	                "not an address with prefix length like 192.0.2.1/24 or 2001:db8::1/64";
	struct ip_prefix *ip = &opt->ip[opt->nb_ips];
	char buf[INET6_ADDRSTRLEN + 4], *slash, *end;
	const char *fault;
	unsigned long len;

	if (opt->nb_ips == APP_MAX_IPS)
		return bad("ip", text, "more than 8 addresses");
	if (strlen(text) >= sizeof(buf))
		return bad("ip", text, right);
	strcpy(buf, text);
	slash = strchr(buf, '/');
	if (slash == NULL || slash[1] < '0' || slash[1] > '9')
		return bad("ip", text, right);
	*slash = '\0';
	len = strtoul(slash + 1, &end, 10);
	if (inet_pton(AF_INET, buf, ip->addr) == 1)
		ip->family = 4;
	else if (inet_pton(AF_INET6, buf, ip->addr) == 1)
		ip->family = 6;
	else
		return bad("ip", text, right);
	if (*end != '\0' || len > (ip->family == 4 ? 32 : 128))
		return bad("ip", text, right);
	ip->len = len;
	fault = ip_fault(ip, opt);
	if (fault != NULL)
		return bad("ip", text, fault);
	opt->nb_ips++;
	return 0;
}

static int
parse_neigh(const char *text, struct options *opt)
{
	if (strcmp(text, "toe") == 0)
		opt->neigh = NEIGH_TOE;
	else if (strcmp(text, "host") == 0)
		opt->neigh = NEIGH_HOST;
	else
		return bad("neigh", text, "not one of toe, host");
	return 0;
}

static int
parse_service(const char *text, struct options *opt)
{
	struct service_option *svc = &opt->service[opt->nb_services];
	const char *colon = strchr(text, ':');
	char right[APP_TEXT_LEN];

	if (opt->nb_services == APP_MAX_SERVICES)
		return bad("service", text, "more than 16 services");
	if (colon == NULL || colon == text || colon - text >= (ptrdiff_t)sizeof(svc->name))
		return bad("service", text, "not NAME:PORT like http:80");
	memcpy(svc->name, text, colon - text);
	svc->name[colon - text] = '\0';
	if (service_find(svc->name) == NULL) {
		snprintf(right, sizeof(right), "no such service; there are %s", service_names());
		return bad("service", text, right);
	}
	opt->nb_services++;
	return parse_u16("service", colon + 1, 1, UINT16_MAX, &svc->port);
}

static int
parse_toe_ports(const char *text, struct options *opt)
{
	unsigned int low, high;
	char rest;

	if (sscanf(text, "%5u-%5u%c", &low, &high, &rest) != 2 || low == 0 || low > high ||
	                high > UINT16_MAX)
		return bad("toe-ports", text, "not a range like 49152-65535");
	opt->toe_port_low = low;
	opt->toe_port_high = high;
	return 0;
}

static int
parse_toe(int c, const char *arg, struct options *opt)
{
	switch (c) {
	case OPT_IP:
		return parse_ip(arg, opt);
	case OPT_NEIGH:
		return parse_neigh(arg, opt);
	case OPT_SERVICE:
		return parse_service(arg, opt);
	case OPT_MAX_CONNS:
		return parse_u32("max-conns", arg, 64, 1 << 24, &opt->max_conns);
	default:
		return parse_toe_ports(arg, opt);
	}
}

static int
parse_host(const char *text, struct options *opt)
{
	if (port_find(text) < 0)
		return bad("host", text,
		                "no such port; EAL's --vdev makes one, like --vdev net_tap0");
	if (strlen(text) >= sizeof(opt->host))
		return bad("host", text, "too long");
	strcpy(opt->host, text);
	return 0;
}

static int
parse_text(const char *option, const char *text, char *out, size_t len)
{
	if (text[0] == '\0' || strlen(text) >= len)
		return bad(option, text, "empty or too long");
	strcpy(out, text);
	return 0;
}

static int
parse_sizes(int c, const char *arg, struct options *opt)
{
	switch (c) {
	case OPT_RXD:
		return parse_u16("rxd", arg, 32, 16384, &opt->nb_rxd);
	case OPT_TXD:
		return parse_u16("txd", arg, 32, 16384, &opt->nb_txd);
	case OPT_BURST:
		return parse_u16("burst", arg, 1, TP_BURST_MAX, &opt->burst);
	case OPT_MBCACHE:
		return parse_u16("mbcache", arg, 0, RTE_MEMPOOL_CACHE_MAX_SIZE, &opt->mbcache);
	case OPT_MBUF_SIZE:
		return parse_u16("mbuf-size", arg, TP_POOL_DATA_ROOM, UINT16_MAX, &opt->mbuf_size);
	case OPT_TOTAL_NUM_MBUFS:
		return parse_u32("total-num-mbufs", arg, 1024, 1 << 26, &opt->total_num_mbufs);
	case OPT_RING_SIZE:
		if (parse_u32("ring-size", arg, 64, 1 << 16, &opt->ring_size) != 0)
			return -EINVAL;
		if (!rte_is_power_of_2(opt->ring_size))
			return bad("ring-size", arg, "not a power of two");
		return 0;
	}
	return -EINVAL;
}

static int
parse_one(int c, const char *arg, struct options *opt)
{
	switch (c) {
	case 'i':
		opt->interactive = true;
		return 0;
	case OPT_NO_START:
		opt->no_start = true;
		return 0;
	case 'h':
		fputs(usage_text, stdout);
		return 1;
	case 'v':
		printf("teampmd %s (%s)\n", TEAMPMD_VERSION, rte_version());
		return 1;
	case OPT_PORTLIST:
		return parse_portlist(arg, opt);
	case OPT_HOST:
		return parse_host(arg, opt);
	case OPT_MAC:
		return parse_mac(arg, opt);
	case OPT_IP:
	case OPT_NEIGH:
	case OPT_SERVICE:
	case OPT_MAX_CONNS:
	case OPT_TOE_PORTS:
		return parse_toe(c, arg, opt);
	case OPT_MODE:
		return parse_mode(arg, opt);
	case OPT_IDLE:
		return parse_idle(arg, opt);
	case OPT_STATS_PERIOD:
		return parse_u32("stats-period", arg, 1, 86400, &opt->stats_period_s);
	case OPT_CMDLINE_FILE:
		return parse_text(
		                "cmdline-file", arg, opt->cmdline_file, sizeof(opt->cmdline_file));
	case OPT_CONTROL_SOCKET:
		return parse_text("control-socket", arg, opt->control_socket,
		                sizeof(opt->control_socket));
	default:
		return parse_sizes(c, arg, opt);
	}
}

static void
options_default(struct options *opt)
{
	memset(opt, 0, sizeof(*opt));
	opt->all_ports = true;
	opt->nb_rxd = 1024;
	opt->nb_txd = 1024;
	opt->burst = 32;
	opt->mbcache = 256;
	opt->ring_size = 1024;
	opt->idle = IDLE_AUTO;
	opt->max_conns = 65536;
	opt->toe_port_low = 49152;
	opt->toe_port_high = 65535;
	tp_team_conf_default(&opt->team);
}

int
args_parse(int argc, char **argv, struct options *opt)
{
	int c, rc;

	options_default(opt);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":ihv", long_options, NULL)) != -1) {
		const char *text = argv[optind - 1];

		if (c == '?' || c == ':') {
			fprintf(stderr, "teampmd: %s: %s; try --help\n", text,
			                c == '?' ? "unknown option" : "needs a value");
			return -EINVAL;
		}
		rc = parse_one(c, optarg, opt);
		if (rc != 0)
			return rc;
	}
	if (optind < argc) {
		fprintf(stderr, "teampmd: %s: not an option; try --help\n", argv[optind]);
		return -EINVAL;
	}
	if (opt->nb_services > 0 && opt->nb_ips == 0) {
		fprintf(stderr, "teampmd: --service %s:%u: needs an address, --ip ADDR/LEN\n",
		                opt->service[0].name, opt->service[0].port);
		return -EINVAL;
	}
	return 0;
}

/* ---- EAL's part ------------------------------------------------------------ */

static bool
eal_has(int argc, char **argv, const char *option)
{
	size_t len = strlen(option);

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		bool is_long = option[1] == '-';

		if (strncmp(argv[i], option, len) != 0)
			continue;
		if (!is_long || argv[i][len] == '\0' || argv[i][len] == '=')
			return true;
	}
	return false;
}

static bool
huge_pages_free(void)
{
	unsigned long nb = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "HugePages_Free: %lu", &nb) == 1)
			break;
	}
	fclose(f);
	return nb > 0;
}

/* '0@CPU,1@CPU,...': control on the first CPU that we may use, workers over all of them. */
static int
default_lcores(char *text, size_t len)
{
	cpu_set_t set;
	int cpus[CPU_SETSIZE], nb = 0;
	size_t at = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return -errno;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			cpus[nb++] = i;
	}
	for (int i = 0; i <= DEFAULT_WORKERS && at < len; i++)
		at += snprintf(text + at, len - at, "%s%d@%d", i == 0 ? "" : ",", i, cpus[i % nb]);
	return at < len ? 0 : -ENOSPC;
}

int
args_eal(int argc, char **argv, char **out, int max)
{
	static char lcores[512];
	bool no_lcores = !eal_has(argc, argv, "-l") && !eal_has(argc, argv, "-c") &&
	                 !eal_has(argc, argv, "--lcores");
	bool no_huge = !huge_pages_free() && !eal_has(argc, argv, "--no-huge") &&
	               !eal_has(argc, argv, "--in-memory");
	int n = 0;

	if (argc + 8 > max)
		return -E2BIG;
	out[n++] = argv[0];
	if (no_lcores && default_lcores(lcores, sizeof(lcores)) == 0) {
		out[n++] = (char *)(uintptr_t) "--lcores";
		out[n++] = lcores;
	}
	if (no_huge) {
		fprintf(stderr, "teampmd: no free huge pages: running with --no-huge\n");
		out[n++] = (char *)(uintptr_t) "--no-huge";
		if (!eal_has(argc, argv, "-m")) {
			out[n++] = (char *)(uintptr_t) "-m";
			out[n++] = (char *)(uintptr_t) "512";
		}
	}
	for (int i = 1; i < argc; i++)
		out[n++] = argv[i];
	out[n] = NULL;
	return n;
}
