/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/summary.h"

/* Every value is below 2^63 in practice; JSON has no unsigned type. */
static int set(json_t *o, const char *name, uint64_t value)
{
	return json_object_set_new(o, name, json_integer((json_int_t)value));
}

/* Absent when the histogram is empty: a quantile of nothing is not zero. */
static int set_quantiles(json_t *o, const char *name, const struct hist *h)
{
	json_t *q;

	if (!h->count)
		return 0;
	q = json_pack("{s:I,s:I,s:I}",
		      "p50", (json_int_t)hist_quantile(h, 0.5),
		      "p99", (json_int_t)hist_quantile(h, 0.99),
		      "max", (json_int_t)h->max);
	return json_object_set_new(o, name, q);
}

/* Not every latency is taken: that of all @n faults, by the mean of those that are. */
static uint64_t total_ns(const struct hist *h, uint64_t n)
{
	return h->count ? (double)h->sum / h->count * n : 0;
}

static json_t *faults(const struct fault_stats *s)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I}",
			 "total", (json_int_t)(s->pte + s->pmd),
			 "pte", (json_int_t)s->pte, "pmd", (json_int_t)s->pmd,
			 "read", (json_int_t)s->read,
			 "write", (json_int_t)s->write);
}

/* Every reason has its place, also when nothing fell back for it. */
static json_t *fallbacks(const struct fault_stats *s)
{
	json_t *o = json_object();

	for (int i = DAX_FALLBACK_NONE + 1; o && i < DAX_FALLBACK_NR; i++)
		set(o, dax_fallback_name(i), s->fallback[i]);
	if (o)
		set(o, "nohuge", s->nohuge);
	return o;
}

static json_t *results(const struct fault_stats *s)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I}",
			 "nopage", (json_int_t)s->res_nopage,
			 "fallback", (json_int_t)s->res_fallback,
			 "sigbus", (json_int_t)s->res_sigbus,
			 "needdsync", (json_int_t)s->res_needdsync,
			 "cow", (json_int_t)s->res_cow);
}

static json_t *wakes(const struct dax_stats *d)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
			 "next", (json_int_t)d->wakes_next,
			 "all", (json_int_t)d->wakes_all,
			 "woken", (json_int_t)d->woken,
			 "scanned", (json_int_t)d->scanned,
			 "misdirected", (json_int_t)d->misdirected,
			 "barged", (json_int_t)d->barged,
			 "useless", (json_int_t)d->useless);
}

/* Absent when nobody asked for it: --mmap-lock kernel. */
static int set_mmap_lock(json_t *o, const struct fault_stats *s)
{
	json_t *lock = json_pack("{s:I,s:{s:I,s:I},s:I}",
				 "writes", (json_int_t)s->mmap_writes,
				 "waits", "read", (json_int_t)s->mmap_read_waits,
				 "write", (json_int_t)s->mmap_write_waits,
				 "max_queue", (json_int_t)s->mmap_queue);

	if (lock && set_quantiles(lock, "wait_ns", &s->mmap_wait)) {
		json_decref(lock);
		return -1;
	}
	return json_object_set_new(o, "mmap_lock", lock);
}

/* Absent when no wakeup was lost. */
static int set_lost(json_t *o, const struct lost_times *t)
{
	json_t *lost;
	int err = 0;

	if (!t || !t->detect.count)
		return 0;
	lost = json_object();
	err |= set_quantiles(lost, "detect", &t->detect);
	err |= set_quantiles(lost, "rescued", &t->rescued);
	err |= set_quantiles(lost, "kicked", &t->kicked);
	return json_object_set_new(o, "lost_ns", lost) | err;
}

static const char *const stall_names[2][2] = {
	{ "pte_on_pte", "pte_on_pmd" }, { "pmd_on_pte", "pmd_on_pmd" },
};

/* How many stalls by who waited for what, and how long they took together. */
static json_t *stalls(const struct fault_stats *s)
{
	json_t *o = json_object();

	for (int i = 0; o && i < 4; i++) {
		const struct hist *h = &s->stall_by[i / 2][i % 2];

		json_object_set_new(o, stall_names[i / 2][i % 2], json_pack(
			"{s:I,s:I}", "n", (json_int_t)h->count,
			"ns", (json_int_t)h->sum));
	}
	return o;
}

static json_t *stalls_ns(const struct fault_stats *s)
{
	json_t *o = json_object();

	for (int i = 0; o && i < 4; i++)
		set_quantiles(o, stall_names[i / 2][i % 2],
			      &s->stall_by[i / 2][i % 2]);
	return o;
}

static int set_string(json_t *o, const char *name, const char *value)
{
	return value ? json_object_set_new(o, name, json_string(value)) : 0;
}

json_t *fault_stats_to_json(const struct fault_stats *s,
			    const struct fault_summary *more)
{
	json_t *o = json_object(), *latency;
	struct hist all;
	int err = 0;

	if (!o)
		return NULL;
	err |= json_object_set_new(o, "faults", faults(s));
	err |= set(o, "refill", s->refill);
	err |= set(o, "around", s->around);
	err |= json_object_set_new(o, "fallback", fallbacks(s));
	err |= json_object_set_new(o, "result", results(s));
	err |= set(o, "waits", s->dax.waits);
	err |= json_object_set_new(o, "wakes", wakes(&s->dax));
	err |= set(o, "lost_wakeups", s->dax.stranded);
	err |= set(o, "rescued", s->dax.rescued);
	err |= set(o, "kicked", s->kicked);
	err |= set_lost(o, more->lost);
	latency = json_object();
	err |= set_quantiles(latency, "pte", &s->lat_pte);
	err |= set_quantiles(latency, "pmd", &s->lat_pmd);
	all = s->lat_pte;
	hist_merge(&all, &s->lat_pmd);
	err |= set_quantiles(latency, "all", &all);
	err |= json_object_set_new(o, "latency_ns", latency);
	err |= set_quantiles(o, "stall_ns", &s->stall);
	if (more->mmap_lock)
		err |= set_mmap_lock(o, s);
	err |= set(o, "fault_ns", total_ns(&s->lat_pte, s->pte) +
		   total_ns(&s->lat_pmd, s->pmd));
	err |= set(o, "fault_pmd_ns", total_ns(&s->lat_pmd, s->pmd));
	err |= json_object_set_new(o, "stalls", stalls(s));
	err |= json_object_set_new(o, "stalls_ns", stalls_ns(s));
	err |= set(o, "useful_waits", s->useful_waits);
	err |= set(o, "conflicts", s->dax.conflicts);
	err |= set(o, "downgrades", s->dax.downgrades);
	err |= set(o, "files", more->files);
	err |= set(o, "mappings", more->mappings);
	err |= set(o, "processes", more->processes);
	err |= set(o, "huge_bytes", s->huge_bytes);
	err |= set(o, "fill_bytes", s->fill_bytes);
	err |= set(o, "writeback_bytes", s->writeback_bytes);
	err |= set(o, "dropped", s->dropped);
	err |= set(o, "eagain", s->eagain);
	err |= set(o, "unknown", s->unknown);
	if (more->traced)
		err |= set(o, "trace_dropped", more->trace_dropped);
	err |= json_object_set_new(o, "escaped", json_boolean(more->escaped));
	err |= set_string(o, "protocol", more->protocol);
	err |= set_string(o, "track", more->track);
	err |= set_string(o, "media", more->media);
	if (!err)
		return o;
	json_decref(o);
	return NULL;
}
