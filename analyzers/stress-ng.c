/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The YAML of stress-ng: system-info:, metrics: with a map a stressor. Keys that are in every map are known by name; the others are
 * a stressor's own, such as nanosecs-per-file-creation. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "analyzers/output.h"

static const char *scalar(const yaml_node_t *n)
{
	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static yaml_node_t *value_of(yaml_document_t *d, const yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const char *k = scalar(yaml_document_get_node(d, p->key));

		if (k && !strcmp(k, key))
			return yaml_document_get_node(d, p->value);
	}
	return NULL;
}

static void add(struct wring_figures *f, const char *key, double v)
{
	bool is_rate = strstr(key, "-per-sec");

	if (!strcmp(key, "bogo-ops-per-second-real-time"))
		f->ops_per_s += v < 1e100 ? v : 0;
	else if (!strcmp(key, "bogo-ops"))
		wring_figure_add(f, "bogo-ops", "count", "", WRING_SUM, v);
	else if (!strcmp(key, "user-time") || !strcmp(key, "system-time"))
		wring_figure_add(f, key, "s", "", WRING_SUM, v);
	else if (!strcmp(key, "max-rss"))
		wring_figure_add(f, "max-rss", "B", "", WRING_WORST, v * 1024);
	else if (!strcmp(key, "bogo-ops-per-second-usr-sys-time") || !strcmp(key, "wall-clock-time") || !strcmp(key, "cpu-usage-per-instance"))
		return;
	else if (!strncmp(key, "nanosec", 7))
		wring_figure_add(f, key, "ns", "lower", WRING_MEAN, v);
	else
		wring_figure_add(f, key, !is_rate ? "" : strncmp(key, "mb-", 3) ? "1/s" : "MB/s", is_rate ? "higher" : "",
				 is_rate ? WRING_SUM : WRING_MEAN, v);
}

static bool add_stressor(yaml_document_t *d, const yaml_node_t *map, struct wring_figures *f)
{
	if (!scalar(value_of(d, map, "stressor")))
		return false;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const char *key = scalar(yaml_document_get_node(d, p->key)), *text = scalar(yaml_document_get_node(d, p->value));
		char *end;
		double v = text ? strtod(text, &end) : 0;

		if (key && text && end != text && !*end)
			add(f, key, v);
	}
	return true;
}

int wring_stress_ng_parse(const char *text, size_t len, struct wring_figures *f)
{
	yaml_parser_t parser;
	yaml_document_t d;
	const yaml_node_t *list;
	bool found = false;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &d)) {
		yaml_parser_delete(&parser);
		return -EINVAL;
	}
	list = value_of(&d, yaml_document_get_root_node(&d), "metrics");
	if (list && list->type == YAML_SEQUENCE_NODE)
		for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++)
			found = add_stressor(&d, yaml_document_get_node(&d, *i), f) || found;
	yaml_document_delete(&d);
	yaml_parser_delete(&parser);
	return found ? 0 : -EINVAL;
}
