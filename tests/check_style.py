#!/usr/bin/env python3
"""Fails on what the house style rules out and neither compiler nor clang-format sees.

Markers of unfinished work anywhere; functions that write without a bound, and memory taken past
sg_alloc, in src/ and apps/; headers without a purpose comment or an include guard; files without a
final newline. Ends with `N passed, N failed`.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOPS = ["src", "apps", "include", "tests", "scripts", "demo", "dev", "Makefile", ".ci"]
SUFFIXES = {".c", ".h", ".py", ".sh", ".mjs", ".js", ".ts", ".css", ".html", ".mk", ".sql", ""}

# Spelled in two halves so that this file does not find itself.
MARKER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
UNBOUNDED = re.compile(r"(?<![A-Za-z0-9_])(v?sprintf|strcpy|strcat|gets|strtok)\s*\(")
POSITION = re.compile(r"\+=\s*(?:\([^()]*\)\s*)?v?snprintf\s*\(")
MEMORY = re.compile(r"(?<![A-Za-z0-9_>.])(malloc|calloc|realloc|free|strdup|strndup)\s*\(")
GUARD = re.compile(r"^#ifndef (\w+)\n#define \1\n", re.M)
COMMENT_OR_STRING = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text):
    """The code alone; line numbers stay."""
    return COMMENT_OR_STRING.sub(lambda m: " " + "\n" * m.group().count("\n"), text)


def hits(pattern, text):
    for match in pattern.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group().strip()


def problems(path, text):
    found = [f"{path}:{n}: {what}: an issue, or nothing" for n, what in hits(MARKER, text)]
    if text and not text.endswith("\n"):
        found.append(f"{path}: no newline at its end")
    if Path(path).suffix not in (".c", ".h"):
        return found
    code = without_comments(text)
    if path.startswith(("src/", "apps/")):
        found += [f"{path}:{n}: {what}: write through sg_buf" for n, what in hits(UNBOUNDED, code)]
        found += [f"{path}:{n}: {what}: write through sg_buf" for n, what in hits(POSITION, code)]
    if path.startswith("src/") and path != "src/base/mem.c":
        found += [f"{path}:{n}: {what}: memory comes from base/mem.h"
                  for n, what in hits(MEMORY, code)]
    if path.endswith(".h"):
        if not text.startswith("/*"):
            found.append(f"{path}: a header begins with a comment that says its purpose")
        if not GUARD.search(text) or not text.rstrip().endswith("#endif"):
            found.append(f"{path}: no include guard around it")
    return found


GOOD_HEADER = "/* A noun. */\n#ifndef A_H\n#define A_H\nint f(void);\n#endif\n"
REFUSED = [
    ("src/core/a.c", "int a; /* TO" "DO later */\n"),
    ("dev", "# FIX" "ME\n"),
    ("src/core/a.c", "void f(char *p) { sprintf(p, \"%d\", 1); }\n"),
    ("apps/sigla/a.c", "void f(char *p) { strcpy (p, q); }\n"),
    ("src/core/a.c", "n += snprintf(p + n, 3, x);\n"),
    ("src/core/a.c", "n += (size_t)snprintf(p + n, 3, x);\n"),
    ("src/core/a.c", "p = malloc(3);\n"),
    ("src/core/a.c", "free(p);\n"),
    ("src/core/a.c", "int a;"),
    ("src/core/a.h", GOOD_HEADER.replace("/* A noun. */\n", "")),
    ("src/core/a.h", "/* A noun. */\nint f(void);\n"),
    ("tests/lib/a.h", "/* A noun. */\n#ifndef A_H\n#define B_H\n#endif\n"),
]
TAKEN = [
    ("src/core/a.h", GOOD_HEADER),
    ("src/core/a.c", "/* malloc() and sprintf() are not for us */\nsqlite3_free(p);\nv.free(p);\n"),
    ("src/core/a.c", "f(\"free(\");\nuv_strerror(1);\nsg_free(p);\n"),
    ("src/base/mem.c", "p = malloc(3);\n"),
    ("tests/unit/a.c", "free(p);\n"),
]


def sources():
    for top in TOPS:
        top = ROOT / top
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and path.suffix in SUFFIXES and not path.name.startswith("."):
                parts = path.relative_to(ROOT).parts
                # Corpora and golden files are data, whatever they are called.
                if not {"node_modules", "__pycache__", "corpus", "golden"} & set(parts):
                    yield path


def main():
    passed, failures = 0, []
    for path, text in REFUSED:
        if problems(path, text):
            passed += 1
        else:
            failures.append(f"self-check: {path} with {text!r} is taken but must be refused")
    for path, text in TAKEN:
        found = problems(path, text)
        passed += not found
        failures += [f"self-check, must be taken: {f}" for f in found]
    for path in sources():
        found = problems(str(path.relative_to(ROOT)), path.read_text("utf-8", errors="replace"))
        passed += not found
        failures += found
    for failure in failures:
        print(failure)
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
