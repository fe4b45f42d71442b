# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of udax's verbs and of their options, both as the program tells them.

_udax () {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local udax=${COMP_WORDS[0]} verb=${COMP_WORDS[1]} i

	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W \
			"$("$udax" --list-cmds 2>/dev/null) --help --version" \
			-- "$cur")
		return
	fi
	# After "--" it is another program's command line.
	for ((i = 2; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			if ((i == COMP_CWORD - 1)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			else
				mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			fi
			return
		fi
	done
	case $prev in
	--pmem)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur");;
	--track)
		mapfile -t COMPREPLY < <(compgen -W 'fast exact' -- "$cur");;
	--mmap-lock)
		mapfile -t COMPREPLY < <(compgen -W 'kernel none' -- "$cur");;
	--on-lost-wakeup)
		mapfile -t COMPREPLY < <(compgen -W 'report kick kill' -- "$cur");;
	--media)
		mapfile -t COMPREPLY < <(compgen -W 'auto direct image' -- "$cur");;
	--format)
		mapfile -t COMPREPLY < <(compgen -W 'text json chrome' -- "$cur");;
	*)
		if [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "-- $(
				"$udax" "$verb" --help 2>/dev/null |
				grep -o -E -e '--[a-z][a-z-]+' | sort -u)" \
				-- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi;;
	esac
}
complete -o filenames -F _udax udax
