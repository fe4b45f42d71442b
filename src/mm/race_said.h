/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the threads of a race say, by numbers: alike is equal.
 *
 * A word is a line of an outcome, or the mark that an attempt has slept, and
 * whether the script or the thread itself said it: there may be an attempt of
 * each. A label
 * is words one after the other, as they were said on the way from a state to the
 * next. An end is what is still to be said from a state on: each speaker's words
 * in their order, in what order speakers speak does not matter. A set is the ends
 * that a state may come to.
 *
 * 0 is the empty label, the end with nothing to be said, and the empty set.
 * No lock. @nomem: memory was short, and numbers are without meaning.
 */
#ifndef UDAX_MM_RACE_SAID_H
#define UDAX_MM_RACE_SAID_H

#include "mm/intern.h"
#include "mm/outcomes.h"

struct said {
	struct intern words;	/* the text, who speaks first */
	struct intern labels;	/* the label before, a word */
	struct intern chains;	/* a word, the chain of the same speaker behind */
	struct intern ends;	/* a chain for each speaker */
	struct intern sets;	/* ends, sorted */
	uint32_t *ends_of;	/* a set that is being made: */
	size_t nr, room;
	bool nomem;
};

void said_init(struct said *s);
void said_exit(struct said *s);

/*
 * @label and behind it a line of an outcome, without its newline. @script: the
 * script said it, maybe as a thread whose own fault is still under way.
 */
uint32_t said_line(struct said *s, uint32_t label, bool script, const char *line,
		   size_t len);
/* The same with the mark that @who's attempt, whose line comes next, has slept. */
uint32_t said_slept(struct said *s, uint32_t label, bool script, const char *who);

/* The set of the end with nothing to be said. */
uint32_t said_nothing(struct said *s);
/* A set is made: of the ends of @set, with @label before each. */
void said_collect(struct said *s, uint32_t label, uint32_t set);
/* The set of all that was collected since the last. */
uint32_t said_collected(struct said *s);

/* Adds the ends of @set to @out. 0 or -ENOMEM. */
int said_outcomes(struct said *s, uint32_t set, struct outcomes *out);

#endif
