//! Certificates in files: until when they are valid, whether a chain is one, and whether the routes' hosts are in them.

use std::{
    collections::HashSet,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use floodwall_config::{Certificate, HostPattern, Listener, NamedFile, Upstream, UpstreamTls};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Finding, Patient, Verdict};
use crate::{access_log::timestamp, pem};

const AREA: &str = "certificates";

/// Who renews by hand needs so long; who has it done should have done so by now.
const SOON: i64 = 14 * 86_400;

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.map_or(0, |since| since.as_secs())).unwrap_or(i64::MAX);
    let config = patient.config;
    let listeners = config.listeners.iter();
    let mut findings: Vec<_> = listeners
        .flat_map(|listener| of_listener(listener, now))
        .collect();
    findings.extend(
        config
            .upstreams
            .iter()
            .flat_map(|upstream| of_upstream(upstream, now)),
    );
    findings.extend(uncovered(patient));
    findings
}

fn of_listener(listener: &Listener, now: i64) -> Vec<Finding> {
    let Some(tls) = &listener.tls else {
        return Vec::new();
    };
    let mut findings: Vec<_> = tls
        .certificates
        .iter()
        .flat_map(|certificate| served(certificate, now))
        .collect();
    let clients = tls.clients.as_ref();
    findings.extend(clients.map(|clients| authorities(&clients.authorities, now)));
    findings
}

/// A chain that is shown: that it goes with its key was checked when the file was.
fn served(certificate: &Certificate, now: i64) -> Vec<Finding> {
    chain(&certificate.chain, now)
}

fn of_upstream(upstream: &Upstream, now: i64) -> Vec<Finding> {
    let servers = upstream
        .servers
        .iter()
        .filter_map(|server| server.tls.as_ref());
    let all: Vec<&UpstreamTls> = upstream.tls.iter().chain(servers).collect();
    let mut findings = Vec::new();
    for tls in all {
        findings.extend(tls.ca.as_ref().map(|ca| authorities(ca, now)));
        let own = tls.certificate.as_ref();
        findings.extend(own.into_iter().flat_map(|own| chain(&own.chain, now)));
    }
    findings
}

fn subject(file: &NamedFile) -> String {
    file.path.display().to_string()
}

fn chain(file: &NamedFile, now: i64) -> Vec<Finding> {
    let certificates = match pem::chain(file) {
        Ok(certificates) => certificates,
        Err(problem) => return vec![unreadable(file, &problem.to_string())],
    };
    // What cannot be parsed was refused with the file.
    let parsed: Vec<X509Certificate<'_>> = certificates.iter().filter_map(parse).collect();
    let mut findings: Vec<_> = parsed
        .iter()
        .map(|each| validity(file, each, now))
        .collect();
    findings.extend(order(file, &parsed));
    findings
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    Some(X509Certificate::from_der(certificate).ok()?.1)
}

fn unreadable(file: &NamedFile, why: &str) -> Finding {
    Finding::ok(AREA, subject(file), why).but(
        Verdict::Problem,
        "a start, or a reload, is refused",
        "floodwall check",
    )
}

/// Why dates matter.
const MATTERS: &str = "clients and servers that check refuse the connection";

fn validity(file: &NamedFile, certificate: &X509Certificate<'_>, now: i64) -> Finding {
    let validity = certificate.validity();
    let (from, until) = (
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    );
    let whom = certificate.subject();
    let finding = |words: String| Finding::ok(AREA, subject(file), format!("{whom}: {words}"));
    let renew = "renew it, then: floodwall reload";
    if until < now {
        finding(format!("expired on {}", date(until))).but(Verdict::Problem, MATTERS, renew)
    } else if from > now {
        finding(format!("not valid before {}", date(from))).but(
            Verdict::Problem,
            MATTERS,
            "wait, or look at this host's clock: timedatectl",
        )
    } else if until - now < SOON {
        let days = (until - now) / 86_400;
        finding(format!("expires in {days} days, on {}", date(until))).but(
            Verdict::Warning,
            MATTERS,
            renew,
        )
    } else {
        finding(format!("valid until {}", date(until)))
    }
}

/// Each certificate must have been signed by the next one: many clients build no other chain.
fn order(file: &NamedFile, chain: &[X509Certificate<'_>]) -> Option<Finding> {
    let broken = chain
        .windows(2)
        .position(|two| two[0].issuer() != two[1].subject())?;
    let (one, next) = (&chain[broken], &chain[broken + 1]);
    let found = format!(
        "certificate {} was signed by {}, but after it comes {}",
        broken + 1,
        one.issuer(),
        next.subject()
    );
    Some(Finding::ok(AREA, subject(file), found).but(
        Verdict::Warning,
        "clients that want the chain in order refuse the connection",
        "put the certificates in order: the own one first, then whoever signed the one before",
    ))
}

/// Authorities are one finding: a bundle has hundreds, and it is well as long as one is.
fn authorities(file: &NamedFile, now: i64) -> Finding {
    let certificates = match pem::chain(file) {
        Ok(certificates) => certificates,
        Err(problem) => return unreadable(file, &problem.to_string()),
    };
    let ends: Vec<i64> = certificates
        .iter()
        .filter_map(|each| Some(parse(each)?.validity().not_after.timestamp()))
        .collect();
    let expired = ends.iter().filter(|end| **end < now).count();
    let last = ends.iter().max().copied().unwrap_or(0);
    let found = match (ends.len(), expired) {
        (all, 0) => format!("{all} authorities, the last until {}", date(last)),
        (all, expired) => format!("{expired} of {all} authorities have expired"),
    };
    let finding = Finding::ok(AREA, subject(file), found);
    let (matters, mend) = (
        "nobody who shows a certificate of theirs is taken",
        "ask for their new certificates, then: floodwall reload",
    );
    match expired {
        0 => finding,
        all if all == ends.len() => finding.but(Verdict::Problem, matters, mend),
        _ => finding.but(Verdict::Warning, matters, mend),
    }
}

/// Hosts of routes that no certificate of any listener is for.
fn uncovered(patient: &Patient<'_>) -> Vec<Finding> {
    let listeners = patient.config.listeners.iter();
    let acceptors: Vec<_> = listeners
        .filter_map(|listener| patient.compiled.tls(&listener.name))
        .collect();
    if acceptors.is_empty() {
        return Vec::new();
    }
    let routes = patient.config.routes.iter();
    let mut seen = HashSet::new();
    let hosts = routes
        .flat_map(|route| &route.matches.hosts)
        .filter(|host| is_asked_for_by_name(host) && seen.insert(*host))
        .map(words)
        .filter(|host| !acceptors.iter().any(|acceptor| acceptor.is_for(host)));
    hosts
        .map(|host| {
            Finding::ok(
                AREA,
                host.clone(),
                "a route is for it, and no certificate is",
            )
            .but(
                Verdict::Warning,
                "who asks for it by TLS is shown another host's certificate, and goes",
                format!("a certificate with {host} in listeners.NAME.tls.certificates"),
            )
        })
        .collect()
}

/// Nobody asks for an address by name.
fn is_asked_for_by_name(host: &HostPattern) -> bool {
    match host {
        HostPattern::Exact(host) => !host.starts_with('[') && host.parse::<IpAddr>().is_err(),
        HostPattern::Suffix(_) => true,
    }
}

fn words(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(host) => host.clone(),
        HostPattern::Suffix(suffix) => format!("*{suffix}"),
    }
}

fn date(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let moment = timestamp(SystemTime::UNIX_EPOCH + since);
    moment.chars().take("2026-11-21".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_name() {
        let by_name = |host: &str| is_asked_for_by_name(&HostPattern::Exact(host.to_owned()));
        assert!(by_name("www.test") && !by_name("[::1]") && !by_name("192.0.2.1"));
    }

    #[test]
    fn dates_are_without_the_time() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(1_795_305_600), "2026-11-22");
    }
}
