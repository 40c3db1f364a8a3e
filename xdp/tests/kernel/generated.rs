//! Generated frames through the loaded program: it says of each what the second parser says.

use floodwall_xdp::{Action, Reason, Rules};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use super::{
    frames::frames,
    harness::{Bench, needs_root, rules},
    namespace::{Namespace, index},
    parser::{Read, read},
};

const FRAMES: usize = 3000;

#[test]
fn the_program_says_of_generated_frames_what_the_second_parser_says() {
    needs_root!();
    let _namespace = Namespace::new();
    let bench = Bench::new();
    let program = bench.load(&Rules {
        fragments: Action::Drop,
        ..rules()
    });
    let ifindex = index("right");
    let mut runner = TestRunner::deterministic();
    for _ in 0..FRAMES {
        let frame = frames().new_tree(&mut runner).unwrap().current();
        if frame.len() < SHORTEST {
            continue;
        }
        let reason = bench.send_over(&program, &frame, ifindex);
        assert_eq!(reason, expected(&frame), "{frame:02x?}");
    }
}

/// What is shorter the kernel's test run does not take.
const SHORTEST: usize = 14;

fn expected(frame: &[u8]) -> Reason {
    match read(frame) {
        Read::Malformed => Reason::Malformed,
        Read::NotIp => Reason::NotIp,
        Read::NeighbourDiscovery => Reason::NeighbourDiscovery,
        Read::Ip(facts) => facts.odd.first().copied().unwrap_or({
            if facts.path_mtu {
                Reason::Essential
            } else {
                Reason::Passed
            }
        }),
    }
}
