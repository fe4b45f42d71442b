/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Forked children. The fork event brings the child's userfaultfd before the
 * child runs, so that it is served from its first touch; who it is comes later:
 * from its hello, which names a fresh page of the child (the userfaultfd that
 * can write there, as read back through the process, is the child's), or from
 * the thread id in its first fault.
 */
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

/* The child's regions are the parent's; shared page tables are not copied. */
static int clone_regions(struct session *child, struct session *parent)
{
	struct {
		struct region *r;
		unsigned int tables;
	} *all;
	struct region *left_out = NULL;
	unsigned int nr = 0;
	int err = 0;

	lock_take(&parent->lock);
	all = calloc(parent->nr_regions + 1, sizeof(*all));
	for (unsigned int i = 0; all && i < parent->nr_regions; i++) {
		region_get(parent->regions[i]);
		all[nr].r = parent->regions[i];
		all[nr++].tables = shadow_shared_tables(parent->regions[i]);
	}
	lock_release(&parent->lock);
	if (!all)
		return -ENOMEM;
	lock_take(&child->lock);
	for (unsigned int i = 0; i < nr && !err; i++) {
		struct region *p = all[i].r;
		struct region *r = region_new(child, p->file, p->start, p->end,
					      p->offset, p->prot, p->flags,
					      p->wp);

		if (r) {
			r->id = p->id;
			shadow_forked(r, p, all[i].tables);
		}
		err = r ? region_insert(child, r) : -ENOMEM;
		if (err)
			left_out = r;
	}
	lock_release(&child->lock);
	if (left_out)
		region_put(left_out);
	for (unsigned int i = 0; i < nr; i++)
		region_put(all[i].r);
	free(all);
	return err;
}

void session_forked(struct exec *x, struct session *parent, int uffd)
{
	struct session *s = session_new(parent->d, parent->group->token, 0);
	unsigned int nth = atomic_fetch_add(&parent->children, 1) + 1;
	struct region_ref removed = { 0 };

	if (!s) {
		close(uffd);
		goto no_memory;
	}
	/* Its regions are found by way of their files as soon as they are made. */
	s->uffd = uffd;
	s->features = parent->features;
	s->parent = parent->id;
	s->nth = nth;
	s->image = parent->image;
	s->mmap_lock.on = parent->mmap_lock.on;
	memcpy(s->comm, parent->comm, sizeof(s->comm));
	if (clone_regions(s, parent)) {
		lock_take(&s->lock);
		region_remove(s, 0, UINT64_MAX, &removed);
		lock_release(&s->lock);
		region_ref_put(&removed);
		session_put(s);
		goto no_memory;
	}
	trace_session(s);
	session_publish(s);
	if (s->image)
		keeper_keep(s, -1);
	readers_start(s, x->id < s->d->nr_workers ? s->d->workers[x->id] : NULL);
	worker_forked(s->d);
	session_put(s);
	fs_child_born(x, parent);
	return;
no_memory:
	/* With its userfaultfd closed the child goes on without us, and right. */
	logmsg("no memory for a forked child of pid %d", (int)parent->pid);
	fs_child_born(x, parent);
}

/*
 * Can this userfaultfd write to that page of that process? Siblings have their
 * probes at the same address: a nonce that was written there in search of
 * another is remembered, it cannot be written twice.
 */
static bool owns_page(struct session *s, pid_t pid, uint64_t page)
{
	static __thread uint8_t buf[DAX_PAGE_SIZE]
		__attribute__((aligned(DAX_PAGE_SIZE)));
	struct uffdio_copy copy = {
		.dst = page, .src = (uintptr_t)buf, .len = DAX_PAGE_SIZE,
	};
	uint64_t seen = 0;
	struct iovec local = { &seen, sizeof(seen) };
	struct iovec remote = { (void *)(uintptr_t)page, sizeof(seen) };

	if (s->probe != page) {
		if (getrandom(&s->nonce, sizeof(s->nonce), 0) !=
		    sizeof(s->nonce))
			return false;
		memcpy(buf, &s->nonce, sizeof(s->nonce));
		if (uffd_register(s->uffd, page, DAX_PAGE_SIZE, UFFD_MISSING))
			return false;
		if (!ioctl(s->uffd, UFFDIO_COPY, &copy))
			s->probe = page;
		uffd_unregister(s->uffd, page, DAX_PAGE_SIZE);
	}
	return s->probe == page &&
	       process_vm_readv(pid, &local, 1, &remote, 1, 0) ==
	       sizeof(seen) && seen == s->nonce;
}

struct session *session_claim(struct udaxd *d, uint64_t parent, pid_t pid,
			      uint64_t probe)
{
	struct session *found = NULL, *s, **orphans;
	unsigned int nr = 0;

	lock_take(&d->lock);
	orphans = calloc(d->nr_sessions + 1, sizeof(*orphans));
	list_for_each(s, &d->sessions, link)
		if (orphans && s->parent == parent && s->sock < 0 &&
		    (!s->pid || s->pid == pid)) {
			session_get(s);
			orphans[nr++] = s;
		}
	lock_release(&d->lock);
	for (unsigned int i = 0; i < nr; i++) {
		if (!found && owns_page(orphans[i], pid, probe))
			found = orphans[i];
		else
			session_put(orphans[i]);
	}
	free(orphans);
	return found;
}

void session_learn_pid(struct session *s, uint32_t tid)
{
	char path[64], line[128];
	int tgid = 0;
	FILE *f;

	if (atomic_flag_test_and_set(&s->learning))
		return;
	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	fclose(f);
	if (tgid && !session_identify(s, tgid))
		session_adopt(s, -1);
}

void session_sweep(struct udaxd *d)
{
	struct session *s;

	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link)
		if (!s->pid && atomic_load(&s->state) == SESSION_LIVE &&
		    session_mm_gone(s))
			session_end(s);
	lock_release(&d->lock);
}

bool session_unnamed(struct udaxd *d)
{
	struct session *s;
	bool found = false;

	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link)
		found |= !s->pid;
	lock_release(&d->lock);
	return found;
}
