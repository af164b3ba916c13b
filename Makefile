# The commands of the house; `make help` lists them. scripts/ holds what they do.
.DEFAULT_GOAL := release
SHELL := /bin/bash
SECONDS ?= 30
PORT ?= 6379

.PHONY: help release run test bench floor pause stream_growth hit_ratio fuzz asan tsan tidy clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z_]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

release: ## build the release binary, build/release/vitrine-server
	@scripts/install.sh build
	@scripts/build.sh release

run: ## build and start the server on 127.0.0.1:6379, in the foreground (PORT=6380, ARGS="--maxmemory 1gb")
	@scripts/install.sh run
	@scripts/build.sh release
	@PORT=$(PORT) scripts/run.sh $(ARGS)

test: ## install, build and run every test; ends with one summary line
	@scripts/install.sh test
	@scripts/build.sh release tests
	@tools/run_tests.py

bench: ## speed and memory side by side with Debian's Redis (ONLY=zadd, ROUNDS=5, QUICK=1)
	@scripts/install.sh bench
	@scripts/build.sh release
	@bench/run.py $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick) $(ARGS)

floor: ## what the least server takes on this machine, beside Vitrine and Redis: targets below that cannot be met
	@scripts/install.sh bench
	@scripts/build.sh release vitrine-server floor
	@bench/floor.py $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick) $(ARGS)

pause: ## the longest stall while a table grows, a million keys expire, a huge value is deleted (QUICK=1)
	@scripts/install.sh bench
	@scripts/build.sh release
	@bench/pause.py $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(ARGS)

stream_growth: ## the costs of a stream while it grows to ten million entries (QUICK=1)
	@scripts/install.sh bench
	@scripts/build.sh release
	@bench/stream_growth.py $(if $(QUICK),--quick) $(ARGS)

hit_ratio: ## cache hit ratios of the eviction policies, side by side with Debian's Redis (QUICK=1)
	@scripts/install.sh bench
	@scripts/build.sh release
	@bench/hit_ratio.py $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(ARGS)

fuzz: ## run every fuzzer for SECONDS=30 each (ONLY=resp for one)
	@scripts/install.sh fuzz
	@scripts/build.sh fuzz fuzzers
	@SECONDS_EACH=$(SECONDS) scripts/fuzz.sh $(ONLY)

asan: ## build with ASan and UBSan and run every test with that server
	@scripts/install.sh test
	@scripts/build.sh asan tests
	@tools/run_tests.py --build build/asan

tsan: ## build with TSan and run the unit tests
	@scripts/install.sh test
	@scripts/build.sh tsan tests
	@tools/run_tests.py --build build/tsan --part unit

tidy: ## check the rules of the house: includes, sizes, widths, words
	@tools/tidy.py

clean: ## remove what was built
	@rm -rf build
