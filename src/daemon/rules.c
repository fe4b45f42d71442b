/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dax/protocol.h"
#include "lib/path.h"

int hold_rules_add(struct hold_rules **rules, const char *text, char *why,
		   size_t why_len)
{
	unsigned int nr = *rules ? (*rules)->nr : 0;
	struct hold_rules *more;
	struct hold hold;
	int err;

	err = hold_parse(text, &hold, why, why_len);
	if (err)
		return err;
	more = realloc(*rules, sizeof(*more) + (nr + 1) * sizeof(hold));
	if (!more) {
		hold_free(&hold);
		snprintf(why, why_len, "no memory");
		return -ENOMEM;
	}
	if (!nr)
		more->older = NULL;
	more->rules[nr] = hold;
	more->nr = nr + 1;
	*rules = more;
	return 0;
}

const struct hold *hold_rules_find(const struct hold_rules *rules,
				   const char *path)
{
	for (unsigned int i = rules ? rules->nr : 0; i--; ) {
		const struct hold *h = &rules->rules[i];

		if (!h->glob || path_matches(h->glob, path))
			return h;
	}
	return NULL;
}

void hold_rules_free(struct hold_rules *rules)
{
	while (rules) {
		struct hold_rules *older = rules->older;

		for (unsigned int i = 0; i < rules->nr; i++)
			hold_free(&rules->rules[i]);
		free(rules);
		rules = older;
	}
}

static int unknown_protocol(const char *name, char *why, size_t why_len)
{
	const struct dax_protocol *p;
	size_t n = snprintf(why, why_len, "unknown; known are:");

	for (unsigned int i = 0; n < why_len && (p = dax_protocol_nth(i)); i++)
		n += snprintf(why + n, why_len - n, " %s", p->name);
	return -EINVAL;
}

int protocol_rules_add(struct protocol_rules *p, const char *text, char *why,
		       size_t why_len)
{
	const char *colon = strrchr(text, ':');
	const char *name = colon ? colon + 1 : text;
	const struct dax_protocol *proto = dax_protocol_find(name);
	struct protocol_rule *more;
	char *glob;

	if (!proto)
		return unknown_protocol(name, why, why_len);
	if (!colon) {
		p->normal = proto;
		return 0;
	}
	if (colon == text) {
		snprintf(why, why_len, "no file name before the ':'");
		return -EINVAL;
	}
	glob = strndup(text, colon - text);
	more = reallocarray(p->rules, p->nr + 1, sizeof(*more));
	if (more)
		p->rules = more;
	if (!glob || !more) {
		free(glob);
		snprintf(why, why_len, "no memory");
		return -ENOMEM;
	}
	more[p->nr++] = (struct protocol_rule) { glob, proto };
	return 0;
}

const struct dax_protocol *protocol_rules_find(const struct protocol_rules *p,
					       const char *path)
{
	for (unsigned int i = p->nr; i--; )
		if (path_matches(p->rules[i].glob, path))
			return p->rules[i].proto;
	return p->normal;
}

void protocol_rules_free(struct protocol_rules *p)
{
	for (unsigned int i = 0; i < p->nr; i++)
		free(p->rules[i].glob);
	free(p->rules);
	p->rules = NULL;
	p->nr = 0;
}
