# build/sigla.wasm: the replica and SQLite for a JavaScript host, `make wasm`. Part of the Makefile.
#
# SQLite's amalgamation comes out of an npm package that package-lock.json pins by its hash. It is
# compiled once: its object stays until these flags or the lock file change.

WASM_OUT := $(BUILD)/wasm
WASM_CC := clang-14 --target=wasm32-wasi -Os
WASM_SQLITE := $(WASM_OUT)/npm/node_modules/better-sqlite3/deps/sqlite3
WASM_CFLAGS := -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -isystem $(WASM_SQLITE) \
    -DSIGLA_VERSION='"$(VERSION)"' $(WARN) -MMD -MP

# One thread, one connection to a file, temporary things in memory: the VFS has no locks and no
# temporary files (apps/wasm/wasm_vfs.c).
WASM_SQLITE_FLAGS := -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=0 -DSQLITE_TEMP_STORE=3 \
    -DSQLITE_STMTJRNL_SPILL=-1 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_SHARED_CACHE \
    -DSQLITE_OMIT_DEPRECATED -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_ENABLE_MATH_FUNCTIONS \
    -DSQLITE_ENABLE_FTS5

# The stack comes first in memory, so that overrunning it traps instead of overwriting data.
WASM_LDFLAGS := -mexec-model=reactor -Wl,-z,stack-size=1048576 -Wl,--stack-first \
    -Wl,--max-memory=1073741824 -Wl,--strip-all

WASM_SRCS := $(foreach l,$(EXT_LAYERS),$(call srcs,$(l))) $(sort $(wildcard apps/wasm/*.c))
WASM_OBJS := $(patsubst %.c,$(WASM_OUT)/obj/%.o,$(WASM_SRCS)) $(WASM_OUT)/sqlite3.o

wasm: $(BUILD)/sigla.wasm
$(BUILD)/sigla.wasm: $(WASM_OBJS)
	$(WASM_CC) $(WASM_LDFLAGS) -o $@ $^
$(WASM_OUT)/obj/%.o: %.c Makefile apps/wasm/wasm.mk $(WASM_OUT)/npm/installed
	@mkdir -p $(@D)
	$(WASM_CC) $(WASM_CFLAGS) -c -o $@ $<
$(WASM_OUT)/sqlite3.o: apps/wasm/wasm.mk $(WASM_OUT)/npm/installed
	$(WASM_CC) $(WASM_SQLITE_FLAGS) -w -c -o $@ $(WASM_SQLITE)/sqlite3.c
$(WASM_OUT)/npm/installed: apps/wasm/package.json apps/wasm/package-lock.json
	@mkdir -p $(@D)
	cp apps/wasm/package.json apps/wasm/package-lock.json $(@D)
	cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: wasm
-include $(shell find $(WASM_OUT)/obj -name '*.d' 2>/dev/null)
