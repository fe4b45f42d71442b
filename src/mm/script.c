/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dax/entry.h"
#include "mm/script.h"

#define NAMES 26
#define MAX_WORDS 12

struct word {
	const char *name;
	unsigned int value;
};

static const struct op_syntax {
	const char *name;
	const char *args;
} syntax[] = {
#define SCRIPT_OP_SYNTAX(id, name, args) [SCRIPT_##id] = { name, args },
	SCRIPT_OPS(SCRIPT_OP_SYNTAX)
#undef SCRIPT_OP_SYNTAX
};

static const struct word map_kinds[] = {
	{ "shared", SCRIPT_SHARED },
	{ "private", SCRIPT_PRIVATE },
	{ "sync", SCRIPT_SYNC },
	{ NULL, 0 },
};

static const struct word map_prots[] = {
	{ "r", SCRIPT_PROT_R },
	{ "w", SCRIPT_PROT_W },
	{ "rw", SCRIPT_PROT_R | SCRIPT_PROT_W },
	{ NULL, 0 },
};

static const struct word mprotect_prots[] = {
	{ "r", SCRIPT_PROT_R },
	{ "w", SCRIPT_PROT_W },
	{ "rw", SCRIPT_PROT_R | SCRIPT_PROT_W },
	{ "none", SCRIPT_PROT_NONE },
	{ "-", SCRIPT_PROT_NONE },
	{ NULL, 0 },
};

static const struct word advices[] = {
	{ "dontneed", SCRIPT_DONTNEED },
	{ "nohugepage", SCRIPT_NOHUGEPAGE },
	{ "hugepage", SCRIPT_HUGEPAGE },
	{ "populate_read", SCRIPT_POPULATE_READ },
	{ "populate_write", SCRIPT_POPULATE_WRITE },
	{ "remove", SCRIPT_REMOVE },
	{ "willneed", SCRIPT_WILLNEED },
	{ NULL, 0 },
};

static const struct word accesses[] = {
	{ "r", 0 },
	{ "w", 1 },
	{ NULL, 0 },
};

struct parser {
	struct script *script;
	struct script_error *err;
	unsigned int line;
	unsigned int room;		/* operations allocated */
	bool file_known[NAMES];
	bool map_known[NAMES];
	uint64_t map_colour[NAMES];	/* pages */
};

const char *script_op_name(enum script_kind kind)
{
	return syntax[kind].name;
}

static int fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	p->err->line = p->line;
	va_start(ap, fmt);
	vsnprintf(p->err->msg, sizeof(p->err->msg), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'K': return 10;
	case 'M': return 20;
	case 'G': return 30;
	case 'P': return PAGE_SHIFT;
	default: return 0;
	}
}

/* One term of a number; *@s moves behind it. */
static int parse_term(const char **s, uint64_t *value)
{
	unsigned int shift;
	char *end;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	errno = 0;
	/* Not base 0: a leading zero does not mean octal here. */
	if ((*s)[0] == '0' && ((*s)[1] == 'x' || (*s)[1] == 'X')) {
		if (!isxdigit((unsigned char)(*s)[2]))
			return -EINVAL;
		*value = strtoull(*s, &end, 16);
	} else {
		*value = strtoull(*s, &end, 10);
	}
	if (errno == ERANGE)
		return -ERANGE;
	for (; (shift = suffix_shift(*end)); end++) {
		if (*value > UINT64_MAX >> shift)
			return -ERANGE;
		*value <<= shift;
	}
	*s = end;
	return 0;
}

int script_number(const char *s, uint64_t *value)
{
	uint64_t sum, term;
	int rc;

	rc = parse_term(&s, &sum);
	while (!rc && *s) {
		char sign = *s++;

		if (sign != '+' && sign != '-')
			return -EINVAL;
		rc = parse_term(&s, &term);
		if (rc)
			break;
		if (sign == '+' ? term > UINT64_MAX - sum : term > sum)
			return -ERANGE;
		sum = sign == '+' ? sum + term : sum - term;
	}
	if (!rc)
		*value = sum;
	return rc;
}

static int arg_number(struct parser *p, const char *word, const char *what,
		      uint64_t *value)
{
	switch (script_number(word, value)) {
	case 0:
		return 0;
	case -ERANGE:
		return fail(p, "%s '%s' is out of range", what, word);
	default:
		return fail(p, "%s '%s' is not a number", what, word);
	}
}

static int arg_word(struct parser *p, const char *word, const char *what,
		    const struct word *table, unsigned int *value)
{
	for (; table->name; table++) {
		if (!strcmp(word, table->name)) {
			*value = table->value;
			return 0;
		}
	}
	return fail(p, "unknown %s '%s'", what, word);
}

/* @known: NULL where the operation defines the name. */
static int arg_name(struct parser *p, const char *word, const char *what,
		    const bool *known, uint8_t *value)
{
	if (word[0] < 'A' || word[0] > 'Z' || word[1])
		return fail(p, "'%s' is no name of a %s (A to Z)", word, what);
	*value = word[0] - 'A';
	if (known && !known[*value])
		return fail(p, "%s %s is not defined", what, word);
	return 0;
}

static int arg_small(struct parser *p, const char *word, const char *what,
		     unsigned int max, uint8_t *value)
{
	uint64_t n;
	int rc = arg_number(p, word, what, &n);

	if (rc)
		return rc;
	if (n > max)
		return fail(p, "%s '%s' is above %u", what, word, max);
	*value = n;
	return 0;
}

static int parse_arg(struct parser *p, struct script_op *op, char type,
		     const char *word)
{
	unsigned int value = 0;
	int rc;

	switch (type) {
	case 'D':
		return arg_name(p, word, "file", NULL, &op->file);
	case 'F':
		return arg_name(p, word, "file", p->file_known, &op->file);
	case 'N':
		return arg_name(p, word, "mapping", NULL,
				op->kind == SCRIPT_MAP ? &op->map : &op->to);
	case 'M':
		return arg_name(p, word, "mapping", p->map_known, &op->map);
	case 'T':
		return arg_small(p, word, "thread", SCRIPT_THREADS - 1,
				 &op->thread);
	case 'o':
		return arg_number(p, word, "offset", &op->off);
	case 'l':
		return arg_number(p, word, "length", &op->len);
	case 'e':
		return arg_number(p, word, "offset", &op->foff);
	case 'b':
		return arg_small(p, word, "byte", 0xff, &op->byte);
	case 'c':
		return arg_number(p, word, "colour", &op->colour);
	case 'k':
		rc = arg_word(p, word, "kind of mapping", map_kinds, &value);
		op->map_kind = value;
		return rc;
	case 'p':
		return arg_word(p, word, "protection", map_prots, &op->prot);
	case 'q':
		return arg_word(p, word, "protection", mprotect_prots,
				&op->prot);
	case 'a':
		rc = arg_word(p, word, "advice", advices, &value);
		op->advice = value;
		return rc;
	default: /* 'A' */
		rc = arg_word(p, word, "access", accesses, &value);
		op->write = value;
		return rc;
	}
}

static bool fits_slot(uint64_t colour, uint64_t off, uint64_t len)
{
	return colour <= SCRIPT_SLOT_SIZE >> PAGE_SHIFT &&
	       off <= SCRIPT_SLOT_SIZE && len <= SCRIPT_SLOT_SIZE &&
	       (colour << PAGE_SHIFT) + off + len <= SCRIPT_SLOT_SIZE;
}

/* The addresses that @op names must lie in the mapping's slot. */
static int check_slot(struct parser *p, const struct script_op *op)
{
	uint64_t len = strchr(syntax[op->kind].args, 'l') ? op->len : 1;
	bool ok;

	if (op->kind == SCRIPT_MAP)
		ok = fits_slot(op->colour, 0, op->len);
	else
		ok = fits_slot(p->map_colour[op->map], op->off, len);
	if (ok && op->kind == SCRIPT_MREMAP)
		ok = fits_slot(op->colour, 0, op->len);
	return ok ? 0 : fail(p, "address past the 1T slot of the mapping");
}

/* Congruent with the file offset modulo 2M. */
static void default_colour(struct parser *p, struct script_op *op)
{
	uint64_t pgoff = op->off >> PAGE_SHIFT;

	if (op->kind == SCRIPT_MREMAP)
		pgoff += p->map_colour[op->map];
	op->colour = pgoff & PG_PMD_COLOUR;
}

static int check_op(struct parser *p, struct script_op *op)
{
	const char *args = syntax[op->kind].args;
	int rc;

	if (strpbrk(args, "MN")) {
		rc = check_slot(p, op);
		if (rc)
			return rc;
	}
	if (strchr(args, 'D'))
		p->file_known[op->file] = true;
	if (strchr(args, 'N')) {
		uint8_t map = op->kind == SCRIPT_MAP ? op->map : op->to;

		p->map_known[map] = true;
		p->map_colour[map] = op->colour;
	}
	return 0;
}

static int parse_args(struct parser *p, struct script_op *op, char **words,
		      unsigned int nr)
{
	const char *args = syntax[op->kind].args;
	bool optional = false, coloured = false;
	unsigned int i = 0;
	int rc;

	for (; *args; args++) {
		if (*args == '?') {
			optional = true;
			continue;
		}
		if (i == nr) {
			if (optional)
				break;
			return fail(p, "%s: too few arguments",
				    syntax[op->kind].name);
		}
		rc = parse_arg(p, op, *args, words[i++]);
		if (rc)
			return rc;
		coloured |= *args == 'c';
	}
	if (i < nr)
		return fail(p, "%s: unexpected '%s'", syntax[op->kind].name,
			    words[i]);
	if (!coloured)
		default_colour(p, op);
	return check_op(p, op);
}

static struct script_op *add_op(struct parser *p)
{
	struct script *s = p->script;
	struct script_op *op;

	if (s->nr == p->room) {
		unsigned int room = p->room ? 2 * p->room : 64;

		op = realloc(s->ops, room * sizeof(*op));
		if (!op)
			return NULL;
		s->ops = op;
		p->room = room;
	}
	op = &s->ops[s->nr];
	memset(op, 0, sizeof(*op));
	op->nr = ++s->nr;
	op->line = p->line;
	op->byte = SCRIPT_BYTE;
	return op;
}

static int parse_line(struct parser *p, char *line)
{
	char *words[MAX_WORDS], *save, *copy, *w;
	struct script_op *op;
	unsigned int nr = 0;
	int rc;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, " \t\r");
	for (w = line + strlen(line); w > line && strchr(" \t\r", w[-1]); w--)
		w[-1] = '\0';
	if (!*line)
		return 0;
	copy = strdup(line);
	op = add_op(p);
	if (!copy || !op) {
		free(copy);
		return -ENOMEM;
	}
	op->text = line;
	for (w = strtok_r(copy, " \t\r", &save); w && nr < MAX_WORDS;
	     w = strtok_r(NULL, " \t\r", &save))
		words[nr++] = w;
	for (op->kind = 0; op->kind < SCRIPT_NR; op->kind++)
		if (!strcmp(words[0], syntax[op->kind].name))
			break;
	if (op->kind == SCRIPT_NR)
		rc = fail(p, "unknown operation '%s'", words[0]);
	else
		rc = parse_args(p, op, words + 1, nr - 1);
	free(copy);
	return rc;
}

int script_parse(struct script *s, const char *text, size_t len,
		 struct script_error *err)
{
	struct parser p = { .script = s, .err = err };
	char *line, *next;
	int rc = 0;

	memset(s, 0, sizeof(*s));
	memset(err, 0, sizeof(*err));
	if (memchr(text, '\0', len)) {
		snprintf(err->msg, sizeof(err->msg), "not a text file");
		return -EINVAL;
	}
	s->text = strndup(text, len);
	if (!s->text)
		return -ENOMEM;
	for (line = s->text; line && !rc; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		p.line++;
		rc = parse_line(&p, line);
	}
	if (rc)
		script_free(s);
	return rc;
}

void script_free(struct script *s)
{
	free(s->ops);
	free(s->text);
	memset(s, 0, sizeof(*s));
}
