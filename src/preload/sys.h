/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Raw system calls. Nothing here goes through the C library: its wrappers may
 * be interposed (by this library or by another), and some of them lock or
 * allocate. Results are the kernel's: a value, or -errno in [-4095, -1].
 *
 * Calling convention: the x86-64 System V ABI, appendix A.2.1 (number in rax,
 * arguments in rdi rsi rdx r10 r8 r9; rcx and r11 are destroyed).
 */
#ifndef UDAX_PRELOAD_SYS_H
#define UDAX_PRELOAD_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#ifndef __x86_64__
#error "the shim's system calls are written for x86-64"
#endif

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define sys0(nr)		sys6(nr, 0, 0, 0, 0, 0, 0)
#define sys1(nr, a)		sys6(nr, (long)(a), 0, 0, 0, 0, 0)
#define sys2(nr, a, b)		sys6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define sys3(nr, a, b, c)	sys6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sys4(nr, a, b, c, d) \
	sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define sys5(nr, a, b, c, d, e) \
	sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

static inline bool sys_failed(long ret)
{
	return (unsigned long)ret >= (unsigned long)-4095L;
}

/* The C library's way of reporting; errno is left alone on success. */
static inline long sys_return(long ret)
{
	if (!sys_failed(ret))
		return ret;
	errno = (int)-ret;
	return -1;
}

/*
 * A system call that POSIX makes a cancellation point. As glibc does up to
 * 2.40: the thread may be cancelled asynchronously while it is in the kernel,
 * and a process with one thread pays nothing. Never with the shim's lock held.
 */
static inline long sys_cancel(long nr, long a, long b, long c, long d, long e,
			      long f)
{
	int old;
	long ret;

	if (__libc_single_threaded)
		return sys6(nr, a, b, c, d, e, f);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	ret = sys6(nr, a, b, c, d, e, f);
	pthread_setcanceltype(old, NULL);
	return ret;
}

static inline long sys_mmap(uint64_t addr, uint64_t len, int prot, int flags,
			    int fd, uint64_t off)
{
	return sys6(SYS_mmap, (long)addr, (long)len, prot, flags, fd, (long)off);
}

static inline long sys_munmap(uint64_t addr, uint64_t len)
{
	return sys2(SYS_munmap, addr, len);
}

static inline long sys_mprotect(uint64_t addr, uint64_t len, int prot)
{
	return sys3(SYS_mprotect, addr, len, prot);
}

static inline long sys_mremap(uint64_t old, uint64_t old_len, uint64_t new_len,
			      int flags, uint64_t addr)
{
	return sys5(SYS_mremap, old, old_len, new_len, flags, addr);
}

static inline long sys_madvise(uint64_t addr, uint64_t len, int advice)
{
	return sys3(SYS_madvise, addr, len, advice);
}

static inline long sys_fstat(int fd, struct stat *st)
{
	return sys2(SYS_fstat, fd, st);
}

static inline long sys_fstatfs(int fd, struct statfs *st)
{
	return sys2(SYS_fstatfs, fd, st);
}

static inline long sys_close(int fd)
{
	return sys1(SYS_close, fd);
}

static inline int sys_getpid(void)
{
	return (int)sys0(SYS_getpid);
}

static inline long sys_sigmask(int how, const uint64_t *set, uint64_t *old)
{
	/* The kernel's sigset_t is 64 bits, not the C library's 1024. */
	return sys4(SYS_rt_sigprocmask, how, set, old, sizeof(*set));
}

#endif
