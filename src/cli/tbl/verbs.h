/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs of udax: X(name, function, one-line help). */
X("run", cmd_run, "run a program on emulated DAX and say what faults it took")
X("status", cmd_status, "what a running udaxd is and has done")
X("list", cmd_list, "what a running udaxd serves, and who waits in it")
X("set", cmd_set, "change how a running udaxd behaves")
X("shutdown", cmd_shutdown, "end a running udaxd")
X("script", cmd_script, "print a trace of page faults: text, JSON, or for Perfetto")
X("replay", cmd_replay, "run a scenario script and print what the faults did")
X("check", cmd_check, "every interleaving of a few faults: which protocol loses a wakeup")
X("sim", cmd_sim, "many tasks on many CPUs, simulated: what a protocol costs")
X("doctor", cmd_doctor, "what this machine can do, and how to enable the rest")
