/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods of the control socket. */
#include "daemon/methods.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "daemon/readers.h"
#include "daemon/summary.h"
#include "daemon/trace.h"

bool rpc_params(struct rpc_call *call, const char *fmt, ...)
{
	json_error_t e;
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = json_vunpack_ex(call->params, &e, JSON_STRICT, fmt, ap);
	va_end(ap);
	if (!err)
		return true;
	call->error = RPC_PARAMS;
	snprintf(call->message, sizeof(call->message), "%s", e.text);
	return false;
}

json_t *rpc_refuse(struct rpc_call *call, const char *fmt, ...)
{
	va_list ap;

	call->error = RPC_PARAMS;
	va_start(ap, fmt);
	vsnprintf(call->message, sizeof(call->message), fmt, ap);
	va_end(ap);
	return NULL;
}

static json_t *hex(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%016" PRIx64, value);
	return json_string(text);
}

json_t *method_rpc_get_methods(struct rpc_call *call)
{
	json_t *list;

	if (!rpc_params(call, "{}"))
		return NULL;
	list = json_array();
#define X(name, fn, help) \
	json_array_append_new(list, json_pack("{s:s,s:s}", "name", name, \
					      "help", help));
#include "daemon/tbl/methods.h"
#undef X
	return list;
}

/* What the files were on; NULL while there was none. */
static const char *media_names(unsigned int mask)
{
	switch (mask) {
	case 1u << MEDIA_DIRECT:
		return "direct";
	case 1u << MEDIA_IMAGE:
		return "image";
	default:
		return mask ? "both" : NULL;
	}
}

/* Of one run, or of all with @g NULL. Daemon lock held. */
static json_t *summary_of(struct udaxd *d, const struct group *g)
{
	struct fault_summary more = {
		.protocol = d->opt.protocols.normal->name,
		.track = udaxd_track_name(d->opt.track),
	};
	struct fault_stats stats = { 0 };
	struct lost_times lost;
	unsigned int media = 0;
	const struct group *i;

	group_stats(d, g, &stats);
	group_lost(d, g, &lost);
	more.lost = &lost;
	if (!g) {
		more.files = d->retired.files;
		more.mappings = d->retired.mappings;
		more.processes = d->retired.processes;
	}
	list_for_each(i, &d->groups, link) {
		if (g && g != i)
			continue;
		more.files += i->files;
		more.mappings += i->mappings;
		more.processes += i->processes;
		more.escaped |= i->escaped;
		if (g && g->protocol)
			more.protocol = g->protocol;
		more.mmap_lock |= i->mmap_lock;
		media |= i->media;
	}
	more.media = media_names(media);
	more.traced = d->trace;
	more.trace_dropped = trace_drops(d);
	return fault_stats_to_json(&stats, &more);
}

static uint64_t uptime(const struct udaxd *d)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec - d->started_ns;
}

static json_t *pmem_dirs(const struct udaxd *d)
{
	json_t *dirs = json_array();

	for (unsigned int i = 0; i < d->opt.nr_pmem; i++)
		json_array_append_new(dirs, json_string(d->opt.pmem[i]));
	return dirs;
}

static json_int_t nr_groups(const struct udaxd *d)
{
	const struct group *g;
	json_int_t nr = 0;

	list_for_each(g, &d->groups, link)
		nr++;
	return nr;
}

/* As they were given. */
static json_t *protocol_rules(const struct protocol_rules *p)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < p->nr; i++)
		json_array_append_new(list, json_sprintf("%s:%s", p->rules[i].glob,
							 p->rules[i].proto->name));
	return list;
}

/* Daemon lock held. */
static json_t *hold_rules(const struct hold_rules *h)
{
	json_t *list = json_array();

	for (unsigned int i = 0; h && i < h->nr; i++)
		json_array_append_new(list, rpc_text(h->rules[i].text));
	return list;
}

/* Who sleeps for an entry of the file, and who of them for ever. */
static void count_sleepers(struct file *f, json_int_t *waiting,
			   json_int_t *stranded)
{
	const struct dax_waiter *w;

	lock_take(&f->mapping.i_pages);
	list_for_each(w, &f->mapping.sleepers, sleeper) {
		*waiting += w->queued;
		*stranded += w->queued && w->stranded;
	}
	lock_release(&f->mapping.i_pages);
}

/* Daemon lock held. */
static void set_sleepers(struct udaxd *d, json_t *status)
{
	json_int_t waiting = 0, stranded = 0;
	struct file *f;

	list_for_each(f, &d->files, link)
		count_sleepers(f, &waiting, &stranded);
	json_object_set_new(status, "waiting", json_integer(waiting));
	json_object_set_new(status, "stranded", json_integer(stranded));
}

json_t *method_get_status(struct rpc_call *call)
{
	struct udaxd *d = call->d;
	json_t *status;

	if (!rpc_params(call, "{}"))
		return NULL;
	status = json_pack("{s:s,s:i,s:I,s:s,s:o,s:i,s:i,s:s,s:o,s:s,s:s,s:s,s:o}",
			   "version", PACKAGE_VERSION, "pid", (int)getpid(),
			   "uptime_ns", (json_int_t)uptime(d),
			   "socket", d->opt.socket, "pmem", pmem_dirs(d),
			   "workers", (int)d->nr_workers,
			   "helpers", (int)d->opt.helpers,
			   "protocol", d->opt.protocols.normal->name,
			   "protocol_rules", protocol_rules(&d->opt.protocols),
			   "on_lost_wakeup",
			   udaxd_lost_name(atomic_load(&d->on_lost)),
			   "track", udaxd_track_name(d->opt.track),
			   "media", udaxd_media_name(d->opt.media),
			   "features", hex(d->uffd_features));
	if (!status)
		return NULL;
	lock_take(&d->lock);
	json_object_set_new(status, "sessions", json_integer(d->nr_sessions));
	json_object_set_new(status, "files", json_integer(d->nr_files));
	json_object_set_new(status, "lingering", json_integer(d->nr_lingering));
	json_object_set_new(status, "runs", json_integer(nr_groups(d)));
	json_object_set_new(status, "hold", hold_rules(d->holds));
	set_sleepers(d, status);
	json_object_set_new(status, "counters", summary_of(d, NULL));
	lock_release(&d->lock);
	return status;
}

json_t *rpc_text(const char *name)
{
	json_t *text = json_string(name);
	char copy[PATH_MAX];
	size_t i;

	if (text)
		return text;
	for (i = 0; name[i] && i < sizeof(copy) - 1; i++)
		copy[i] = (unsigned char)name[i] < 0x80 ? name[i] : '?';
	copy[i] = '\0';
	return json_string(copy);
}

/* Daemon lock held. */
static json_t *session_json(struct session *s, bool counters)
{
	struct fault_summary more = {
		.mappings = s->mappings, .processes = 1,
		.mmap_lock = s->mmap_lock.on,
	};
	struct fault_stats stats = { 0 };
	json_t *o, *readers = json_array();
	unsigned int regions, cpus[READERS_MAX];
	bool image;

	lock_take(&s->lock);
	for (unsigned int n = readers_cpus(s, cpus); n--; )
		json_array_append_new(readers, json_integer(cpus[n]));
	regions = s->nr_regions;
	image = s->image;
	lock_release(&s->lock);
	session_stats(s, &stats);
	o = json_pack("{s:I,s:i,s:o,s:s,s:o,s:i,s:I,s:b,s:o,s:I,s:I,s:I,s:I}",
		      "id", (json_int_t)s->id, "pid", (int)s->pid,
		      "comm", rpc_text(s->comm),
		      "state", s->state == SESSION_LIVE ? "live" : "ending",
		      "token", hex(s->group->token),
		      "regions", (int)regions,
		      "mappings", (json_int_t)s->mappings,
		      "image", (int)image, "readers", readers,
		      "pte", (json_int_t)stats.pte, "pmd", (json_int_t)stats.pmd,
		      "refill", (json_int_t)stats.refill,
		      "waits", (json_int_t)stats.dax.waits);
	if (o && s->parent)
		json_object_set_new(o, "parent", json_integer(s->parent));
	if (o && counters)
		json_object_set_new(o, "counters",
				    fault_stats_to_json(&stats, &more));
	return o;
}

json_t *method_list_sessions(struct rpc_call *call)
{
	struct udaxd *d = call->d;
	struct session *s;
	int counters = 0;
	json_t *list;

	if (!rpc_params(call, "{s?:b}", "counters", &counters))
		return NULL;
	list = json_array();
	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link)
		json_array_append_new(list, session_json(s, counters));
	lock_release(&d->lock);
	return list;
}

/* Where the file is now, if it still has a name: "/a/b (deleted)" else. */
static json_t *path_json(const struct media *m)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", m->fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return rpc_text(n < 0 ? m->name : path);
}

/* Daemon lock held. */
static json_t *file_json(struct file *f)
{
	const struct hold *hold = atomic_load(&f->hold);
	const struct media *m = f->media;
	unsigned int regions;

	lock_take(&f->lock);
	regions = f->nr_regions;
	lock_release(&f->lock);
	return json_pack("{s:I,s:o,s:I,s:I,s:s,s:I,s:I,s:i,s:b,s:b,s:s,s:o*}",
			 "id", (json_int_t)f->id, "path", path_json(m),
			 "dev", (json_int_t)m->dev, "ino", (json_int_t)m->ino,
			 "media", m->ops->name,
			 "size", (json_int_t)__atomic_load_n(&m->size,
							     __ATOMIC_RELAXED),
			 "page_size", (json_int_t)m->page_size,
			 "mappings", (int)regions,
			 "readonly", (int)m->readonly,
			 "draining", (int)f->draining,
			 "protocol", f->mapping.proto->name,
			 "hold", hold ? rpc_text(hold->text) : NULL);
}

json_t *method_list_files(struct rpc_call *call)
{
	struct udaxd *d = call->d;
	struct file *f;
	json_t *list;

	if (!rpc_params(call, "{}"))
		return NULL;
	list = json_array();
	lock_take(&d->lock);
	list_for_each(f, &d->files, link)
		json_array_append_new(list, file_json(f));
	lock_release(&d->lock);
	return list;
}

static json_t *region_json(const struct session *s, const struct region *r)
{
	char prot[] = "---";

	if (r->prot & PROT_READ)
		prot[0] = 'r';
	if (r->prot & PROT_WRITE)
		prot[1] = 'w';
	if (r->prot & PROT_EXEC)
		prot[2] = 'x';
	return json_pack("{s:I,s:I,s:i,s:I,s:I,s:I,s:I,s:s,s:b,s:b}",
			 "id", (json_int_t)r->id, "session", (json_int_t)s->id,
			 "pid", (int)s->pid, "file", (json_int_t)r->file->id,
			 "start", (json_int_t)r->start,
			 "length", (json_int_t)(r->end - r->start),
			 "offset", (json_int_t)r->offset, "prot", prot,
			 "private", !!(r->flags & UDAX_MAP_PRIVATE),
			 "wp", (int)r->wp);
}

static void append_mappings(json_t *list, struct session *s)
{
	lock_take(&s->lock);
	for (unsigned int i = 0; i < s->nr_regions; i++)
		json_array_append_new(list, region_json(s, s->regions[i]));
	lock_release(&s->lock);
}

json_t *method_list_mappings(struct rpc_call *call)
{
	struct udaxd *d = call->d;
	json_int_t only = 0;
	struct session *s;
	json_t *list;

	if (!rpc_params(call, "{s?:I}", "session", &only))
		return NULL;
	list = json_array();
	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link)
		if (!only || s->id == (uint64_t)only)
			append_mappings(list, s);
	lock_release(&d->lock);
	return list;
}

/* Processes that the run still has. Daemon lock held. */
static json_t *pids_of(struct udaxd *d, const struct group *g)
{
	json_t *pids = json_array();
	struct session *s;

	list_for_each(s, &d->sessions, link)
		if (s->group == g && s->state == SESSION_LIVE && s->pid > 0)
			json_array_append_new(pids, json_integer(s->pid));
	return pids;
}

/* A run that has mapped nothing may have had no contact with us at all. */
static json_t *run_json(struct udaxd *d, uint64_t token)
{
	static const struct group nothing;
	const struct group *g;
	json_t *run;

	lock_take(&d->lock);
	g = group_find(d, token);
	run = json_pack("{s:b,s:o,s:o}", "known", g != NULL,
			"pids", pids_of(d, g ? g : &nothing),
			"summary", summary_of(d, g ? g : &nothing));
	lock_release(&d->lock);
	return run;
}

static bool parse_token(const char *text, uint64_t *token)
{
	char *end;

	errno = 0;
	*token = strtoull(text, &end, 16);
	return *text && !*end && !errno && strlen(text) <= 16 &&
	       !strpbrk(text, "+- xX");
}

json_t *method_get_summary(struct rpc_call *call)
{
	const char *token;
	int wait = 0;

	if (!rpc_params(call, "{s:s,s?:b}", "token", &token, "wait", &wait))
		return NULL;
	if (!parse_token(token, &call->token))
		return rpc_refuse(call,
				  "token: not a hexadecimal number of 64 bits");
	if (!wait)
		return run_json(call->d, call->token);
	call->wait = true;
	call->later = run_json;
	return NULL;
}

json_t *method_shutdown(struct rpc_call *call)
{
	if (!rpc_params(call, "{}"))
		return NULL;
	call->stop = true;
	return json_true();
}
