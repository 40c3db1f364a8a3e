//! Who is measured: the same job, written in each contender's own words.

use std::net::SocketAddr;

use floodwall_tests::{Floodwall, Host, Instance, Launch, Yaml};

use crate::server::Server;

mod certificate;
mod envoy;
mod floodwall;
mod haproxy;
mod nginx;

pub(crate) use certificate::Certificate;
pub(crate) use nginx::{LARGE, origin};

/// A reverse proxy with limits: what every contender does, with one worker.
///
/// All of them keep connections on both sides, tell the origin the client's address, the protocol, the host and
/// a request id, and write no log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) listen: SocketAddr,
    pub(crate) origin: SocketAddr,
    pub(crate) limits: Limits,
    /// The client is whom X-Forwarded-For names, because all come through a trusted proxy.
    pub(crate) behind_proxy: bool,
    /// What Floodwall alone can do with a client that goes on: the limit's `block`.
    pub(crate) block: Option<&'static str>,
    /// TLS with HTTP/2 on offer; plain HTTP/1.1 without it.
    pub(crate) tls: Option<&'static Certificate>,
}

impl Job {
    pub(crate) fn new(listen: SocketAddr, origin: SocketAddr, limits: Limits) -> Self {
        Self {
            listen,
            origin,
            limits,
            behind_proxy: false,
            block: None,
            tls: None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Limits {
    None,
    /// So many requests a second for each client, twice as many at once.
    PerClient(u32),
    /// Two requests an hour for each value of the header `x-key`, and two at once; there will be so many values.
    Scarce(u64),
    /// So many limits: by client, by nobody, by host, by path, by client and path, and so on, with this rate each.
    /// Floodwall alone.
    Several(usize, u32),
}

/// What a key may send at once under [`Limits::Scarce`].
pub(crate) const SCARCE_BURST: f64 = 2.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Floodwall,
    Nginx,
    HaProxy,
    /// Measured as a proxy only; its limits have no part in it.
    Envoy,
}

/// A contender at work; ended when dropped.
#[derive(Debug)]
pub(crate) enum Running<'h> {
    Floodwall(Box<Floodwall<'h>>),
    Other(Server),
}

impl Contender {
    pub(crate) const ALL: [Self; 3] = [Self::Floodwall, Self::Nginx, Self::HaProxy];

    /// Those whose work as a proxy is compared.
    pub(crate) const PROXIES: [Self; 4] =
        [Self::Floodwall, Self::Nginx, Self::HaProxy, Self::Envoy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floodwall => "floodwall",
            Self::Nginx => "nginx",
            Self::HaProxy => "haproxy",
            Self::Envoy => "envoy",
        }
    }

    /// What a key may send each second after that.
    pub(crate) fn scarce_per_second(self) -> f64 {
        match self {
            Self::Floodwall | Self::HaProxy | Self::Envoy => 2.0 / 3600.0,
            // It knows no slower one.
            Self::Nginx => 1.0 / 60.0,
        }
    }

    /// Starts on the caller's core, and returns when requests are accepted.
    pub(crate) fn start(self, job: &Job) -> anyhow::Result<Running<'static>> {
        Ok(match self {
            Self::Floodwall => Running::of(Launch::default(), &yaml(job)),
            Self::Nginx => Running::Other(nginx::start(job)?),
            Self::HaProxy => Running::Other(haproxy::start(job)?),
            Self::Envoy => Running::Other(envoy::start(job)?),
        })
    }

    /// The same on another host. Floodwall gets `more` at the end of its file.
    pub(crate) fn start_on<'h>(
        self,
        host: &'h Host,
        job: &Job,
        more: &str,
    ) -> anyhow::Result<Running<'h>> {
        Ok(match self {
            Self::Floodwall => Running::of(Launch::default().on(host), &yaml(job).and(more)),
            Self::Nginx => Running::Other(host.run(|| nginx::start(job))?),
            Self::HaProxy => Running::Other(host.run(|| haproxy::start(job))?),
            Self::Envoy => Running::Other(host.run(|| envoy::start(job))?),
        })
    }
}

/// The job in Floodwall's words.
pub(crate) fn yaml(job: &Job) -> Yaml {
    Yaml::new(floodwall::text(job))
}

/// What has Floodwall filter in the kernel on `eth0`, or not start.
pub(crate) fn prefilter(instance: &Instance) -> String {
    format!("prefilter: {{ interfaces: [eth0], required: true, instance: {instance} }}\n")
}

impl<'h> Running<'h> {
    fn of(launch: Launch<'h>, yaml: &Yaml) -> Self {
        Self::Floodwall(Box::new(launch.start(yaml)))
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Floodwall(floodwall) => floodwall.pid(),
            Self::Other(server) => server.pid(),
        }
    }
}
