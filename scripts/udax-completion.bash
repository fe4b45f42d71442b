# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of udax, udaxd and udax-bench. Verbs, options, experiments and protocols
# are asked of the programs; tests/lint/completion.sh holds what is written down here
# against their help.

# _udax_words WORD: of the words on stdin those that begin with WORD.
_udax_words () {
	mapfile -t COMPREPLY < <(compgen -W "$(cat)" -- "$1")
}

# _udax_options COMMAND...: the options that COMMAND --help names.
_udax_options () {
	"$@" --help 2>/dev/null | grep -o -E -e '--[a-z][a-z-]+' | sort -u
}

# _udax_protocols WORD UDAX: the last of a list with commas.
_udax_protocols () {
	local first=${1%"${1##*,}"}

	mapfile -t COMPREPLY < <(compgen -P "$first" -W "$(
		"$2" --list-protocols 2>/dev/null)" -- "${1##*,}")
}

# _udax_value OPTION WORD UDAX: what may follow an option; 1 if that is not known.
_udax_value () {
	case $1 in
	--pmem|--dir|--json-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$2");;
	--protocol)
		_udax_protocols "$2" "$3";;
	--track)
		_udax_words "$2" <<<'fast exact';;
	--mmap-lock)
		_udax_words "$2" <<<'kernel none';;
	--on-lost-wakeup)
		_udax_words "$2" <<<'report kick kill';;
	--media)
		_udax_words "$2" <<<'auto direct image';;
	--format)
		_udax_words "$2" <<<'text json chrome';;
	*)
		return 1;;
	esac
}

_udax () {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local udax=${COMP_WORDS[0]} verb=${COMP_WORDS[1]} i

	if ((COMP_CWORD == 1)); then
		_udax_words "$cur" < <("$udax" --list-cmds 2>/dev/null
			echo --help --version)
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
	_udax_value "$prev" "$cur" "$udax" && return
	if [[ $cur == -* ]]; then
		_udax_words "$cur" < <(echo --; _udax_options "$udax" "$verb")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}

# _udax_option_or_file WORD PREVIOUS COMMAND: nothing but options and their values.
_udax_option_or_file () {
	if [[ $1 == -* || $2 != -* ]]; then
		_udax_words "$1" < <(_udax_options "$3")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$1")
	fi
}

_udaxd () {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local udaxd=${COMP_WORDS[0]}

	_udax_value "$prev" "$cur" "${udaxd%d}" ||
		_udax_option_or_file "$cur" "$prev" "$udaxd"
}

# The experiments that "list" prints, a line each, and all of them.
_udax_bench_experiments () {
	"$1" list 2>/dev/null | cut -d ' ' -f 1
	echo all
}

_udax_bench () {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local bench=${COMP_WORDS[0]} verb=${COMP_WORDS[1]}

	if ((COMP_CWORD == 1)); then
		_udax_words "$cur" <<<'list run report --help --version'
	elif [[ $verb == report ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	elif [[ $verb != run ]]; then
		COMPREPLY=()
	elif ((COMP_CWORD == 2)); then
		_udax_words "$cur" < <(_udax_bench_experiments "$bench")
	elif [[ $prev == --only && ${COMP_WORDS[2]} == all ]]; then
		_udax_words "$cur" < <(_udax_bench_experiments "$bench")
	elif ! _udax_value "$prev" "$cur" "${bench%-bench}"; then
		_udax_option_or_file "$cur" "$prev" "$bench"
	fi
}

complete -o filenames -F _udax udax
complete -o filenames -F _udaxd udaxd
complete -o filenames -F _udax_bench udax-bench
