/* SPDX-License-Identifier: BSD-3-Clause */
#include "mm/sim_samples.h"

#include <errno.h>
#include <stdlib.h>

int sim_samples_add(struct sim_samples *s, uint64_t value)
{
	size_t max = s->max ? s->max * 2 : 1024;
	uint64_t *v;

	if (s->nr == s->max) {
		v = reallocarray(s->value, max, sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->value = v;
		s->max = max;
	}
	s->value[s->nr++] = value;
	s->sum += value;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void sim_samples_sort(struct sim_samples *s)
{
	if (s->nr)
		qsort(s->value, s->nr, sizeof(*s->value), compare);
}

uint64_t sim_samples_quantile(const struct sim_samples *s,
			      unsigned int permille)
{
	size_t rank;

	if (!s->nr)
		return 0;
	rank = (s->nr * permille + 999) / 1000;
	return s->value[rank ? rank - 1 : 0];
}

void sim_samples_free(struct sim_samples *s)
{
	free(s->value);
	*s = (struct sim_samples){ 0 };
}
