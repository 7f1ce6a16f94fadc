# Bash completion of the program `kan`. What there is to complete (commands, options, the words that an option takes)
# is asked of the program itself, so this file names none of them.
#
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash

# PROGRAM [COMMAND]: what its --help says, an option a line
_kan_help() {
    ARGP_HELP_FMT=rmargin=9999 LC_ALL=C "$@" --help 2>/dev/null
}

# HELP: its options, with = behind those that take a value
_kan_options() {
    sed -n 's/^ *\(-[^ ],\)* *\(--[a-z0-9-]*=\{0,1\}\).*/\2/p' <<<"$1"
}

# HELP OPTION: the word for its value and what it is, "NAME Base function of a KAN: silu, identity, zero [silu]"
_kan_value() {
    local name=${2#--}
    [[ $2 == -o ]] && name=output
    sed -n "s/^.* --$name=\([^ ]*\) */\1 /p" <<<"$1"
}

# TEXT: "this: a, b, c [a]" as words
_kan_words() {
    local list=${1#*: }
    list=${list%%[;\[]*}
    echo "${list//,/ }"
}

# WORD..: those that begin with $cur, as bash would have them
_kan_reply() {
    mapfile -t COMPREPLY < <(compgen -W "$*" -- "$cur")
}

_kan_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# VALUE as _kan_value gives it
_kan_complete_value() {
    case $1 in
    FILE* | MODEL*) _kan_files -f ;;
    DIR*) _kan_files -d ;;
    NAME*) _kan_reply "$(_kan_words "$1")" ;;
    PARTS*)
        local before=
        [[ $cur == *,* ]] && before=${cur%,*},
        cur=${cur##*,}
        _kan_reply "$(_kan_words "$1")"
        COMPREPLY=("${COMPREPLY[@]/#/$before}")
        ;;
    esac
}

# PROGRAM: names of the generators of data
_kan_generators() {
    "$1" data 2>/dev/null | sed -n 's/^fn:\([a-zA-Z0-9_]*\)  *[a-z].*/\1/p'
}

# PROGRAM HELP: what stands without a dash
_kan_complete_argument() {
    local usage=${2%%$'\n'*} previous=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $cur == : || $previous == : ]]; then # bash makes three words of fn:hello
        [[ $cur == : ]] && previous=${COMP_WORDS[COMP_CWORD - 1]} cur=
        [[ $previous == : ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
        if [[ $previous == fn ]]; then _kan_reply "$(_kan_generators "$1")"; else _kan_files -f; fi
    elif [[ $usage == *'[NAME]'* ]]; then
        _kan_reply "$(_kan_generators "$1")"
    elif [[ $usage == *'NAME...'* ]]; then
        _kan_reply "$(sed -n 's/^NAME is \([^.]*\) or \([a-z]*\)[.].*/\1, \2/p' <<<"$2" | tr -d ,)"
    elif [[ -n ${usage##*\]} || $usage == *'MODEL [DATA]'* ]]; then
        _kan_files -f
    fi
}

_kan() {
    local kan=${1/#\~/$HOME} cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} option='' help
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _kan_reply "$(_kan_help "$kan" | sed -n 's/^  kan \([a-z]*\)  *[^ -].*/\1/p') --help --version"
        return
    fi
    help=$(_kan_help "$kan" "$command") || return 0

    # bash makes three words of --base=silu
    if [[ $cur == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 1]} cur=
    elif ((COMP_CWORD > 3)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    else
        option=${COMP_WORDS[COMP_CWORD - 1]}
    fi
    local value=
    [[ $option == -* ]] && value=$(_kan_value "$help" "$option")
    if [[ -n $value ]]; then
        _kan_complete_value "$value"
    elif [[ $cur == -* ]]; then
        _kan_reply "$(_kan_options "$help")"
        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    else
        _kan_complete_argument "$kan" "$help"
    fi
    return 0
}

complete -F _kan kan
