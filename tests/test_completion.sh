#!/usr/bin/env bash
# Completion in bash: test_completion.sh KAN COMPLETION_FILE. Words are split here as readline does it, at = and :.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
kan=$1
# shellcheck source=experiments/kan.bash
source "$2"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0 checks=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*"
}

# WORD..: leaves in COMPREPLY what would be offered for the last one
completed() {
    COMP_WORDS=("$kan" "$@") COMP_CWORD=$# COMPREPLY=()
    _kan "$kan" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
}

# 'EXPECTED WORDS' WORD..
offers() {
    local expected=$1
    shift
    checks=$((checks + 1))
    completed "$@"
    [[ ${COMPREPLY[*]-} == "$expected" ]] || fail "kan $*: offered '${COMPREPLY[*]-}', expected '$expected'"
}

touch table.csv 'two words.csv' && mkdir folder

offers 'train' tr
offers 'predict prune plot' p
offers '--version' --v
offers '--base= --batch=' train --ba
offers '--quick' reproduce --q
offers '--range= --rows= --rate= --replay= --roughness= --reg-metric= --resume=' train --r
offers 'silu identity zero' train --base = ''
offers 'silu identity zero' train --base =
offers 'silu' train --base = s
offers 'silu sigmoid' train --activation s
offers 'lm' compare --optimizer lm
offers 'regression classification' formula --task ''
offers 'layers' bench --only lay
offers 'nets,optimizers' bench --only = nets,o
offers 'table.csv' train ta
offers 'table.csv two words.csv' train t
offers 'folder' reproduce --data = ''
offers 'table.csv' train x.csv --test = ta
offers 'table.csv' predict m.kan ta
offers '' train --rate ''
offers '' info --bas
offers 'spirals sph_harm01 sph_harm11 sph_harm02 sph_harm12 sph_harm22' data sp
offers 'hello' train fn : hel
offers 'moons' data moo
offers 'feynman fair' reproduce f
offers 'table.csv' plot -o tab

# Every option of every command is offered, and of every enumeration just the words that the program takes.
enumerations=0
completed ''
commands=("${COMPREPLY[@]}")
((${#commands[@]} >= 12)) || fail "commands: ${commands[*]}"
for command in "${commands[@]}"; do
    [[ $command == -* ]] && continue
    completed "$command" -
    printf '%s\n' "${COMPREPLY[@]%=}" | sort >offered
    "$kan" "$command" --help | grep -o -- '^ \{2,6\}\(-., \)\?--[a-z0-9-]*' | sed 's/.*--/--/' | sort >takes
    diff offered takes || fail "options of kan $command: < offered, > taken"
    for option in "${COMPREPLY[@]%=}"; do
        message=$("$kan" "$command" "$option=?" --no-such-option 2>&1) && continue
        [[ $message =~ 'must be '([a-z_0-9]+((, | or )[a-z_0-9]+)+)$ ]] || continue
        words=${BASH_REMATCH[1]//,/}
        enumerations=$((enumerations + 1))
        offers "${words// or / }" "$command" "$option" = ''
    done
done
((enumerations >= 12)) || fail "only $enumerations enumerations were found to compare"
echo "$checks completions, $enumerations of them enumerations"
((failures == 0))
