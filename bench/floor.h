/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The floor experiment's processes and what they say to each other.
 *
 *	touch	maps the file, and in each round zaps its page tables and
 *		touches every unit once, timing each touch
 *	serve	the raw loop: reads the touchers' userfaultfd and resolves,
 *		nothing else; got the descriptor by SCM_RIGHTS
 *	udaxd	the real daemon; the toucher has libudax-preload.so instead of
 *		a userfaultfd of its own
 *
 * The parent drives the touchers in turn, a round each, over SOCK_SEQPACKET
 * pairs. All are processes of one program, so the structs need no version.
 */
#ifndef UDAX_BENCH_FLOOR_H
#define UDAX_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench.h"

#define SMALL_UNIT 4096ull
#define HUGE_UNIT (2ull << 20)

/* Toucher to parent, once. */
struct touch_hello {
	int32_t error;		/* 0, or the errno of the set-up */
	uint32_t armed;		/* is a userfaultfd registered on the mapping? */
	uint64_t map_ns;	/* time to make the mappings */
};

/* Parent to toucher. */
enum touch_command { TOUCH_ROUND = 1, TOUCH_QUIT };

/* Toucher to parent, for each TOUCH_ROUND. Times in ns. */
struct touch_round {
	uint64_t touches;
	uint64_t ns;		/* wall, first touch to last, sum of the passes */
	uint64_t cpu_ns;	/* of the toucher and its server, the same span */
	uint64_t min, p50, p99, max;	/* of single touches */
	uint64_t wrong;		/* units that do not hold what was stored */
	uint64_t huge_bytes;	/* ShmemPmdMapped after the last pass */
};

/* Toucher to server, once, with the userfaultfd. */
struct serve_hello {
	int32_t pid;
};

enum serve_form { SERVE_BLOCK, SERVE_URING };

/* One descriptor with a small packet; both 0 or -errno. */
int send_fd(int sock, const void *data, size_t size, int fd);
int recv_fd(int sock, void *data, size_t size, int *fd);

/* MAP_SHARED, readable and writable, at a 2M boundary; MAP_FAILED and errno. */
void *map_aligned(int fd, uint64_t size);

/* A child process of the experiment; dies with it. */
struct child {
	pid_t pid;
	int ctl;		/* our end of its control socket, or -1 */
};

/* How to start a program; argv[0] is its path. */
struct spawn {
	char *const *argv;
	char *const *envp;	/* NULL: ours */
	const int *cpus;	/* affinity; NULL: ours */
	unsigned int nr_cpus;
	int keep[2];		/* descriptors that it inherits, -1: none */
};

/* 0 or -errno, also when the program cannot be executed. */
int child_spawn(struct child *c, const struct spawn *how);
/* Kills it if it still runs, reaps it, closes its socket. */
void child_end(struct child *c);

/* udaxd and the preload library beside us, and a private daemon. */
struct udax_tree {
	char daemon[4096], preload[4096];
};

/* 0, or -ENOENT with a sentence on stderr. */
int udax_find(struct udax_tree *t);

/* How udaxd was built and would run; says so if it is a debug build. New reference. */
json_t *udax_config(const struct udax_tree *t);

struct udax_daemon {
	struct child child;
	char dir[64];		/* private directory of the socket */
	char sock[96];
	char pmem[4096];
	char *env[64];		/* environment of its programs; strings owned */
};

/* A daemon for files below @pmem, on @cpus; waits until it listens. 0 or -errno. */
int udax_start(struct udax_daemon *d, const struct udax_tree *t,
	       const char *pmem, const int *cpus, unsigned int nr_cpus);
void udax_stop(struct udax_daemon *d);

#endif
