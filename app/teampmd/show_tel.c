/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* librte_telemetry under /teampmd: the objects of `show ... json`. */

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <rte_telemetry.h>

#include "show.h"

#define PREFIX "/teampmd/"

/* Callbacks get no pointer of ours, and cannot be unregistered. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct daemon *tel_daemon;

void
show_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
show_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* ---- conversion ---------------------------------------------------------- */

/** Names may hold letters, digits, '_' and '/' only. */
static void
tel_name(const char *key, char *out)
{
	size_t n = 0;

	for (; key[n] != '\0' && n < RTE_TEL_MAX_STRING_LEN - 1; n++)
		out[n] = isalnum((unsigned char)key[n]) || key[n] == '/' ? key[n] : '_';
	out[n] = '\0';
}

static void
tel_text(const json_t *v, char *out)
{
	snprintf(out, RTE_TEL_MAX_STRING_LEN, "%s", json_is_string(v) ? json_string_value(v) : "");
}

static struct rte_tel_data *
tel_container(const json_t *json)
{
	struct rte_tel_data *c = rte_tel_data_alloc();

	if (c != NULL && telemetry_fill(c, json) != 0) {
		rte_tel_data_free(c);
		return NULL;
	}
	return c;
}

static int
dict_nested(struct rte_tel_data *data, const char *name, const json_t *v)
{
	struct rte_tel_data *c = tel_container(v);
	int rc;

	if (c == NULL)
		return -ENOMEM;
	rc = rte_tel_data_add_dict_container(data, name, c, 0);
	if (rc != 0)
		rte_tel_data_free(c);
	return rc;
}

static int
dict_add(struct rte_tel_data *data, const char *key, const json_t *v)
{
	char name[RTE_TEL_MAX_STRING_LEN], text[RTE_TEL_MAX_STRING_LEN];
	json_int_t n = json_integer_value(v);

	tel_name(key, name);
	switch (json_typeof(v)) {
	case JSON_INTEGER:
		if (n < 0)
			return rte_tel_data_add_dict_int(data, name, RTE_MAX(n, INT32_MIN));
		return tp_tel_dict_u64(data, name, n);
	case JSON_REAL:
		return rte_tel_data_add_dict_int(data, name, json_real_value(v));
	case JSON_TRUE:
	case JSON_FALSE:
		return rte_tel_data_add_dict_int(data, name, json_is_true(v));
	case JSON_OBJECT:
	case JSON_ARRAY:
		return dict_nested(data, name, v);
	default:
		tel_text(v, text);
		return rte_tel_data_add_dict_string(data, name, text);
	}
}

static int
fill_dict(struct rte_tel_data *data, const json_t *json)
{
	const char *key;
	json_t *v;
	int rc = rte_tel_data_start_dict(data);

	json_object_foreach((json_t *)(uintptr_t)json, key, v)
	{
		if (rc == 0)
			rc = dict_add(data, key, v);
	}
	return rc == -ENOSPC ? 0 : rc;
}

static int
array_add(struct rte_tel_data *data, bool is_int, const json_t *v)
{
	char text[RTE_TEL_MAX_STRING_LEN];

	if (is_int)
		return rte_tel_data_add_array_int(data, json_integer_value(v));
	tel_text(v, text);
	return rte_tel_data_add_array_string(data, text);
}

/** An array of telemetry holds one type; ours have the first element's. */
static int
fill_array(struct rte_tel_data *data, const json_t *json)
{
	bool is_int = json_is_integer(json_array_get(json, 0));
	size_t i;
	json_t *v;
	int rc = rte_tel_data_start_array(data, is_int ? RTE_TEL_INT_VAL : RTE_TEL_STRING_VAL);

	json_array_foreach(json, i, v)
	{
		if (rc == 0)
			rc = array_add(data, is_int, v);
	}
	return rc == -ENOSPC ? 0 : rc;
}

/** What an object is called by: the value of its first member, like its port. */
static void
object_name(const json_t *object, size_t i, char *name)
{
	void *iter = json_object_iter((json_t *)(uintptr_t)object);
	const json_t *first = json_object_iter_value(iter);
	char text[RTE_TEL_MAX_STRING_LEN];

	if (json_is_string(first))
		tel_text(first, text);
	else
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT,
		                json_is_integer(first) ? json_integer_value(first) : (json_int_t)i);
	tel_name(text, name);
}

/** Arrays of telemetry hold no dictionaries: one of objects becomes a dictionary of them. */
static int
fill_objects(struct rte_tel_data *data, const json_t *json)
{
	char name[RTE_TEL_MAX_STRING_LEN];
	size_t i;
	json_t *v;
	int rc = rte_tel_data_start_dict(data);

	json_array_foreach(json, i, v)
	{
		object_name(v, i, name);
		if (rc == 0)
			rc = dict_nested(data, name, v);
	}
	return rc == -ENOSPC ? 0 : rc;
}

int
telemetry_fill(struct rte_tel_data *data, const json_t *json)
{
	if (json_is_object(json))
		return fill_dict(data, json);
	if (!json_is_array(json))
		return -EINVAL;
	return json_is_object(json_array_get(json, 0)) ? fill_objects(data, json)
	                                               : fill_array(data, json);
}

/* ---- requests ------------------------------------------------------------ */

static int
answer(const char *cmd, const char *params, struct rte_tel_data *data)
{
	const struct topic *t = topic_find(cmd + strlen(PREFIX));
	struct error_text err = { "" };
	json_t *json = NULL;
	int rc = -ENOENT;

	if (t != NULL && tel_daemon != NULL)
		json = t->get(tel_daemon, params, &err);
	if (json != NULL)
		rc = telemetry_fill(data, json);
	json_decref(json);
	return rc == 0 ? 0 : -1;
}

static int
on_request(const char *cmd, const char *params, struct rte_tel_data *data)
{
	int rc;

	show_lock();
	rc = answer(cmd, params, data);
	show_unlock();
	return rc;
}

int
telemetry_start(struct daemon *d)
{
	char name[RTE_TEL_MAX_STRING_LEN];
	static bool registered;

	show_lock();
	tel_daemon = d;
	show_unlock();
	if (registered)
		return 0;
	for (const struct topic *t = topics; t->name != NULL; t++) {
		int rc;

		if (t->help == NULL)
			continue;
		snprintf(name, sizeof(name), PREFIX "%s", t->name);
		rc = rte_telemetry_register_cmd(name, on_request, t->help);
		if (rc != 0)
			return rc;
	}
	registered = true;
	return 0;
}

bool
telemetry_stop(void)
{
	if (pthread_mutex_trylock(&lock) != 0)
		return false;
	tel_daemon = NULL;
	pthread_mutex_unlock(&lock);
	return true;
}
