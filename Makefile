# The few commands a developer needs; what they do is in `.ci/`.

BINARY ?= target/release/floodwall

.PHONY: help run demo test kernels bench pgo ebpf fmt lint install

help: ## What there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: ## Build and serve the demonstration on http://127.0.0.1:8080; with root the kernel filters too
	@.ci/demo

demo: ## Play an attack that is refused and then vanishes into the kernel, in about a minute; best with root
	@.ci/show

test: ## Every check this machine can do; with root also the kernel and systemd
	@.ci/test

kernels: ## The pre-filter under Linux 5.10, 6.1 and 6.12, in virtual machines; twenty minutes
	@.ci/kernels

bench: ## Measure against nginx, HAProxy, Envoy, xdp-filter and other limiters
	@.ci/bench

pgo: ## Build the release with a profile of real traffic: target/pgo/floodwall
	@.ci/pgo

ebpf: ## Rebuild the committed eBPF object from its sources
	@.ci/need build ebpf
	@xdp/ebpf/build.sh

fmt: ## Format all Rust code
	@.ci/fmt

lint: ## What the compiler and clippy have to say
	@cargo clippy --workspace --all-targets

install: ## Install the binary and the service below DESTDIR (BINARY=target/release/floodwall)
	@BINARY='$(BINARY)' DESTDIR='$(DESTDIR)' systemd/install.sh
