//! The binary. Everything it does is in the library, so that tests do it in process.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    floodwall::cli::main()
}
