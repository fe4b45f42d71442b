/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of udaxd: X(id, name, argument or NULL, help). The parser, the
 * short help and --dump-config come from this table.
 */
X(SOCKET, "socket", "PATH", "data socket; the control socket is PATH.ctl")
X(PMEM, "pmem", "DIR", "serve files below DIR only (repeatable; none: any file)")
X(WORKERS, "workers", "N", "worker threads (default: one a CPU of the affinity mask)")
X(HELPERS, "helpers", "N", "threads for work that blocks (default: 2)")
X(PROTOCOL, "protocol", "[GLOB:]NAME", "fault protocol (default: 616), or that of files GLOB")
X(HOLD, "hold", "RULE", "[GLOB:]alloc|read|flush=TIME[,...]: how long media take")
X(ON_LOST_WAKEUP, "on-lost-wakeup", "ACTION", "report (default), kick or kill: a fault nobody will wake")
X(TRACK, "track", "MODE", "fast: huge mappings, few faults; exact: the kernel's faults")
X(MEDIA, "media", "KIND", "auto, direct (tmpfs, hugetlbfs) or image (any file system)")
X(FAULT_AROUND, "fault-around", "N", "a 4K fault maps up to N pages; a power of two (default: 1)")
X(WAIT_QUEUES, "wait-queues", "N", "hashed wait queues; a power of two (default: 4096)")
X(TRACE, "trace", "FILE", "write a trace of what happens to FILE (udax-script(1))")
X(TRACE_SIZE, "trace-size", "SIZE", "at most so many bytes of it a thread (default: 64M)")
X(READY_FD, "ready-fd", "FD", "write one byte to FD once the sockets listen, then close it")
X(EXIT_WITH_KEEPER, "exit-with-keeper", NULL, "end with udax run, and remove the socket's directory")
X(KERNEL, "kernel", "VERSION", "exact tracking as of Linux 6.18 (default) or 6.1")
X(FS, "fs", "NAME", "exact tracking as on xfs (default) or ext4")
X(FS_CLIENTS, "fs-clients", NULL, "clients may be a file's file system, as udax replay is")
X(VERBOSE, "verbose", NULL, "say what happens, on stderr")
X(DUMP_CONFIG, "dump-config", NULL, "print the configuration as key=value and exit")
X(HELP, "help", NULL, "print this and exit")
X(VERSION, "version", NULL, "print the version and exit")
