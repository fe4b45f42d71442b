/* SPDX-License-Identifier: BSD-3-Clause */
/* What a machine can do: questions of udax doctor, each tried for real. */
#ifndef UDAX_CLI_DOCTOR_H
#define UDAX_CLI_DOCTOR_H

enum verdict {
	VERDICT_OK,
	VERDICT_INFO,	/* a figure, nothing to be good or bad */
	VERDICT_LACKS,	/* udax works without, and says less or is slower */
	VERDICT_NEEDED,	/* no fault can be served without */
};

struct finding {
	enum verdict verdict;
	char detail[128];
	const char *enable;	/* how to, for LACKS and NEEDED; static, or NULL */
};

/* Sets a field each; what a probe made is gone when it returns. */
typedef void probe_fn(struct finding *f);

/* X(name, function, what it is) */
#define PROBES(X) \
	X("kernel", probe_kernel, "kernel") \
	X("userfaultfd", probe_userfaultfd, "userfaultfd") \
	X("minor", probe_minor, "minor faults on shared memory") \
	X("served", probe_served, "a page fault, served") \
	X("io_uring", probe_io_uring, "io_uring") \
	X("wp", probe_wp, "write protection of shared memory") \
	X("poison", probe_poison, "poisoned pages") \
	X("event_fork", probe_event_fork, "fork events") \
	X("collapse", probe_collapse, "huge pages on demand") \
	X("shmem_huge", probe_shmem_huge, "huge pages of shared memory") \
	X("hugetlb", probe_hugetlb, "hugetlb pages of 2M") \
	X("memlock", probe_memlock, "locked memory limit") \
	X("max_map_count", probe_max_map_count, "mappings a process")

#define X(name, fn, label) probe_fn fn;
PROBES(X)
#undef X

#endif
