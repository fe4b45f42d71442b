/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes of an experiment: children, a private udaxd with the preload library
 * for its programs, descriptors passed between them. What an experiment starts
 * it ends, also when it is interrupted; all die with it. One thread.
 */
#ifndef UDAX_BENCH_PROC_H
#define UDAX_BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#define SMALL_UNIT 4096ull
#define HUGE_UNIT (2ull << 20)

/* One descriptor with a small packet; both 0 or -errno. */
int send_fd(int sock, const void *data, size_t size, int fd);
int recv_fd(int sock, void *data, size_t size, int *fd);

/* MAP_SHARED, readable and writable, at a 2M boundary; MAP_FAILED and errno. */
void *map_aligned(int fd, uint64_t size);

/* Makes it of huge pages; tries again while one is in use. 0 or -errno. */
int collapse_range(void *p, uint64_t size);

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
	const char *log;	/* its stderr is appended to; NULL: ours */
};

/* 0 or -errno, also when the program cannot be executed. */
int child_spawn(struct child *c, const struct spawn *how);
/* Kills it if it still runs, reaps it, closes its socket. */
void child_end(struct child *c);

/* udaxd, udax and the preload library beside us, and a private daemon. */
struct udax_tree {
	char daemon[4096], preload[4096], cli[4096];
};

/* 0, or -ENOENT with a sentence on stderr. */
int udax_find(struct udax_tree *t);

/* Does this udaxd have the option --@name? */
bool udax_has(const struct udax_tree *t, const char *name);

/* How udaxd was built and would run; says so if it is a debug build. New reference. */
json_t *udax_config(const struct udax_tree *t);

struct udax_daemon {
	struct child child;
	const char *log;	/* set before udax_start(): where its stderr goes */
	char dir[64];		/* private directory of the socket */
	char sock[96];
	char pmem[4096];
	char *env[64];		/* environment of its programs; strings owned */
};

/* A daemon for files below @pmem, on @cpus; waits until it listens. 0 or -errno. */
int udax_start(struct udax_daemon *d, const struct udax_tree *t,
	       const char *pmem, const int *cpus, unsigned int nr_cpus);
/* The same with further options, up to UDAX_MORE of them; NULL ends them. */
#define UDAX_MORE 12
int udax_start_with(struct udax_daemon *d, const struct udax_tree *t,
		    const char *pmem, const int *cpus, unsigned int nr_cpus,
		    const char *const *more);
/* Adds NAME=VALUE to the environment of its programs. 0 or -errno. */
int udax_env(struct udax_daemon *d, const char *setting);
void udax_stop(struct udax_daemon *d);

#endif
