# How ./dev speaks: sourced, not run. Colours only on a terminal; a long job shows its last line.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$(printf '\033[1m') red=$(printf '\033[31m') green=$(printf '\033[32m')
    dim=$(printf '\033[2m') plain=$(printf '\033[0m') wipe=$(printf '\r\033[K')
else
    bold='' red='' green='' dim='' plain='' wipe=''
fi

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s%s%s\n' "$red" "$1" "$plain" >&2
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 1
}

# Pass the lines through to a log and show the newest one in place. A compiler's command line is
# shown as the file it makes.
show_progress() {
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$2"
        case $line in
        *' -o '*) line=${line##* -o } line=${line%% *} ;;
        esac
        printf '%s%s%s  %.50s%s' "$wipe" "$1" "$dim" "$line" "$plain"
    done
    printf '%s' "$wipe"
}

# quietly LABEL LOG COMMAND…: run it with its output in LOG only; its exit status is returned.
quietly() {
    label=$1 log=$2
    shift 2
    mkdir -p "$(dirname "$log")"
    : >"$log"
    if [ -n "$wipe" ]; then
        # A pipeline's status is that of its last command: the one we want comes through a file.
        { "$@" 2>&1 && echo 0 >"$log.status" || echo $? >"$log.status"; } |
            show_progress "$label" "$log"
        status=$(cat "$log.status")
        rm -f "$log.status"
        return "$status"
    fi
    say "$label"
    "$@" >"$log" 2>&1
}
