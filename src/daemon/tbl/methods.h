/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of the control socket: X(name, function, one-line help). */
X("rpc_get_methods", method_rpc_get_methods, "every method and what it does")
X("get_status", method_get_status, "what this udaxd is, and the sum of all counters")
X("list_sessions", method_list_sessions, "programs, one memory each; {counters: BOOL}")
X("list_files", method_list_files, "files that some program maps")
X("list_mappings", method_list_mappings, "mappings of files; {session: ID}: of one session")
X("list_waiters", method_list_waiters, "operations that wait for an entry; {file: ID}: of one file")
X("list_holds", method_list_holds, "operations whose medium is at work; {file: ID}: of one file")
X("list_entries", method_list_entries, "a file's table; {file: ID, first: PAGE, max: N}")
X("set", method_set, "changes {hold: [RULE], on_lost_wakeup: ACTION}")
X("run_operation", method_run_operation, "for tests: {file: ID, operation: NAME, first: PAGE, last: PAGE}")
X("get_summary", method_get_summary, "counters of a run; {token: HEX, wait: BOOL}")
X("shutdown", method_shutdown, "end this udaxd")
