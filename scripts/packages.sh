# Which Debian packages a verb of ./dev needs, and how they come onto the machine. Sourced by ./dev
# after say.sh.
#
#   need build test     install what those groups lack; returns at once when nothing is missing
#
# SIGLA_NO_INSTALL=1 skips all of this, for people who provide the libraries in another way.

packages_of() {
    case $1 in
    build)
        echo make gcc libc6-dev pkg-config libsqlite3-dev libuv1-dev libhttp-parser-dev \
            libwslay-dev libcurl4-openssl-dev libssl-dev libsodium-dev zlib1g-dev libzstd-dev
        ;;
    demo) echo python3 ;;
    test)
        echo python3 libcmocka-dev libjansson-dev sqlite3 curl spin clang-14 lld-14 \
            libclang-rt-14-dev-wasm32 wasi-libc ca-certificates clang-format-14 valgrind
        have_node || echo nodejs npm
        ;;
    bench) echo python3 libcmocka-dev libjansson-dev ;;
    fuzz) echo clang-14 libclang-rt-14-dev llvm-14 libjansson-dev ;;
    fmt) echo clang-format-14 ;;
    esac
}

purpose_of() {
    case $1 in
    build) echo 'compile and link Sigla' ;;
    demo) echo 'run the demonstration' ;;
    test) echo 'run the tests (C, sanitizers, WebAssembly in Node)' ;;
    bench) echo 'run the benchmarks' ;;
    fuzz) echo 'fuzz the parsers' ;;
    fmt) echo 'format the sources' ;;
    esac
}

# Node need not come from Debian: any from 18 on, with npm, will do.
have_node() {
    command -v npm >/dev/null 2>&1 || return 1
    node_major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
    [ "${node_major:-0}" -ge 18 ]
}

# Print those of the given packages that are not installed: one dpkg-query for the whole list.
missing_of() {
    installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^installed //p' | tr '\n' ' ') "
    for package in "$@"; do
        case $installed in
        *" $package "*) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

need() {
    [ -z "${SIGLA_NO_INSTALL:-}" ] || return 0
    all=$(for group in "$@"; do packages_of "$group"; done | tr '\n' ' ')
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        die 'This is not Debian: I cannot install what Sigla needs.' \
            "Install the equivalents of: $all" \
            'then run the same command with SIGLA_NO_INSTALL=1 before it.'
    fi
    # shellcheck disable=SC2086 # a list of words is meant
    missing=$(missing_of $all)
    [ -n "$missing" ] || return 0

    say "${bold}Some Debian packages are missing:${plain}"
    for group in "$@"; do
        # shellcheck disable=SC2046
        lacking=$(missing_of $(packages_of "$group"))
        [ -z "$lacking" ] || say "  to $(purpose_of "$group"): $lacking"
    done
    # shellcheck disable=SC2086
    install_packages $missing
}

install_packages() {
    as_root=''
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 ||
            die 'Installing them takes root, and there is no sudo here.' \
                "As root, run: apt-get update && apt-get install -y $*" 'then run this again.'
        as_root=sudo
        # Ask for the password, if one is needed, before any progress line is drawn.
        sudo -v || die 'sudo refused.' "As root, run: apt-get install -y $*" 'then run this again.'
    fi
    say "Installing them with apt-get${as_root:+ through sudo} (log: build/install.log)."
    log_apt=build/install.log updated='' unreachable=''
    if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
        update_lists
    fi
    if ! apt_get 'installing' install -y --no-install-recommends "$@"; then
        # Lists from long ago name versions that are gone: fetch new ones, once.
        if [ -n "$updated" ] || ! grep -q -e 'Unable to locate' -e '404 ' -e 'Failed to fetch' \
            -e 'no installation candidate' "$log_apt"; then
            explain_apt
        fi
        update_lists
        apt_get 'installing' install -y --no-install-recommends "$@" || explain_apt
    fi
    # shellcheck disable=SC2046
    [ -z "$(missing_of "$@")" ] || explain_apt
    say "${green}Installed.${plain}"
}

apt_get() {
    apt_label=$1
    shift
    # shellcheck disable=SC2086 # empty when we are root
    quietly "$apt_label" "$log_apt" $as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
        apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 "$@" </dev/null
}

update_lists() {
    apt_get 'fetching the package lists' update || explain_apt
    updated=yes
    # apt-get goes on with old lists, or none, when a server does not answer.
    ! grep -q '^W: Failed to fetch' "$log_apt" || unreachable=yes
}

# Say in plain words why apt-get failed.
explain_apt() {
    last=$(grep -E '^(E|W): ' "$log_apt" | tail -n 3)
    if grep -q -e 'No space left' -e "don't have enough free space" "$log_apt"; then
        die 'The disk is full.' 'Free some space (df -h shows where), then run this again.'
    elif grep -q -e 'Could not get lock' -e 'Unable to acquire' -e 'Unable to lock' "$log_apt"; then
        die 'Another program is installing packages and holds the lock.' \
            'Wait until it has finished (often unattended-upgrades), then run this again.'
    elif grep -q 'dpkg was interrupted' "$log_apt"; then
        die 'An earlier installation was interrupted.' \
            'As root, run: dpkg --configure -a' 'then run this again.'
    elif [ -n "$unreachable" ] || grep -q -e 'Temporary failure resolving' -e 'Could not resolve' -e 'Could not connect' \
        -e 'Failed to fetch' -e 'Network is unreachable' -e 'Connection timed out' "$log_apt"; then
        die 'The package server could not be reached.' \
            'Check the network (and the proxy, if there is one), then run this again.' "$last"
    elif grep -q -e 'Unable to locate package' -e 'no installation candidate' "$log_apt"; then
        die 'This system does not have all the packages; Sigla is built on Debian 12.' "$last"
    fi
    die 'apt-get failed.' "$last" "Everything it said is in $log_apt."
}
