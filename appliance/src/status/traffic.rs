//! Listeners, connections and requests.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use floodwall_config::ListenAddress;
use serde::{Deserialize, Serialize};

use crate::{
    access_log::{Verdict, timestamp},
    generation::Generation,
    host::Host,
    server::{http2::Offence, tls::Shown},
    stats::{Classes, Outcomes},
};

/// An address that is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerStatus {
    pub name: String,
    pub address: String,
    pub connections_open: u64,
    /// What clients are shown; empty where they speak in the clear.
    pub certificates: Vec<CertificateStatus>,
}

/// A certificate of a listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// The file that it came from.
    pub chain: String,
    /// The hosts that it is for.
    pub names: Vec<String>,
    /// When it ends to be valid, RFC 3339 in UTC.
    pub ends: String,
    pub ends_unix_seconds: i64,
}

/// Connections over all listeners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionCounts {
    pub open: u64,
    pub accepted: u64,
    /// Closed at accept because the source is blocked.
    pub refused_blocked: u64,
    /// Closed at accept because there were too many.
    pub refused_full: u64,
    /// Ended in the middle because the source was blocked.
    pub cut: u64,
    /// HTTP/2 connections that were ended for what their clients did, by its name.
    pub offences: BTreeMap<String, u64>,
    /// Ended before their first request could come, by the reason.
    pub failed: BTreeMap<String, u64>,
}

/// Requests over all listeners.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestCounts {
    pub in_flight: u64,
    /// Finished, by the class of their status, `1xx` to `5xx`, and `none` for those without one.
    pub finished: Vec<ClassCount>,
    /// The same by what was decided, as in the access log.
    pub verdicts: Vec<VerdictCount>,
    pub malformed: u64,
    pub unrouted: u64,
    pub access_log_dropped: u64,
    /// Header fields left out because what a request put into them could not stand on the wire.
    pub fields_dropped: u64,
}

/// Requests of one class of status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassCount {
    pub class: String,
    pub count: u64,
}

/// Requests of one verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictCount {
    /// As the access log has it.
    pub verdict: String,
    pub count: u64,
}

pub(super) fn listeners(host: &Host, generation: &Generation) -> Vec<ListenerStatus> {
    let open = host.stats.open_connections();
    let listeners = generation.config.listeners.iter();
    listeners
        .map(|listener| ListenerStatus {
            name: listener.name.clone(),
            address: match &listener.address {
                ListenAddress::Tcp(address) => address.to_string(),
                ListenAddress::Unix(path) => format!("unix:{}", path.display()),
            },
            connections_open: open
                .iter()
                .find(|(name, _)| *name == listener.name)
                .map_or(0, |(_, count)| *count),
            certificates: generation.tls(&listener.name).map_or_else(Vec::new, |tls| {
                tls.certificates().map(certificate).collect()
            }),
        })
        .collect()
}

fn certificate(shown: Shown<'_>) -> CertificateStatus {
    let since = Duration::from_secs(u64::try_from(shown.not_after).unwrap_or(0));
    CertificateStatus {
        chain: shown.chain.display().to_string(),
        names: shown.names.to_vec(),
        ends: timestamp(SystemTime::UNIX_EPOCH + since),
        ends_unix_seconds: shown.not_after,
    }
}

impl ConnectionCounts {
    pub(super) fn of(host: &Host) -> Self {
        let counts = &host.stats.requests;
        Self {
            open: counts.connections_open.get(),
            accepted: counts.connections.get(),
            refused_blocked: counts.connections_refused_blocked.get(),
            refused_full: counts.connections_refused_full.get(),
            cut: counts.connections_cut.get(),
            offences: Offence::ALL
                .map(|offence| (offence.name().to_owned(), counts.offences.get(offence)))
                .into(),
            failed: counts
                .failures
                .by_name()
                .map(|(reason, count)| (reason.to_owned(), count))
                .collect(),
        }
    }
}

impl ClassCount {
    /// Of every class, as `of` counts them by their number: 2 is 2xx.
    pub(super) fn all(of: impl Fn(usize) -> u64) -> Vec<Self> {
        let counts = (0..).zip(Classes::NAMES);
        counts
            .map(|(index, class)| Self {
                class: class.to_owned(),
                count: of(index),
            })
            .collect()
    }
}

impl VerdictCount {
    fn all(outcomes: &Outcomes) -> Vec<Self> {
        let verdicts = Verdict::ALL.map(|verdict| Self {
            verdict: verdict.name().to_owned(),
            count: outcomes.of_verdict(verdict),
        });
        verdicts.into()
    }
}

impl RequestCounts {
    pub(super) fn of(host: &Host) -> Self {
        let counts = &host.stats.requests;
        Self {
            in_flight: counts.in_flight.get(),
            finished: ClassCount::all(|class| counts.outcomes.of_class(class)),
            verdicts: VerdictCount::all(&counts.outcomes),
            malformed: counts.malformed.get(),
            unrouted: counts.unrouted.get(),
            access_log_dropped: host.access_log.dropped(),
            fields_dropped: counts.fields_dropped.get(),
        }
    }
}
