/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Distributions of times, as options write them:
 *
 *	50us			always that
 *	10us-50us		uniform, both ends included
 *	exp:50us		exponential, with that mean
 *	lognorm:50us:0.5	lognormal: median, sigma of the logarithm
 *
 * A draw is a function of 64 random bits that the caller brings: no state, no
 * lock, no allocation. dist_bits() makes such bits out of a seed and a number.
 * Times are nanoseconds.
 */
#ifndef UDAX_LIB_DIST_H
#define UDAX_LIB_DIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dist_shape {
	DIST_CONSTANT, DIST_UNIFORM, DIST_EXP, DIST_LOGNORM,
	DIST_VALUES,	/* recorded ones, each as likely as another */
};

/* No draw is larger, whatever the tail of its distribution says. */
#define DIST_MAX_NS 60000000000ull

struct dist {
	enum dist_shape shape;	/* all zeros: always 0 */
	uint64_t ns;		/* the constant, lower bound, mean, or median */
	uint64_t max;		/* DIST_UNIFORM: upper bound, included */
	double sigma;		/* DIST_LOGNORM */
	const uint64_t *values;	/* DIST_VALUES: @nr of them, the caller's */
	size_t nr;
};

/* 0, or -EINVAL with a sentence in @why (@why_len bytes); *@d is left alone then. */
int dist_parse(const char *text, struct dist *d, char *why, size_t why_len);

uint64_t dist_draw(const struct dist *d, uint64_t random);
/* May a draw differ from 0? */
bool dist_some(const struct dist *d);
/* Of all draws, but for the bound. */
double dist_mean(const struct dist *d);

/* splitmix64: a bijection that leaves no trace of the order of its inputs. */
static inline uint64_t dist_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* The random bits of number @n under @seed. */
static inline uint64_t dist_bits(uint64_t seed, uint64_t n)
{
	return dist_mix(dist_mix(seed) + n);
}

/* [0, n), n > 0. */
static inline uint64_t dist_below(uint64_t random, uint64_t n)
{
	return (unsigned __int128)random * n >> 64;
}

/* [0, 1) */
static inline double dist_unit(uint64_t random)
{
	return (random >> 11) * 0x1p-53;
}

#endif
