#!/usr/bin/env python3
"""Fails when a source includes upwards.

    base <- core <- wire <- replica, store <- server <- net, apps

replica and the server's side meet only in wire; core is pure: no files, clocks, sockets, threads or
database handles, so it may include only the headers listed here. Ends with `N passed, N failed`.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PURE = "base core wire".split()
ALLOWED = {
    "base": ["base"],
    "core": ["base", "core"],
    "wire": PURE,
    "replica": PURE + ["replica"],
    "store": PURE + ["store"],
    "server": PURE + ["store", "server"],
    "net": PURE + ["store", "server", "net"],
    "apps/extension": PURE + ["replica"],
    "apps/wasm": PURE + ["replica"],
    "apps": PURE + ["replica", "store", "server", "net"],
    "include": [],
}
# Headers of the system and of libraries that only these layers may include.
RESERVED = {
    "sqlite3.h": ["replica", "store", "apps"],
    "sqlite3ext.h": ["replica", "apps"],
    "uv.h": ["server", "net", "apps"],
    "http_parser.h": ["net"],
    "wslay/": ["net"],
    "curl/": ["net", "apps"],
    "sys/socket.h": ["net", "apps"],
    "netinet/": ["net", "apps"],
    "arpa/": ["net", "apps"],
    "netdb.h": ["net", "apps"],
    "pthread.h": ["base", "store", "server", "net", "apps"],
}
PURE_HEADERS = """assert.h ctype.h float.h inttypes.h limits.h math.h stdalign.h stdarg.h stdbool.h
    stddef.h stdint.h stdlib.h string.h""".split()
SPELLING = 'spell it from src/: "layer/file.h"'
PUBLIC = ["sigla.h", "sigla_errors.h"]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]*)"|<([^>]*)>)', re.M)


def layer_of(path):
    """The layer of a file, from its path relative to the root; None if it is in none."""
    parts = Path(path).parts
    if parts[0] == "src":
        return parts[1] if len(parts) == 3 else None
    if parts[0] == "apps":
        return "/".join(parts[:2]) if "/".join(parts[:2]) in ALLOWED else "apps"
    return parts[0]


def matches(header, pattern):
    return header.startswith(pattern) if pattern.endswith("/") else header == pattern


def problem_of_quoted(layer, header, beside):
    if header in PUBLIC:
        return "core and below do not know the public API" if (
            header == "sigla.h" and layer in PURE) else None
    if "/" not in header:
        # Apps may have headers of their own beside their sources.
        return None if layer.startswith("apps") and beside else SPELLING
    target = header.split("/")[0]
    if header.startswith(".") or target not in ALLOWED:
        return SPELLING
    if target not in ALLOWED[layer]:
        return f"{layer} may not include {target}"
    return None


def problem_of_system(layer, header):
    if layer == "core" and header not in PURE_HEADERS:
        return "core is pure"
    for pattern, layers in RESERVED.items():
        if matches(header, pattern) and layer not in layers and layer.split("/")[0] not in layers:
            return f"{layer} may not include {header}"
    return None


def problems(path, text, exists=lambda p: (ROOT / p).exists()):
    """What is wrong with the includes of one file."""
    layer = layer_of(path)
    if layer not in ALLOWED:
        return [f"{path}: is in no layer"]
    found = []
    for quoted, system in INCLUDE.findall(text):
        header = quoted or system
        if system:
            problem = problem_of_system(layer, system)
        elif header.split("/")[0] in ("sqlite3.h", "sqlite3ext.h"):
            problem = problem_of_system(layer, header)
        else:
            problem = problem_of_quoted(layer, header, exists(Path(path).parent / header))
        if problem:
            found.append(f"{path}: #include {header}: {problem}")
    return found


# Cases that must be refused: a check that cannot fail is worse than none.
REFUSED = [
    ("src/base/a.c", '#include "core/merge.h"'),
    ("src/core/a.c", '#include "wire/json.h"'),
    ("src/core/a.c", "#include <sqlite3.h>"),
    ("src/core/a.h", "#include <time.h>"),
    ("src/core/a.c", "  #  include <uv.h>"),
    ("src/core/a.c", "#include <stdio.h>"),
    ("src/core/a.c", "#include <sys/socket.h>"),
    ("src/core/a.c", '#include "sigla.h"'),
    ("src/wire/a.c", '#include "replica/apply.h"'),
    ("src/wire/a.c", "#include <sqlite3.h>"),
    ("src/replica/a.c", '#include "store/store.h"'),
    ("src/replica/a.c", '#include "server/ingest.h"'),
    ("src/replica/a.c", '#include "net/http.h"'),
    ("src/replica/a.c", '#include "../store/store.h"'),
    ("src/replica/a.c", '#include "apply.h"'),
    ("src/store/a.c", '#include "replica/apply.h"'),
    ("src/store/a.c", '#include "server/ingest.h"'),
    ("src/server/a.c", '#include "net/http.h"'),
    ("src/server/a.c", '#include "replica/session.h"'),
    ("src/server/a.c", "#include <sqlite3.h>"),
    ("src/server/a.c", "#include <wslay/wslay.h>"),
    ("src/net/a.c", '#include "replica/session.h"'),
    ("apps/extension/a.c", '#include "net/http.h"'),
    ("apps/wasm/a.c", '#include "store/store.h"'),
    ("include/sigla.h", '#include "base/buf.h"'),
    ("src/misc/a.c", ""),
]
TAKEN = [
    ("src/core/a.c", '#include "core/a.h"\n#include <string.h>\n#include "base/buf.h"'),
    ("src/replica/a.c", '#include "wire/json.h"\n#include <sqlite3.h>\n#include "sigla.h"'),
    ("src/net/a.c", '#include "server/route.h"\n#include <uv.h>'),
    ("apps/sigla/a.c", '#include "net/http.h"\n#include "replica/session.h"\n#include "cli.h"'),
    ("src/base/err.h", '#include "sigla_errors.h"'),
]


def main():
    passed, failures = 0, []
    for path, text in REFUSED:
        if problems(path, text, lambda p: True):
            passed += 1
        else:
            failures.append(f"self-check: {path} with {text!r} is taken but must be refused")
    for path, text in TAKEN:
        found = problems(path, text, lambda p: True)
        passed += not found
        failures += [f"self-check, must be taken: {f}" for f in found]

    files = [p for top in ("src", "apps", "include") for p in sorted((ROOT / top).rglob("*.[ch]"))
             if "node_modules" not in p.parts]
    if not files:
        failures.append("there are no sources to look at")
    for file in files:
        found = problems(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8"))
        passed += not found
        failures += found
    for failure in failures:
        print(failure)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
