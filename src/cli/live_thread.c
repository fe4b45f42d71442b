/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Real threads that load and store. A signal in an access is its result; which
 * page fault it was says the CPU's error code. What the kernel ends in a signal
 * udaxd sees no message of: it is asked to run the fault all the same.
 */
#include "cli/live.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* Of the page fault's error code: arch/x86/include/asm/trap_pf.h */
#define PF_PROT		0x1

/* The access under way in this thread, and where its signal goes. */
static __thread struct live_access *volatile current;
static __thread sigjmp_buf escape;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;

	if (!current) {
		signal(sig, SIG_DFL);
		return;		/* it comes again */
	}
	current->signal = sig;
	current->error = uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(escape, 1);
}

int live_catch_signals(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO,
	};

	return sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL) ?
	       -errno : 0;
}

long live_count_faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_minflt + u.ru_majflt;
}

static void access_memory(struct live_access *a)
{
	volatile uint8_t *p = (volatile uint8_t *)a->addr;

	a->signal = 0;
	a->copied = a->private && a->write && live_is_copy(a->addr);
	a->faults = live_count_faults();
	current = a;
	if (!sigsetjmp(escape, 1)) {
		if (a->write)
			*p = a->byte;
		else
			a->byte = *p;
	}
	current = NULL;
	a->faults = live_count_faults() - a->faults;
}

/* ---------------------------------------------------------------- threads */

static void *thread_main(void *arg)
{
	struct live_thread *t = arg;

	t->tid = gettid();
	sem_post(&t->done);
	for (;;) {
		while (sem_wait(&t->work))
			;
		if (t->quit)
			return NULL;
		if (t->spin)
			while (!atomic_load_explicit(&t->l->go,
						     memory_order_acquire))
				;
		access_memory(&t->access);
		sem_post(&t->done);
	}
}

static void wait_done(struct live_thread *t)
{
	while (sem_wait(&t->done))
		;
}

static struct live_thread *get_thread(struct replay *r, unsigned int nr)
{
	struct live_thread *t = &live_of(r)->thread[nr];
	int err;

	if (t->started)
		return t;
	t->l = live_of(r);
	sem_init(&t->work, 0, 0);
	sem_init(&t->done, 0, 0);
	err = pthread_create(&t->thread, NULL, thread_main, t);
	if (err) {
		replay_fail(r, -err, "cannot start a thread");
		return NULL;
	}
	t->started = true;
	wait_done(t);
	return t;
}

void live_threads_stop(struct live *l)
{
	for (unsigned int i = 0; i < SCRIPT_THREADS; i++) {
		struct live_thread *t = &l->thread[i];

		if (!t->started)
			continue;
		/* One that was armed and never released ends with the process. */
		if (t->state == LIVE_ARMED)
			continue;
		if (t->state == LIVE_RUNNING)
			wait_done(t);
		t->quit = true;
		sem_post(&t->work);
		pthread_join(t->thread, NULL);
	}
}

static struct live_access live_access(struct replay *r, uint64_t addr)
{
	return (struct live_access){
		.addr = addr,
		.write = r->op->write,
		.byte = r->op->byte,
		.private = live_is_private(r, addr),
	};
}

static struct live_thread *launch(struct replay *r, uint64_t addr, bool spin)
{
	struct live_thread *t = get_thread(r, r->op->thread);

	if (!t)
		return NULL;
	if (t->state == LIVE_RUNNING)	/* nobody has joined it */
		wait_done(t);
	/* What it was armed with before is replaced by the operation now. */
	if (t->state != LIVE_ARMED || !spin)
		t->spin = spin;
	t->access = live_access(r, addr);
	if (t->state != LIVE_ARMED)
		sem_post(&t->work);
	t->state = spin ? LIVE_ARMED : LIVE_RUNNING;
	return t;
}

/* ---------------------------------------------------------------- results */

static void log_fault(struct replay *r, const struct live_access *a, pid_t tid,
		      bool prot)
{
	struct live *l = live_of(r);

	if (!replay_named(r, a->addr))
		return;
	snprintf(r->log.who, sizeof(r->log.who), "%s", live_who(l, tid));
	log_page_fault(&r->log, replay_place(r, a->addr), !l->in_kernel,
		       a->write, prot);
	strcpy(r->log.who, "main");
}

static bool hits(struct replay *r, const struct live_access *a, bool write,
		 unsigned int child)
{
	struct udax_fs_msg fs = {
		.what = UDAX_FS_LOOK,
		.addr = a->addr & ~(DAX_PAGE_SIZE - 1),
		.write = write,
		.child = child,
	};

	return live_fs_call(live_of(r), &fs, -1) == -EEXIST;
}

/*
 * Would the CPU have found a translation? udaxd's table says it: of a huge pmd there
 * are in reality but the pages that were touched, and what an mprotect() has dropped
 * is there until the agent zaps it. Of private copies the CPU knows more, but not if
 * the thread @slept in a fault that udaxd knew of: from there the kernel tries again
 * by itself, and the code is of what was before.
 */
static bool is_mapped(struct replay *r, const struct live_access *a, bool slept,
		      unsigned int child)
{
	const struct vma *vma = mm_find_vma(&r->mm, a->addr);

	if (!slept && a->private && a->error & PF_PROT)
		return true;
	return vma && vma->flags & VMA_ACCESS && hits(r, a, false, child);
}

/*
 * The fault was the kernel's alone, its p line is told: what would the file system
 * have done?
 */
static void probe(struct replay *r, const struct live_access *a, pid_t tid,
		  unsigned int child)
{
	struct udax_fs_msg fs = {
		.what = UDAX_FS_PROBE,
		.addr = a->addr & ~(DAX_PAGE_SIZE - 1),
		.write = a->write,
		.tid = tid,
		.child = child,
	};
	int err = live_fs_call(live_of(r), &fs, -1);

	if (err)
		replay_fail(r, err, "udaxd refuses a probe");
	live_of(r)->told = true;
	live_settle(r);
	live_of(r)->told = false;
}

static void conclude(struct replay *r, const struct live_access *a, pid_t tid,
		     unsigned int child, struct replay_access *out)
{
	struct live_seen seen;
	bool copied;

	live_settle(r);
	seen = live_log_seen(live_of(r), tid);
	/* The mm's own copy of a page of a private mapping. */
	copied = !a->signal && !seen.all && a->faults && a->write && a->private;
	/* Or one of another thread's, which the kernel had still to make. */
	if (copied && !a->copied && hits(r, a, true, child))
		copied = false;
	out->write = a->write;
	out->value = a->byte;
	out->outcome = a->signal == SIGSEGV ? REPLAY_SIGSEGV :
		       a->signal == SIGBUS ? REPLAY_SIGBUS : REPLAY_OK;
	/* A fault was under way when the file was cut: that is the one. */
	if (a->signal == SIGBUS && seen.refused)
		return;
	if (a->signal || copied)
		log_fault(r, a, tid, copied || is_mapped(r, a, seen.slept, child));
	if (copied && !child)
		live_note_copy(r, a->addr);
	/* That a copy is copied again, or taken over, the file never knows. */
	if (a->signal == SIGBUS || (copied && !a->copied))
		probe(r, a, tid, child);
}

void live_copied(struct replay *r, uint64_t addr, bool had_copy)
{
	struct live_access a = { .addr = addr, .write = true };

	if (!live_of(r)->populating)
		log_fault(r, &a, gettid(), true);
	live_note_copy(r, addr);
	if (!had_copy)
		probe(r, &a, gettid(), 0);
}

/*
 * The kernel's own access here has failed, without a signal that would say how:
 * the same again. A store changes nothing, should it succeed this time.
 */
void live_refused(struct replay *r, uint64_t addr, bool write)
{
	struct live *l = live_of(r);
	struct live_access a = {
		.addr = addr,
		.write = write,
		.private = live_is_private(r, addr),
	};

	current = &a;
	if (!sigsetjmp(escape, 1)) {
		if (write)
			__atomic_fetch_or((uint8_t *)addr, 0, __ATOMIC_RELAXED);
		else
			a.byte = *(volatile uint8_t *)addr;
	}
	current = NULL;
	if (a.signal && !l->populating)
		log_fault(r, &a, gettid(), is_mapped(r, &a, false, 0));
	if (a.signal == SIGBUS)
		probe(r, &a, gettid(), 0);
}

void live_touch(struct replay *r, uint64_t addr, struct replay_access *a)
{
	struct live_thread *t = launch(r, addr, false);

	if (!t)
		return;
	wait_done(t);
	t->state = LIVE_IDLE;
	conclude(r, &t->access, t->tid, 0, a);
}

void live_start(struct replay *r, uint64_t addr)
{
	launch(r, addr, false);
}

void live_arm(struct replay *r, uint64_t addr)
{
	struct live *l = live_of(r);

	atomic_store(&l->go, false);
	launch(r, addr, true);
}

void live_go(struct replay *r)
{
	struct live *l = live_of(r);

	for (unsigned int i = 0; i < SCRIPT_THREADS; i++)
		if (l->thread[i].state == LIVE_ARMED)
			l->thread[i].state = LIVE_RUNNING;
	atomic_store_explicit(&l->go, true, memory_order_release);
}

bool live_join(struct replay *r, struct replay_access *a)
{
	struct live_thread *t = &live_of(r)->thread[r->op->thread];

	if (t->state != LIVE_RUNNING)
		return false;
	wait_done(t);
	t->state = LIVE_IDLE;
	conclude(r, &t->access, t->tid, 0, a);
	return true;
}

/* ------------------------------------------------------------------ child */

static void zap_files(struct mm *mm)
{
	for (unsigned int i = 0; i < mm->nr_vmas; i++) {
		struct vma *vma = &mm->vmas[i];

		if (vma->flags & VMA_SHARED || !(vma->flags & VMA_ANON))
			madvise((void *)vma->start, vma->end - vma->start,
				MADV_DONTNEED);
	}
}

/*
 * fork() leaves DAX pages out, but copies what is armed for write protection,
 * and what a userfaultfd has mapped in a private mapping: that goes first. Then it waits until its parent has looked.
 */
static void __attribute__((noreturn))
child_main(struct replay *r, struct live_access *a, int out, int in)
{
	char byte;

	zap_files(&r->mm);
	access_memory(a);
	if (write(out, a, sizeof(*a)) != sizeof(*a) || read(in, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

void live_child(struct replay *r, uint64_t addr, struct replay_access *out)
{
	struct live *l = live_of(r);
	struct live_access a = live_access(r, addr);
	int up[2], down[2];
	pid_t pid;

	if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC)) {
		replay_fail(r, -errno, "cannot make a pipe");
		return;
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(down[1]);
		child_main(r, &a, up[1], down[0]);
	}
	close(up[1]);
	close(down[0]);
	if (pid < 0 || read(up[0], &a, sizeof(a)) != sizeof(a)) {
		replay_fail(r, pid < 0 ? -errno : -EIO, "no child");
	} else {
		conclude(r, &a, pid, ++l->children, out);
	}
	close(up[0]);
	close(down[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}
