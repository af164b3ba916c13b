# The commands of the house; `make help` lists them.
BUILD := build
GEN := $(shell command -v ninja >/dev/null && echo "-G Ninja")
.DEFAULT_GOAL := release

.PHONY: release
release: ## build the release binary, build/release/vitrine-server
	@scripts/install.sh build
	@cmake -S . -B $(BUILD)/release $(GEN) -DCMAKE_BUILD_TYPE=Release >/dev/null
	@cmake --build $(BUILD)/release --target vitrine-server -j2
