/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The experiments of udax-bench: X(name, function, one line). The order is that
 * of `udax-bench list` and of `run all`. No include guard: define X and include.
 */
X(floor, floor_run, "page faults of udaxd beside the raw userfaultfd loop and native")
X(e1, e1_run, "litmus tests under real page faults: who sleeps for ever?")
X(e2, e2_run, "lost wakeups under load, by protocol")
X(e3, e3_run, "the question: converge the wait queues, or let 2M faults fall back at once?")
X(e4, e4_run, "from which hold time on does waiting for a 4K entry cost more than 1 %?")
X(e5, e5_run, "what Linux 5.3 lost: no 2M entries (61c3 against 6370)")
X(e6, e6_run, "the price of waking all at an invalidation (6370 against 513)")
X(e7, e7_run, "how many wait queues: waiters that a wake looks at in vain")
X(e8, e8_run, "what a 2M attempt costs that ends in a fragmented extent")
X(e9, e9_run, "mmap() and munmap() beside faults that keep the mmap lock, or drop it")
X(model, model_run, "what the protocol costs by itself: locks, lookups, wakes, memory")
X(programs, programs_run, "run time of programs of others, native and on emulated DAX")
X(idle, idle_run, "CPU time of a daemon with 1000 mappings and no faults")
X(sim, sim_experiment, "the simulator beside live runs: is it within 20 %?")
