/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a file system's client, which is the program as well, asks about its faults:
 * one that the kernel ended without a message, whether an access would hit, and when
 * none is being served.
 */
#include "daemon/session.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* @s itself, or its @nth forked child; NULL: it is gone. */
static struct session *probed(struct session *s, unsigned int nth)
{
	struct session *c, *found = NULL;

	if (!nth) {
		session_get(s);
		return s;
	}
	lock_take(&s->d->lock);
	list_for_each(c, &s->d->sessions, link)
		if (c->parent == s->id && c->nth == nth) {
			session_get(c);
			found = c;
			break;
		}
	lock_release(&s->d->lock);
	return found;
}

/* As if the message had come. There is no thread to be woken. */
static int do_probe(struct exec *x, struct session *s, const struct udax_msg *m)
{
	struct session *who = probed(s, m->fs.child);
	struct uffd_msg msg = { .event = UFFD_EVENT_PAGEFAULT };

	if (!who)
		return ESRCH;
	msg.arg.pagefault.address = m->fs.addr;
	msg.arg.pagefault.flags = m->fs.write ? UFFD_PAGEFAULT_FLAG_WRITE : 0;
	msg.arg.pagefault.feat.ptid = m->fs.tid;
	fault_message(x, who, &msg, now_ns());
	session_put(who);
	wire_reply(s->sock, m, 0, NULL, NULL, 0);
	return 0;
}

/* Would an access hit, by the emulated page table? */
static int do_look(struct session *s, const struct udax_msg *m)
{
	bool has = false;
	struct session *who = probed(s, m->fs.child);
	struct region *r;

	if (!who)
		return ESRCH;
	lock_take(&who->lock);
	r = region_lookup(who, m->fs.addr);
	lock_release(&who->lock);
	if (r) {
		has = pgtable_has(&r->pt, m->fs.addr, m->fs.write);
		region_put(r);
	}
	session_put(who);
	return has ? EEXIST : ENOENT;
}

/* Its reply is sent. */
static void ask_child(struct exec *x, struct session *s, const struct udax_msg *m)
{
	int err = m->fs.what == UDAX_FS_PROBE ? do_probe(x, s, m) : do_look(s, m);

	if (err)
		wire_reply(s->sock, m, err, NULL, NULL, 0);
}

/* Its fork() may have returned already. Session lock held. */
static bool in_the_making(struct session *s, unsigned int nth)
{
	return nth && (nth > s->born || s->born < atomic_load(&s->children));
}

/* A question that waits is answered when the child is there. */
void fs_ask(struct exec *x, struct session *s, const struct udax_msg *m)
{
	struct fs_question *q = &s->question;
	bool wait, busy;

	lock_take(&s->lock);
	wait = in_the_making(s, m->fs.child);
	busy = wait && q->waits;
	if (wait && !busy)
		*q = (struct fs_question){ *m, true };
	lock_release(&s->lock);
	if (busy)
		wire_reply(s->sock, m, EBUSY, NULL, NULL, 0);
	else if (!wait)
		ask_child(x, s, m);
}

void fs_child_born(struct exec *x, struct session *parent)
{
	struct fs_question q;

	lock_take(&parent->lock);
	parent->born++;
	q = parent->question;
	q.waits = q.waits && !in_the_making(parent, q.msg.fs.child);
	if (q.waits)
		parent->question.waits = false;
	lock_release(&parent->lock);
	if (q.waits)
		ask_child(x, parent, &q.msg);
}

struct quiet_wait {
	struct list_head link;		/* udaxd.quiet_waits */
	struct request *request;
};

void fs_quiet_check(struct udaxd *d)
{
	struct quiet_wait *w, *next;
	struct list_head quiet;

	list_init(&quiet);
	lock_take(&d->lock);
	if (exec_none_served(d)) {
		list_splice_tail(&d->quiet_waits, &quiet);
		atomic_store(&d->quiet_wanted, false);
	}
	lock_release(&d->lock);
	list_for_each_safe(w, next, &quiet, link) {
		request_put(w->request);
		free(w);
	}
}

/*
 * The barrier pairs with exec_fault_ended(): either that sees quiet_wanted, or
 * its count is seen here.
 */
int fs_quiet(struct session *s, const struct udax_msg *m)
{
	struct quiet_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return ENOMEM;
	w->request = request_new(s, m);
	if (!w->request) {
		free(w);
		return 0;
	}
	lock_take(&s->d->lock);
	list_add_tail(&w->link, &s->d->quiet_waits);
	atomic_store(&s->d->quiet_wanted, true);
	lock_release(&s->d->lock);
	syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	fs_quiet_check(s->d);
	return 0;
}
