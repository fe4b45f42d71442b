/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/hist.h"

#define SUB (1u << HIST_SUB_BITS)

/* Plain loads and stores in the machine; they keep readers from torn values. */
#define load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)

/* Values below SUB have a bucket each; above, a power of two has SUB buckets. */
static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < SUB)
		return value;
	shift = 63 - __builtin_clzll(value) - HIST_SUB_BITS;
	return ((shift + 1) << HIST_SUB_BITS) + ((value >> shift) & (SUB - 1));
}

/* The middle of the bucket: off by at most half its width, 1/32 of the value. */
static uint64_t bucket_value(unsigned int bucket)
{
	unsigned int shift;
	uint64_t low;

	if (bucket < SUB)
		return bucket;
	shift = (bucket >> HIST_SUB_BITS) - 1;
	low = (uint64_t)(SUB + (bucket & (SUB - 1))) << shift;
	return low + (shift ? 1ull << (shift - 1) : 0);
}

/* Saturates: a full bucket stays full instead of starting at zero again. */
static uint32_t bucket_sum(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum < a ? UINT32_MAX : sum;
}

void hist_add(struct hist *h, uint64_t value)
{
	uint32_t *b = &h->bucket[bucket_of(value)];

	/* The maximum first: hist_quantile() never answers above it. */
	if (value > load(&h->max))
		store(&h->max, value);
	store(b, bucket_sum(load(b), 1));
	store(&h->count, load(&h->count) + 1);
	store(&h->sum, load(&h->sum) + value);
}

void hist_merge(struct hist *into, const struct hist *from)
{
	uint64_t max = load(&from->max);

	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		uint32_t n = load(&from->bucket[i]);

		if (n)
			store(&into->bucket[i],
			      bucket_sum(load(&into->bucket[i]), n));
	}
	store(&into->count, load(&into->count) + load(&from->count));
	store(&into->sum, load(&into->sum) + load(&from->sum));
	if (max > load(&into->max))
		store(&into->max, max);
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t total = 0, seen = 0, max = load(&h->max), v;
	double want;

	/* Not h->count: a writer may be between the bucket and the count. */
	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		total += load(&h->bucket[i]);
	if (!total)
		return 0;
	if (q >= 1)
		return max;
	want = q * (double)total;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		uint32_t n = load(&h->bucket[i]);

		seen += n;
		if (!n || (double)seen < want)
			continue;
		v = bucket_value(i);
		return v < max ? v : max;
	}
	return max;
}
