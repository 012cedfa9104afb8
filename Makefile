# tintype. No configure step: the first make finds or installs what it needs (tools/setup.sh) and notes the
# compiler flags in $(BUILD)/config.mk.
#
#   make demo      restore the example picture        make             the program, build/tintype
#   make check     every test                         make bench       speeds, ONLY=conv3x3 for some
#   make fuzz      weight readers, SECONDS=30 each    make oclgrind    OpenCL kernels on a simulator
#   make check-arm the kernels' tests on an emulated 64-bit ARM, SUITE=engine for others
#   make check-x86 this program on emulated x86 processors without AVX2, without AVX-512
#   make clean
#   make install   PREFIX=/usr/local DESTDIR=
#
#   SAN=address,undefined or SAN=thread builds into a folder of its own; V=1 shows the commands; the user's CFLAGS
#   come after ours. CC=aarch64-linux-gnu-gcc builds for ARM into $(BUILD)/arm64 (tools/cross.sh), and `check` then
#   runs under qemu.

# A compiler that is not here yet is known by its name.
machine := $(or $(shell $(CC) -dumpmachine 2>/dev/null),$(patsubst %-gcc,%,$(CC)))
x86 := $(filter x86_64% i%86%,$(machine))
arm := $(filter aarch64-%,$(machine))
cross := $(if $(arm),$(filter-out aarch64 arm64,$(shell uname -m)))

BUILD ?= build$(if $(cross),/arm64)
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
SAN ?=
ONLY ?=
SUITE ?=
SECONDS ?= 30
VERSION := 0.1.0

.DEFAULT_GOAL := all
goals := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out clean check-arm,$(goals)),)
include $(BUILD)/config.mk
endif

empty :=
comma := ,
out := $(BUILD)$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
Q := $(if $(V),,@)

# ---- flags ---------------------------------------------------------------------------------------------

flags = -std=c11 -I. -MMD -MP -fPIC -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes \
        -fstack-protector-strong $(if $(x86),-fcf-protection) $(if $(arm),-mbranch-protection=standard) $(sysroot) $(PKG_CFLAGS)
sysroot = $(if $(SYSROOT),--sysroot=$(SYSROOT))
ifeq ($(SAN),)
flags += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
instrument = -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
flags += $(instrument)
endif
link = $(sysroot) $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now -Wl,--as-needed
$(out)/tests/%.o: flags += -DTT_GOLDEN_DIR='"$(CURDIR)/tests/golden"' -DTT_BIN='"$(abspath $(out))/tintype"' -DTT_TOP='"$(CURDIR)"'
$(out)/%_avx2.o: flags += -mavx2 -mfma -mf16c
$(out)/%_avx512.o: flags += -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl
# every 64-bit ARM has NEON; gcc 12 would move loads up until the accumulators of a tile go to the stack
$(out)/%_neon.o: flags += -fno-schedule-insns
ifneq ($(cross),)
# the least there is: 8.0, without what later ones add (and without signed return addresses, slow to emulate)
emulator := qemu-aarch64 -cpu cortex-a72 -L $(BUILD)/root
ifeq ($(origin AR),default)
AR := $(machine)-ar
endif
endif

# ---- files: found by wildcard, kernels/<family>/ by machine ----------------------------------------------

families := $(if $(x86),kernels/x86) $(if $(arm),kernels/arm)
program_c := src/main.c $(wildcard src/cmd_*.c src/cli*.c) src/options.c src/help.c src/progress.c src/inputs.c src/digest.c \
             src/registry.c src/places.c src/fetch.c \
             $(filter-out $(if $(x86),,%_avx2.c %_avx512.c) $(if $(arm),,%_neon.c),$(wildcard bench/*.c))
lib_c := $(wildcard kernels/*.c $(addsuffix /*.c,$(families)) engine/*.c engine/*/*.c models/*.c src/image/*.c) \
         $(filter-out $(program_c),$(wildcard src/*.c))
test_c := $(filter-out tests/fuzz/% tests/shim/%,$(wildcard tests/*.c tests/*/*.c tests/*/*/*.c))
object = $(patsubst %,$(out)/%.o,$(basename $(1)))
lib_o := $(call object,$(lib_c) models/default/embed.S kernels/cl/sources.c)

.PHONY: all check check-arm check-x86 oclgrind demo bench fuzz fuzzers install clean layers headers
all: $(out)/tintype $(out)/libtintype.so

setup := tools/$(if $(cross),cross,setup).sh
$(BUILD)/config.mk: $(setup) tools/install.sh
	$(Q)sh $(setup) $@

$(out)/%.o: %.c
	$(Q)mkdir -p $(@D)
	$(if $(V),,@echo "  cc    $<")
	$(Q)$(CC) $(flags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(out)/models/default/embed.o: models/default/embed.S models/default/default_x2.safetensors
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -I. -c -o $@ $<

# the kernels of the second device, as one string: params.h and common.cl stand before the others
cl_sources := kernels/cl/params.h kernels/cl/common.cl $(filter-out kernels/cl/common.cl,$(sort $(wildcard kernels/cl/*.cl)))
$(out)/kernels/cl/sources.c: tools/embed.awk $(cl_sources)
	$(Q)mkdir -p $(@D)
	$(Q)awk -v name=tt_cl_source -f tools/embed.awk $(cl_sources) >$@.new && mv $@.new $@
$(out)/kernels/cl/sources.o: $(out)/kernels/cl/sources.c
	$(Q)$(CC) $(flags) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(out)/libtintype.a: $(lib_o)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(out)/libtintype.so: $(lib_o) src/libtintype.map
	$(if $(V),,@echo "  link  $@")
	$(Q)$(CC) -shared -Wl,-soname,libtintype.so.0 -Wl,--version-script=src/libtintype.map $(link) $(LDFLAGS) -o $@ $(lib_o) \
	  $(LIB_LIBS) -ldl -lpthread -lm
$(out)/tintype: $(call object,$(program_c)) $(out)/libtintype.a
	$(if $(V),,@echo "  link  $@")
	$(Q)$(CC) -pie $(link) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) -ldl -lpthread -lm
# tests/faults.c counts allocations and makes them fail
wraps := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc
$(out)/tests/runner: $(call object,$(test_c)) $(filter-out $(out)/src/main.o,$(call object,$(program_c))) $(out)/libtintype.a
	$(if $(V),,@echo "  link  $@")
	$(Q)$(CC) -pie $(link) $(wraps) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) $(TEST_LIBS) -ldl -lpthread -lm

# an OpenCL library that behaves badly, for the tests of what is done then
$(out)/tests/shim/libOpenCL.so.1: tests/shim/opencl.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c11 -fPIC -shared -Wall -Wextra $(PKG_CFLAGS) -O1 -g -o $@ $< -ldl -lm

# ---- what people type ----------------------------------------------------------------------------------------

demo: $(out)/tintype
	$(Q)sh tools/demo.sh $(out)/tintype $(out)/demo

layers:
	$(Q)sh tools/layers.sh
headers:
	$(Q)CC="$(CC)" FLAGS="-std=c11 -I. $(sysroot) $(PKG_CFLAGS)" sh tools/headers.sh

# The runner's closing line comes last.
check: all layers headers $(out)/tests/runner $(out)/tests/shim/libOpenCL.so.1
	$(Q)$(if $(cross),,sh tools/device.sh)
	$(Q)TINTYPE_BIN=$(abspath $(out))/tintype SUITE=$(SUITE) $(emulator) $(out)/tests/runner

check-arm:
	$(Q)$(MAKE) --no-print-directory CC=aarch64-linux-gnu-gcc BUILD=$(BUILD)$(if $(cross),,/arm64) \
	  SUITE=$(or $(SUITE),kernels_) check

check-x86: $(out)/tintype $(out)/tests/runner
	$(Q)sh tests/processors.sh $(out)

# The OpenCL kernels on a simulator, which takes five minutes; ONLY=gpu: as most GPUs have them, a quarter of that.
oclgrind: $(out)/tests/runner
	$(Q)sh tools/device.sh oclgrind
	$(Q)TINTYPE_OCLGRIND=$(or $(ONLY),all) CK_RUN_CASE=simulator SUITE=engine_device $(out)/tests/runner

bench: $(out)/tintype
	$(Q)$(out)/tintype bench $(if $(ONLY),--only $(ONLY))

# libFuzzer is clang's: a build of its own, in which kernels stay as they are (they parse nothing, and take minutes
# to instrument). tests/fuzz/fuzz_NAME.c is a target; the other files there are part of each.
fuzz_san := fuzzer-no-link,address,undefined,float-cast-overflow
fuzz_c := $(wildcard tests/fuzz/*.c)
fuzz_lib_c := $(filter kernels/% engine/% models/%,$(lib_c)) $(filter-out tests/fuzz/fuzz_%,$(fuzz_c)) tests/faults.c
ifeq ($(SAN),$(fuzz_san))
$(out)/kernels/%.o: instrument :=
endif
fuzz:
	$(Q)sh tools/setup.sh $(BUILD)/config.mk fuzz
	$(Q)$(MAKE) --no-print-directory CC=clang-14 SAN=$(fuzz_san) fuzzers
	$(Q)sh tests/fuzz/run.sh $(BUILD)/san-$(subst $(comma),-,$(fuzz_san))/tests/fuzz $(SECONDS) $(ONLY)
fuzzers: $(patsubst %.c,$(out)/%,$(filter tests/fuzz/fuzz_%,$(fuzz_c)))
.SECONDARY: $(call object,$(fuzz_c))
$(out)/tests/fuzz/fuzz_%: $(out)/tests/fuzz/fuzz_%.o $(call object,$(fuzz_lib_c) kernels/cl/sources.c)
	$(if $(V),,@echo "  link  $@")
	$(Q)$(CC) -fsanitize=fuzzer $(link) $(wraps) $(LDFLAGS) -o $@ $^ $(LIB_LIBS) -ldl -lpthread -lm

dest = $(DESTDIR)$(PREFIX)
install: all
	install -d $(dest)/bin $(dest)/lib/pkgconfig $(dest)/include $(dest)/share/man/man1 \
	  $(dest)/share/bash-completion/completions $(dest)/share/zsh/site-functions
	install -m 755 $(out)/tintype $(dest)/bin/tintype
	install -m 644 src/tintype.h $(dest)/include/tintype.h
	install -m 644 $(out)/libtintype.a $(dest)/lib/libtintype.a
	install -m 755 $(out)/libtintype.so $(dest)/lib/libtintype.so.$(VERSION)
	ln -sf libtintype.so.$(VERSION) $(dest)/lib/libtintype.so.0
	ln -sf libtintype.so.0 $(dest)/lib/libtintype.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' src/tintype.pc.in > $(dest)/lib/pkgconfig/tintype.pc
	$(out)/tintype help --man > $(dest)/share/man/man1/tintype.1
	$(out)/tintype completion bash > $(dest)/share/bash-completion/completions/tintype
	$(out)/tintype completion zsh > $(dest)/share/zsh/site-functions/_tintype

clean:
	rm -rf $(BUILD)

-include $(shell find $(out) -name root -prune -o -name '*.d' -print 2>/dev/null)
