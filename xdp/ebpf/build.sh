#!/bin/sh
# Builds the XDP program and puts it where the loader embeds it, and what benches load beside it.
#
#   build.sh           builds xdp/floodwall.bpf.o and xdp/parts.bpf.o, and writes beside them the digests of
#                      their sources and the compiler, for another one may give other code
#   build.sh --check   fails when the committed objects do not come from today's sources
#
# It needs bpf-linker and a toolchain with the standard library's sources: nightly with rust-src, as is
# usual, or Debian's rustc-web with rust-web-src.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
objects="floodwall parts"
digests=$root/xdp/floodwall.bpf.sha256
compiler=$root/xdp/floodwall.bpf.compiler

if [ "${1:-}" = --check ]; then
    if (cd "$root" && sha256sum --check --quiet "$digests"); then
        echo "the objects come from today's sources"
        exit 0
    fi
    echo "an object of xdp/*.bpf.o is stale: its sources have changed, run xdp/ebpf/build.sh" >&2
    exit 1
fi

if ! command -v bpf-linker >/dev/null; then
    echo "bpf-linker is missing: cargo install bpf-linker" >&2
    exit 1
fi

has_sources() {
    sysroot=$("$1" --print sysroot 2>/dev/null) && [ -e "$sysroot/lib/rustlib/src/rust/library/core/src/lib.rs" ]
}

nightly=$(rustup which --toolchain nightly rustc 2>/dev/null || true)
if [ -n "$nightly" ] && has_sources "$nightly"; then
    export RUSTC="$nightly"
elif [ -x /usr/bin/rustc ] && has_sources /usr/bin/rustc; then
    export RUSTC=/usr/bin/rustc
    # A release compiler takes the unstable features of a build for another target only when told so.
    export RUSTC_BOOTSTRAP=1
else
    echo "no toolchain with the standard library's sources: rustup toolchain install nightly -c rust-src" >&2
    exit 1
fi
echo "building with $("$RUSTC" --version) ($RUSTC) and $(bpf-linker --version)"

# v3: compare-exchange. BTF: functions that the verifier checks one by one. Misaligned access: a field of
# a packet is one load, on the machines where the kernel allows that.
export RUSTFLAGS="-C target-cpu=v3 -C link-arg=--btf -C target-feature=+allows-misaligned-mem-access"
# The BTF names the source files: by where they are in the project and its crates, not on this machine.
RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$root=floodwall"
for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=${registry%/}=crates"
done
target=${FLOODWALL_EBPF_TARGET_DIR:-$here/target}
(cd "$here" && cargo build --quiet --locked --release --target bpfel-unknown-none -Z build-std=core --target-dir "$target")
built=$target/bpfel-unknown-none/release

# The kernel needs the BTF only; the debug information that it was made from is most of an object.
strip=$(command -v llvm-strip || ls /usr/lib/llvm-*/bin/llvm-strip 2>/dev/null | tail -n 1 || true)
for name in $objects; do
    object=$root/xdp/$name.bpf.o
    cp "$built/$name" "$object"
    if [ -n "$strip" ]; then
        "$strip" --strip-debug "$object"
    fi
    ls -l "$object"
done

# What the compiler says it has read of the project, so that a file which the program does not need may
# change without the object. A file that is new to it cannot come alone: another one names it.
sources() {
    for name in $objects; do tr ' ' '\n' <"$built/$name.d"; done | sed -n "s|^$root/\(.*\.rs\)$|\1|p"
    echo limiter/Cargo.toml
    echo xdp/abi/Cargo.toml
    echo xdp/ebpf/Cargo.toml
    echo xdp/ebpf/Cargo.lock
    echo xdp/ebpf/build.sh
}
(cd "$root" && sources | LC_ALL=C sort -u | xargs sha256sum) >"$digests"
"$RUSTC" --version >"$compiler"
