/* SPDX-License-Identifier: BSD-3-Clause */
/* udax-bench: the machine's description, numbers of a command line, clocks and pinning. */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static void cpu_model(char *buf, size_t size)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256], *p;

	snprintf(buf, size, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "model name", 10))
			continue;
		p = strchr(line, ':');
		if (!p)
			break;
		p[strcspn(p, "\n")] = '\0';
		snprintf(buf, size, "%s", p + 2);
		break;
	}
	if (f)
		fclose(f);
}

static json_t *command_json(const struct bench_opts *opts)
{
	json_t *a = json_array();
	int i;

	for (i = 0; i < opts->argc; i++)
		json_array_append_new(a, json_string(opts->argv[i]));
	return a;
}

static json_t *affinity_json(void)
{
	int cpus[1024];
	unsigned int i, nr = cpus_allowed(cpus, 1024);
	json_t *a = json_array();

	for (i = 0; i < nr; i++)
		json_array_append_new(a, json_integer(cpus[i]));
	return a;
}

json_t *host_json(const struct bench_opts *opts)
{
	struct utsname un = { 0 };
	double load[3] = { 0 };
	char model[200], date[40];
	time_t now = time(NULL);
	struct tm tm;

	uname(&un);
	if (getloadavg(load, 3) < 0)
		load[0] = -1;
	cpu_model(model, sizeof(model));
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	return json_pack("{s:s,s:s,s:s,s:s,s:I,s:o,s:f,s:s,s:o}",
			 "kernel", un.release, "build", un.version,
			 "machine", un.machine, "cpu", model,
			 "cpus", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
			 "affinity", affinity_json(),
			 "load1", load[0], "date", date,
			 "command", command_json(opts));
}

bool name_listed(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *p = list;

	if (!list)
		return true;
	while ((p = strstr(p, name))) {
		if ((p == list || p[-1] == ',') &&
		    (p[len] == ',' || p[len] == '\0'))
			return true;
		p += len;
	}
	return false;
}

int parse_cpus(char *list, int *cpus, unsigned int max, unsigned int *nr)
{
	char *save, *p;
	uint64_t cpu;

	for (p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (*nr == max)
			return -EINVAL;
		if (!strcmp(p, "any"))
			cpus[(*nr)++] = -1;
		else if (parse_size(p, &cpu))
			return -EINVAL;
		else
			cpus[(*nr)++] = cpu;
	}
	return *nr ? 0 : -EINVAL;
}

void progress(const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
}

uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		return 0;
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

int pin_to(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

unsigned int cpus_allowed(int *cpus, unsigned int max)
{
	unsigned int n = 0;
	cpu_set_t set;
	int i;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (i = 0; i < CPU_SETSIZE && n < max; i++)
		if (CPU_ISSET(i, &set))
			cpus[n++] = i;
	return n;
}
