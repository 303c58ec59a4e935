# make build    installs what is missing and builds programs and library (build/release)
# make test     all tests: minimal build, ThreadSanitizer, the system's LMDB, and the whole suite under ASan + UBSan;
#               one of these alone: make test-minimal, test-tsan, test-system-lmdb, test-release, test-dev
# make format   formats the sources            make check   format and layers, as the tests check them
# make tidy     clang-tidy over the sources    make install installs to PREFIX (/usr/local)
# make clean    removes build outputs; make distclean also what was fetched
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
export VECSTORE_MODELS ?= $(CURDIR)/build/models

# Test programs of folders that have tests: $(call tests_of,base io) -> base_test io_test.
tests_of = $(foreach f,$(1),$(if $(wildcard src/$(f)/*_test.cpp),$(subst /,_,$(f))_test))
empty :=
space := $(empty) $(empty)
label_of = ^($(subst $(space),|,$(strip $(1))))$$

# Folders whose threads are worth ThreadSanitizer, and folders that meet LMDB.
TSAN_TESTS := $(call tests_of,base io storage shard db) model_test field_followers_test
LMDB_TESTS := $(call tests_of,storage catalog)

# ThreadSanitizer's memory layout breaks under strong address randomisation: switched off where that is allowed.
NO_ASLR := $(shell setarch -R true 2>/dev/null && echo setarch -R)
CTEST := ctest -j$(JOBS) --output-on-failure --no-tests=error

.PHONY: setup build test test-dev test-release test-minimal test-tsan test-system-lmdb check format tidy install clean distclean

setup:
	@tools/setup.sh

build: setup
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

# One after the other, even under make -j: each uses all cores, and the summary of the whole suite comes last.
test: setup
	$(MAKE) test-minimal
	$(MAKE) test-tsan
	$(MAKE) test-system-lmdb
	$(MAKE) test-release
	$(MAKE) test-dev

test-minimal: setup
	cmake --preset minimal
	cmake --build --preset minimal -j $(JOBS)
	$(CTEST) --test-dir build/minimal

test-tsan: setup
ifneq ($(strip $(TSAN_TESTS)),)
	cmake --preset tsan
	cmake --build --preset tsan -j $(JOBS) --target $(TSAN_TESTS)
	VECSTORE_MODEL_OPS=4000 VECSTORE_MODEL_THREAD_OPS=20000 $(NO_ASLR) $(CTEST) --test-dir build/tsan -L '$(call label_of,$(TSAN_TESTS))'
endif

test-system-lmdb: setup
ifneq ($(strip $(LMDB_TESTS)),)
	cmake --preset system-lmdb
	cmake --build --preset system-lmdb -j $(JOBS) --target $(LMDB_TESTS)
	$(CTEST) --test-dir build/system-lmdb -L '$(call label_of,$(LMDB_TESTS))'
endif

# The demo is part of the tests: its answers are checked, then retrieval quality through the program as users have it.
test-release: setup
	cmake --preset release
	cmake --build --preset release -j $(JOBS) --target vecstore_program
	tools/demo.sh
	$(CTEST) --test-dir build/release -R '^cli\.'

test-dev: setup
	cmake --preset dev
	cmake --build --preset dev -j $(JOBS)
	VECSTORE_MODEL_OPS=200000 VECSTORE_MODEL_THREAD_OPS=20000 $(CTEST) --test-dir build/dev

check: setup
	tools/check_format.sh
	python3 tools/check_layers.py

format: setup
	tools/check_format.sh --fix

tidy:
	@tools/setup.sh clang
	cmake --preset dev
	find src apps -name '*.cpp' ! -name '*_test.cpp' -print0 | xargs -0 -P $(JOBS) -n 4 clang-tidy-19 --quiet -p build/dev

install: build
	cmake --install build/release --prefix '$(PREFIX)'

ifneq ($(wildcard tools/demo.sh),)
.PHONY: demo
demo: setup
	cmake --preset release
	cmake --build --preset release -j $(JOBS) --target vecstore_program
	tools/demo.sh
endif

ifneq ($(wildcard tools/bench.sh),)
.PHONY: bench
bench: build
	tools/bench.sh
endif

clean:
	rm -rf build/release build/dev build/minimal build/tsan build/system-lmdb build/fuzz build/coverage

distclean:
	rm -rf build
