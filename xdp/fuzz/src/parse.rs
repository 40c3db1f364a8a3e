//! No bytes make the parser panic, and it says of all what the second parser says.
//!
//! The first byte chooses the checks that are asked for; the rest is the frame.
#![no_main]

#[path = "../../abi/tests/reference/compare.rs"]
mod compare;
#[path = "../../abi/tests/reference/parser.rs"]
mod parser;

use floodwall_xdp_abi::rules::CHECK_TCP_FLAGS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, frame)) = data.split_first() else {
        return;
    };
    // The five checks lie side by side.
    let checks = u32::from(choice & 0x1f) * CHECK_TCP_FLAGS;
    assert_eq!(
        compare::found(frame, checks),
        compare::expected(frame, checks)
    );
});
