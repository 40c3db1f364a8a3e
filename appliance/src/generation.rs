//! A generation: one immutable value with everything that a configuration file means for both layers.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::SystemTime};

use floodwall_config::{
    BlockBudget, Config, GateIndex, KeyPart, LimitIndex, Problems, Related, UpstreamIndex,
    path::Slashes,
};
use floodwall_limiter::{Nanos, Prefixes, Secret, clock::Clock};

use crate::{
    blocks::Bounds,
    clock::Monotonic,
    gate::Gate,
    limit::Limit,
    networks::Networks,
    protection::Protection,
    route::Router,
    server::tls::Acceptor,
    stats::{RouteStats, Stats},
    tokens::Tokens,
    upstream::Upstream,
};

/// What the proxy does while this generation is the current one. Requests keep the one they began with.
#[derive(Debug)]
pub struct Generation {
    /// Counts from one with each reload that was taken. The kernel's program carries the same number.
    pub number: u64,
    /// The file this came from.
    pub file: PathBuf,
    pub config: Config,
    pub router: Router,
    /// What is fetched in the background and put into headers.
    pub tokens: Tokens,
    pub clients: Clients,
    /// What becomes of slashes in paths.
    pub slashes: Slashes,
    /// None: nothing is shed.
    pub protection: Option<Protection>,
    /// How many sources limits may block.
    pub blocks: Bounds,
    /// How listeners speak TLS, by their names.
    tls: HashMap<String, Arc<Acceptor>>,
    limits: Vec<Limit>,
    /// The limits that watch the load of a route, by its name.
    watchers: HashMap<String, Vec<LimitIndex>>,
    gates: Vec<Gate>,
    upstreams: Vec<Upstream>,
}

/// How a client is told from its connection, ready to ask.
#[derive(Debug)]
pub struct Clients {
    pub trusted: Networks,
    /// Never blocked: the pre-filter's allow list.
    pub allowed: Networks,
    pub forwarded_header: Option<http::HeaderName>,
    pub prefixes: Prefixes,
}

impl Clients {
    fn compile(config: &Config) -> Self {
        let allowed = config
            .prefilter
            .as_ref()
            .map_or(&[][..], |prefilter| &prefilter.allow);
        let clients = &config.clients;
        Self {
            trusted: Networks::new(&clients.trusted_proxies),
            allowed: Networks::new(allowed),
            forwarded_header: match &clients.forwarded_header {
                // A checked header name is a token in lower case, which is all that this type asks for.
                Some(name) => http::HeaderName::from_lowercase(name.as_str().as_bytes()).ok(),
                // Nobody is trusted then but those who may open a unix socket.
                None => Some(http::HeaderName::from_static("x-forwarded-for")),
            },
            prefixes: Prefixes {
                v4: clients.ipv4_prefix,
                v6: clients.ipv6_prefix,
            },
        }
    }
}

impl Generation {
    /// Compiles a checked configuration. State that limits and upstreams keep by name comes from `stats`.
    ///
    /// # Errors
    /// Everything that is wrong with the files that it names.
    pub fn compile(
        number: u64,
        file: PathBuf,
        config: Config,
        secret: Secret,
        stats: &Stats,
    ) -> Result<Arc<Self>, Problems> {
        let now = Monotonic.now();
        let tls = acceptors(&config, stats)?;
        let mut limits: Vec<Limit> = config
            .limits
            .iter()
            .map(|limit| Limit::compile(limit, secret, stats.limit(&limit.name)))
            .collect();
        let gates = config
            .gates
            .iter()
            .map(|gate| Gate::compile(gate, stats.gates.guests(&gate.name)))
            .collect();
        let watchers = watchers(&config, &mut limits);
        let upstreams = upstreams(&config, stats, now)?;
        let protection = config
            .protection
            .as_ref()
            .map(|protection| Protection::compile(protection, secret));
        let tokens = Tokens::compile(&config, &stats.tokens);
        let router = Router::compile(&config, &tokens, stats);
        let blocks = config.prefilter.as_ref().map_or_else(
            || Bounds::from(&BlockBudget::default()),
            |prefilter| Bounds::from(&prefilter.blocks),
        );
        Ok(Arc::new(Self {
            number,
            slashes: if config.server.merge_slashes {
                Slashes::Merge
            } else {
                Slashes::Keep
            },
            file,
            router,
            tokens,
            clients: Clients::compile(&config),
            protection,
            blocks,
            tls,
            limits,
            watchers,
            gates,
            upstreams,
            config,
        }))
    }

    /// Finds everything that would keep a checked configuration from being compiled.
    ///
    /// # Errors
    /// As [`Generation::compile`].
    pub fn check(config: &Config) -> Result<Arc<Self>, Problems> {
        let nobody_counts = Stats::default();
        let any = Secret { k0: 0, k1: 0 };
        Self::compile(0, PathBuf::new(), config.clone(), any, &nobody_counts)
    }

    pub fn limit(&self, index: LimitIndex) -> &Limit {
        &self.limits[index.0]
    }

    /// The limits that watch the load of a route.
    #[inline]
    pub fn watchers_of(&self, route: &str) -> &[LimitIndex] {
        if self.watchers.is_empty() {
            return &[];
        }
        self.watchers.get(route).map_or(&[], Vec::as_slice)
    }

    /// How a listener speaks TLS; none when it does not.
    pub fn tls(&self, listener: &str) -> Option<&Arc<Acceptor>> {
        self.tls.get(listener)
    }

    /// What an operator should know of the certificates.
    pub fn warnings(&self) -> Vec<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        let listeners = self.config.listeners.iter();
        listeners
            .filter_map(|listener| Some((&listener.name, self.tls(&listener.name)?)))
            .flat_map(|(name, tls)| {
                tls.warnings(now)
                    .map(move |warning| format!("listeners.{name}.tls: {warning}"))
            })
            .collect()
    }

    /// What changes with this generation though the text of the file may be the same.
    pub fn files_changed_since(&self, before: &Self) -> Vec<String> {
        let listeners = self.config.listeners.iter();
        listeners
            .filter(|listener| {
                let both = self.tls(&listener.name).zip(before.tls(&listener.name));
                both.is_some_and(|(new, old)| new.shows_others_than(old))
            })
            .map(|listener| format!("listeners.{}.tls.certificates: other files", listener.name))
            .collect()
    }

    pub fn gate(&self, index: GateIndex) -> &Gate {
        &self.gates[index.0]
    }

    /// All gates, in the order of the file.
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// All limits, in the order of the file.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// What came of each route's requests, in the order of the file.
    pub fn route_stats(&self) -> impl Iterator<Item = (&str, &RouteStats)> {
        let routes = self.router.routes().iter();
        routes.map(|route| (route.rule.name.as_str(), &*route.stats))
    }

    pub fn upstream(&self, index: UpstreamIndex) -> &Upstream {
        &self.upstreams[index.0]
    }

    /// The upstream of this name.
    pub fn upstream_named(&self, name: &str) -> Option<UpstreamIndex> {
        let at = self
            .upstreams
            .iter()
            .position(|upstream| upstream.name == name);
        at.map(UpstreamIndex)
    }

    /// Makes what this generation knows of its upstreams and tokens what the next one begins with.
    pub fn take_over(&self) {
        self.tokens.take_over(&self.config);
        self.upstreams.iter().for_each(Upstream::take_over);
    }

    /// All upstreams, in the order of the file.
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }
}

/// Loads what listeners need for TLS.
fn acceptors(config: &Config, stats: &Stats) -> Result<HashMap<String, Arc<Acceptor>>, Problems> {
    let mut limits = config.limits.iter();
    let fingerprints = limits.any(|limit| limit.key.contains(&KeyPart::TlsJa4));
    let mut acceptors = HashMap::new();
    let mut problems = Vec::new();
    for listener in &config.listeners {
        let Some(tls) = &listener.tls else {
            continue;
        };
        match Acceptor::load(&listener.name, tls, &stats.tickets, fingerprints) {
            Ok(acceptor) => {
                acceptors.insert(listener.name.clone(), Arc::new(acceptor));
            }
            Err(found) => problems.extend(found),
        }
    }
    match Problems::of(problems) {
        Some(problems) => Err(problems),
        None => Ok(acceptors),
    }
}

/// Compiles all upstreams, and tells everything that is wrong with any of them.
fn upstreams(config: &Config, stats: &Stats, now: Nanos) -> Result<Vec<Upstream>, Problems> {
    let (mut upstreams, mut problems) = (Vec::new(), Vec::new());
    for upstream in &config.upstreams {
        match Upstream::compile(upstream, stats.upstream(&upstream.name), now) {
            Ok(upstream) => upstreams.push(upstream),
            Err(found) => problems.extend(found),
        }
    }
    Problems::of(problems).map_or(Ok(upstreams), Err)
}

/// Tells each limit who watches it, and answers with who watches a route.
fn watchers(config: &Config, limits: &mut [Limit]) -> HashMap<String, Vec<LimitIndex>> {
    let mut of_routes: HashMap<String, Vec<LimitIndex>> = HashMap::new();
    for (at, limit) in config.limits.iter().enumerate() {
        match &limit.related {
            None => {}
            Some(Related::Limit(watched)) => limits[watched.0].watched_by.push(LimitIndex(at)),
            Some(Related::Route(route)) => {
                let watchers = of_routes.entry(route.clone()).or_default();
                watchers.push(LimitIndex(at));
            }
        }
    }
    of_routes
}
