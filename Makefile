# The two commands of the README. `scripts/prepare` installs what a bare Debian lacks beside Rust, git and make.

.PHONY: demo test bench

demo:
	@scripts/prepare
	cargo build --release --locked --package batchyard-cli
	target/release/batchyard demo

test:
	@scripts/prepare
	cargo xtask test

bench:
	@scripts/prepare
	cargo xtask bench
