//! What the rules use, so that the verifier drops the rest of the program.

use floodwall_xdp_abi::rules::{
    BY_AUTHENTICATION, BY_ICMP, BY_PORT, CHECK_FRAGMENTS, CHECK_LAND, CHECK_LENGTHS,
    CHECK_MARTIANS, CHECK_TCP_FLAGS, CLASSES, COOKIES, COUNTS_BYTES, COUNTS_PORTS,
    COUNTS_SOURCE_PORTS, DROP_MALFORMED, KEY_PORT, KEY_SOURCE_PORT, LISTED_V4, LISTED_V6, RESETS,
    SAMPLES,
};

use super::matching;
use crate::{
    Action, BlockAction, Cost, Over, PacketLimit, Rules, exceptions::Classes, lists::Lists,
};

pub(super) fn of(rules: &Rules, lists: &Lists, classes: &Classes) -> u32 {
    let any = |holds: &dyn Fn(&PacketLimit) -> bool| rules.limits.iter().any(holds);
    let drops = |action| action == Action::Drop;
    let counts = |key| any(&|limit| matching::key(limit, rules.prefixes) == key);
    let checks = rules.checks;
    [
        (DROP_MALFORMED, drops(rules.malformed)),
        (CHECK_FRAGMENTS, drops(rules.fragments)),
        (CHECK_TCP_FLAGS, drops(checks.tcp_flags)),
        (CHECK_LAND, drops(checks.land)),
        (CHECK_MARTIANS, drops(checks.martians)),
        (CHECK_LENGTHS, drops(checks.lengths)),
        (LISTED_V4, lists.has_v4()),
        (LISTED_V6, lists.has_v6()),
        (CLASSES, classes.are_used()),
        (BY_PORT, any(&|limit| !limit.matches.ports.is_empty())),
        (BY_ICMP, any(&|limit| !limit.matches.icmp.is_empty())),
        (BY_AUTHENTICATION, any(&matching::is_of_authentication)),
        (COUNTS_PORTS, counts(KEY_PORT)),
        (COUNTS_SOURCE_PORTS, counts(KEY_SOURCE_PORT)),
        (COUNTS_BYTES, any(&|limit| limit.cost == Cost::Bytes)),
        (COOKIES, any(&|limit| limit.over == Over::Cookie)),
        (SAMPLES, rules.sample.is_some()),
        (RESETS, rules.block_action != BlockAction::Drop),
    ]
    .into_iter()
    .filter_map(|(flag, on)| on.then_some(flag))
    .sum()
}
