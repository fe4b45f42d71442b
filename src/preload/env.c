/* SPDX-License-Identifier: BSD-3-Clause */
/* What the environment asks for, and which files are meant. */
#include <linux/magic.h>
#include <unistd.h>

#include "preload/shim.h"

#define UDAX_ENV_QUIET	"UDAX_QUIET"	/* 1: nothing about a lost daemon */

struct shim_env env;

static enum { SHIM_UNKNOWN, SHIM_OFF, SHIM_ON } state;

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* getenv() would do, but a program may have one of its own. */
static const char *lookup(const char *name)
{
	char **e;
	size_t n;

	for (e = environ; *e; e++) {
		for (n = 0; name[n] && (*e)[n] == name[n]; n++)
			;
		if (!name[n] && (*e)[n] == '=')
			return *e + n + 1;
	}
	return NULL;
}

static bool is_set(const char *name)
{
	const char *v = lookup(name);

	return v && v[0] && !(v[0] == '0' && !v[1]);
}

static uint64_t hexadecimal(const char *s)
{
	uint64_t v = 0;

	for (; s && *s; s++) {
		if (*s >= '0' && *s <= '9')
			v = v << 4 | (unsigned int)(*s - '0');
		else if ((*s | 32) >= 'a' && (*s | 32) <= 'f')
			v = v << 4 | (unsigned int)((*s | 32) - 'a' + 10);
		else
			break;
	}
	return v;
}

static bool is_word(const char *name, const char *word)
{
	const char *v = lookup(name);

	while (v && *v && *v == *word)
		v++, word++;
	return v && !*v && !*word;
}

/*
 * The list is copied: programs that set their title write over the strings of
 * their environment. Two more bytes than the list has, for the closing zeros.
 */
static bool copy_dirs(const char *list)
{
	size_t size = length(list) + 2, len;
	char *out, *start;

	env.dirs = out = memory_get(size);
	if (!out)
		return false;
	while (*list) {
		start = out;
		while (*list && *list != ':')
			*out++ = *list++;
		while (*list == ':')
			list++;
		while (out > start && out[-1] == '/')
			out--;
		len = (size_t)(out - start);
		if (!len) {	/* the root: everything is under it */
			env.dirs = "\0";
			env.longest = 0;
			return true;
		}
		if (start[0] != '/') {	/* not a path: nothing is under it */
			out = start;
			continue;
		}
		*out++ = 0;
		if (len > env.longest)
			env.longest = len;
	}
	env.longest = env.longest < SHIM_PAGE ? env.longest : SHIM_PAGE;
	return out != env.dirs;
}

static bool read_environment(void)
{
	const char *dirs = lookup(UDAX_ENV_PMEM);
	const char *path = lookup(UDAX_ENV_SOCKET);
	size_t i;

	if (!dirs || !dirs[0] || !path || !path[0] ||
	    length(path) >= sizeof(env.socket))
		return false;
	for (i = 0; path[i]; i++)
		env.socket[i] = path[i];
	env.token = hexadecimal(lookup(UDAX_ENV_TOKEN));
	env.require = is_set(UDAX_ENV_REQUIRE);
	env.exact = is_set(UDAX_ENV_EXACT);
	env.verbose = is_set(UDAX_ENV_VERBOSE);
	env.quiet = is_set(UDAX_ENV_QUIET);
	env.mmap_lock = is_word(UDAX_ENV_MMAP_LOCK, "kernel");
	memory_start();
	return lock_start() && copy_dirs(dirs);
}

/*
 * Constructors of other libraries run before this one's: ld.so starts with the
 * libraries that nothing depends on last. So the first hook may be the reader,
 * as soon as the C library has its environment. There is one thread then.
 */
bool shim_on(void)
{
	if (unlikely(state == SHIM_UNKNOWN)) {
		if (!environ)
			return false;
		say_start();
		state = read_environment() ? SHIM_ON : SHIM_OFF;
	}
	return state == SHIM_ON;
}

__attribute__((constructor(101))) static void env_start(void)
{
	shim_on();
}

static bool is_under(const char *path, size_t len)
{
	const char *dir = env.dirs;
	size_t n;

	do {
		for (n = 0; dir[n] && n < len && dir[n] == path[n]; n++)
			;
		if (!dir[n] && n < len && path[n] == '/')
			return true;
		dir += length(dir) + 1;
	} while (*dir);
	return false;
}

/* "/proc/thread-self/fd/N": /proc/self is wrong after unshare(CLONE_FILES). */
static void fd_link(char *out, int fd)
{
	static const char prefix[] = "/proc/thread-self/fd/";
	char digits[12];
	unsigned int i, n = 0;

	for (i = 0; prefix[i]; i++)
		out[i] = prefix[i];
	do {
		digits[n++] = (char)('0' + fd % 10);
	} while (fd /= 10);
	while (n)
		out[i++] = digits[--n];
	out[i] = 0;
}

/*
 * By the name that the descriptor has now. The kernel adds " (deleted)" to that
 * of an unlinked file, which is still under its directory (fs/d_path.c). Two
 * sizes, for hooks are called on the small stacks of signal handlers, too.
 */
static bool link_is_under(const char *name, char *target, size_t size)
{
	long n = sys3(SYS_readlink, name, target,
		      env.longest + 1 < size ? env.longest + 1 : size);

	return !sys_failed(n) && is_under(target, (size_t)n);
}

static __attribute__((noinline)) bool long_link_is_under(const char *name)
{
	char target[SHIM_PAGE];

	return link_is_under(name, target, sizeof(target));
}

static __attribute__((noinline)) bool short_link_is_under(const char *name)
{
	char target[128];

	return link_is_under(name, target, sizeof(target));
}

/*
 * The name costs as much as a message to udaxd. Of descriptors of managed files on
 * tmpfs, where the number of an inode does not come back soon, it is remembered what they were
 * managed for, in a word that no two of them are likely to share: number,
 * device, inode. Whoever opens another file by that number has another word.
 */
static uint64_t seen[16];

static uint64_t word_of(int fd, const struct stat *st)
{
	uint64_t w = st->st_ino * 0x9e3779b97f4a7c15u;

	w = ((w ^ w >> 32) + st->st_dev) * 0xd6e8feb86659fd93u;
	w = ((w ^ w >> 32) + (uint64_t)fd) * 0xd6e8feb86659fd93u;
	return w ^ w >> 32;
}

bool file_managed(int fd, struct file *f)
{
	char name[40];
	struct statfs fs;
	struct stat st;
	uint64_t word, *slot = &seen[fd & 15];

	if (!shim_on() || fd < 0)
		return false;
	if (sys_fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	word = word_of(fd, &st);
	if (__atomic_load_n(slot, __ATOMIC_RELAXED) == word) {
		*f = (struct file){ .dev = st.st_dev, .ino = st.st_ino,
				    .memory = true, .page_size = SHIM_PAGE };
		return true;
	}
	fd_link(name, fd);
	if (!(env.longest < 128 ? short_link_is_under(name) : long_link_is_under(name)))
		return false;
	if (sys_fstatfs(fd, &fs))
		return false;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->hugetlb = fs.f_type == HUGETLBFS_MAGIC;
	f->memory = f->hugetlb || fs.f_type == TMPFS_MAGIC;
	f->page_size = f->hugetlb ? (uint64_t)fs.f_bsize : SHIM_PAGE;
	if (f->memory && !f->hugetlb)
		__atomic_store_n(slot, word, __ATOMIC_RELAXED);
	return true;
}
