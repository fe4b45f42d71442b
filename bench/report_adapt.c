/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of experiments that report groups of variants, or seconds. */
#include "report.h"

#include <string.h>

#include "results.h"

static json_t *share(const json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	return v ? json_incref(v) : json_null();
}

/* {"groups": [{"name", "variants": [{"name", figure..}], "ratios": [..]}]} */
static void groups(json_t *report)
{
	const json_t *g, *v, *ratio;
	json_t *table, *ratios;
	size_t i, k;

	table = results_table(report, "groups",
		"Medians (least to greatest) of the rounds",
		"group|variant|thousand touches/s|p50, us|p99, us|CPU us a touch");
	ratios = results_table(report, "ratios", "Ratios of neighbouring rounds",
			       "group|of|to|figure|ratio|wanted|holds");
	json_array_foreach(json_object_get(report, "groups"), i, g) {
		const char *name = json_string_value(json_object_get(g, "name"));

		json_array_foreach(json_object_get(g, "variants"), k, v)
			results_row(table, json_pack("[s?,o,o,o,o,o]", name,
				share(v, "name"), share(v, "ktouch_per_s"),
				share(v, "p50_us"), share(v, "p99_us"),
				share(v, "cpu_us_per_touch")));
		json_array_foreach(json_object_get(g, "ratios"), k, ratio)
			results_row(ratios, json_pack("[s?,o,o,o,o,o,o]", name,
				share(ratio, "variant"), share(ratio, "against"),
				share(ratio, "figure"), share(ratio, "ratio"),
				share(ratio, "bound"), share(ratio, "holds")));
	}
}

static void seconds(json_t *report)
{
	json_t *table, *s;
	size_t i;

	table = results_table(report, "seconds",
		"A daemon whose program has 1000 mappings and touches none",
		"second|CPU ns|times it woke|resident KiB");
	json_array_foreach(json_object_get(report, "seconds"), i, s)
		results_row(table, json_pack("[i,o,o,o]", (int)i + 1, share(s, "cpu_ns"),
			share(s, "switches"), share(report, "rss_kib")));
}

void report_adapt(json_t *report)
{
	if (json_object_get(report, "tables"))
		return;
	if (json_is_array(json_object_get(report, "groups")))
		groups(report);
	if (json_is_array(json_object_get(report, "seconds")))
		seconds(report);
}
