//! Blocks: who is kept out, why, and until when. One door for the limits and for the operator.

mod budget;

use std::net::IpAddr;

use floodwall_limiter::{
    FlowId, KeyHash, Nanos, Scope, Source,
    block::{Block, By, Opened},
};
use serde::{Deserialize, Serialize};

pub use self::budget::{Account, Bounds, Budget};
use crate::{
    client::Client,
    generation::{Clients, Generation},
    host::Host,
    limit::Limit,
};

/// A block that was not made because it could lock out somebody it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    #[error(
        "{0} is in clients.trusted_proxies: a block would drop everybody behind that proxy; take it out of there first"
    )]
    TrustedProxy(IpAddr),
    #[error("{0} is in prefilter.allow, which is never blocked; take it out of there first")]
    Allowed(IpAddr),
    #[error("the flow table could not take the block of {0} in this moment; try again")]
    Busy(IpAddr),
}

/// A block as the operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The network that is blocked: an address, or an IPv6 prefix.
    pub source: String,
    pub scope: String,
    pub reason: String,
    /// `limit` or `operator`.
    pub by: String,
    /// The user who asked for it; absent when a limit did, or nobody knows.
    pub uid: Option<u32>,
    pub since_seconds_ago: f64,
    pub ends_in_seconds: f64,
    pub dropped_packets: u64,
    pub dropped_bytes: u64,
}

/// Keeps a source out for a time, whatever the budget of blocks says. A longer block that is already there
/// stays.
///
/// # Errors
/// [`Unsafe`] when the source is a trusted proxy or on the allow list.
pub fn add(
    host: &Host,
    address: IpAddr,
    duration: Nanos,
    scope: Scope,
    reason: &str,
    by: By,
) -> Result<Opened, Unsafe> {
    let wanted = Wanted {
        address,
        duration,
        scope,
        reason,
        by,
    };
    let generation = host.generation();
    let opened = open(host, &generation.clients, wanted, None)?;
    if by == By::Limit {
        let source = Source::of(address, generation.clients.prefixes);
        host.budget.note(source, opened.until);
    }
    Ok(opened)
}

/// A block that somebody wants.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    address: IpAddr,
    duration: Nanos,
    scope: Scope,
    reason: &'a str,
    by: By,
}

/// Blocks a source and ends its connections, but for the one that is `spared` to be answered.
fn open(
    host: &Host,
    clients: &Clients,
    wanted: Wanted<'_>,
    spared: Option<u64>,
) -> Result<Opened, Unsafe> {
    let address = wanted.address;
    check(clients, address)?;
    let block = Block {
        source: Source::of(address, clients.prefixes),
        prefix: prefix(clients, address),
        scope: wanted.scope,
        by: wanted.by,
        reason: wanted.reason,
    };
    let opened = host
        .book
        .open(&host.table, block, wanted.duration, host.now())
        .map_err(|_| Unsafe::Busy(address))?;
    // Only now: who comes in from here on finds the block.
    host.stats.cut(block.source, spared);
    Ok(opened)
}

/// Lets a source in again and forgets its strikes. Tells whether it was blocked.
pub fn remove(host: &Host, address: IpAddr) -> bool {
    let generation = host.generation();
    let source = Source::of(address, generation.clients.prefixes);
    pardon(host, &generation, source)
}

/// Lets everybody in again, and tells how many that were.
pub fn clear(host: &Host) -> usize {
    let generation = host.generation();
    let entries = host.book.list(&host.table, host.now());
    entries
        .iter()
        .filter(|entry| pardon(host, &generation, entry.source))
        .count()
}

/// How many blocks are in force and listed.
pub fn count(host: &Host) -> usize {
    host.book.list(&host.table, host.now()).len()
}

/// Every block that is in force, the one that ends last first.
pub fn list(host: &Host) -> Vec<Listed> {
    let now = host.now();
    let mut entries = host.book.list(&host.table, now);
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.until));
    entries
        .into_iter()
        .map(|entry| Listed {
            source: entry.network(),
            scope: match entry.scope {
                Scope::Listeners => "listeners",
                Scope::Host => "host",
            }
            .to_owned(),
            by: match entry.by {
                By::Limit => "limit",
                By::Operator { .. } => "operator",
            }
            .to_owned(),
            uid: entry.by.uid(),
            since_seconds_ago: seconds(now.minus(entry.since)),
            ends_in_seconds: seconds(entry.until.minus(now)),
            dropped_packets: entry.packets,
            dropped_bytes: entry.bytes,
            reason: entry.reason,
        })
        .collect()
}

/// Whether a peer is blocked now, in whatever scope: what the process asks at accept and for each request.
pub fn is_blocked(host: &Host, clients: &Clients, peer: IpAddr, now: Nanos) -> bool {
    is_kept_out(host, key(host, Source::of(peer, clients.prefixes)), now)
}

/// Notes that the process itself turned a blocked source away, where the kernel does not.
pub fn count_turned_away(host: &Host, clients: &Clients, peer: IpAddr) {
    let key = key(host, Source::of(peer, clients.prefixes));
    for scope in [Scope::Listeners, Scope::Host] {
        let flow = FlowId::block(key, scope);
        if host.table.time(flow) > host.now() {
            host.book.dropped(flow, 0);
            return;
        }
    }
}

/// Counts one refusal of a limit that escalates, and blocks the client when it was one too many.
///
/// Nobody is blocked who is not the TCP peer itself: the kernel knows packets by their sender, and behind a
/// proxy the sender is the proxy. Only whoever has completed a handshake gets here, so nobody is blocked for
/// what others send in their name. `connection` is the one that is still to be answered; the client's others end.
pub fn strike(
    host: &Host,
    generation: &Generation,
    limit: &Limit,
    client: &Client,
    connection: Option<u64>,
    now: Nanos,
) -> Option<Opened> {
    let block = limit.block.as_ref()?;
    if !client.direct || check(&generation.clients, client.address).is_err() {
        return None;
    }
    let key = key(host, client.source);
    if is_kept_out(host, key, now) {
        // What is still under way when the block begins is no new offence.
        return None;
    }
    let duration = block
        .escalation
        .strike(&host.table, block.ledger, key, now)?;
    let until = now.plus(duration);
    host.budget
        .spend(client.source, until, generation.blocks, now)
        .ok()?;
    let wanted = Wanted {
        address: client.address,
        duration,
        scope: block.scope,
        reason: &limit.name,
        by: By::Limit,
    };
    let Ok(opened) = open(host, &generation.clients, wanted, connection) else {
        host.budget.release(client.source);
        return None;
    };
    // Only now: what the budget did not allow is no offence.
    block
        .escalation
        .blocked(&host.table, block.ledger, key, now);
    host.budget.note(client.source, opened.until);
    limit.stats.blocks.one();
    tracing::info!(
        source = %client.address,
        limit = limit.name,
        seconds = seconds(opened.until.minus(now)),
        "blocked: refused too often"
    );
    Some(opened)
}

fn check(clients: &Clients, address: IpAddr) -> Result<(), Unsafe> {
    if clients.trusted.contains(address) {
        return Err(Unsafe::TrustedProxy(address));
    }
    if clients.allowed.contains(address) {
        return Err(Unsafe::Allowed(address));
    }
    Ok(())
}

fn pardon(host: &Host, generation: &Generation, source: Source) -> bool {
    let key = key(host, source);
    for block in generation
        .limits()
        .iter()
        .filter_map(|limit| limit.block.as_ref())
    {
        block.ledger.forget(&host.table, key);
    }
    host.budget.release(source);
    host.book.close(&host.table, source, None, host.now())
}

fn key(host: &Host, source: Source) -> KeyHash {
    KeyHash::of_source(host.secret(), source)
}

/// Whether a block is in force, in whatever scope: one look finds both.
fn is_kept_out(host: &Host, source: KeyHash, now: Nanos) -> bool {
    let blocked = host
        .table
        .blocked(FlowId::block(source, Scope::Listeners), now);
    blocked.listeners || blocked.host
}

fn prefix(clients: &Clients, address: IpAddr) -> u8 {
    if address.to_canonical().is_ipv4() {
        clients.prefixes.v4
    } else {
        clients.prefixes.v6
    }
}

fn seconds(span: Nanos) -> f64 {
    std::time::Duration::from(span).as_secs_f64()
}
