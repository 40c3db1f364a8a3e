//! What both parsers say of the same frames.

use floodwall_xdp_abi::{
    Reason,
    rules::{CHECK_FRAGMENTS, CHECK_LENGTHS, CHECK_TCP_FLAGS, CHECKS},
};
use proptest::prelude::*;

use super::{
    compare::{check, expected, found},
    frames::frames,
    parser::{Read, read},
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn both_parsers_say_the_same(frame in frames()) {
        for checks in [CHECKS, 0, CHECK_LENGTHS, CHECK_TCP_FLAGS, CHECKS & !CHECK_FRAGMENTS] {
            prop_assert_eq!(found(&frame, checks), expected(&frame, checks), "checks {:x}", checks);
        }
    }
}

/// The frames are worth their name: all that can be said of one is said of some.
#[test]
fn the_frames_are_of_every_kind() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let frames: Vec<_> = (0..5000)
        .map(|_| frames().new_tree(&mut runner).unwrap().current())
        .collect();
    let read: Vec<_> = frames.iter().map(|frame| read(frame)).collect();
    for kind in [Read::Malformed, Read::NotIp, Read::NeighbourDiscovery] {
        assert!(read.contains(&kind), "{kind:?}");
    }
    let facts: Vec<_> = read
        .iter()
        .filter_map(|read| match read {
            Read::Ip(facts) => Some(facts),
            _ => None,
        })
        .collect();
    assert!(facts.len() > frames.len() / 4, "{} of them", facts.len());
    for reason in Reason::ALL.into_iter().filter(|reason| check(*reason) != 0) {
        assert!(
            facts.iter().any(|facts| facts.odd == [reason]),
            "{reason:?}"
        );
    }
    assert!(facts.iter().any(|facts| facts.odd.is_empty()));
    assert!(
        facts
            .iter()
            .any(|facts| facts.opens && facts.protocol == 132)
    );
    assert!(facts.iter().any(|facts| facts.essential));
    assert!(
        facts
            .iter()
            .any(|facts| facts.authenticated && facts.port.is_some())
    );
}
