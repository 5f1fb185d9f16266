/*
 * What the JavaScript host gives the module: files. Everything else comes through WASI (the clock,
 * random bytes, standard error).
 *
 * A file is opened by its whole name and known by a small number from then on. All calls are
 * synchronous. Offsets and sizes are bytes, as doubles: exact up to 2^53, and a plain number in
 * JavaScript where an int64 would be a BigInt. A negative result is an error.
 */
#ifndef WASM_HOST_H
#define WASM_HOST_H

#include <stddef.h>

#define WASM_HOST(name) __attribute__((import_module("sigla"), import_name(#name))) name

enum { FILE_FULL = -2 }; /* file_write, file_truncate: no room; other errors are -1 */

/* A number >= 0; -1 when it does not exist and create is 0, or cannot be opened. */
int WASM_HOST(file_open)(const char *name, int create);
int WASM_HOST(file_close)(int file);
/* The bytes read: fewer than n only at the end of the file. */
int WASM_HOST(file_read)(int file, void *bytes, int n, double offset);
int WASM_HOST(file_write)(int file, const void *bytes, int n, double offset);
int WASM_HOST(file_truncate)(int file, double size);
int WASM_HOST(file_sync)(int file);
double WASM_HOST(file_size)(int file);
/* 0 also when there is no such file. */
int WASM_HOST(file_delete)(const char *name);
int WASM_HOST(file_exists)(const char *name);

#endif
