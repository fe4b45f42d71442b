/* SPDX-License-Identifier: BSD-3-Clause */
/* What a simulation has shown: a table for people, JSON for programs. */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/sim.h"
#include "lib/parse.h"

/* -------------------------------------------------------------- figures */

static double rate_of(const struct sim_result *r)
{
	return r->end > r->start ? r->faults * 1e9 / (r->end - r->start) : 0;
}

/* Bytes mapped by 2M translations, of all mapped. */
static double coverage(const struct sim_result *r)
{
	double huge = (double)r->mapped_pmd * PG_PMD_NR;

	return huge + r->mapped_pte > 0 ? huge / (huge + r->mapped_pte) : 0;
}

static double per(uint64_t a, uint64_t b)
{
	return b ? (double)a / b : 0;
}

static double utilisation(const struct sim_config *c, const struct sim_result *r)
{
	return per(r->busy, (r->end - r->start) * c->cpus);
}

/* Stalls on the page that is wanted: no protocol can avoid them. */
static uint64_t unavoidable_ns(const struct sim_result *r)
{
	uint64_t ns = 0;

	for (int i = 0; i < SIM_STALLS; i++)
		if (i != SIM_PMD_ON_PTE)
			ns += r->stall[i].sum;
	return ns;
}

/* ---------------------------------------------------------------- people */

#define WIDTH 13

static void head(const char *name)
{
	printf("%-30s", name);
}

#define ROW(name, format, value) do { \
	head(name); \
	for (unsigned int i = 0; i < nr; i++) { \
		const struct sim_result *r = &rows[i].r; \
		printf(" %*" format, WIDTH, value); \
	} \
	putchar('\n'); \
} while (0)

static void print_times(const char *name, const struct sim_row *rows,
			unsigned int nr, size_t member)
{
	static const struct {
		const char *name;
		unsigned int permille;
	} columns[] = { { "p50", 500 }, { "p99", 990 }, { "max", 1000 } };
	char text[32], buf[32];
	uint64_t any = 0;

#define SET(i) ((const struct sim_samples *)((const char *)&rows[i].r + member))
	for (unsigned int i = 0; i < nr; i++)
		any |= SET(i)->nr;
	if (!any)
		return;
	snprintf(text, sizeof(text), "%s", name);
	head(text);
	for (unsigned int i = 0; i < nr; i++)
		printf(" %*zu", WIDTH, SET(i)->nr);
	putchar('\n');
	for (size_t q = 0; q < sizeof(columns) / sizeof(columns[0]); q++) {
		printf("  %-28s", columns[q].name);
		for (unsigned int i = 0; i < nr; i++)
			printf(" %*s", WIDTH,
			       format_duration(buf, sizeof(buf),
					       sim_samples_quantile(SET(i), columns[q].permille)));
		putchar('\n');
	}
#undef SET
}

static void print_total(const char *name, const struct sim_row *rows,
			unsigned int nr, uint64_t (*total)(const struct sim_result *r))
{
	char buf[32];

	head(name);
	for (unsigned int i = 0; i < nr; i++)
		printf(" %*s", WIDTH, format_duration(buf, sizeof(buf),
						      total(&rows[i].r)));
	putchar('\n');
}

static uint64_t avoidable_ns(const struct sim_result *r)
{
	return r->stall[SIM_PMD_ON_PTE].sum;
}

static uint64_t delayed_ns(const struct sim_result *r)
{
	return r->delayed.sum;
}

static uint64_t late_ns(const struct sim_result *r)
{
	return r->late.sum;
}

static uint64_t span_ns(const struct sim_result *r)
{
	return r->end - r->start;
}

static void print_faults(const struct sim_config *c, const struct sim_row *rows,
			 unsigned int nr)
{
	ROW("faults", PRIu64, r->faults);
	ROW("  2M first", PRIu64, r->pmd);
	ROW("faults a second", ".0f", rate_of(r));
	print_total("virtual time", rows, nr, span_ns);
	ROW("CPUs busy", ".3f", utilisation(c, r));
	print_times("4K faults, arrival to end", rows, nr,
		    offsetof(struct sim_result, latency[SIM_PTE]));
	print_times("2M faults, arrival to end", rows, nr,
		    offsetof(struct sim_result, latency[SIM_PMD]));
	ROW("2M coverage", ".4f", coverage(r));
	for (int f = 1; f < DAX_FALLBACK_NR; f++) {
		char name[40];
		uint64_t any = 0;

		for (unsigned int i = 0; i < nr; i++)
			any |= rows[i].r.fallback[f];
		snprintf(name, sizeof(name), "fallback: %s", dax_fallback_name(f));
		if (any)
			ROW(name, PRIu64, r->fallback[f]);
	}
}

static void print_stalls(const struct sim_row *rows, unsigned int nr)
{
	static const char *const names[SIM_STALLS] = {
		[SIM_PTE_ON_PTE] = "stalls: 4K on its own page",
		[SIM_PTE_ON_PMD] = "stalls: 4K on a 2M entry",
		[SIM_PMD_ON_PMD] = "stalls: 2M on a 2M entry",
		[SIM_PMD_ON_OWN] = "stalls: 2M on its own page",
		[SIM_PMD_ON_PTE] = "stalls: 2M on another page",
	};

	for (int i = 0; i < SIM_STALLS; i++)
		print_times(names[i], rows, nr,
			    offsetof(struct sim_result, stall) +
			    i * sizeof(struct sim_samples));
	print_total("stalled, unavoidably", rows, nr, unavoidable_ns);
	print_total("stalled on another page", rows, nr, avoidable_ns);
	ROW("2M waits for a 4K entry", PRIu64, r->pmd_waits_pte);
	ROW("  useful", PRIu64, r->pmd_useful);
}

static void print_wakes(const struct sim_row *rows, unsigned int nr)
{
	ROW("wakes: next", PRIu64, r->stats.wakes_next);
	ROW("wakes: all", PRIu64, r->stats.wakes_all);
	ROW("woken", PRIu64, r->stats.woken);
	ROW("misdirected", PRIu64, r->stats.misdirected);
	ROW("barged", PRIu64, r->stats.barged);
	ROW("useless", PRIu64, r->stats.useless);
	ROW("nodes scanned a wake", ".2f", per(r->stats.scanned, r->wake_calls));
	print_times("sleeps: target free, asleep", rows, nr,
		    offsetof(struct sim_result, delayed));
	print_total("  total", rows, nr, delayed_ns);
	print_times("sleeps: last freed to woken", rows, nr,
		    offsetof(struct sim_result, late));
	print_total("  total", rows, nr, late_ns);
	ROW("stranded", PRIu64, r->stats.stranded);
	ROW("rescued", PRIu64, r->stats.rescued);
	ROW("kicked", PRIu64, r->kicked);
	ROW("lost", PRIu64, r->lost);
}

void sim_print(const struct sim_config *c, const struct sim_row *rows,
	       unsigned int nr)
{
	char buf[32];

	printf("seed %lu, %u tasks on %u CPUs\n", c->seed, c->tasks, c->cpus);
	head("");
	for (unsigned int i = 0; i < nr; i++)
		printf(" %*s", WIDTH, rows[i].proto->name);
	putchar('\n');
	print_faults(c, rows, nr);
	print_stalls(rows, nr);
	print_wakes(rows, nr);
	head("wall time");
	for (unsigned int i = 0; i < nr; i++)
		printf(" %*s", WIDTH,
		       format_duration(buf, sizeof(buf), rows[i].wall_ns));
	putchar('\n');
}

/* ------------------------------------------------------------------ JSON */

static void set(json_t *o, const char *name, uint64_t value)
{
	json_object_set_new(o, name, json_integer(value));
}

static json_t *json_times(const struct sim_samples *s, bool cdf)
{
	json_t *o = json_object(), *list;

	set(o, "count", s->nr);
	set(o, "sum", s->sum);
	set(o, "p50", sim_samples_quantile(s, 500));
	set(o, "p90", sim_samples_quantile(s, 900));
	set(o, "p99", sim_samples_quantile(s, 990));
	set(o, "p999", sim_samples_quantile(s, 999));
	set(o, "max", sim_samples_quantile(s, 1000));
	if (!cdf)
		return o;
	list = json_array();
	for (unsigned int i = 0; i <= 1000; i += 10)
		json_array_append_new(list, json_integer(sim_samples_quantile(s, i)));
	json_object_set_new(o, "cdf", list);
	return o;
}

static json_t *json_dist(const struct dist *d)
{
	static const char *const kinds[] = {
		[DIST_CONSTANT] = "constant",
		[DIST_UNIFORM] = "range",
		[DIST_EXP] = "exponential",
		[DIST_LOGNORM] = "lognormal",
		[DIST_VALUES] = "recorded",
	};
	json_t *o = json_object();

	json_object_set_new(o, "kind", json_string(kinds[d->shape]));
	set(o, "mean_ns", dist_mean(d) + 0.5);
	return o;
}

static json_t *json_config(const struct sim_config *c)
{
	static const char *const arrivals[] = {
		[SIM_CLOSED] = "closed",
		[SIM_POISSON] = "poisson",
		[SIM_POISSON_TASK] = "poisson/task",
	};
	json_t *o = json_object(), *cost = json_object(), *hold = json_object();

	set(o, "seed", c->seed);
	set(o, "cpus", c->cpus);
	set(o, "quantum_ns", c->quantum);
	set(o, "table_bits", c->table_bits);
	json_object_set_new(o, "served", json_boolean(c->served));
	set(o, "tasks", c->tasks);
	json_object_set_new(o, "arrivals", json_string(arrivals[c->arrivals]));
	json_object_set_new(o, "rate", json_real(c->rate));
	json_object_set_new(o, "think", json_dist(&c->think));
	json_object_set_new(o, "work", json_dist(&c->work));
	set(o, "files", c->files);
	set(o, "windows", c->windows);
	set(o, "pages", c->pages);
	json_object_set_new(o, "pmd", json_real(c->pmd));
	json_object_set_new(o, "write", json_real(c->write));
	json_object_set_new(o, "holes", json_real(c->holes));
	set(o, "renew", c->renew);
	json_object_set_new(o, "conflict", c->conflict < 0 ? json_null() :
			    json_real(c->conflict));
	json_object_set_new(o, "invalidates", json_real(c->invalidates));
	json_object_set_new(o, "writebacks", json_real(c->writebacks));
	for (int i = 0; i < HOLD_NR; i++)
		json_object_set_new(hold, hold_kind_name(i), json_dist(&c->hold.time[i]));
	set(hold, "seed", c->hold.seed);
	json_object_set_new(o, "hold", hold);
	json_object_set_new(o, "spin", json_boolean(c->spin));
	for (int i = 0; i < SIM_COSTS; i++)
		set(cost, sim_cost_name(i), c->cost[i]);
	json_object_set_new(o, "cost_ns", cost);
	set(o, "faults", c->faults);
	set(o, "time_ns", c->time);
	set(o, "warmup", c->warmup);
	json_object_set_new(o, "kick_ns", c->kick ? json_integer(c->kick_after) :
			    json_null());
	return o;
}

static json_t *json_faults(const struct sim_result *r)
{
	json_t *o = json_object();

	set(o, "total", r->faults);
	set(o, "pte", r->pte);
	set(o, "pmd", r->pmd);
	set(o, "read", r->reads);
	set(o, "write", r->writes);
	return o;
}

static json_t *json_fallback(const struct sim_result *r)
{
	json_t *o = json_object();

	for (int i = 1; i < DAX_FALLBACK_NR; i++)
		set(o, dax_fallback_name(i), r->fallback[i]);
	return o;
}

static json_t *json_wakes(const struct sim_result *r)
{
	json_t *o = json_object();

	set(o, "next", r->stats.wakes_next);
	set(o, "all", r->stats.wakes_all);
	set(o, "woken", r->stats.woken);
	set(o, "misdirected", r->stats.misdirected);
	set(o, "barged", r->stats.barged);
	set(o, "useless", r->stats.useless);
	set(o, "calls", r->wake_calls);
	set(o, "scanned", r->stats.scanned);
	return o;
}

static json_t *json_stalls(const struct sim_result *r, bool cdf)
{
	json_t *o = json_object();

	for (int i = 0; i < SIM_STALLS; i++)
		json_object_set_new(o, sim_stall_name(i),
				    json_times(&r->stall[i], cdf));
	set(o, "unavoidable", unavoidable_ns(r));
	set(o, "avoidable", r->stall[SIM_PMD_ON_PTE].sum);
	return o;
}

static void add_waits(json_t *o, const struct sim_result *r)
{
	set(o, "waits", r->stats.waits);
	set(o, "conflicts", r->stats.conflicts);
	set(o, "conflicts_arranged", r->conflicts_arranged);
	set(o, "downgrades", r->stats.downgrades);
	set(o, "pmd_waits_on_pte", r->pmd_waits_pte);
	set(o, "pmd_waits_on_pmd", r->pmd_waits_pmd);
	set(o, "pmd_waits_useful", r->pmd_useful);
	set(o, "stranded", r->stats.stranded);
	set(o, "rescued", r->stats.rescued);
	set(o, "kicked", r->kicked);
	set(o, "lost_wakeups", r->lost);
	set(o, "lost_faults", r->lost_faults);
}

static json_t *json_row(const struct sim_config *c, const struct sim_row *row,
			bool cdf)
{
	const struct sim_result *r = &row->r;
	json_t *o = json_object(), *woken, *latency;

	json_object_set_new(o, "protocol", json_string(row->proto->name));
	json_object_set_new(o, "faults", json_faults(r));
	json_object_set_new(o, "faults_per_second", json_real(rate_of(r)));
	set(o, "virtual_ns", r->end - r->start);
	json_object_set_new(o, "cpu_busy", json_real(utilisation(c, r)));
	set(o, "spin_ns", r->spun);
	latency = json_pack("{so so}", "pte", json_times(&r->latency[SIM_PTE], cdf),
			    "pmd", json_times(&r->latency[SIM_PMD], cdf));
	json_object_set_new(o, "latency_ns", latency);
	json_object_set_new(o, "stall_ns", json_stalls(r, cdf));
	json_object_set_new(o, "wakes", json_wakes(r));
	woken = json_pack("{so so}", "next", json_times(&r->woken[0], cdf),
			  "all", json_times(&r->woken[1], cdf));
	json_object_set_new(o, "woken_per_wake", woken);
	json_object_set_new(o, "delayed_wake_ns", json_times(&r->delayed, cdf));
	json_object_set_new(o, "late_wake_ns", json_times(&r->late, cdf));
	json_object_set_new(o, "fallback", json_fallback(r));
	json_object_set_new(o, "huge_coverage", json_real(coverage(r)));
	set(o, "mapped_pmd", r->mapped_pmd);
	set(o, "mapped_pte", r->mapped_pte);
	add_waits(o, r);
	set(o, "invalidates", r->invalidates);
	set(o, "writebacks", r->writebacks);
	set(o, "entry_locked_ns", r->held);
	set(o, "events", r->events);
	set(o, "wall_ns", row->wall_ns);
	return o;
}

json_t *sim_json(const struct sim_config *c, const struct sim_row *rows,
		 unsigned int nr, bool cdf)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < nr; i++)
		json_array_append_new(list, json_row(c, &rows[i], cdf));
	return json_pack("{so so}", "config", json_config(c), "results", list);
}
