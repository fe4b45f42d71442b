/* SPDX-License-Identifier: BSD-3-Clause */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

#include "io/pmem2.h"

/* The name that programs linked with it have in them: its binary interface. */
#define SONAME "libpmem2.so.1"

static struct pmem2_api api;
static const char *error;	/* NULL: all of it is there */

static void load(void)
{
	void *lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!lib) {
		error = SONAME " cannot be loaded";
		return;
	}
#define X(name)								\
	api.name = (__typeof__(api.name))dlsym(lib, "pmem2_" #name);	\
	if (!api.name)							\
		error = SONAME " has no pmem2_" #name "()";
#include "io/tbl/pmem2.h"
#undef X
}

const struct pmem2_api *pmem2_load(const char **why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	*why = error;
	return error ? NULL : &api;
}
