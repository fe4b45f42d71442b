/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever entries, zero pages and page tables a random script goes through,
 * each load sees the byte that the file holds, and only an access past the end
 * of file is SIGBUS: on every kernel and file system.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "mm/replay_model.h"

#define P	DAX_PAGE_SIZE
#define PAGES	(4 * PG_PMD_NR)
#define OPS	150
#define SEEDS	60

static uint8_t bytes[PAGES * P];	/* what the file must hold */
static uint64_t size;

struct run {
	uint64_t seed;
	FILE *script;
	unsigned int nr;		/* operations written */
	char want[2 * OPS + 20][16];	/* their results; "" for any */
};

static uint64_t below(struct run *r, uint64_t n)
{
	return next_random(&r->seed) % n;
}

__attribute__((format(printf, 3, 4)))
static void add(struct run *r, const char *want, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(r->script, fmt, ap);
	va_end(ap);
	fputc('\n', r->script);
	snprintf(r->want[r->nr++], sizeof(r->want[0]), "%s", want);
}

/* Pages that operations like to meet at. */
static uint64_t some_page(struct run *r)
{
	static const unsigned int near[] = { 0, 1, 5, 100, 511, 512, 513, 600,
					     1023, 1024, 1300, 1536, 2047 };

	return below(r, 4) ? near[below(r, sizeof(near) / sizeof(near[0]))] :
			     below(r, PAGES);
}

static uint64_t some_length(struct run *r)
{
	static const unsigned int pages[] = { 1, 1, 2, 16, 512, 700 };

	return pages[below(r, sizeof(pages) / sizeof(pages[0]))] * P;
}

static void clear(uint64_t off, uint64_t len)
{
	if (off < sizeof(bytes))
		memset(bytes + off, 0, len < sizeof(bytes) - off ?
					       len : sizeof(bytes) - off);
}

static void touch(struct run *r)
{
	static const struct {
		char name;
		unsigned int first;	/* file page at its start */
	} maps[] = { { 'M', 0 }, { 'N', 0 }, { 'O', 256 }, { 'R', 0 } };
	unsigned int m = below(r, 4);
	uint64_t page = some_page(r), off = page * P + below(r, 2) * 100;
	uint8_t byte = below(r, 256);
	bool write = m != 3 && below(r, 2);
	char want[16];

	if (page < maps[m].first)
		return;
	if (page * P >= size)
		strcpy(want, "SIGBUS");
	else if (write)
		strcpy(want, "ok");
	else
		snprintf(want, sizeof(want), "val=%02x", bytes[off]);
	add(r, want, "touch 0 %c %llu %c 0x%x", maps[m].name,
	    (unsigned long long)(off - maps[m].first * P), write ? 'w' : 'r',
	    byte);
	if (write && page * P < size)
		bytes[off] = byte;
}

static void change(struct run *r)
{
	uint64_t off = some_page(r) * P, len = some_length(r);
	unsigned int byte = below(r, 256);
	unsigned long long o, l;

	if (off + len > sizeof(bytes))
		len = sizeof(bytes) - off;
	o = off;
	l = len;
	switch (below(r, 9)) {
	case 0:
		add(r, "", "pwrite A %llu %llu %u", o, l, byte);
		memset(bytes + off, byte, len);
		if (off + len > size)
			size = off + len;
		break;
	case 1:
		add(r, "ok", "punch A %llu %llu", o, l);
		clear(off, len);
		break;
	case 2:
		add(r, "ok", "zero A %llu %llu", o, l);
		clear(off, len);
		if (off + len > size)
			size = off + len;
		break;
	case 3:
		if (off + len >= size)
			break;
		add(r, "ok", "collapse A %llu %llu", o, l);
		memmove(bytes + off, bytes + off + len,
			sizeof(bytes) - off - len);
		clear(sizeof(bytes) - len, len);
		size -= len;
		break;
	case 4:
		add(r, "ok", "truncate A %llu", o + 5);
		clear(off + 5 < size ? off + 5 : size, sizeof(bytes));
		size = off + 5;
		break;
	case 5:
		add(r, "ok", "prealloc A %llu %llu", o, l);
		if (off + len > size)
			size = off + len;
		break;
	case 6:
		add(r, "", "madvise N %llu %llu dontneed", o, l);
		break;
	case 7:
		add(r, "ok", "msync M %llu %llu", o, l);
		break;
	default:
		add(r, "ok", "fsync A");
		break;
	}
}

static void write_script(struct run *r)
{
	unsigned int i;

	memset(bytes, 0, sizeof(bytes));
	size = below(r, 2) ? sizeof(bytes) : 3 * 1024 * 1024 / 2;
	add(r, "ok", "create A %llu", (unsigned long long)size);
	add(r, "ok", "map M A %s rw 0 8M", below(r, 2) ? "shared" : "sync");
	add(r, "ok", "map N A shared rw 0 8M 1");
	add(r, "ok", "map O A shared rw 1M 7M");
	add(r, "ok", "map R A private r 0 8M");
	for (i = 0; i < OPS; i++) {
		touch(r);
		if (!below(r, 3))
			change(r);
	}
}

/* Each result of @log is what @r wants. */
static void check_log(const struct run *r, char *log)
{
	unsigned int nr, seen = 0;
	char *line, *save, result[16];

	for (line = strtok_r(log, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "ret %u %15s", &nr, result) != 2)
			continue;
		seen++;
		assert_int_equal(nr, seen);
		if (r->want[nr - 1][0] && strcmp(result, r->want[nr - 1]))
			fail_msg("operation %u: %s, wanted %s", nr, result,
				 r->want[nr - 1]);
	}
	assert_int_equal(seen, r->nr);
}

static void run(const struct mm_variant *v, uint64_t seed)
{
	struct replay_options o = { .variant = v, .scenario = "random" };
	struct run r = { .seed = seed };
	struct script_error err;
	struct script script;
	char *text, *log, msg[120];
	size_t text_len, log_len;

	r.script = open_memstream(&text, &text_len);
	write_script(&r);
	fclose(r.script);
	assert_int_equal(script_parse(&script, text, text_len, &err), 0);
	o.out = open_memstream(&log, &log_len);
	assert_int_equal(replay_model(&script, &o, msg, sizeof(msg)), 0);
	fclose(o.out);
	check_log(&r, log);
	script_free(&script);
	free(text);
	free(log);
}

static void test_coherent(void **state)
{
	const struct mm_variant *v;
	unsigned int i, seed;

	for (i = 0; (v = mm_variant_nth(i)); i++) {
		print_message("%s %s\n", v->kernel, v->fs);
		for (seed = 1; seed <= SEEDS; seed++)
			run(v, seed);
	}
	assert_true(i >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coherent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
