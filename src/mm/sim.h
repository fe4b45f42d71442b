/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator: tasks on CPUs take page faults in virtual time, over the model
 * itself. What is random is a function of the seed and of a request's number
 * alone, so each protocol sees the same requests; nothing depends on the
 * machine, the clock or an address. udax-sim(1) says what is simulated.
 *
 * Times are nanoseconds. No threads, no locks; a simulation lives for one call.
 */
#ifndef UDAX_MM_SIM_H
#define UDAX_MM_SIM_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "dax/dax.h"
#include "lib/hold.h"
#include "mm/sim_samples.h"

enum sim_cost {
#define X(name, ns, what) SIM_COST_##name,
#include "mm/tbl/sim_cost.h"
#undef X
	SIM_COSTS
};

enum sim_arrivals {
	SIM_CLOSED,		/* a task's next request: when it has thought */
	SIM_POISSON,		/* @rate requests a second, by whoever is free */
	SIM_POISSON_TASK,	/* @rate requests a second of each task */
};

#define SIM_MAX_CPUS	4096
#define SIM_MAX_TASKS	65536
#define SIM_MAX_WINDOWS	65536

struct sim_config {
	/* the machine */
	unsigned int cpus;
	uint64_t quantum;	/* of round robin; 0: first in, first out */
	unsigned int table_bits;	/* 1 << of them: wait queues */
	bool served;		/* faults are served by another task, a daemon */
	uint64_t cost[SIM_COSTS];
	/* the load */
	unsigned int tasks;
	enum sim_arrivals arrivals;
	double rate;
	struct dist think;	/* between two requests, off the CPU: SIM_CLOSED */
	struct dist work;	/* before each fault, on the CPU */
	unsigned int files, windows, pages;	/* @windows in all; @pages of each */
	double pmd;		/* part of faults that try 2M first */
	double write;		/* part of faults that write */
	double holes;		/* part of new windows without blocks */
	uint64_t renew;		/* requests until a window is new; 0: never */
	double conflict;	/* negative: as it comes. See sim_work.c */
	double invalidates, writebacks;	/* a second, in all */
	unsigned int workers;	/* tasks for those */
	/* the medium */
	struct hold hold;
	bool spin;		/* holds keep their CPU */
	/* the run */
	uint64_t faults;	/* requests that count; 0: until @time */
	uint64_t time;		/* no request starts later; 0: no limit */
	uint64_t warmup;	/* requests before those that count */
	bool kick;		/* wake who is stranded, @kick_after later */
	uint64_t kick_after;
	uint64_t seed;
	const volatile sig_atomic_t *stop;	/* ends the run early; may be NULL */
};

/* A first sleep: what slept on what. */
enum sim_stall {
	SIM_PTE_ON_PTE,		/* its own page */
	SIM_PTE_ON_PMD,
	SIM_PMD_ON_PMD,
	SIM_PMD_ON_OWN,		/* a 4K entry, of the page that faults */
	SIM_PMD_ON_PTE,		/* a 4K entry of another page: the avoidable one */
	SIM_STALLS
};

enum sim_order { SIM_PTE, SIM_PMD, SIM_ORDERS };	/* what was tried first */

struct sim_result {
	uint64_t faults, pte, pmd, reads, writes;	/* ended, that count */
	uint64_t start, end;	/* when counting began; the last event */
	struct dax_stats stats;
	uint64_t wake_calls;	/* wakes that looked at a node */
	struct sim_samples stall[SIM_STALLS];	/* first sleep to lock or fallback */
	struct sim_samples latency[SIM_ORDERS];	/* arrival to end */
	/* Of each sleep that a wake ended, while it was not yet runnable: */
	struct sim_samples delayed;	/* its target was free, so long in all */
	struct sim_samples late;	/* so long in the end */
	struct sim_samples woken[2];	/* by WAKE_NEXT, WAKE_ALL: waiters a wake */
	uint64_t pmd_waits_pte, pmd_useful;	/* on a 4K entry; then got 2M */
	uint64_t pmd_waits_pmd;
	uint64_t conflicts_arranged;
	uint64_t fallback[DAX_FALLBACK_NR];
	uint64_t mapped_pmd, mapped_pte;
	uint64_t invalidates, writebacks;	/* ended */
	uint64_t lost, lost_faults;	/* asleep in the end; faults among them */
	uint64_t kicked;
	uint64_t held;		/* entry locked, summed over entries */
	uint64_t busy, spun;	/* CPU time; of it waiting for i_pages or a queue */
	uint64_t events;
	bool stopped;
};

void sim_config_init(struct sim_config *c);
/* 0, -ENOMEM. @r is filled and, whatever came, sim_result_free()d by the caller. */
int sim_run(const struct sim_config *c, const struct dax_protocol *proto,
	    struct sim_result *r);
void sim_result_free(struct sim_result *r);

/* Static strings: "entry", ... */
const char *sim_cost_name(enum sim_cost cost);
const char *sim_stall_name(enum sim_stall stall);

#endif
