/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 teampmd authors
 */

/* Any topic's object as text. */

#include <stdlib.h>
#include <string.h>

#include "show.h"

#define CELL_LEN 160
#define COLUMNS_MAX 24

static void
scalar(const json_t *v, char *out, size_t size)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		snprintf(out, size, "%s", json_string_value(v));
		return;
	case JSON_INTEGER:
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return;
	case JSON_REAL:
		snprintf(out, size, "%.1f", json_real_value(v));
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(out, size, "%s", json_is_true(v) ? "yes" : "no");
		return;
	default:
		snprintf(out, size, "-");
	}
}

static bool
is_scalar(const json_t *v)
{
	return !json_is_object(v) && !json_is_array(v);
}

static bool
is_flat_array(const json_t *v)
{
	size_t i;
	json_t *item;

	if (!json_is_array(v))
		return false;
	json_array_foreach(v, i, item) if (!is_scalar(item)) return false;
	return true;
}

static void
cell(const json_t *v, char *out, size_t size)
{
	size_t i, used = 0;
	json_t *item;

	out[0] = '\0';
	if (is_scalar(v)) {
		scalar(v, out, size);
		return;
	}
	json_array_foreach(v, i, item)
	{
		if (used + 1 < size && i > 0)
			out[used++] = ',';
		scalar(item, out + used, size - used);
		used = strlen(out);
	}
	if (used == 0)
		snprintf(out, size, "-");
}

/** Every row is an object of cells. */
static bool
is_table(const json_t *v)
{
	size_t i;
	json_t *row, *item;
	const char *key;

	if (!json_is_array(v) || json_array_size(v) == 0)
		return false;
	json_array_foreach(v, i, row)
	{
		if (!json_is_object(row))
			return false;
		json_object_foreach(row, key,
		                item) if (!is_scalar(item) && !is_flat_array(item)) return false;
	}
	return true;
}

/** How printf() pads a column: text to the right, but not up to the line's end; numbers to the left. */
static int
padding(const json_t *head, const json_t *item, unsigned int column, unsigned int width)
{
	if (!json_is_string(item))
		return width;
	return column + 1 < RTE_MIN(json_object_size(head), (size_t)COLUMNS_MAX) ? -(int)width : 0;
}

static void
table_row(const json_t *row, const json_t *head, const unsigned int *width, int indent, FILE *out)
{
	unsigned int column = 0;
	char text[CELL_LEN];
	const char *key;
	json_t *item;

	fprintf(out, "%*s", indent, "");
	json_object_foreach((json_t *)(uintptr_t)head, key, item)
	{
		const json_t *v = row != NULL ? json_object_get(row, key) : NULL;

		if (column == COLUMNS_MAX)
			break;
		if (v != NULL)
			cell(v, text, sizeof(text));
		else
			snprintf(text, sizeof(text), "%s", row != NULL ? "-" : key);
		fprintf(out, "%s%*s", column > 0 ? "  " : "",
		                padding(head, item, column, width[column]), text);
		column++;
	}
	fputc('\n', out);
}

static void
table(const json_t *rows, int indent, FILE *out)
{
	const json_t *head = json_array_get(rows, 0);
	unsigned int width[COLUMNS_MAX], column = 0;
	char text[CELL_LEN];
	const char *key;
	json_t *row, *item;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)head, key, item)
	{
		if (column == COLUMNS_MAX)
			break;
		width[column] = strlen(key);
		json_array_foreach(rows, i, row)
		{
			if (json_object_get(row, key) == NULL)
				continue;
			cell(json_object_get(row, key), text, sizeof(text));
			width[column] = RTE_MAX(width[column], (unsigned int)strlen(text));
		}
		column++;
	}
	table_row(NULL, head, width, indent, out);
	json_array_foreach(rows, i, row) table_row(row, head, width, indent, out);
}

static void render(const json_t *json, int indent, FILE *out);

/** Reasons that never happened would drown those that did. */
static bool
hidden(const char *title, const json_t *v)
{
	return title != NULL && strcmp(title, "drops") == 0 && json_is_integer(v) &&
	       json_integer_value(v) == 0;
}

static void
pairs(const json_t *json, const char *title, int indent, FILE *out)
{
	char text[APP_TEXT_LEN * 4];
	const char *key;
	json_t *v;
	int width = 0, shown = 0;

	json_object_foreach((json_t *)(uintptr_t)json, key,
	                v) if ((is_scalar(v) || is_flat_array(v)) && !hidden(title, v)) width =
	                RTE_MAX(width, (int)strlen(key));
	json_object_foreach((json_t *)(uintptr_t)json, key, v)
	{
		if ((!is_scalar(v) && !is_flat_array(v)) || hidden(title, v))
			continue;
		cell(v, text, sizeof(text));
		fprintf(out, "%*s%-*s  %s\n", indent, "", width, key, text[0] != '\0' ? text : "-");
		shown++;
	}
	if (shown == 0 && title != NULL)
		fprintf(out, "%*snone\n", indent, "");
}

static void
object(const json_t *json, const char *title, int indent, FILE *out)
{
	const char *key;
	json_t *v;

	pairs(json, title, indent, out);
	json_object_foreach((json_t *)(uintptr_t)json, key, v)
	{
		if (is_scalar(v) || is_flat_array(v))
			continue;
		fprintf(out, "%*s%s:\n", indent, "", key);
		if (json_is_object(v))
			object(v, key, indent + 2, out);
		else
			render(v, indent + 2, out);
	}
}

static void
render(const json_t *json, int indent, FILE *out)
{
	char text[APP_TEXT_LEN];
	size_t i;
	json_t *item;

	if (json_is_object(json)) {
		object(json, NULL, indent, out);
	} else if (is_table(json)) {
		table(json, indent, out);
	} else if (json_is_array(json)) {
		json_array_foreach(json, i, item)
		{
			if (i > 0)
				fputc('\n', out);
			render(item, indent, out);
		}
		if (json_array_size(json) == 0)
			fprintf(out, "%*snone\n", indent, "");
	} else {
		scalar(json, text, sizeof(text));
		fprintf(out, "%*s%s\n", indent, "", text);
	}
}

void
text_render(const json_t *json, FILE *out)
{
	render(json, 0, out);
}

void
text_lines(const json_t *json, FILE *out)
{
	size_t i;
	json_t *line;

	json_array_foreach(json, i, line) fprintf(out, "%s\n", json_string_value(line));
}
