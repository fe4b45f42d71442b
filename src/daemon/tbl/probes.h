/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The USDT probes of udaxd: X(name, where), in the order of a fault's life. What
 * each has to say is in probes.h. where: "always", a nop in the fault path; or
 * "step", in code that runs while somebody traces one of these. No include guard:
 * define X, include, undefine it.
 */
X(fault_begin,		always)
X(attempt_done,		always)
X(entry_lock,		step)
X(entry_unlock,		step)
X(wait_begin,		step)
X(wait_end,		step)
X(wake,			step)
X(stranded,		always)
X(install_begin,	always)
X(install_end,		always)
