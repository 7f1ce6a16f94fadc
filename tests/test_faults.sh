#!/bin/sh
# Disks that are full, folders that cannot be written, signals: a line on standard error, a status, and what was there
# before stays.
#
#     test_faults.sh PROGRAM
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
program=$1
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder" || exit 1
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
bad=0

wrong() {
    echo "$1: status $status: $(head -c 300 err)"
    bad=1
}

# ends STATUS WORD COMMAND..: the program ends with that status and says that word; m.kan stays, no other file appears
ends() {
    wanted=$1 word=$2
    shift 2
    cp old.kan m.kan
    ls >before
    "$@" >out 2>err
    status=$?
    [ $status -eq "$wanted" ] || wrong "$*"
    grep -q -- "$word" err || wrong "$* does not say '$word'"
    cmp -s old.kan m.kan || wrong "$*: the file that was there is another"
    ls >after
    cmp -s before after || wrong "$* leaves files: $(comm -13 before after | tr '\n' ' ')"
}

# at_most BLOCKS COMMAND..: no file may be longer than so many times 512 bytes
at_most() {
    (
        ulimit -f "$1" || exit 99
        shift
        exec "$@"
    )
}

touch out err before after
"$program" train fn:hello --rows 50 --steps 3 -o old.kan >/dev/null || exit 1
train="$program train fn:hello --rows 50 --steps 3"

# ---- a limit on the size of files is a disk that is full in the midst of a write ---------------------
# (2 blocks at least: LLVM's OpenMP ends the program where its own shared memory of 1024 bytes is refused)
ends 1 'm.kan: cannot write: File too large' at_most 2 $train -o m.kan
ends 1 'j: cannot write: File too large' at_most 2 $train --seeds 3 --json j
ends 1 'p.csv: cannot write: File too large' at_most 8 "$program" predict old.kan fn:hello -o p.csv
ends 1 'm.kan: cannot write: File too large' at_most 8 "$program" data fn:hello -o m.kan

# ---- a checkpoint that cannot be written is a warning ------------------------------------------------
at_most 20 "$program" train fn:hello --rows 2000 --optimizer adam --steps 50 --checkpoint c --every 0 -o n.kan >out 2>err
status=$?
[ $status -eq 0 ] && [ -f n.kan ] && [ ! -f c ] || wrong "a full disk for checkpoints"
[ "$(grep -c 'warning: checkpoint: c: cannot write' err)" -eq 1 ] || wrong "one warning of checkpoints"

# ---- devices and folders --------------------------------------------------------------------------
if [ -w /dev/full ]; then
    ends 1 '/dev/full: cannot write' $train --json /dev/full
    ends 1 '/dev/full: cannot write' "$program" predict old.kan fn:hello -o /dev/full
    ends 1 'cannot write' $train -o /dev/full
    ends 1 'standard output: cannot write' sh -c "'$program' info old.kan >/dev/full"
fi
mkdir locked
cp old.kan locked/m.kan
chmod a-w locked
if [ ! -w locked ]; then # root may write anyway
    ends 1 'locked/m.kan: cannot write: Permission denied' $train -o locked/m.kan
    ends 1 'locked/c: cannot write: Permission denied' $train --checkpoint locked/c
    cmp -s old.kan locked/m.kan || wrong "a folder that cannot be written"
fi

# ---- signals ----------------------------------------------------------------------------------------
# Waits until the checkpoint is there, so that the training has begun.
for signal in INT TERM; do
    rm -f c n.kan
    # a shell lets what it starts in the background ignore SIGINT; env puts that back
    env --default-signal=INT "$program" train fn:hello --rows 2000 --optimizer adam --steps 2000000 --checkpoint c \
        --every 0.02 -o n.kan >out 2>err &
    child=$!
    while [ ! -f c ] && kill -0 $child; do sleep 0.02; done
    kill -$signal $child
    wait $child
    status=$?
    [ $status -eq 130 ] && grep -q interrupted err || wrong "SIG$signal"
    "$program" info n.kan >/dev/null || wrong "SIG$signal: no model"
done
exit $bad
