//! A server as the engine is told of it.

use std::{os::unix, path::Path, sync::Arc, time::Duration};

use floodwall_limiter::Secret;
use pingora_core::{
    protocols::l4::socket::SocketAddr,
    upstreams::peer::{H1UpgradePolicy, HttpPeer, PeerOptions, Scheme},
};
use pingora_error::{ErrorType, OrErr, Result};

use super::{
    Endpoint, Ends, Server, Timeouts, Upstream, announce,
    pool::{self, Opener},
};

impl Upstream {
    /// The server to connect to, with the time that each step may take: none has a bound below this layer. `ends` are
    /// told to servers that want to know them.
    ///
    /// # Errors
    /// When the path of a socket is no address, which a checked configuration rules out.
    pub fn peer(
        &self,
        server: &Server,
        ends: Option<Ends>,
        time_left: Option<Duration>,
    ) -> Result<Box<HttpPeer>> {
        let mut peer = Box::new(HttpPeer {
            _address: address(&server.endpoint)?,
            scheme: Scheme::HTTP,
            sni: String::new(),
            proxy: None,
            client_cert_key: None,
            group_key: pool::key(server.home),
            options: options(&self.timeouts, time_left),
        });
        if self.http2 {
            peer.options.set_http_version(2, 2);
            peer.options.max_h2_streams = MOST_STREAMS;
        }
        if let Some((tls, name)) = &self.tls[server.listed] {
            tls.apply(&mut peer, name);
        }
        let opener = match self.config.proxy_protocol {
            None => Arc::clone(&self.opener),
            Some(version) => {
                let header = announce::header(version, ends);
                // A connection is for those of whom it has told.
                peer.group_key ^= SECRET.hash_bytes(&header);
                Arc::new(Opener::new(&self.state, header))
            }
        };
        peer.options.custom_l4 = Some(opener);
        Ok(peer)
    }
}

/// HTTP/2 streams on one connection to a server, if it allows as many; beyond them another one is opened.
const MOST_STREAMS: usize = 100;

/// Tells connections for different clients apart.
const SECRET: Secret = Secret {
    k0: 0x666c_6f6f_6477_616c,
    k1: 0x7072_6f78_795f_7570,
};

fn address(endpoint: &Endpoint) -> Result<SocketAddr> {
    match endpoint {
        Endpoint::Ip(address) => Ok(SocketAddr::Inet(*address)),
        Endpoint::Unix(path) => socket(path).map(SocketAddr::Unix),
    }
}

fn socket(path: &Path) -> Result<unix::net::SocketAddr> {
    unix::net::SocketAddr::from_pathname(path).or_err(
        ErrorType::InternalError,
        "the path of a socket is no address",
    )
}

fn options(timeouts: &Timeouts, time_left: Option<Duration>) -> PeerOptions {
    let within = |timeout: Duration| Some(time_left.map_or(timeout, |left| timeout.min(left)));
    let mut options = PeerOptions::new();
    options.connection_timeout = within(timeouts.connect);
    // With the handshake of TLS.
    options.total_connection_timeout = within(timeouts.connect);
    options.read_timeout = within(timeouts.read);
    options.write_timeout = within(timeouts.write);
    options.idle_timeout = Some(timeouts.idle);
    // Those that change the protocol do not come this way.
    options.http_upstream_request_policy.h1_upgrade = H1UpgradePolicy::Deny;
    options
}
