/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The experiments of udax-bench: X(name, function, one line). The order is that
 * of `udax-bench list` and of `run all`. No include guard: define X and include.
 */
X(floor, floor_run, "page faults of udaxd beside the raw userfaultfd loop and native")
X(e3, e3_run, "the question: converge the wait queues, or let 2M faults fall back at once?")
X(idle, idle_run, "CPU time of a daemon with 1000 mappings and no faults")
