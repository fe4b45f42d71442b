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
 *	syncmap OFF LEN PROT	the same with MAP_SHARED_VALIDATE | MAP_SYNC
 *	colour OFF LEN PROT	MAP_SHARED, a page off its place modulo 2M
 *	use N			the N-th mapping is the one from here on (1 is the first)
 *	unmap
 *	unmappart OFF LEN	munmap of a part of the mapping
 *	protect OFF LEN PROT	mprotect
 *	move			mremap to another place of the same colour
 *	fill OFF LEN SEED	stores a pattern; offsets are the file's
 *	check OFF LEN SEED	compares: "mapper: wrong word at ..." and exit 1
 *	zero OFF LEN		compares with zeros
 *	put OFF WORD		stores one 8-byte word
 *	get OFF			prints it
 *	step OFF LEN STEP	reads one word every STEP bytes, prints their sum
 *	pread OFF		prints the word that read(2) sees
 *	pwrite OFF WORD		write(2)s it
 *	punch OFF LEN		fallocate(PUNCH_HOLE)
 *	sync			msync(MS_SYNC) of the mapping
 *	fsync			of the file
 *	advise WHAT OFF LEN	madvise(2): random (the kernel splits the mapping there),
 *				nohuge, dontneed, remove
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
static char *base;		/* of the newest mapping, or of the one in use */
static uint64_t map_off, map_len;
static struct { char *base; uint64_t off, len; } maps[16];
static unsigned int nr_maps, using;
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

static int prot_of(const char *s)
{
	return (strchr(s, 'r') ? PROT_READ : 0) |
	       (strchr(s, 'w') ? PROT_WRITE : 0);
}

static void do_map_at(void *at, char **arg, int flags)
{
	void *p;

	map_off = number(arg[0]);
	map_len = number(arg[1]);
	p = mmap(at, map_len, prot_of(arg[2]), flags, file(), (off_t)map_off);
	if (p == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	base = p;
	if (nr_maps == sizeof(maps) / sizeof(maps[0]))
		die("too many mappings");
	using = nr_maps++;
	maps[using].base = base;
	maps[using].off = map_off;
	maps[using].len = map_len;
}

static void do_map(char **arg, int flags)
{
	do_map_at(NULL, arg, flags);
}

static void op_map(char **arg)
{
	do_map(arg, MAP_SHARED);
}

static void op_private(char **arg)
{
	do_map(arg, MAP_PRIVATE);
}

static void op_syncmap(char **arg)
{
	do_map(arg, MAP_SHARED_VALIDATE | MAP_SYNC);
}

/* An address of the colour @off + @more modulo 2M, with room for @len. */
static char *place(uint64_t off, uint64_t more, uint64_t len)
{
	uint64_t pmd = 2 << 20;
	char *p = mmap(NULL, len + 2 * pmd, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return p + ((off + more - (uint64_t)(uintptr_t)p) & (pmd - 1));
}

static void op_colour(char **arg)
{
	do_map_at(place(number(arg[0]), 4096, number(arg[1])), arg,
		  MAP_SHARED | MAP_FIXED);
}

static void op_use(char **arg)
{
	using = (unsigned int)number(arg[0]) - 1;
	if (using >= nr_maps)
		die("there is no mapping %s", arg[0]);
	base = maps[using].base;
	map_off = maps[using].off;
	map_len = maps[using].len;
}

static void op_unmappart(char **arg)
{
	if (munmap((void *)(uintptr_t)word(number(arg[0])), number(arg[1])))
		die("munmap: %s", strerror(errno));
}

static void op_protect(char **arg)
{
	if (mprotect((void *)(uintptr_t)word(number(arg[0])), number(arg[1]),
		     prot_of(arg[2])))
		die("mprotect: %s", strerror(errno));
}

static void op_move(char **arg)
{
	void *p = mremap(base, map_len, map_len, MREMAP_MAYMOVE | MREMAP_FIXED,
			 place(map_off, 0, map_len));

	if (p == MAP_FAILED)
		die("mremap: %s", strerror(errno));
	base = maps[using].base = p;
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
	int advice = !strcmp(arg[0], "random") ? MADV_RANDOM :
		     !strcmp(arg[0], "dontneed") ? MADV_DONTNEED :
		     !strcmp(arg[0], "remove") ? MADV_REMOVE : MADV_NOHUGEPAGE;
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

static void op_pwrite(char **arg)
{
	uint64_t value = number(arg[1]);

	if (pwrite(file(), &value, sizeof(value), (off_t)number(arg[0])) !=
	    sizeof(value))
		die("pwrite: %s", strerror(errno));
}

static void op_punch(char **arg)
{
	if (fallocate(file(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)number(arg[0]), (off_t)number(arg[1])))
		die("fallocate: %s", strerror(errno));
}

static void op_fsync(char **arg)
{
	if (fsync(file()))
		die("fsync: %s", strerror(errno));
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
	{ "syncmap", 3, op_syncmap },	{ "colour", 3, op_colour },
	{ "use", 1, op_use },		{ "unmappart", 2, op_unmappart },
	{ "protect", 3, op_protect },	{ "move", 0, op_move },
	{ "fill", 3, op_fill },		{ "check", 3, op_check },
	{ "zero", 2, op_zero },		{ "put", 2, op_put },
	{ "get", 1, op_get },		{ "step", 3, op_step },
	{ "pread", 1, op_pread },	{ "pwrite", 2, op_pwrite },
	{ "punch", 2, op_punch },	{ "fsync", 0, op_fsync },
	{ "sync", 0, op_sync },
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
