/* SPDX-License-Identifier: BSD-3-Clause */
/* Slots, what they must hold, and how they are touched; see stress.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"

static __thread sigjmp_buf guard_env;
static __thread volatile sig_atomic_t guard_on;

void fail(const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	if (__atomic_exchange_n(&sh->failed, 1, __ATOMIC_SEQ_CST))
		return;
	n = snprintf(text, sizeof(text), "stress: pid %d: ", (int)getpid());
	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - n - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = sizeof(text) - 2;
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, n) < 0)
		_exit(1);
	__atomic_store_n(&sh->stop, 1, __ATOMIC_SEQ_CST);
}

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	if (guard_on)
		siglongjmp(guard_env, sig);
	fail("signal %d at %p outside of any touch", sig, si->si_addr);
	_exit(1);
}

void guard_init(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

int guarded_copy(void *to, const void *from)
{
	volatile uint64_t *d = to;
	const volatile uint64_t *s = from;
	unsigned int i;
	int sig;

	sig = sigsetjmp(guard_env, 0);
	if (!sig) {
		guard_on = 1;
		for (i = 0; i < SLOT_WORDS; i++)
			d[i] = s[i];
	}
	guard_on = 0;
	return sig;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	return x ^ x >> 32;
}

void slot_block(uint64_t block[SLOT_WORDS], uint64_t slot, uint32_t seq)
{
	unsigned int i;

	memset(block, 0, SLOT);
	if (!seq)
		return;
	/* Readable first: whose, which, where; then a checksum of them. */
	block[0] = (slot % sh->owners) << 32 | seq;
	block[1] = slot * SLOT;
	for (i = 2; i < SLOT_WORDS; i++)
		block[i] = mix(block[0] ^ mix(block[1] + i) ^ sh->seed);
}

static struct window *window_of(uint64_t slot)
{
	return &sh->win[slot / SLOTS_PER_WINDOW];
}

static uint32_t gen_of(const uint32_t *gen)
{
	return __atomic_load_n(gen, __ATOMIC_SEQ_CST);
}

static bool gen_moved(const uint32_t *gen, uint32_t before)
{
	return (before & 1) || gen_of(gen) != before;
}

void change_begin(uint64_t from, uint64_t to)
{
	uint64_t i;

	for (i = from / WINDOW; i <= (to - 1) / WINDOW; i++) {
		pthread_mutex_lock(&sh->win[i].change);
		__atomic_add_fetch(&sh->win[i].gen, 1, __ATOMIC_SEQ_CST);
	}
	for (i = from / SLOT; i < to / SLOT; i++) {
		uint32_t old = __atomic_load_n(&sh->slots[i], __ATOMIC_SEQ_CST);

		while (!__atomic_compare_exchange_n(&sh->slots[i], &old,
				old & (SLOT_BUSY | SLOT_UNKNOWN) ? SLOT_UNKNOWN :
				SLOT_PUNCHED, false, __ATOMIC_SEQ_CST,
				__ATOMIC_SEQ_CST))
			;
	}
}

void change_end(uint64_t from, uint64_t to)
{
	uint64_t i;

	for (i = from / SLOT; i < to / SLOT; i++) {
		uint32_t old = SLOT_PUNCHED;

		__atomic_compare_exchange_n(&sh->slots[i], &old, 0, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	for (i = from / WINDOW; i <= (to - 1) / WINDOW; i++) {
		__atomic_add_fetch(&sh->win[i].gen, 1, __ATOMIC_SEQ_CST);
		pthread_mutex_unlock(&sh->win[i].change);
	}
}

/* A signal, or a short transfer, instead of the touch: was it right? */
static void judge_signal(struct worker *w, int sig, uint64_t slot, uint32_t gen,
			 struct map *m, uint32_t map_gen)
{
	if (sig == SIGBUS)
		w->me->sigbus++;
	else
		w->me->sigsegv++;
	if (gen_moved(&window_of(slot)->gen, gen))
		return;
	if (m && gen_moved(&m->gen, map_gen))
		return;
	fail("owner %u, %s: %s at offset %#llx of %s, where the file has a page "
	     "(window generation %u, mapping %p+%#llx generation %u)", w->nr,
	     w->me->op, sig == SIGBUS ? "SIGBUS" : sig == SIGSEGV ? "SIGSEGV" :
	     "a short transfer", (unsigned long long)(slot * SLOT), sh->path,
	     gen, m ? (void *)m->addr : NULL,
	     m ? (unsigned long long)m->off : 0, map_gen);
}

static char *slot_addr(const struct map *m, uint64_t slot)
{
	return m->addr + (slot * SLOT - m->off);
}

/* 0, or a signal; -1: fewer bytes than asked for. */
static int put_block(struct worker *w, const uint64_t *block, uint64_t slot,
		     enum via via, struct map *m)
{
	off_t scratch = w->nr * SLOT;

	if (via == VIA_MAP)
		return guarded_copy(slot_addr(m, slot), block);
	if (via == VIA_FILE)
		return pwrite(file_fd, block, SLOT, slot * SLOT) == SLOT ? 0 : -1;
	/* The kernel stores into the mapping, from a file of another kind. */
	if (pwrite(scratch_fd, block, SLOT, scratch) != SLOT)
		return -1;
	return pread(scratch_fd, slot_addr(m, slot), SLOT, scratch) == SLOT ? 0 : -1;
}

static int get_block(struct worker *w, uint64_t *block, uint64_t slot,
		     enum via via, struct map *m)
{
	off_t scratch = w->nr * SLOT;

	if (via == VIA_MAP)
		return guarded_copy(block, slot_addr(m, slot));
	if (via == VIA_FILE)
		return pread(file_fd, block, SLOT, slot * SLOT) == SLOT ? 0 : -1;
	if (pwrite(scratch_fd, slot_addr(m, slot), SLOT, scratch) != SLOT)
		return -1;
	return pread(scratch_fd, block, SLOT, scratch) == SLOT ? 0 : -1;
}

void slot_store(struct worker *w, uint64_t slot, enum via via, struct map *m)
{
	uint32_t seq = ++w->me->seq & ~SLOT_STATE, busy = SLOT_BUSY | seq;
	uint64_t block[SLOT_WORDS];
	uint32_t gen, map_gen;
	int sig;

	if (!seq)
		return;
	w->me->pos = slot * SLOT;
	slot_block(block, slot, seq);
	__atomic_exchange_n(&sh->slots[slot], busy, __ATOMIC_SEQ_CST);
	gen = gen_of(&window_of(slot)->gen);
	map_gen = m ? gen_of(&m->gen) : 0;
	sig = put_block(w, block, slot, via, m);
	if (sig)
		judge_signal(w, sig, slot, gen, m, map_gen);
	__atomic_compare_exchange_n(&sh->slots[slot], &busy,
				    sig || (gen & 1) ? SLOT_UNKNOWN : seq, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	w->me->stored++;
}

static void wrong_bytes(const char *who, uint64_t slot, uint32_t word,
			const uint64_t *got, const uint64_t *want)
{
	char text[700];
	unsigned int i, n = 0;

	for (i = 0; i < SLOT_WORDS; i++)
		n += snprintf(text + n, sizeof(text) - n, "\n  +%02x %016llx %016llx%s",
			      i * 8, (unsigned long long)want[i],
			      (unsigned long long)got[i],
			      want[i] == got[i] ? "" : " <-");
	fail("%s: wrong bytes at offset %#llx (window %llu, page %llu), owner %llu,"
	     " the oracle says %#x; wanted, got:%s", who,
	     (unsigned long long)(slot * SLOT),
	     (unsigned long long)(slot / SLOTS_PER_WINDOW),
	     (unsigned long long)(slot * SLOT / PAGE),
	     (unsigned long long)(slot % sh->owners), word, text);
}

void slot_load(struct worker *w, uint64_t slot, enum via via, struct map *m)
{
	uint64_t block[SLOT_WORDS], want[SLOT_WORDS];
	uint32_t word, gen, map_gen;
	char who[120];
	int sig;

	w->me->pos = slot * SLOT;
	gen = gen_of(&window_of(slot)->gen);
	map_gen = m ? gen_of(&m->gen) : 0;
	word = gen_of(&sh->slots[slot]);
	sig = get_block(w, block, slot, via, m);
	if (sig) {
		judge_signal(w, sig, slot, gen, m, map_gen);
		return;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if ((word & SLOT_STATE) || gen_of(&sh->slots[slot]) != word)
		return;
	w->me->checked++;
	slot_block(want, slot, word);
	if (!memcmp(want, block, SLOT))
		return;
	snprintf(who, sizeof(who), "owner %u%s, %s, mapping %p+%#llx len %#llx",
		 w->nr, w->delegate ? "'s child" : "", w->me->op,
		 m ? (void *)m->addr : NULL, m ? (unsigned long long)m->off : 0,
		 m ? (unsigned long long)m->len : 0);
	wrong_bytes(who, slot, word, block, want);
}

uint64_t verify_all(const char *how, const char *base)
{
	uint64_t slot, bad = 0, block[SLOT_WORDS], want[SLOT_WORDS];
	uint32_t word;

	for (slot = 0; slot < sh->size / SLOT; slot++) {
		word = sh->slots[slot];
		if (word & SLOT_STATE)
			continue;
		slot_block(want, slot, word);
		if (base)
			memcpy(block, base + slot * SLOT, SLOT);
		else if (pread(file_fd, block, SLOT, slot * SLOT) != SLOT)
			memset(block, 0xff, SLOT);
		if (!memcmp(block, want, SLOT))
			continue;
		if (!bad++)
			wrong_bytes(how, slot, word, block, want);
	}
	return bad;
}
