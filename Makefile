# Thin on purpose: what a target does stands in xtask, so that everybody runs the same.
.DEFAULT_GOAL := help
.PHONY: help run test test-long test-llama bench e2e gen tidy

help:
	@echo 'make run        build the release binary and start Timmy (ARGS="--port 9000" goes to timmy serve)'
	@echo 'make test       every check: format, tidy, clippy, generated documents, tests, browser journeys'
	@echo 'make test-long  make test, the long tests, the release build, schemathesis and the fuzz targets'
	@echo 'make test-llama the optional engine llama.cpp, built from source and tested'
	@echo 'make bench      the benchmarks; writes docs/performance.md'
	@echo 'make e2e        the browser journeys alone'
	@echo 'make gen        write the generated documents'
	@echo 'make tidy       the house rules alone'

run:
	cargo build --release --locked --package timmy
	@echo 'starting target/release/timmy; it prints where it listens and how to come in'
	@exec ./target/release/timmy serve $(ARGS)

test:
	cargo xtask ci

test-long:
	cargo xtask ci --long

test-llama:
	cargo xtask llama

bench:
	cargo xtask bench

e2e:
	cargo xtask e2e

gen:
	cargo xtask gen

tidy:
	cargo xtask tidy
