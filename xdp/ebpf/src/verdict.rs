//! The way of an IP packet: lists, block cell, limits.
//!
//! What nearly every packet needs stands in one function, because on CPUs that guard their returns each
//! costs about 8 ns: a call of our own has one, the kernel's clock several. So a packet without limits makes no call
//! at all, a blocked one none but for its length, and one with limits asks the exact clock only for a limit
//! whose burst is small, and once for all of them: it is half of such a packet's time. Whatever is rare (a key that moves in, twins, a refund) is behind a call.

use floodwall_limiter::{FlowId, KeyHash, Nanos, Prefixes, Quota, Scope, Source, set};
use floodwall_xdp_abi::{
    Address, Datagram, Facts, Reason,
    list::{ACTION, DROP, PASS},
    maps::{CLASS_SHIFT, LISTENER},
    rules::{BY_AUTHENTICATION, BY_ICMP, BY_PORT, CHECKS, CLASSES, COUNTS_BYTES},
};

use crate::{
    budget::{self, Subject},
    fate::{self, Fate},
    gate::Gate,
    lists, maps,
    memory::Packet,
    record,
    rules::{self, rule},
};

/// Decides over one packet, counts it, and answers with what becomes of it.
///
/// All of it stands in the entry point: a call costs as much as half of what a packet without limits needs.
#[inline(always)]
pub(crate) fn call(packet: Packet, datagram: Datagram) -> u32 {
    fate::end(packet, of(packet, &datagram), &datagram)
}

/// A clock is read only when something depends on it.
#[inline(always)]
fn of(packet: Packet, datagram: &Datagram) -> Fate {
    if datagram.facts.has(Facts::PATH_MTU) && is_reserved(datagram) {
        return Reason::Essential.into();
    }
    let listed = lists::lookup(datagram.source);
    match listed & ACTION {
        PASS => return Reason::Allowed.into(),
        DROP => return leased(Reason::Denied),
        _ => {}
    }
    if rule!(flags) & CHECKS != 0 && datagram.odd.is_any() {
        return leased(datagram.odd.reason());
    }
    let source = source(datagram.source, rule!(prefixes));
    let key = KeyHash::of_source(rule!(secret), source);
    if let Some(reason) = block(packet, key, datagram) {
        return reason.into();
    }
    let limits = limits(datagram);
    if limits == 0 {
        return spared(datagram).into();
    }
    let moment = if limits & u64::from(rule!(exact)) == 0 {
        maps::soon()
    } else {
        maps::clock()
    };
    if !moment.leased {
        return Reason::LeaseExpired.into();
    }
    let class = if rules::on(CLASSES) {
        listed >> CLASS_SHIFT
    } else {
        0
    };
    let length = if rules::on(COUNTS_BYTES) {
        packet.length()
    } else {
        0
    };
    let address = self::source(datagram.source, WHOLE);
    let subject = Subject::of(address, source, key, datagram.port, length, class);
    budget::charge_all(limits, &subject, moment.now)
}

/// Whether a message about a path's MTU passes whatever the rules say: it comes from any router on the way, and without
/// it connections hang. Its rate is bounded, so that no blocked source has a way in with it; what is above it meets the
/// rules as others do.
#[inline(always)]
fn is_reserved(datagram: &Datagram) -> bool {
    !datagram.odd.is_any() && Gate::PathMtu.admits(PATH_MTU, maps::coarse_clock().now)
}

/// As many as Linux itself sends of ICMP in a second (`net.ipv4.icmp_msgs_per_sec`).
const PATH_MTU: Quota = Quota::new(1000, Nanos::SECOND, 1000);

/// What a reason to drop comes to: nothing when the process has been gone for too long.
#[inline(always)]
pub(crate) fn leased(reason: Reason) -> Fate {
    if maps::coarse_clock().leased {
        reason.into()
    } else {
        Reason::LeaseExpired.into()
    }
}

#[inline(always)]
fn source(address: Address, prefixes: Prefixes) -> Source {
    match (address.as_v4(), address.halves()) {
        (Some(bits), _) => Source::v4(bits, prefixes.v4),
        (None, [high, low]) => Source::v6(high, low, prefixes.v6),
    }
}

const WHOLE: Prefixes = Prefixes { v4: 32, v6: 128 };

/// The limits that take this packet, by bit.
#[inline(always)]
fn limits(datagram: &Datagram) -> u64 {
    if rule!(count) == 0 {
        return 0;
    }
    let mut limits = rules::by_protocol(datagram.protocol);
    if rules::on(BY_AUTHENTICATION) && datagram.facts.has(Facts::AUTHENTICATED) {
        limits |= rules::by_protocol(AUTHENTICATION);
    }
    if rules::on(BY_ICMP) {
        limits &= rules::by_icmp(datagram.icmp);
    }
    if !datagram.facts.has(Facts::OPENS) {
        limits &= !u64::from(rule!(opening));
    }
    if datagram.facts.has(Facts::ESSENTIAL) {
        limits &= u64::from(rule!(typed));
    }
    if !datagram.port.is_some() {
        limits & u64::from(rule!(portless))
    } else if rules::on(BY_PORT) {
        limits & maps::port(datagram.port)
    } else {
        limits
    }
}

const AUTHENTICATION: u8 = 51;

/// Why a packet passes that no limit takes.
#[inline(always)]
fn spared(datagram: &Datagram) -> Reason {
    if rule!(count) != 0 && datagram.facts.has(Facts::ESSENTIAL) {
        Reason::Essential
    } else {
        Reason::Passed
    }
}

/// The reason to drop a packet of a blocked source, or to pass it although it is blocked.
#[inline(always)]
fn block(packet: Packet, key: KeyHash, datagram: &Datagram) -> Option<Reason> {
    let flow = FlowId::block(key, Scope::Listeners);
    let cells = maps::set(flow)?;
    if !set::was_blocked(&cells, flow) {
        return None;
    }
    let moment = maps::coarse_clock();
    let blocked = set::blocked(&cells, flow, moment.now);
    let port = datagram.port;
    let (scope, reason) = if blocked.host {
        (Scope::Host, Reason::BlockedHost)
    } else if blocked.listeners && port.is_some() && maps::port(port) & LISTENER != 0 {
        (Scope::Listeners, Reason::Blocked)
    } else {
        return None;
    };
    if !moment.leased {
        return Some(Reason::LeaseExpired);
    }
    record::add(FlowId::block(key, scope), packet.length_to(datagram.end));
    Some(reason)
}
