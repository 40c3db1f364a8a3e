//! The object of programs that do one thing each.

pub(crate) const PARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/parts.bpf.o");
