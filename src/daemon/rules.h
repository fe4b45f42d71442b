/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is chosen for each file, by the pattern that its path matches: the fault
 * protocol, and the hold times. The last rule that matches counts, as a whole.
 */
#ifndef UDAX_DAEMON_RULES_H
#define UDAX_DAEMON_RULES_H

#include <stddef.h>

#include "lib/hold.h"

struct dax_protocol;

/* All rules of one time. Constant once in use: files point to them. */
struct hold_rules {
	struct hold_rules *older;	/* those that these have replaced */
	unsigned int nr;
	struct hold rules[];
};

struct protocol_rules {
	const struct dax_protocol *normal;	/* of files that match none */
	unsigned int nr;
	struct protocol_rule {
		char *glob;
		const struct dax_protocol *proto;
	} *rules;
};

/*
 * Adds the rule @text, "[GLOB:]KIND=TIME...", to *@rules (NULL: there are none),
 * which moves. 0, or -EINVAL or -ENOMEM with a sentence in @why.
 */
int hold_rules_add(struct hold_rules **rules, const char *text, char *why,
		   size_t why_len);
/* NULL: nothing is held. @rules may be NULL. */
const struct hold *hold_rules_find(const struct hold_rules *rules,
				   const char *path);
/* The older ones too. */
void hold_rules_free(struct hold_rules *rules);

/* The same for "[GLOB:]NAME". */
int protocol_rules_add(struct protocol_rules *rules, const char *text,
		       char *why, size_t why_len);
const struct dax_protocol *protocol_rules_find(const struct protocol_rules *rules,
					       const char *path);
void protocol_rules_free(struct protocol_rules *rules);

#endif
