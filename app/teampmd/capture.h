/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/** Capture of packets to a pcapng file. Lcores copy what the filter lets through into a ring of
 * each port, by ethdev callbacks; the front writes the file. All functions: front only, or under
 * show_lock().
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <jansson.h>

#include "app.h"

#define CAPTURE_SNAPLEN_MAX 262144

struct capture_conf {
	const char *file;
	const char *filter; /**< libpcap's language; NULL: everything */
	uint32_t snaplen;   /**< bytes of each packet */
	uint16_t nb_ports;
	uint16_t port[TP_MAX_MEMBERS + 1];
};

/** @return 0 or -errno with err filled */
int capture_start(struct daemon *d, const struct capture_conf *conf, struct error_text *err);
/** Remove the callbacks, write what is left, close the file. @return -ENOENT: there is none */
int capture_stop(struct daemon *d, struct error_text *err);
/** A port is about to go. */
void capture_forget(struct daemon *d, uint16_t port_id);
/** Write what has been captured. */
void capture_poll(void);
/** When capture_poll() wants to be called; TP_NEVER. */
uint64_t capture_due(void);
/** The daemon ends. */
void capture_close(struct daemon *d);

json_t *show_capture(struct daemon *d, const char *arg, struct error_text *err);

#endif
