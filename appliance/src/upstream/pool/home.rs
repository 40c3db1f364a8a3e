//! Which connections may stand in for one another.

use floodwall_config as config;
use floodwall_limiter::Secret;

use super::Home;
use crate::upstream::{Endpoint, tls::Tls};

/// Nothing is hidden by it: what is hashed is the operator's.
const SECRET: Secret = Secret {
    k0: 0x666c_6f6f_6477_616c,
    k1: 0x0000_0000_686f_6d65,
};

/// What of an upstream's settings a connection to each server of the file depends on, as a number.
pub(in crate::upstream) fn settings(
    upstream: &config::Upstream,
    tls: &[Option<(Tls, String)>],
) -> Vec<u64> {
    let name = SECRET.hash_bytes(upstream.name.as_bytes());
    let spoken = [
        u64::from(upstream.http2),
        upstream
            .proxy_protocol
            .map_or(0, |version| 1 + version as u64),
    ];
    tls.iter()
        .map(|tls| {
            let secured = tls.as_ref().map_or([0, 0], |(tls, server)| {
                [tls.identity(), SECRET.hash_bytes(server.as_bytes())]
            });
            SECRET.hash_words([name, spoken[0], spoken[1], secured[0], secured[1]])
        })
        .collect()
}

/// Where connections to this server lead, with these settings.
pub(in crate::upstream) fn of(settings: u64, endpoint: &Endpoint) -> Home {
    SECRET.hash_words([settings, SECRET.hash_bytes(endpoint.to_string().as_bytes())])
}

/// What the engine tells connections apart by; older vintages are of no use to anybody.
pub(in crate::upstream) fn key(home: Home, vintage: u64) -> u64 {
    match vintage {
        0 => home,
        vintage => SECRET.hash_words([home, vintage]),
    }
}
