/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of udax: X(name, function, one-line help). */
X("run", cmd_run, "run a program on emulated DAX and say what faults it took")
