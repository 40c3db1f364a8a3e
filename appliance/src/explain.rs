//! What would become of a request, asked without sending one and without charging anything.

mod changes;
mod way;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::SystemTime,
};

use floodwall_config::{Action, path};
use floodwall_limiter::Nanos;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::{Deserialize, Serialize};

use crate::{
    admission::{self, Preview},
    blocks, client,
    gate::{Gate, Would},
    generation::Generation,
    host::Host,
    key::Subject,
    protection,
    request::{RequestView, host_of},
    route::Route,
    split,
    upstream::{Unavailable, Upstream, balance_key},
};

/// A request that somebody imagines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// A path with its query, or a whole `http://HOST/PATH`.
    pub url: String,
    pub method: String,
    /// The TCP peer; this host itself when absent.
    pub client: Option<IpAddr>,
    pub headers: Vec<(String, String)>,
}

/// What would happen to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explanation {
    pub generation: u64,
    pub method: String,
    pub host: String,
    pub path: String,
    /// The TCP peer.
    pub peer: IpAddr,
    /// Who is asking, after the forwarded header of a trusted proxy.
    pub client: IpAddr,
    /// The client as limits count it: IPv6 clients by their network.
    pub counted_as: String,
    /// Whether the peer is blocked now, so that nothing of this would be looked at.
    pub blocked: bool,
    /// The route that takes it; absent when none does, which is 404.
    pub route: Option<String>,
    /// What overload protection would do; absent when the file has none, or no route takes the request.
    pub protection: Option<protection::preview::Preview>,
    pub limits: Vec<Preview>,
    /// What the route's gate would say: `let in`, `draw`, or why it would refuse; absent without a gate.
    pub gate: Option<GatePreview>,
    /// What chose the upstream, when the route has a split.
    pub split: Option<String>,
    /// What the upstream would be asked for, when that is not what the client asked for.
    pub rewritten: Option<Rewritten>,
    /// What else the route does with the request and the response, in the words of the file. Variables stand as they are:
    /// a token is never shown.
    pub changes: Vec<String>,
    pub action: Outcome,
}

/// A gate asked without a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePreview {
    pub name: String,
    pub would: String,
    /// The answer's status, when it would certainly refuse.
    pub status: Option<u16>,
}

/// A request's target as the upstream gets it; what stays as it is is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    pub path: Option<String>,
    pub host: Option<String>,
}

/// Who would answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The proxy, with this status: a refusal, or what the route responds.
    Respond { status: u16, because: String },
    /// The proxy, which tells the client to ask elsewhere.
    Redirect { status: u16, location: String },
    /// One of the upstream's servers.
    Upstream {
        name: String,
        /// Those that may be asked now; where a key decides, in the order in which this request would ask them.
        servers: Vec<String>,
        /// Those that are passed over now.
        passed_over: Vec<PassedOver>,
    },
    /// The proxy, because the upstream takes nothing at the moment.
    Unavailable {
        upstream: String,
        why: String,
        status: u16,
        retry_after_seconds: u64,
    },
    /// Nobody: the packets of a blocked source are dropped, or its connections closed.
    Nothing,
}

/// A server that is not asked, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    pub server: String,
    pub why: String,
}

/// A question that is not about any request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    #[error("found the url `{0}`; allowed: a path that begins with `/`, or http://HOST/PATH")]
    Url(String),
    #[error("found the url `{0}`, which is answered with 400: {1}")]
    Path(String, &'static str),
    #[error("found the method `{0}`; allowed: a token such as GET")]
    Method(String),
    #[error("found the header `{0}`; allowed: NAME:VALUE")]
    Header(String),
}

/// Follows a request through the running generation.
///
/// # Errors
/// [`Nonsense`] when no client could send that.
pub fn explain(host: &Host, question: &Question) -> Result<Explanation, Nonsense> {
    let generation = host.pin();
    let uri: Uri = question
        .url
        .parse()
        .map_err(|_| Nonsense::Url(question.url.clone()))?;
    if !uri.path().starts_with('/') {
        return Err(Nonsense::Url(question.url.clone()));
    }
    let path = path::normalized(uri.path(), generation.slashes)
        .map_err(|odd| Nonsense::Path(question.url.clone(), odd.0))?;
    http::Method::from_bytes(question.method.as_bytes())
        .map_err(|_| Nonsense::Method(question.method.clone()))?;
    let headers = headers(question)?;
    let request = RequestView {
        method: &question.method,
        host: named_host(&uri, &headers),
        path: &path,
        query: uri.query(),
        headers: &headers,
    };
    let peer = question.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let scheme = uri.scheme_str().unwrap_or("http");
    Ok(follow(host, &generation, request, peer, scheme))
}

fn follow(
    host: &Host,
    generation: &Generation,
    request: RequestView<'_>,
    peer: IpAddr,
    scheme: &str,
) -> Explanation {
    let client = client::identify(&generation.clients, peer.into(), request.headers);
    let route = generation.router.find(&request);
    let name = route.map(|route| route.rule.name.as_str());
    // No connection has this number, so a limit by connection shows a fresh one.
    let subject = Subject {
        request,
        client,
        client_key: client.key(host.secret()),
        route: name.unwrap_or_default(),
        connection: u64::MAX,
        tls: None,
    };
    let limits = route
        .map(|route| admission::preview(host, generation, &route.rule, &subject))
        .unwrap_or_default();
    let protection = generation
        .protection
        .as_ref()
        .zip(route)
        .map(|(protection, route)| {
            protection::preview::Preview::of(host, protection, route.rule.priority)
        });
    let gate = route.and_then(|route| gate(host, generation, route, &subject));
    let blocked = blocks::is_blocked(host, &generation.clients, peer, host.now());
    let here = Here {
        generation,
        subject: &subject,
        peer,
        scheme,
    };
    let action = if blocked {
        Outcome::Nothing
    } else if let Some(shed) = protection.as_ref().and_then(shed) {
        shed
    } else {
        let route = route.map(AsRef::as_ref);
        outcome(&here, route, &limits, gate.as_ref(), host.now())
    };
    Explanation {
        generation: generation.number,
        method: request.method.to_owned(),
        host: request.host.to_owned(),
        path: request.path.to_owned(),
        peer,
        client: client.address,
        counted_as: client.counted_as().to_string(),
        blocked,
        route: name.map(ToOwned::to_owned),
        protection,
        limits,
        split: route.and_then(|route| way::split(&route.rule, &subject)),
        rewritten: route.and_then(|route| {
            way::rewritten(&route.rule.rewrite, request.path, generation.slashes)
        }),
        gate,
        changes: route.map_or(Vec::new(), |route| {
            changes::of(&route.rule, &generation.config, request)
        }),
        action,
    }
}

fn gate(
    host: &Host,
    generation: &Generation,
    route: &Route,
    subject: &Subject<'_>,
) -> Option<GatePreview> {
    let gate = generation.gate(route.rule.gate?);
    let would = gate.preview(&host.journal, &gate.visitor(subject), SystemTime::now());
    Some(GatePreview::of(gate, would))
}

/// The answer to a request that overload protection sheds.
fn shed(protection: &protection::preview::Preview) -> Option<Outcome> {
    let measure = protection.shed_by.as_deref()?;
    Some(Outcome::Respond {
        status: protection.status,
        because: format!("shed by overload protection: {measure}"),
    })
}

/// Everything that decides who answers.
struct Here<'a> {
    generation: &'a Generation,
    subject: &'a Subject<'a>,
    peer: IpAddr,
    scheme: &'a str,
}

impl GatePreview {
    fn of(gate: &Gate, would: Would) -> Self {
        let (words, status) = match would {
            Would::LetIn => ("let in".to_owned(), None),
            Would::Draw => (format!("draw with {}", gate.config.admit), None),
            Would::Refuse(refused) => (refused.word().to_owned(), Some(refused.status(gate))),
        };
        Self {
            name: gate.config.name.clone(),
            would: words,
            status,
        }
    }
}

fn outcome(
    here: &Here<'_>,
    route: Option<&Route>,
    limits: &[Preview],
    gate: Option<&GatePreview>,
    now: Nanos,
) -> Outcome {
    let Some(route) = route else {
        return respond(404, "no route matches");
    };
    let generation = here.generation;
    if let Some(limit) = limits
        .iter()
        .position(|preview| preview.would == admission::Would::Refuse)
    {
        let limit = generation.limit(route.rule.limits[limit]);
        return respond(
            limit.reject.status,
            &format!("refused by the limit {}", limit.name),
        );
    }
    if let Some((gate, status)) = gate.and_then(|gate| Some((gate, gate.status?))) {
        return respond(
            status,
            &format!("refused by the gate {}: {}", gate.name, gate.would),
        );
    }
    if let Some(token) = route.lacks() {
        return respond(503, &format!("the token {} is not there yet", token.name));
    }
    match &route.rule.action {
        Action::Respond(response) => respond(response.status, "the route says so"),
        Action::Redirect(redirect) => way::redirected(redirect, here),
        Action::Upstream(index) => {
            onward(generation, generation.upstream(*index), here.subject, now)
        }
        Action::Split(split) => match split::choose(split, here.subject) {
            Some(choice) => onward(
                generation,
                generation.upstream(choice.upstream),
                here.subject,
                now,
            ),
            None => respond(500, "the split has no upstream for it"),
        },
    }
}

fn respond(status: u16, because: &str) -> Outcome {
    Outcome::Respond {
        status,
        because: because.to_owned(),
    }
}

/// The upstream, its fallback, or what either says when it takes nothing.
fn onward(
    generation: &Generation,
    upstream: &Upstream,
    subject: &Subject<'_>,
    now: Nanos,
) -> Outcome {
    let mut entered = (upstream, upstream.would_enter(now));
    if let Err(Unavailable::Open { .. }) = entered.1
        && let Some(index) = upstream
            .fallback()
            .and_then(|name| generation.upstream_named(name))
    {
        let other = generation.upstream(index);
        entered = (other, other.would_enter(now));
    }
    let (upstream, would) = entered;
    match would {
        Ok(()) => servers(upstream, subject, now),
        Err(unavailable) => Outcome::Unavailable {
            upstream: upstream.name.clone(),
            why: unavailable.reason().to_owned(),
            status: unavailable.status(upstream),
            retry_after_seconds: unavailable.retry_after_seconds(),
        },
    }
}

fn servers(upstream: &Upstream, subject: &Subject<'_>, now: Nanos) -> Outcome {
    let group = upstream.group();
    let key = upstream.key().map(|key| balance_key(subject, key));
    let order = key.and_then(|key| group.preferred(key, now));
    let order = order.unwrap_or_else(|| (0..group.servers.len()).collect());
    let (mut servers, mut passed_over) = (Vec::new(), Vec::new());
    for server in order {
        let name = group.servers[server].endpoint.to_string();
        match group.absence(server, now) {
            None => servers.push(name),
            Some(absence) => passed_over.push(PassedOver {
                server: name,
                why: absence.reason().to_owned(),
            }),
        }
    }
    Outcome::Upstream {
        name: upstream.name.clone(),
        servers,
        passed_over,
    }
}

fn headers(question: &Question) -> Result<HeaderMap, Nonsense> {
    let mut headers = HeaderMap::new();
    for (name, value) in &question.headers {
        let nonsense = || Nonsense::Header(format!("{name}:{value}"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| nonsense())?;
        let value = HeaderValue::from_str(value).map_err(|_| nonsense())?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// The host of the URL, or else of the `Host` header, without its port.
fn named_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let header = || {
        headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok())
    };
    host_of(uri.host().or_else(header).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_host(url: &str, header: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::HOST, HeaderValue::from_static(header));
        named_host(&url.parse().unwrap(), &headers).to_owned()
    }

    #[test]
    fn the_url_names_the_host_before_the_header_does() {
        assert_eq!(
            asked_host("http://example.org:8080/a", "other.example"),
            "example.org"
        );
        assert_eq!(asked_host("/a", "other.example:81"), "other.example");
        assert_eq!(asked_host("/a", "[2001:db8::1]"), "[2001:db8::1]");
    }
}
