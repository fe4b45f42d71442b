/* SPDX-License-Identifier: BSD-3-Clause */
/* idle: what a daemon costs that has many mappings and no faults. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"

#define MAPPINGS 1000
#define START_MS 60000

/* Voluntary switches of all threads: how often it woke. */
static uint64_t switches(pid_t pid)
{
	char cmd[96], line[128];
	uint64_t sum = 0;
	unsigned long n;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "cat /proc/%d/task/*/status", pid);
	p = popen(cmd, "r");
	while (p && fgets(line, sizeof(line), p))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
			sum += n;
	if (p)
		pclose(p);
	return sum;
}

/* KiB of memory that it has; 0 if that cannot be read. */
static uint64_t resident(pid_t pid)
{
	char path[64], line[128];
	unsigned long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* A client of the daemon with MAPPINGS mappings; it waits for a command. */
static int start_client(struct udax_daemon *d, struct child *c, char *file)
{
	int ctl[2], ret;
	char fd[16], maps[16];
	char *argv[] = { (char *)"/proc/self/exe", (char *)"touch",
		(char *)"--file", file, (char *)"--ctl", fd,
		(char *)"--size", (char *)"4M", (char *)"--unit", (char *)"4k",
		(char *)"--maps", maps, NULL };
	struct spawn how = { .argv = argv, .envp = d->env, .keep = { -1, -1 } };
	struct touch_hello hello;
	struct pollfd p;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl))
		return -errno;
	c->ctl = ctl[0];
	how.keep[0] = ctl[1];
	snprintf(fd, sizeof(fd), "%d", ctl[1]);
	snprintf(maps, sizeof(maps), "%d", MAPPINGS);
	ret = child_spawn(c, &how);
	close(ctl[1]);
	if (ret)
		return ret;
	p = (struct pollfd){ .fd = c->ctl, .events = POLLIN };
	if (poll(&p, 1, START_MS) != 1)
		return -ETIMEDOUT;
	if (recv(c->ctl, &hello, sizeof(hello), 0) != sizeof(hello))
		return -EPIPE;
	printf("%d mappings made in %.1f ms, %sarmed\n", MAPPINGS,
	       hello.map_ns / 1e6, hello.armed ? "" : "not ");
	return hello.error ? -hello.error : hello.armed ? 0 : -EINVAL;
}

static int measure(struct udax_daemon *d, unsigned int seconds, json_t *report)
{
	struct timespec second = { .tv_sec = 1 };
	json_t *a = json_array();
	clockid_t clock;
	uint64_t cpu, woke, rss;
	unsigned int i;

	json_object_set_new(report, "seconds", a);
	rss = resident(d->child.pid);
	json_object_set_new(report, "rss_kib", json_integer((json_int_t)rss));
	printf("udaxd holds %llu KiB\n", (unsigned long long)rss);
	if (clock_getcpuclockid(d->child.pid, &clock))
		return -ESRCH;
	for (i = 0; i < seconds && !bench_interrupted; i++) {
		woke = switches(d->child.pid);
		cpu = clock_ns(clock);
		nanosleep(&second, NULL);
		cpu = clock_ns(clock) - cpu;
		woke = switches(d->child.pid) - woke;
		printf("second %u: %llu ns of CPU, woke %llu times\n", i + 1,
		       (unsigned long long)cpu, (unsigned long long)woke);
		json_array_append_new(a, json_pack("{s:I,s:I}",
			"cpu_ns", (json_int_t)cpu, "switches", (json_int_t)woke));
	}
	if (bench_interrupted)
		return -EINTR;
	puts("\nHow to read this\n"
	     "  CPU time of all threads of udaxd while one program holds the mappings and\n"
	     "  touches nothing. A daemon that waits costs 0 ns; what is not 0 is a timer.");
	return 0;
}

int idle_run(const struct bench_opts *opts, json_t *report)
{
	char dir[300], file[320];
	struct child client = { .ctl = -1 };
	struct udax_daemon d = { .log = NULL };
	struct udax_tree tree;
	int fd, ret;

	if (udax_find(&tree))
		return BENCH_CANNOT;
	snprintf(dir, sizeof(dir), "%.200s/udax-bench.XXXXXX", opts->dir);
	if (!mkdtemp(dir)) {
		fprintf(stderr, "udax-bench: %s: %s\n", dir, strerror(errno));
		return BENCH_CANNOT;
	}
	snprintf(file, sizeof(file), "%s/file", dir);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ret = fd < 0 || ftruncate(fd, 4 << 20) ? -errno : 0;
	if (!ret)
		ret = udax_start(&d, &tree, dir, NULL, 0);
	if (!ret) {
		ret = start_client(&d, &client, file);
		if (!ret)
			ret = measure(&d, opts->repeat ? opts->repeat :
				      opts->quick ? 1 : 3, report);
		child_end(&client);
		udax_stop(&d);
	}
	if (ret)
		fprintf(stderr, "udax-bench: idle: %s\n", strerror(-ret));
	if (fd >= 0)
		close(fd);
	unlink(file);
	rmdir(dir);
	return ret ? BENCH_FAIL : BENCH_OK;
}
