/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The agent: a thread of the program that takes translations away when udaxd
 * asks for it (--track exact; struct udax_zap). Nobody else can: there is no
 * system call that zaps another process's page tables, and a punch of the file
 * would take the data too.
 *
 * It is no thread of the C library's: made by clone(2), with thread-local
 * storage that is a page of zeros, so that what it calls may not use errno; all
 * signals are blocked; its descriptors are a table of its own, so that it keeps
 * no pipe of the program open and no closefrom() ends it. It takes no lock.
 */
#include <sys/un.h>

#include "preload/shim.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define UNSHARE_FILES 2		/* CLOSE_RANGE_UNSHARE */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* <sched.h> has them only with _GNU_SOURCE's declarations of clone(). */
#define THREAD_FLAGS (0x00000100 /* CLONE_VM */ | 0x00000200 /* CLONE_FS */ | \
		      0x00000400 /* CLONE_FILES */ | \
		      0x00000800 /* CLONE_SIGHAND */ | \
		      0x00010000 /* CLONE_THREAD */ | \
		      0x00040000 /* CLONE_SYSVSEM */ | \
		      0x00080000 /* CLONE_SETTLS */)

#define STACK_SIZE	(8 * SHIM_PAGE)
#define PAGES_AT_ONCE	512

/* fs/proc/task_mmu.c */
#define PM_FILE		(1ull << 61)
#define PM_PRESENT	(1ull << 63)

enum { AGENT_NONE, AGENT_STARTING, AGENT_RUNNING, AGENT_FAILED };

static uint32_t state;		/* a futex; atomic */
static uint64_t session;	/* set before it starts */
static uint64_t memory;		/* lock held: its stack, then its storage */

static void set_state(uint32_t to)
{
	__atomic_store_n(&state, to, __ATOMIC_RELEASE);
	sys3(SYS_futex, &state, FUTEX_WAKE_PRIVATE, 1);
}

static void leave(uint32_t to)
{
	set_state(to);
	for (;;)
		sys1(SYS_exit, 0);
}

/* ------------------------------------------------------------- the thread */

static long dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	long fd = sys3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	size_t i;

	if (sys_failed(fd))
		return fd;
	for (i = 0; env.socket[i]; i++)
		sa.sun_path[i] = env.socket[i];
	return sys_failed(sys3(SYS_connect, fd, &sa, sizeof(sa))) ? -ENOTCONN :
								    fd;
}

static bool send_msg(int sock, const struct udax_msg *msg)
{
	return sys6(SYS_sendto, sock, (long)msg, sizeof(*msg), MSG_NOSIGNAL, 0,
		    0) == sizeof(*msg);
}

static bool receive(int sock, struct udax_msg *msg)
{
	return sys6(SYS_recvfrom, sock, (long)msg, sizeof(*msg), 0, 0, 0) ==
		       sizeof(*msg) &&
	       msg->hdr.magic == UDAX_WIRE_MAGIC &&
	       msg->hdr.version == UDAX_WIRE_VERSION;
}

static bool hello(int sock)
{
	struct udax_msg msg = {
		.hdr = {
			.magic = UDAX_WIRE_MAGIC,
			.version = UDAX_WIRE_VERSION,
			.op = UDAX_OP_HELLO,
			.flags = UDAX_F_REPLY,
		},
		.hello = {
			.kind = UDAX_HELLO_AGENT,
			.token = env.token,
			.session = session,
		},
	};

	return send_msg(sock, &msg) && receive(sock, &msg) && !msg.hdr.error;
}

static void drop(uint64_t start, uint64_t end)
{
	if (sys_madvise(start, end - start, MADV_DONTNEED) == -EINVAL)
		sys_madvise(start, end - start, MADV_DONTNEED_LOCKED);
}

static bool of_file(uint64_t entry)
{
	return entry & PM_PRESENT && entry & PM_FILE;
}

/* Runs of the file's pages; what is private is passed over. */
static void zap(int pagemap, uint64_t start, uint64_t end)
{
	uint64_t entry[PAGES_AT_ONCE], pos = start, from = 0;
	long n, i;

	while (pos < end) {
		n = (long)((end - pos) / SHIM_PAGE);
		if (n > PAGES_AT_ONCE)
			n = PAGES_AT_ONCE;
		n = sys4(SYS_pread64, pagemap, entry, n * 8, pos / SHIM_PAGE * 8);
		if (n <= 0)
			break;
		for (i = 0; i < n / 8; i++, pos += SHIM_PAGE) {
			if (of_file(entry[i])) {
				from = from ? from : pos;
			} else if (from) {
				drop(from, pos);
				from = 0;
			}
		}
	}
	if (from)
		drop(from, pos);
}

static __attribute__((noreturn, used)) void agent_main(void)
{
	struct udax_msg msg;
	long sock, pagemap;
	uint32_t i;

	/* A table without any of the program's, and nothing was copied. */
	if (sys_failed(sys3(SYS_close_range, 0, ~0u, UNSHARE_FILES)))
		leave(AGENT_FAILED);
	sys5(SYS_prctl, 15 /* PR_SET_NAME */, "udax-agent", 0, 0, 0);
	sock = dial();
	pagemap = sys4(SYS_openat, AT_FDCWD, "/proc/thread-self/pagemap",
		       O_RDONLY | O_CLOEXEC, 0);
	if (sys_failed(pagemap))
		leave(AGENT_FAILED);
	if (sys_failed(sock) || !hello((int)sock))
		leave(AGENT_NONE);	/* udaxd is gone: that is said elsewhere */
	set_state(AGENT_RUNNING);
	while (receive((int)sock, &msg) && msg.hdr.op == UDAX_OP_ZAP) {
		for (i = 0; i < msg.zap.nr && i < UDAX_ZAP_RANGES; i++)
			zap((int)pagemap, msg.zap.range[i].addr,
			    msg.zap.range[i].addr + msg.zap.range[i].len);
		msg.hdr.op |= UDAX_OP_REPLY;
		if (!send_msg((int)sock, &msg))
			break;
	}
	leave(AGENT_NONE);
	__builtin_unreachable();
}

/* ------------------------------------------------------------- its parent */

/* clone(2); the new thread calls agent_main() on its own stack. */
static long spawn(uint64_t stack, uint64_t tls)
{
	register long ctid __asm__("r10") = 0;
	register uint64_t r8 __asm__("r8") = tls;
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call %P[main]\n"
			 "1:"
			 : "=a"(ret)
			 : "0"(SYS_clone), "D"((long)THREAD_FLAGS), "S"(stack),
			   "d"(0), "r"(ctid), "r"(r8), [main] "i"(agent_main)
			 : "rcx", "r11", "memory");
	return ret;
}

bool agent_start(uint64_t id)
{
	uint32_t is = __atomic_load_n(&state, __ATOMIC_ACQUIRE);

	if (is == AGENT_RUNNING || is == AGENT_FAILED)
		return is == AGENT_RUNNING;
	if (!memory)
		memory = (uint64_t)memory_get(STACK_SIZE + SHIM_PAGE);
	if (!memory)
		return false;
	/* The ABI has a pointer to itself first (ELF TLS, variant II). */
	*(uint64_t *)(memory + STACK_SIZE) = memory + STACK_SIZE;
	session = id;
	__atomic_store_n(&state, AGENT_STARTING, __ATOMIC_RELEASE);
	if (sys_failed(spawn(memory + STACK_SIZE, memory + STACK_SIZE)))
		__atomic_store_n(&state, AGENT_FAILED, __ATOMIC_RELEASE);
	while ((is = __atomic_load_n(&state, __ATOMIC_ACQUIRE)) == AGENT_STARTING)
		sys4(SYS_futex, &state, FUTEX_WAIT_PRIVATE, AGENT_STARTING, NULL);
	if (is == AGENT_FAILED && !env.quiet)
		say("%d: no thread could be made for udaxd: %s", (long)sys_getpid(),
		    "pages stay mapped that the kernel would unmap");
	return is == AGENT_RUNNING;
}

void agent_forget(void)
{
	__atomic_store_n(&state, AGENT_NONE, __ATOMIC_RELEASE);
}
