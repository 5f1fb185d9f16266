#!/bin/sh
# Every C file is as clang-format leaves it.
cd "$(dirname "$0")/.." || exit 1
if ./dev fmt --check; then echo '1 passed, 0 failed'; else echo '0 passed, 1 failed'; fi
