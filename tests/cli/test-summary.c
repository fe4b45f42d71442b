/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters are added field by field, and the summary has the names it promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/summary.h"

static struct fault_stats stats, sum;
static struct lost_times lost, lost_sum;

/* Without the model: the order of the enum, as the summary lists it. */
const char *dax_fallback_name(enum dax_fallback reason)
{
	static const char *const names[] = {
		"none", "colour", "private", "vma", "eof", "conflict", "oom",
		"extent"
	};

	return names[reason];
}

/* Every counter gets a value of its own. */
static void fill(struct fault_stats *s)
{
	uint64_t n = 1;

	memset(s, 0, sizeof(*s));
#define X(name) s->name = n++;
	FAULT_COUNTERS(X)
#undef X
	for (int i = 0; i < DAX_FALLBACK_NR; i++)
		s->fallback[i] = n++;
	s->dax.waits = n++;
	s->dax.wakes_next = n++;
	s->dax.wakes_all = n++;
	s->dax.misdirected = n++;
	s->dax.useless = n++;
	s->dax.stranded = n++;
	s->dax.rescued = n++;
	s->dax.woken = n++;
	s->dax.scanned = n++;
	s->dax.barged = n++;
	s->dax.conflicts = n++;
	s->dax.downgrades = n++;
	hist_add(&s->stall_by[1][0], 5000);
	hist_add(&s->stall_by[1][0], 5000);
	hist_add(&s->stall_by[0][1], 7000);
	for (uint64_t v = 1; v <= 100; v++)
		hist_add(&s->lat_pte, v * 1000);
}

static void test_add(void **state)
{
	fill(&stats);
	memset(&sum, 0, sizeof(sum));
	fault_stats_add(&sum, &stats);
	assert_memory_equal(&sum, &stats, sizeof(sum));
	fault_stats_add(&sum, &stats);
#define X(name) assert_int_equal(sum.name, 2 * stats.name);
	FAULT_COUNTERS(X)
#undef X
	assert_int_equal(sum.fallback[DAX_FALLBACK_NR - 1],
			 2 * stats.fallback[DAX_FALLBACK_NR - 1]);
	assert_int_equal(sum.dax.waits, 2 * stats.dax.waits);
	assert_int_equal(sum.lat_pte.count, 200);
}

static void test_add_lost(void **state)
{
	hist_add(&lost.detect, 1);
	hist_add(&lost.rescued, 2);
	hist_add(&lost.kicked, 3);
	lost_times_add(&lost_sum, &lost);
	assert_memory_equal(&lost_sum, &lost, sizeof(lost));
}

/* @path as "faults.pte"; fails when it is not there. */
static json_int_t number(const json_t *o, const char *path)
{
	char copy[64], *name, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, ".")))
		o = json_object_get(o, name);
	if (!json_is_integer(o))
		fail_msg("no %s", path);
	return json_integer_value(o);
}

static void test_names(void **state)
{
	struct fault_summary more = {
		.files = 3, .mappings = 4, .processes = 5,
		.protocol = "616", .track = "fast", .lost = &lost,
	};
	json_t *o;

	fill(&stats);
	o = fault_stats_to_json(&stats, &more);
	assert_non_null(o);
	assert_int_equal(number(o, "faults.total"), stats.pte + stats.pmd);
	assert_int_equal(number(o, "faults.pte"), stats.pte);
	assert_int_equal(number(o, "faults.pmd"), stats.pmd);
	assert_int_equal(number(o, "faults.read"), stats.read);
	assert_int_equal(number(o, "faults.write"), stats.write);
	assert_int_equal(number(o, "refill"), stats.refill);
	assert_int_equal(number(o, "fallback.colour"),
			 stats.fallback[DAX_FALLBACK_COLOUR]);
	assert_int_equal(number(o, "fallback.vma"),
			 stats.fallback[DAX_FALLBACK_VMA]);
	assert_int_equal(number(o, "fallback.eof"),
			 stats.fallback[DAX_FALLBACK_EOF]);
	assert_int_equal(number(o, "fallback.private"),
			 stats.fallback[DAX_FALLBACK_PRIVATE]);
	assert_int_equal(number(o, "fallback.conflict"),
			 stats.fallback[DAX_FALLBACK_CONFLICT]);
	assert_int_equal(number(o, "fallback.extent"),
			 stats.fallback[DAX_FALLBACK_EXTENT]);
	assert_int_equal(number(o, "fallback.oom"),
			 stats.fallback[DAX_FALLBACK_OOM]);
	assert_int_equal(number(o, "fallback.nohuge"), stats.nohuge);
	assert_int_equal(number(o, "result.nopage"), stats.res_nopage);
	assert_int_equal(number(o, "result.fallback"), stats.res_fallback);
	assert_int_equal(number(o, "result.sigbus"), stats.res_sigbus);
	assert_int_equal(number(o, "result.needdsync"), stats.res_needdsync);
	assert_int_equal(number(o, "result.cow"), stats.res_cow);
	assert_int_equal(number(o, "waits"), stats.dax.waits);
	assert_int_equal(number(o, "wakes.next"), stats.dax.wakes_next);
	assert_int_equal(number(o, "wakes.all"), stats.dax.wakes_all);
	assert_int_equal(number(o, "wakes.misdirected"), stats.dax.misdirected);
	assert_int_equal(number(o, "wakes.useless"), stats.dax.useless);
	assert_int_equal(number(o, "lost_wakeups"), stats.dax.stranded);
	assert_int_equal(number(o, "rescued"), stats.dax.rescued);
	assert_int_equal(number(o, "kicked"), stats.kicked);
	assert_int_equal(number(o, "lost_ns.detect.p50"), 1);
	assert_int_equal(number(o, "lost_ns.rescued.p99"), 2);
	assert_int_equal(number(o, "lost_ns.kicked.max"), 3);
	assert_int_equal(number(o, "wakes.woken"), stats.dax.woken);
	assert_int_equal(number(o, "wakes.scanned"), stats.dax.scanned);
	assert_int_equal(number(o, "wakes.barged"), stats.dax.barged);
	assert_int_equal(number(o, "conflicts"), stats.dax.conflicts);
	assert_int_equal(number(o, "downgrades"), stats.dax.downgrades);
	assert_int_equal(number(o, "fault_ns"), 50500 * stats.pte);
	assert_int_equal(number(o, "fault_pmd_ns"), 0);
	assert_int_equal(number(o, "useful_waits"), stats.useful_waits);
	assert_int_equal(number(o, "stalls.pmd_on_pte.n"), 2);
	assert_int_equal(number(o, "stalls.pmd_on_pte.ns"), 10000);
	assert_int_equal(number(o, "stalls.pte_on_pmd.n"), 1);
	assert_int_equal(number(o, "stalls.pte_on_pte.n"), 0);
	assert_int_equal(number(o, "stalls_ns.pte_on_pmd.max"), 7000);
	assert_in_range(number(o, "latency_ns.pte.p50"), 48400, 51600);
	assert_in_range(number(o, "latency_ns.pte.p99"), 95900, 100000);
	assert_int_equal(number(o, "latency_ns.pte.max"), 100000);
	assert_int_equal(number(o, "files"), 3);
	assert_int_equal(number(o, "mappings"), 4);
	assert_int_equal(number(o, "processes"), 5);
	assert_int_equal(number(o, "huge_bytes"), stats.huge_bytes);
	assert_string_equal(json_string_value(json_object_get(o, "protocol")),
			    "616");
	assert_string_equal(json_string_value(json_object_get(o, "track")),
			    "fast");
	json_decref(o);
}

/* What is not known is absent, not zero. */
static void test_absent(void **state)
{
	static const struct lost_times none;
	struct fault_summary more = { .lost = &none };
	json_t *o;

	memset(&stats, 0, sizeof(stats));
	o = fault_stats_to_json(&stats, &more);
	assert_int_equal(number(o, "faults.total"), 0);
	assert_int_equal(number(o, "lost_wakeups"), 0);
	assert_null(json_object_get(o, "lost_ns"));
	assert_null(json_object_get(o, "stall_ns"));
	assert_null(json_object_get(o, "media"));
	assert_true(json_is_false(json_object_get(o, "escaped")));
	assert_null(json_object_get(json_object_get(o, "latency_ns"), "pmd"));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_add_lost),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
