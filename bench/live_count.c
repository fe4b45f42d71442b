/* SPDX-License-Identifier: BSD-3-Clause */
#include "live_count.h"

#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "live.h"
#include "stats.h"

const char *sample_class_name(enum sample_class class)
{
	static const char *const names[] = {
		[SAMPLE_SMALL] = "small", [SAMPLE_LARGE] = "large",
		[SAMPLE_SMALL_SHARED] = "small_shared",
		[SAMPLE_LARGE_SHARED] = "large_shared",
		[SAMPLE_MMAP] = "mmap", [SAMPLE_APPEND] = "append",
		[SAMPLE_PASS] = "pass",
	};

	return names[class];
}

static void pool_add(struct sample_pool *pool, enum sample_class class, uint64_t ns)
{
	size_t room = pool->of[class].room;

	if (pool->of[class].nr == room) {
		room = room ? room * 2 : 1024;
		pool->of[class].v = reallocarray(pool->of[class].v, room,
						 sizeof(uint64_t));
		if (!pool->of[class].v)
			abort();
		pool->of[class].room = room;
	}
	pool->of[class].v[pool->of[class].nr++] = ns;
}

void pool_free(struct sample_pool *pool)
{
	for (int i = 0; i < SAMPLE_CLASSES; i++)
		free(pool->of[i].v);
	memset(pool, 0, sizeof(*pool));
}

json_t *pool_cdf(struct sample_pool *pool)
{
	/* Denser towards the tail, which is what people look at. */
	static const double parts[] = {
		0, .05, .1, .2, .3, .4, .5, .6, .7, .8, .85, .9, .93, .95, .97, .98,
		.985, .99, .993, .995, .997, .998, .999, 1,
	};
	json_t *o = json_object(), *a;
	size_t i, nr;

	for (int class = 0; class < SAMPLE_CLASSES; class++) {
		nr = pool->of[class].nr;
		if (!nr)
			continue;
		sort_u64(pool->of[class].v, nr);
		a = json_array();
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			json_array_append_new(a, json_pack("[I,f]", (json_int_t)
				quantile(pool->of[class].v, nr, parts[i]), parts[i]));
		json_object_set_new(o, sample_class_name(class), a);
	}
	return o;
}

/* @after - @before, member by member, of what only grows. */
static json_t *grown(const json_t *before, const json_t *after)
{
	json_t *o = json_object(), *value;
	const json_t *old;
	const char *key;

	json_object_foreach((json_t *)(uintptr_t)after, key, value) {
		old = json_object_get(before, key);
		if (json_is_integer(value))
			json_object_set_new(o, key, json_integer(
				json_integer_value(value) - json_integer_value(old)));
		else if (json_is_object(value) && !strstr(key, "_ns"))
			json_object_set_new(o, key, grown(old, value));
	}
	return o;
}

static json_t *class_json(uint64_t *v, size_t n)
{
	uint64_t sum = 0;
	size_t i;

	sort_u64(v, n);
	for (i = 0; i < n; i++)
		sum += v[i];
	return json_pack("{s:I,s:I,s:I,s:I,s:I}", "n", (json_int_t)n,
			 "p50", (json_int_t)quantile(v, n, 0.5),
			 "p99", (json_int_t)quantile(v, n, 0.99),
			 "max", (json_int_t)v[n - 1], "sum", (json_int_t)sum);
}

json_t *count_round(const struct faulters *f, const json_t *before,
		    const json_t *after, struct sample_pool *pool)
{
	uint64_t start = UINT64_MAX, end = 0, touches = 0;
	struct sample_pool round = { 0 }, all = { 0 };
	json_t *o = json_object();
	uint32_t i, k;

	for (i = 0; i < f->cfg.threads; i++) {
		const struct faulters_thread *t = &f->thread[i];

		start = t->start < start ? t->start : start;
		end = t->end > end ? t->end : end;
		touches += t->touches;
		for (k = 0; k < t->nr; k++) {
			pool_add(&round, t->samples[k].class, t->samples[k].ns);
			pool_add(pool, t->samples[k].class, t->samples[k].ns);
			if (t->samples[k].class > SAMPLE_LARGE_SHARED)
				continue;
			pool_add(&all, 0, t->samples[k].ns);
			touches++;
		}
	}
	json_object_set_new(o, "ns", json_integer((json_int_t)(end - start)));
	if (f->cfg.load == LOAD_SWEEP)
		touches -= round.of[SAMPLE_SMALL].nr;
	json_object_set_new(o, "touches", json_integer((json_int_t)touches));
	for (int class = 0; class < SAMPLE_CLASSES; class++)
		if (round.of[class].nr)
			json_object_set_new(o, sample_class_name(class),
					    class_json(round.of[class].v,
						       round.of[class].nr));
	sort_u64(all.of[0].v, all.of[0].nr);
	json_object_set_new(o, "p99_ns", json_integer((json_int_t)
		quantile(all.of[0].v, all.of[0].nr, 0.99)));
	json_object_set_new(o, "counters", grown(before, after));
	wake_figures(o);
	pool_free(&round);
	pool_free(&all);
	return o;
}
