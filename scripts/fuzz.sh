#!/bin/sh
# Run the fuzzers: ./dev fuzz [NAME] [--seconds N]. Seeds are in tests/fuzz/corpus/NAME and are only
# read; what a fuzzer finds is kept in build/fuzz/corpus/NAME, what breaks in build/fuzz/broken.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

wanted='' seconds=60
while [ $# -gt 0 ]; do
    case $1 in
    --seconds)
        seconds=${2:-}
        shift
        ;;
    -*) die "fuzz does not know $1." 'Usage: ./dev fuzz [NAME] [--seconds N]' ;;
    *) wanted=${1#fuzz_} ;;
    esac
    [ $# = 0 ] || shift
done
case $seconds in
'' | *[!0-9]* | 0) die '--seconds takes a number of seconds, 1 or more.' ;;
esac

# run_one NAME: the status of the fuzzer. libFuzzer's own lines go to a log and, on a terminal, one
# at a time to the screen.
run_one() {
    found=build/fuzz/corpus/$1
    seeds=tests/fuzz/corpus/$1
    mkdir -p "$found" build/fuzz/broken
    set -- "$1" "build/fuzz/fuzz/fuzz_$1" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=build/fuzz/broken/"$1"- "$found"
    [ ! -d "$seeds" ] || set -- "$@" "$seeds"
    name=$1
    shift
    quietly "fuzzing $name" "build/fuzz/$name.log" "$@"
}

# With it, a stack trace has names and lines.
symbolizer=/usr/bin/llvm-symbolizer-14
[ ! -x "$symbolizer" ] || export ASAN_SYMBOLIZER_PATH="$symbolizer"

ran=0 broken=0
for program in build/fuzz/fuzz/fuzz_*; do
    [ -x "$program" ] || continue
    name=${program##*/fuzz_}
    # A program whose source is gone is left from an earlier build.
    [ -e "tests/fuzz/fuzz_$name.c" ] || continue
    [ -z "$wanted" ] || [ "$wanted" = "$name" ] || continue
    ran=$((ran + 1))
    if run_one "$name"; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$name.log")
        kept=$(find "build/fuzz/corpus/$name" -type f | wc -l)
        say "${green}ok${plain}      $name: ${runs:-?} inputs in ${seconds} s, $kept kept"
    else
        broken=$((broken + 1))
        say "${red}BROKEN${plain}  $name (build/fuzz/$name.log)"
        grep -e ERROR -e 'runtime error' -e '^    #[0-6] ' "build/fuzz/$name.log" |
            head -n 12 || true
        input=$(sed -n 's/.*Test unit written to //p' "build/fuzz/$name.log" | tail -n 1)
        [ -z "$input" ] || say "  again: $program $input"
    fi
done
if [ "$ran" = 0 ]; then
    names=$(find tests/fuzz -name 'fuzz_*.c' | sed 's/.*fuzz_//; s/\.c$//' | sort | tr '\n' ' ')
    die "There is no fuzzer${wanted:+ named '$wanted'}." "There are: ${names:-none}"
fi
[ "$broken" = 0 ]
