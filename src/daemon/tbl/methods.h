/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of the control socket: X(name, function, one-line help). */
X("rpc_get_methods", method_rpc_get_methods, "every method and what it does")
X("get_status", method_get_status, "what this udaxd is, and the sum of all counters")
X("list_sessions", method_list_sessions, "programs, one memory each; {counters: BOOL}")
X("list_files", method_list_files, "files that some program maps")
X("list_mappings", method_list_mappings, "mappings of files; {session: ID}: of one session")
X("get_summary", method_get_summary, "counters of a run; {token: HEX, wait: BOOL}")
X("shutdown", method_shutdown, "end this udaxd")
