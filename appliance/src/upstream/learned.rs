//! What of an upstream is worth keeping over a restart, and how a new process goes on with it.

use floodwall_limiter::{
    Nanos,
    shape::{breaker::Position, outlier::Past},
};

use super::Upstream;

/// A breaker that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBreaker {
    /// Whose it is; none when it is the whole upstream's.
    pub server: Option<String>,
    /// What it counts as bad, in words that are the same as long as that is.
    pub counted: String,
    /// When it changed last.
    pub since: Nanos,
    /// When it is to try; none when it tries.
    pub until: Option<Nanos>,
}

impl Upstream {
    /// The breakers that are not closed.
    pub fn open_breakers(&self, now: Nanos) -> Vec<OpenBreaker> {
        let group = self.group();
        let Some(breakers) = &group.breakers else {
            return Vec::new();
        };
        let of_server = (0..group.servers.len()).filter_map(|at| {
            let name = group.servers[at].endpoint.to_string();
            Some((Some(name), breakers.of_server(at)?))
        });
        let of_upstream = breakers.of_upstream().map(|breaker| (None, breaker));
        of_upstream
            .into_iter()
            .chain(of_server)
            .filter_map(|(server, breaker)| {
                let view = breaker.view(now);
                let until = match view.position {
                    Position::Closed => return None,
                    Position::Open { left } => Some(now.plus(left)),
                    Position::HalfOpen { .. } => None,
                };
                Some(OpenBreaker {
                    server,
                    counted: breakers.counted_as(),
                    since: view.since,
                    until,
                })
            })
            .collect()
    }

    /// Has a breaker go on as another process had it, for no longer than the file says by now. Tells whether it does:
    /// not when it counts otherwise, nor when there is no such server any more.
    pub fn resume_breaker(&self, open: &OpenBreaker, now: Nanos) -> bool {
        let group = self.group();
        let Some(breakers) = &group.breakers else {
            return false;
        };
        let breaker = match &open.server {
            None => breakers.of_upstream(),
            Some(server) => (self.place_of(server)).and_then(|place| breakers.of_server(place)),
        };
        let left = open.until.unwrap_or(now).minus(now);
        open.counted == breakers.counted_as()
            && breaker.is_some_and(|breaker| {
                breaker.resume(left.min(breakers.rule.open_for), open.since, now)
            })
    }

    /// The servers that are left out, or would be left out for longer the next time.
    pub fn servers_with_a_past(&self, now: Nanos) -> Vec<(String, Past)> {
        let group = self.group();
        let Some(outlier) = &group.outlier else {
            return Vec::new();
        };
        let pasts = group.servers.iter().enumerate().filter_map(|(at, server)| {
            let past = outlier.past(at, now)?;
            Some((server.endpoint.to_string(), past))
        });
        pasts.collect()
    }

    /// Has a server go on with its past. Tells whether it does: not when there is no such server any more, nor when as
    /// many are left out as may be.
    pub fn resume_server(&self, server: &str, past: Past, now: Nanos) -> bool {
        let group = self.group();
        let Some(outlier) = &group.outlier else {
            return false;
        };
        let place = self.place_of(server);
        place.is_some_and(|place| outlier.resume(&self.state.outliers, place, past, now))
    }

    fn place_of(&self, server: &str) -> Option<usize> {
        let group = self.group();
        let named = |each: &super::Server| each.endpoint.to_string() == server;
        group.servers.iter().position(named)
    }
}
