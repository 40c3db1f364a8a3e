//! Which route takes a request: the first of the file that matches.

mod compiled;

use std::{collections::HashMap, sync::Arc};

use floodwall_config::{self as config, HostPattern, Match, ValuePattern};
use smallvec::SmallVec;

use crate::{request::RequestView, stats::Stats, tokens::Tokens};

pub use compiled::Route;

/// The routes of a generation, found without trying each one.
///
/// Every route is filed under each exact host it names (or under none) and there under its exact path, its
/// prefix, or neither. A request looks into the few places that could hold its route and tries what it finds
/// there, in the order of the file.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Arc<Route>>,
    by_host: HashMap<String, Paths>,
    any_host: Paths,
}

#[derive(Debug, Default)]
struct Paths {
    exact: HashMap<String, Vec<u32>>,
    prefix: HashMap<String, Vec<u32>>,
    any: Vec<u32>,
}

impl Router {
    pub fn compile(config: &config::Config, tokens: &Tokens, stats: &Stats) -> Self {
        let routes = &config.routes;
        let compile = |route| Arc::new(Route::compile(route, &config.limits, tokens, stats));
        let mut compiled = Self {
            routes: routes.iter().map(compile).collect(),
            by_host: HashMap::new(),
            any_host: Paths::default(),
        };
        for (index, route) in (0..).zip(routes) {
            compiled.file(&route.matches, index);
        }
        compiled
    }

    /// All routes, in the order of the file.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The first route that matches.
    pub fn find(&self, request: &RequestView<'_>) -> Option<&Arc<Route>> {
        let mut candidates: SmallVec<[u32; 16]> = SmallVec::new();
        if !self.by_host.is_empty()
            && let Some(paths) = self.by_host.get(request.host.to_ascii_lowercase().as_str())
        {
            paths.gather(request.path, &mut candidates);
        }
        self.any_host.gather(request.path, &mut candidates);
        candidates.sort_unstable();
        candidates
            .iter()
            .map(|index| &self.routes[*index as usize])
            .find(|route| matches(&route.rule.matches, request))
    }

    fn file(&mut self, rule: &Match, index: u32) {
        let exact: Option<Vec<&String>> = rule
            .hosts
            .iter()
            .map(|host| match host {
                HostPattern::Exact(name) => Some(name),
                HostPattern::Suffix(_) => None,
            })
            .collect();
        match exact {
            Some(names) if !names.is_empty() => {
                for name in names {
                    self.by_host
                        .entry(name.clone())
                        .or_default()
                        .file(rule, index);
                }
            }
            _ => self.any_host.file(rule, index),
        }
    }
}

impl Paths {
    fn file(&mut self, rule: &Match, index: u32) {
        match (&rule.path, &rule.path_prefix) {
            (Some(path), _) => self.exact.entry(path.clone()).or_default().push(index),
            (None, Some(prefix)) if prefix != "/" => {
                self.prefix.entry(prefix.clone()).or_default().push(index);
            }
            _ => self.any.push(index),
        }
    }

    fn gather(&self, path: &str, candidates: &mut SmallVec<[u32; 16]>) {
        candidates.extend_from_slice(&self.any);
        if !self.exact.is_empty() {
            candidates.extend(self.exact.get(path).into_iter().flatten().copied());
        }
        if !self.prefix.is_empty() {
            for end in path
                .bytes()
                .enumerate()
                .skip(1)
                .filter(|(_, byte)| *byte == b'/')
                .map(|(at, _)| at)
            {
                candidates.extend(self.prefix.get(&path[..end]).into_iter().flatten().copied());
            }
            candidates.extend(self.prefix.get(path).into_iter().flatten().copied());
        }
    }
}

/// Whether every condition of a `match` holds for the request.
pub fn matches(rule: &Match, request: &RequestView<'_>) -> bool {
    (rule.methods.is_empty() || rule.methods.iter().any(|method| method == request.method))
        && rule.path.as_ref().is_none_or(|path| path == request.path)
        && rule
            .path_prefix
            .as_ref()
            .is_none_or(|prefix| has_prefix(request.path, prefix))
        && (rule.hosts.is_empty()
            || rule
                .hosts
                .iter()
                .any(|pattern| host_matches(pattern, request.host)))
        && rule.headers.iter().all(|wanted| {
            // A field may come several times; one of them is enough.
            request
                .headers
                .get_all(wanted.name.as_str())
                .iter()
                .any(|value| value_matches(&wanted.value, value.to_str().unwrap_or_default()))
        })
        && rule.query.iter().all(|wanted| {
            request
                .query_value(&wanted.name)
                .is_some_and(|value| value_matches(&wanted.value, &value))
        })
        && rule.cookies.iter().all(|wanted| {
            request
                .cookie(&wanted.name)
                .is_some_and(|value| value_matches(&wanted.value, value))
        })
        && rule
            .path_regex
            .as_ref()
            .is_none_or(|regex| regex.is_match(request.path))
}

fn has_prefix(path: &str, prefix: &str) -> bool {
    prefix == "/"
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub fn host_matches(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Exact(name) => host.eq_ignore_ascii_case(name),
        HostPattern::Suffix(suffix) => host.len().checked_sub(suffix.len()).is_some_and(|start| {
            start > 0 && host.is_char_boundary(start) && host[start..].eq_ignore_ascii_case(suffix)
        }),
    }
}

fn value_matches(pattern: &ValuePattern, value: &str) -> bool {
    match pattern {
        ValuePattern::Present => true,
        ValuePattern::Exact(wanted) => wanted == value,
    }
}

#[cfg(test)]
mod tests {
    use floodwall_config::Config;
    use http::HeaderMap;

    use super::*;

    const FILE: &str = "
listeners: { web: { address: 127.0.0.1:8080 } }
routes:
  - { name: shop-login, match: { hosts: [shop.example], path: /login, methods: [POST] }, respond: { status: 200 } }
  - { name: any-api, match: { path_prefix: /api }, respond: { status: 200 } }
  - { name: shop, match: { hosts: [shop.example, '*.shop.example'] }, respond: { status: 200 } }
  - { name: digits, match: { path_regex: '^/[0-9]+$' }, respond: { status: 200 } }
  - { name: canary, match: { headers: { x-canary: '*' }, query: { v: '2' } }, respond: { status: 200 } }
  - { name: cookie, match: { cookies: { uid: '7' } }, respond: { status: 200 } }
";

    fn found(method: &str, host: &str, target: &str, headers: &[(&'static str, &str)]) -> String {
        let config = Config::from_text(FILE, std::path::Path::new("routes.yaml")).unwrap();
        let tokens = Tokens::compile(&config, &Arc::default());
        let router = Router::compile(&config, &tokens, &Stats::default());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(path, query)| (path, Some(query)));
        let request = RequestView {
            method,
            host,
            path,
            query,
            headers: &map,
        };
        router
            .find(&request)
            .map_or_else(|| "none".to_owned(), |route| route.rule.name.clone())
    }

    #[test]
    fn the_first_of_the_file_that_matches_takes_it() {
        for (method, host, target, route) in [
            ("POST", "shop.example", "/login", "shop-login"),
            ("GET", "shop.example", "/login", "shop"),
            ("GET", "SHOP.example", "/", "shop"),
            ("GET", "eu.shop.example", "/", "shop"),
            ("GET", "shop.example", "/api/v1", "any-api"),
            ("GET", "other.example", "/api", "any-api"),
            ("GET", "other.example", "/api/", "any-api"),
            ("GET", "other.example", "/apis", "none"),
            ("GET", "notshop.example", "/", "none"),
            ("GET", ".shop.example", "/", "none"),
            ("GET", "other.example", "/123", "digits"),
            ("GET", "other.example", "/123a", "none"),
        ] {
            assert_eq!(
                found(method, host, target, &[]),
                route,
                "{method} {host}{target}"
            );
        }
    }

    #[test]
    fn headers_queries_and_cookies_must_all_hold() {
        assert_eq!(found("GET", "a", "/?v=2", &[("x-canary", "")]), "canary");
        assert_eq!(found("GET", "a", "/?v=3", &[("x-canary", "")]), "none");
        assert_eq!(found("GET", "a", "/?v=2", &[]), "none");
        assert_eq!(
            found("GET", "a", "/", &[("cookie", "a=1; uid=7")]),
            "cookie"
        );
    }
}
