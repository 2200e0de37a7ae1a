# The front door. The Debian packages that a build or a run needs are installed by `make deps`, those for tests by `make deps-dev`, which the
# others call. `make test` alone also gets JsSIP from npm's registry, for the test with a browser, which is skipped where that fails.
BUILD ?= build
PY := /usr/bin/python3

.PHONY: all deps deps-dev build run test test-quick bench bench-gate bench-micro soak fuzz lint format clean install

all: build

deps:
	@tools/deps build

deps-dev:
	@tools/deps build test

build: deps
	@[ -f $(BUILD)/build.ninja ] || meson setup $(BUILD) -Dtests=false -Dbuildtype=release >/dev/null
	@ninja -C $(BUILD) --quiet
	@echo "built $(BUILD)/tandem"

# Builds, makes two users on the first start, prints what to type next, and serves until Ctrl-C.
run: build
	@tools/run $(BUILD)/tandem

# Unit, vectors, scenarios, failing allocations, corpus replay (ASan+UBSan), threads (TSan), interop with real peers, the gate on instructions, lint.
test: deps-dev
	@tools/deps browser
	@$(PY) tools/test

# The same without interop, TSan and the gate: what one runs between edits.
test-quick: deps-dev
	@$(PY) tools/test --quick

# Both tables of docs/performance.md, side by side with Kamailio; CASE=call for one case, CASE=growth, CASE=cores, CASE=threads, CASE=rooms; ROUNDS=n (5).
bench: deps-dev
	@tools/deps bench
	@$(PY) bench/run $(CASE)

# Instructions, allocations and copies of an operation beside bench/baseline.json; ACCEPT=1 makes them the baseline, CASE=call for one.
bench-gate: deps-dev
	@$(PY) bench/gate $(CASE)

# Parser, builder, digest, location and timers alone, and other people's parsers beside ours.
bench-micro: deps-dev
	@tools/deps bench
	@$(PY) bench/micro

# Ten minutes of 20,000 broken datagrams a second beside calls: they come through, and memory stays flat. SECONDS=60 for one minute.
# RELOAD=1 JUNK=0 SECONDS=300 CALLS=1000: a reload each second instead of the flood, and not one call lost.
soak: deps-dev
	@$(PY) bench/soak

# Every fuzz target for FUZZ_SECONDS (default 60) with libFuzzer; TARGET=uri for one.
fuzz: deps-dev
	@tools/fuzz $(TARGET)

lint: deps-dev
	@$(PY) tools/lint

format: deps-dev
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: build
	@meson install -C $(BUILD) --quiet

clean:
	rm -rf build build-* fuzz-out
