//! The way of an IP packet: lists, block cell, limits.
//!
//! What nearly every packet needs stands in one function, because on CPUs that guard their returns each
//! costs about 8 ns: a call of our own has one, the kernel's clock several. So a packet without limits makes no call
//! at all, a blocked one none but for its length, and one with limits asks the exact clock once, which is
//! more than half of its time. Whatever is rare (a key that moves in, twins, a refund) is behind a call.

use aya_ebpf::{bindings::xdp_md, programs::XdpContext};
use floodwall_limiter::{FlowId, KeyHash, Nanos, Scope, Source, set};
use floodwall_xdp_abi::{
    Address, Datagram, Port, Reason,
    list::{ACTION, DROP, PASS},
    maps::LISTENER,
    rules::BY_PORT,
};

use crate::{
    budget::{self, Keys},
    lists, maps, record,
    rules::{self, rule},
};

/// Decides over one packet, counts it, and answers with what becomes of it.
///
/// All of it stands in the entry point: a call costs as much as half of what a packet without limits needs.
#[inline(always)]
pub(crate) fn call(ctx: &XdpContext, datagram: Datagram) -> u32 {
    crate::end(of(ctx.ctx, without_past(datagram)))
}

/// The datagram without what the verifier has learnt on the many ways through the parser, for it would
/// follow each of them to the end.
#[inline(always)]
fn without_past(datagram: Datagram) -> Datagram {
    let port = rules::forget(datagram.port.bits().into());
    Datagram {
        port: Port::from_bits(port as u32),
        opens: rules::forget(datagram.opens.into()) & 1 != 0,
        ..datagram
    }
}

/// A clock is read only when something depends on it.
#[inline(always)]
fn of(ctx: *mut xdp_md, datagram: Datagram) -> Reason {
    match lists::lookup(datagram.source) & ACTION {
        PASS => return Reason::Allowed,
        DROP => return leased(Reason::Denied),
        _ => {}
    }
    let source = source(datagram.source);
    let key = KeyHash::of_source(rule!(secret), source);
    if let Some(reason) = block(ctx, key, datagram.port) {
        return reason;
    }
    let limits = limits(&datagram);
    if limits == 0 {
        return Reason::Passed;
    }
    let moment = maps::clock();
    if !moment.leased {
        return Reason::LeaseExpired;
    }
    let keys = Keys::of(source, key, datagram.port);
    budget::charge_all(limits, keys, moment.now)
}

/// What a reason to drop comes to: nothing when the process has been gone for too long.
#[inline(always)]
pub(crate) fn leased(reason: Reason) -> Reason {
    if maps::coarse_clock().leased {
        reason
    } else {
        Reason::LeaseExpired
    }
}

#[inline(always)]
fn source(address: Address) -> Source {
    let prefixes = rule!(prefixes);
    match address {
        Address::V4(bits) => Source::v4(bits, prefixes.v4),
        Address::V6 { high, low } => Source::v6(high, low, prefixes.v6),
    }
}

/// The limits that take this packet, by bit.
#[inline(always)]
fn limits(datagram: &Datagram) -> u64 {
    if rule!(count) == 0 {
        return 0;
    }
    let mut limits = rules::by_protocol(datagram.protocol);
    if !datagram.opens {
        limits &= !rule!(opening);
    }
    if !datagram.port.is_some() {
        limits & rule!(portless)
    } else if rules::on(BY_PORT) {
        limits & maps::port(datagram.port)
    } else {
        limits
    }
}

/// The reason to drop a packet of a blocked source, or to pass it although it is blocked.
#[inline(always)]
fn block(ctx: *mut xdp_md, key: KeyHash, port: Port) -> Option<Reason> {
    let flow = FlowId::block(key, Scope::Listeners);
    let cells = maps::set(flow)?;
    // At time zero every block that left a cell is in force: the clock is read for those alone.
    let ever = set::blocked(&cells, flow, Nanos::ZERO);
    if !ever.host && !ever.listeners {
        return None;
    }
    let moment = maps::coarse_clock();
    let blocked = set::blocked(&cells, flow, moment.now);
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
    record::add(ctx, FlowId::block(key, scope));
    Some(reason)
}
