/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that maps a file and does what its arguments say, one after the
 * other; the shell tests write their stories with it. Numbers take k, m, g, t.
 *
 *	mapper FILE OP...
 *
 *	rdonly			open O_RDONLY (must come first; else O_RDWR|O_CREAT)
 *	size N			ftruncate
 *	alloc OFF LEN		fallocate
 *	map OFF LEN PROT	MAP_SHARED; PROT of the letters r and w; the newest
 *				mapping is the one that the other verbs use
 *	private OFF LEN PROT	the same with MAP_PRIVATE
 *	unmap
 *	fill OFF LEN SEED	stores a pattern; offsets are the file's
 *	check OFF LEN SEED	compares: "mapper: wrong word at ..." and exit 1
 *	zero OFF LEN		compares with zeros
 *	put OFF WORD		stores one 8-byte word
 *	get OFF			prints it
 *	step OFF LEN STEP	reads one word every STEP bytes, prints their sum
 *	pread OFF		prints the word that read(2) sees
 *	sync			msync(MS_SYNC) of the mapping
 *	advise WHAT OFF LEN	madvise(2): random (the kernel splits the mapping there),
 *				nohuge
 *	smaps FIELD		prints the field's kilobytes, summed over the mapping
 *	say TEXT		prints a line
 *	wait TEXT		prints a line and waits for one on stdin
 *	fork			the child does the rest; the parent ends as it does
 *	exit N, kill N		ends so
 *
 * A verb that fails prints its errno and exits 1.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <errno.h>

static int fd = -1;
static char *base;		/* of the newest mapping */
static uint64_t map_off, map_len;
static int open_flags = O_RDWR | O_CREAT;
static const char *path;

static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "mapper: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	exit(1);
}

static uint64_t number(const char *s)
{
	char *end;
	uint64_t n = strtoull(s, &end, 0);
	const char *units = "kmgt";
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == s || (*end && (!unit || end[1])))
		die("not a number: %s", s);
	return unit ? n << (10 * (unit - units + 1)) : n;
}

static int file(void)
{
	if (fd < 0)
		fd = open(path, open_flags, 0600);
	if (fd < 0)
		die("open %s: %s", path, strerror(errno));
	return fd;
}

static volatile uint64_t *word(uint64_t off)
{
	if (!base || off < map_off)
		die("offset %#" PRIx64 " is not mapped", off);
	return (volatile uint64_t *)(base + (off - map_off));
}

/* Different in each word of each file, and never zero. */
static uint64_t pattern(uint64_t off, uint64_t seed)
{
	return (((off + 8) * 0x9e3779b97f4a7c15ull) ^ (seed << 56)) | 1;
}

static void do_map(char **arg, int flags)
{
	int prot = (strchr(arg[2], 'r') ? PROT_READ : 0) |
		   (strchr(arg[2], 'w') ? PROT_WRITE : 0);
	void *p;

	map_off = number(arg[0]);
	map_len = number(arg[1]);
	p = mmap(NULL, map_len, prot, flags, file(), (off_t)map_off);
	if (p == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	base = p;
}

static void op_map(char **arg)
{
	do_map(arg, MAP_SHARED);
}

static void op_private(char **arg)
{
	do_map(arg, MAP_PRIVATE);
}

static void op_unmap(char **arg)
{
	if (munmap(base, map_len))
		die("munmap: %s", strerror(errno));
	base = NULL;
}

static void op_rdonly(char **arg)
{
	open_flags = O_RDONLY;
}

static void op_size(char **arg)
{
	if (ftruncate(file(), (off_t)number(arg[0])))
		die("ftruncate: %s", strerror(errno));
}

static void op_alloc(char **arg)
{
	if (fallocate(file(), 0, (off_t)number(arg[0]), (off_t)number(arg[1])))
		die("fallocate: %s", strerror(errno));
}

static void op_fill(char **arg)
{
	uint64_t off = number(arg[0]), end = off + number(arg[1]);
	uint64_t seed = number(arg[2]);

	for (; off < end; off += 8)
		*word(off) = pattern(off, seed);
}

static void want(uint64_t off, uint64_t value)
{
	uint64_t is = *word(off);

	if (is != value)
		die("wrong word at %#" PRIx64 ": %016" PRIx64 ", wanted %016" PRIx64,
		    off, is, value);
}

static void op_check(char **arg)
{
	uint64_t off = number(arg[0]), end = off + number(arg[1]);
	uint64_t seed = number(arg[2]);

	for (; off < end; off += 8)
		want(off, pattern(off, seed));
}

static void op_zero(char **arg)
{
	uint64_t off = number(arg[0]), end = off + number(arg[1]);

	for (; off < end; off += 8)
		want(off, 0);
}

static void op_put(char **arg)
{
	*word(number(arg[0])) = number(arg[1]);
}

static void op_get(char **arg)
{
	printf("%" PRIu64 "\n", *word(number(arg[0])));
}

static void op_step(char **arg)
{
	uint64_t off = number(arg[0]), end = off + number(arg[1]);
	uint64_t step = number(arg[2]), sum = 0;

	for (; off < end; off += step)
		sum += *word(off);
	printf("%" PRIu64 "\n", sum);
}

static void op_advise(char **arg)
{
	int advice = !strcmp(arg[0], "random") ? MADV_RANDOM : MADV_NOHUGEPAGE;
	void *at = (void *)(uintptr_t)word(number(arg[1]));

	if (madvise(at, number(arg[2]), advice))
		die("madvise: %s", strerror(errno));
}

static void op_pread(char **arg)
{
	uint64_t is;

	if (pread(file(), &is, sizeof(is), (off_t)number(arg[0])) != sizeof(is))
		die("pread: %s", strerror(errno));
	printf("%" PRIu64 "\n", is);
}

static void op_sync(char **arg)
{
	if (msync(base, map_len, MS_SYNC))
		die("msync: %s", strerror(errno));
}

static void op_smaps(char **arg)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	uintptr_t start, end, at = (uintptr_t)base;
	uint64_t sum = 0, kb;
	size_t len = strlen(arg[0]);
	char line[512];
	int in = 0;

	if (!f)
		die("smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2)
			in = start < at + map_len && end > at;
		else if (in && !strncmp(line, arg[0], len) && line[len] == ':' &&
			 sscanf(line + len + 1, "%" SCNu64, &kb) == 1)
			sum += kb;
	}
	fclose(f);
	printf("%" PRIu64 "\n", sum);
}

static void op_say(char **arg)
{
	printf("%s\n", arg[0]);
	fflush(stdout);
}

static void op_wait(char **arg)
{
	char line[80];

	op_say(arg);
	if (!fgets(line, sizeof(line), stdin))
		die("nobody answered");
}

static void op_fork(char **arg)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		return;
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid: %s", strerror(errno));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void op_exit(char **arg)
{
	exit((int)number(arg[0]));
}

static void op_kill(char **arg)
{
	fflush(stdout);
	raise((int)number(arg[0]));
}

static const struct op {
	const char *name;
	int nargs;
	void (*run)(char **arg);
} ops[] = {
	{ "rdonly", 0, op_rdonly },	{ "size", 1, op_size },
	{ "alloc", 2, op_alloc },	{ "map", 3, op_map },
	{ "private", 3, op_private },	{ "unmap", 0, op_unmap },
	{ "fill", 3, op_fill },		{ "check", 3, op_check },
	{ "zero", 2, op_zero },		{ "put", 2, op_put },
	{ "get", 1, op_get },		{ "step", 3, op_step },
	{ "pread", 1, op_pread },	{ "sync", 0, op_sync },
	{ "advise", 3, op_advise },
	{ "smaps", 1, op_smaps },	{ "say", 1, op_say },
	{ "wait", 1, op_wait },		{ "fork", 0, op_fork },
	{ "exit", 1, op_exit },		{ "kill", 1, op_kill },
};

static const struct op *find(const char *name)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(name, ops[i].name))
			return &ops[i];
	die("no such verb: %s", name);
}

int main(int argc, char **argv)
{
	const struct op *op;

	if (argc < 2)
		die("usage: mapper FILE OP...");
	path = argv[1];
	for (int i = 2; i < argc; i += 1 + op->nargs) {
		op = find(argv[i]);
		if (i + op->nargs >= argc)
			die("%s needs %d arguments", op->name, op->nargs);
		op->run(argv + i + 1);
	}
	return 0;
}
