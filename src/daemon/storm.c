/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/storm.h"

#include <sched.h>
#include <string.h>

#define WINDOW_NS	3000000ull
/* Fewer faults a window are served better by a worker that wakes at once. */
#define STORM_FAULTS	60
/* Of 255. A read that finds something spares a wait; one that does not costs as much. */
#define FOUND_MIN	100
#define TRY_EVERY	16
/* So many in a row; then the others that the worker serves have their turn. */
#define READS_ON_MAX	64
#define BACKOFF_MIN_NS	100000000ull
#define BACKOFF_MAX_NS	10000000000ull

void storm_init(struct storm *s)
{
	memset(s, 0, sizeof(*s));
	s->backoff = BACKOFF_MIN_NS;
}

static void set(struct storm *s, bool on)
{
	struct sched_param none = { 0 };

	if (!sched_setscheduler(0, on ? SCHED_BATCH : SCHED_OTHER, &none))
		s->on = on;
}

static void end_of_window(struct storm *s, uint64_t ns, uint64_t now)
{
	uint64_t rate = s->served * WINDOW_NS / ns;

	if (!s->on) {
		s->before = rate;
		if (rate >= STORM_FAULTS && now >= s->not_before)
			set(s, true);
	} else if (rate < STORM_FAULTS / 2 || rate * 4 < s->before * 3ull) {
		set(s, false);
		s->not_before = now + s->backoff;
		if (s->backoff < BACKOFF_MAX_NS)
			s->backoff *= 2;
	} else {
		s->backoff = BACKOFF_MIN_NS;
	}
}

void storm_served(struct storm *s, unsigned int n, uint64_t now)
{
	s->served += n;
	if (!now || now - s->since < WINDOW_NS)
		return;
	end_of_window(s, now - s->since, now);
	s->since = now;
	s->served = 0;
}

bool storm_reads_on(struct storm *s, unsigned int reads)
{
	if (reads >= READS_ON_MAX)
		return false;
	if (s->found >= FOUND_MIN || ++s->skipped == TRY_EVERY) {
		s->skipped = 0;
		return true;
	}
	return false;
}

void storm_read(struct storm *s, bool found)
{
	s->found += ((found ? 255 : 0) - s->found) / 8;
	if (found && s->found < FOUND_MIN)	/* the next one may, too */
		s->found = FOUND_MIN;
}
