# Sigla's build. `./dev` calls this after it has installed what is missing.
#
#   make               build/sigla, build/sigla.so, build/libsigla.{a,so}
#   make tests         every C test program, under build/$(MODE)/tests
#   make MODE=asan …   variants: release (default), asan, tsan, cov, fuzz; each has its own objects
#   make install DESTDIR=… PREFIX=/usr/local
#
# A layer is a folder of src/; it is compiled twice: for programs, and (base, core, wire, replica)
# once more position-independent against SQLite's extension API for build/sigla.so.

MODE ?= release
BUILD ?= build
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
OUT := $(BUILD)/$(MODE)

WARN := -Wall -Wextra -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Werror
CFLAGS_COMMON := -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -Itests -DSIGLA_VERSION='"$(VERSION)"' $(WARN) -g -MMD -MP
CFLAGS_release := -O2 -DNDEBUG -fno-omit-frame-pointer
CFLAGS_asan := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_tsan := -O1 -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_cov := -O0 --coverage
CFLAGS_fuzz := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
ifeq ($(MODE),fuzz)
CC := clang-14
endif
CFLAGS_ALL := $(CFLAGS_COMMON) $(CFLAGS_$(MODE)) $(CFLAGS)
LDFLAGS_MODE := $(filter -fsanitize=% --coverage,$(CFLAGS_$(MODE)))
LDFLAGS_MODE := $(patsubst -fsanitize=fuzzer-no-link%,-fsanitize=address$(comma)undefined,$(LDFLAGS_MODE))

SERVER_LIBS := -luv -lhttp_parser -lwslay -lcurl -lsodium -lcrypto
REPLICA_LIBS := -lzstd -lz -lsqlite3 -lm -lpthread
comma := ,

LAYERS := base core wire replica store server net
EXT_LAYERS := base core wire replica
srcs = $(sort $(wildcard src/$(1)/*.c))
objs = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
picobjs = $(patsubst %.c,$(OUT)/pic/%.o,$(1))
soobjs = $(patsubst %.c,$(OUT)/so/%.o,$(1))

LIB_SRCS := $(foreach l,$(LAYERS),$(call srcs,$(l)))
EXT_SRCS := $(foreach l,$(EXT_LAYERS),$(call srcs,$(l)))
APP_SRCS := $(sort $(wildcard apps/sigla/*.c))
EXTAPP_SRCS := $(sort $(wildcard apps/extension/*.c))

all: $(BUILD)/sigla $(BUILD)/sigla.so $(BUILD)/libsigla.a $(BUILD)/libsigla.so $(BUILD)/sigla.pc

# --- objects ---------------------------------------------------------------------------------
$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c -o $@ $<
# Loadable: SQLite's functions come through the table of the program that loads us.
$(OUT)/pic/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -fPIC -fvisibility=hidden -DSIGLA_LOADABLE -c -o $@ $<
$(OUT)/so/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -fPIC -fvisibility=hidden -c -o $@ $<

# --- libraries and programs ------------------------------------------------------------------
$(OUT)/liball.a: $(call objs,$(LIB_SRCS))
	@rm -f $@
	$(AR) rcs $@ $^
$(OUT)/libsigla.a: $(call objs,$(EXT_SRCS))
	@rm -f $@
	$(AR) rcs $@ $^
$(OUT)/sigla: $(call objs,$(APP_SRCS)) $(OUT)/liball.a
	$(CC) $(LDFLAGS_MODE) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS) $(REPLICA_LIBS)
$(OUT)/sigla.so: $(call picobjs,$(EXT_SRCS) $(EXTAPP_SRCS))
	$(CC) $(LDFLAGS_MODE) $(LDFLAGS) -shared -o $@ $^ -lzstd -lz -lm
$(OUT)/libsigla.so: $(call soobjs,$(EXT_SRCS))
	$(CC) $(LDFLAGS_MODE) $(LDFLAGS) -shared -Wl,-soname,libsigla.so.0 -o $@ $^ $(REPLICA_LIBS)
ifeq ($(MODE),release)
$(BUILD)/%: $(OUT)/%
	@cp -f $< $@
endif
$(BUILD)/sigla.pc: VERSION Makefile
	@mkdir -p $(BUILD)
	@printf 'prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include\n\nName: sigla\nDescription: local-first sync of SQLite databases, field by field\nVersion: %s\nRequires: sqlite3\nRequires.private: libzstd zlib\nLibs: -L$${libdir} -lsigla\nLibs.private: -lm -lpthread\nCflags: -I$${includedir}\n' '$(PREFIX)' '$(VERSION)' > $@

# --- tests -----------------------------------------------------------------------------------
TEST_SRCS := $(sort $(wildcard tests/unit/test_*.c tests/laws/test_*.c tests/store/test_*.c tests/http/test_*.c tests/e2e/test_*.c))
TEST_LIB := $(sort $(wildcard tests/lib/*.c))
TEST_BINS := $(patsubst tests/%.c,$(OUT)/tests/%,$(TEST_SRCS))
$(OUT)/tests/%: $(OUT)/obj/tests/%.o $(call objs,$(TEST_LIB)) $(OUT)/liball.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_MODE) $(LDFLAGS) -o $@ $^ -lcmocka -ljansson $(SERVER_LIBS) $(REPLICA_LIBS)
# The CLI's helpers are in no layer: their test names the files it links.
$(OUT)/tests/unit/test_cli_table: $(call objs,$(addprefix apps/sigla/,args.c grid.c jwt.c meter.c show.c term.c text.c))
# The simulator's disks, of which a power loss leaves what it pleases.
$(OUT)/tests/laws/test_power_loss $(OUT)/tests/store/test_power_loss: $(call objs,tests/sim/disk.c)
# Programs that tests written in Python run.
TEST_TOOLS := tests/e2e/replay.c
SIM_SRCS := $(sort $(wildcard tests/sim/*.c))
$(OUT)/tests/sim: $(call objs,$(SIM_SRCS) tests/lib/serve.c) $(OUT)/liball.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_MODE) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS) $(REPLICA_LIBS)
# Another story on the same machinery.
YEAR_SRCS := $(sort $(wildcard tests/year/*.c))
$(OUT)/tests/year: $(call objs,$(YEAR_SRCS) $(filter-out tests/sim/main.c,$(SIM_SRCS)) tests/lib/serve.c) $(OUT)/liball.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_MODE) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS) $(REPLICA_LIBS)
tests: $(TEST_BINS) $(OUT)/tests/sim $(OUT)/tests/year $(patsubst tests/%.c,$(OUT)/tests/%,$(TEST_TOOLS))
.SECONDARY: $(call objs,$(TEST_SRCS) $(TEST_LIB) $(TEST_TOOLS))

FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(FUZZ_SRCS))
$(OUT)/fuzz/%: $(OUT)/obj/tests/fuzz/%.o $(OUT)/liball.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -ljansson $(SERVER_LIBS) $(REPLICA_LIBS)
# The CLI's readers are in no layer.
$(OUT)/fuzz/fuzz_jwt: $(call objs,$(addprefix apps/sigla/,jwt.c show.c))
$(OUT)/fuzz/fuzz_cli: $(call objs,$(addprefix apps/sigla/,args.c cli.c entries.c grid.c show.c term.c text.c))
fuzzers: $(FUZZ_BINS)

BENCH_SRCS := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_BINS := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(BENCH_SRCS))
$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o $(call objs,$(TEST_LIB)) $(OUT)/liball.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS_MODE) $(LDFLAGS) -o $@ $^ -lcmocka -ljansson $(SERVER_LIBS) $(REPLICA_LIBS)
bench: $(BENCH_BINS)

# Every C file but the browser's, read by clang for its warnings alone.
CHECKED := $(LIB_SRCS) $(APP_SRCS) $(TEST_SRCS) $(TEST_LIB) $(TEST_TOOLS) $(SIM_SRCS) $(YEAR_SRCS) $(FUZZ_SRCS) $(BENCH_SRCS)
$(OUT)/clang/%.ok: %.c Makefile
	@mkdir -p $(@D)
	clang-14 $(CFLAGS_ALL) -fsyntax-only -MF $(@:.ok=.d) -MT $@ $<
	@touch $@
clang: $(patsubst %.c,$(OUT)/clang/%.ok,$(CHECKED))

include apps/wasm/wasm.mk

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $(BUILD)/sigla $(DESTDIR)$(PREFIX)/bin/sigla
	install -m 755 $(BUILD)/sigla.so $(DESTDIR)$(PREFIX)/lib/sigla.so
	install -m 644 $(BUILD)/libsigla.a $(DESTDIR)$(PREFIX)/lib/libsigla.a
	install -m 755 $(BUILD)/libsigla.so $(DESTDIR)$(PREFIX)/lib/libsigla.so.0
	ln -sf libsigla.so.0 $(DESTDIR)$(PREFIX)/lib/libsigla.so
	sed 's|^prefix=.*|prefix=$(PREFIX)|' $(BUILD)/sigla.pc > $(DESTDIR)$(PREFIX)/lib/pkgconfig/sigla.pc
	chmod 644 $(DESTDIR)$(PREFIX)/lib/pkgconfig/sigla.pc
	install -m 644 include/sigla.h include/sigla_errors.h $(DESTDIR)$(PREFIX)/include/

clean:
	rm -rf $(BUILD)

.PHONY: all tests clang fuzzers bench install clean
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
