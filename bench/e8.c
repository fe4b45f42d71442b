/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e8: the downgrade. A 2M fault into an extent that is not 2M long makes an empty
 * 2M entry, looks the extent up, gives the entry back and falls back; the 4K fault
 * that follows takes the entry apart (lock, remove, wake all) before it makes its
 * own. What is all that worth? The same pages through a mapping that allows no 2M
 * fault are the measure.
 */
#include "cells.h"
#include "live.h"
#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WINDOWS 257

/* One block in each window: no extent is 2M long. */
static int make_fragmented(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), ret = 0;
	uint64_t i;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, WINDOWS * HUGE_UNIT))
		ret = -errno;
	for (i = 0; i < WINDOWS && !ret; i++)
		if (pwrite(fd, "x", 1, i * HUGE_UNIT + 300 * SMALL_UNIT) != 1)
			ret = -errno;
	close(fd);
	return ret;
}

static int body(struct live *l, json_t *cells)
{
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32], path[400];
	struct live_cell cell = {
		.group = "fragmented", .name = "one block in each 2M",
		.path = path, .variants = variants,
		.nr = live_protocols(l->opts, "513,616", variants, names),
		.rounds = l->opts->repeat ? l->opts->repeat : l->opts->quick ? 2 : 11,
		.cfg = { .load = LOAD_PAIRS, .processes = 1, .threads = 2,
			 .windows = WINDOWS, .steps = l->opts->quick ? 32 : 256 },
	};
	int ret;

	snprintf(path, sizeof(path), "%s/fragmented", l->dir);
	ret = make_fragmented(path);
	if (ret)
		fprintf(stderr, "udax-bench: %s: %s\n", path, strerror(-ret));
	else
		ret = live_cell(l, &cell, cells);
	unlink(path);
	return ret;
}

static void show(json_t *report)
{
	const json_t *cell, *v;
	json_t *table;
	size_t i, k;

	table = results_table(report, "downgrade", "A 4K fault with and without the 2M attempt",
		"protocol|after a 2M attempt, p50 us|without one, p50 us|downgrades a 2M attempt"
		"|extent fallbacks a 2M attempt|wakes of all that found a waiter");
	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			struct spread large = variant_spread(v, "large.p50");
			struct spread small = variant_spread(v, "small.p50");
			double n = variant_sum(v, "large.n");

			large.median /= 1e3, large.min /= 1e3, large.max /= 1e3;
			small.median /= 1e3, small.min /= 1e3, small.max /= 1e3;
			results_row(table, json_pack("[s,o,o,f,f,f]",
				cell_string(v, "name"), spread_cell(large), spread_cell(small),
				n ? variant_sum(v, "counters.downgrades") / n : 0,
				n ? variant_sum(v, "counters.fallback.extent") / n : 0,
				variant_sum(v, "counters.wakes.all")));
		}
	}
	results_say(report, "read", "Each 2M attempt locks three times (make and unlock the 2M "
		"entry; lock and remove it; make the 4K entry) and calls the wake of all "
		"once, where a 4K fault alone locks once. The difference of the two times "
		"is that, and the question to the medium that the attempt asks.");
	results_say(report, "not", "The kernel keeps the empty 2M entry too; no protocol here "
		"removes it earlier. The time that the kernel takes for this is not "
		"measured.");
}

int e8_run(const struct bench_opts *opts, json_t *report)
{
	return live_experiment(opts, report, 0, body, show);
}
