/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The helper threads: they do what may block (a collapse that makes a folio
 * huge, the medium's I/O, the last write-back of a file) with the entry locked,
 * so that a worker never has to. First come, first served, but for the few jobs
 * that are no operation of the model: they would wait for ever behind a storm.
 */
#include "daemon/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list_head tasks;		/* task.link; under lock */
	struct list_head jobs;		/* pool_job.link; under lock */
	bool stopping;			/* under lock */
	unsigned int threads;
	struct helper *helpers;
};

struct helper {
	struct pool *pool;
	struct exec *x;
	pthread_t thread;
};

static void *helper_main(void *arg)
{
	struct helper *h = arg;
	struct pool *p = h->pool;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		if (!list_empty(&p->jobs)) {
			struct pool_job *job = list_first(&p->jobs,
							  struct pool_job, link);

			list_del(&job->link);
			pthread_mutex_unlock(&p->lock);
			job->fn(job);
		} else if (!list_empty(&p->tasks)) {
			struct task *t = list_first(&p->tasks, struct task,
						    link);

			list_del(&t->link);
			pthread_mutex_unlock(&p->lock);
			task_run(h->x, t);
		} else if (p->stopping) {
			break;
		} else {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void pool_submit(struct pool *p, struct task *t)
{
	pthread_mutex_lock(&p->lock);
	list_add_tail(&t->link, &p->tasks);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void pool_run(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	list_add_tail(&job->link, &p->jobs);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

int pool_start(struct pool **pool, struct udaxd *d, unsigned int threads,
	       struct exec **execs)
{
	struct pool *p = calloc(1, sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	list_init(&p->tasks);
	list_init(&p->jobs);
	p->helpers = calloc(threads, sizeof(*p->helpers));
	if (!p->helpers) {
		free(p);
		return -ENOMEM;
	}
	for (; p->threads < threads && !err; p->threads++) {
		struct helper *h = &p->helpers[p->threads];

		h->pool = p;
		h->x = execs[p->threads];
		err = pthread_create(&h->thread, NULL, helper_main, h);
		if (err)
			break;
	}
	*pool = p;
	return -err;
}

void pool_stop(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->threads; i++)
		pthread_join(p->helpers[i].thread, NULL);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p->helpers);
	free(p);
}
