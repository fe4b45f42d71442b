/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the steps of a fault cost on a CPU: X(name, nanoseconds, what). Where the
 * defaults come from is in doc/simulator.md.
 */
X(entry, 500, "from the access to the first lookup")
X(lookup, 20, "look an entry up, and lock it or sleep on it: i_pages held")
X(insert, 20, "store what the extent says: i_pages held")
X(map, 600, "install a page")
X(map2m, 600, "install a 2M translation")
X(unlock, 15, "store the unlocked entry: i_pages held")
X(wake, 400, "each task made runnable")
X(scan, 2, "each node of a wait queue that a wake looks at")
X(run, 2000, "from made runnable to ready for a CPU")
X(switch, 1000, "a CPU turns to another task")
X(unmap, 1300, "zap or write-protect a range in every mapping")
X(spin, 0, "the end of a hold that a CPU waits for")
X(exit, 300, "from the end of the fault to the access")
