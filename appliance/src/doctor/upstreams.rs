//! The servers behind the door: their names, and whether a connection can be opened to each.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use floodwall_limiter::clock::Clock;

use super::{Finding, Verdict};
use crate::{
    clock::Monotonic,
    fetch,
    generation::Generation,
    upstream::{Upstream, names},
};

const AREA: &str = "upstreams";

/// Nobody waits longer for a name server or for a server, whatever the file allows.
const WITHIN: Duration = Duration::from_secs(5);

/// Servers are asked so many at a time.
const AT_A_TIME: usize = 64;

pub(super) fn check(compiled: &Generation) -> Vec<Finding> {
    names::look_up_new(compiled, WITHIN, || Monotonic.now());
    let upstreams = compiled.upstreams().iter();
    upstreams.flat_map(of_upstream).collect()
}

fn of_upstream(upstream: &Upstream) -> Vec<Finding> {
    let mut findings = unknown_names(upstream);
    let group = upstream.group();
    let servers: Vec<_> = group
        .servers
        .iter()
        .map(|server| (server.endpoint.to_string(), upstream.reach(server)))
        .collect();
    let within = upstream.timeouts.connect.min(WITHIN);
    let answers: Vec<_> = servers
        .chunks(AT_A_TIME)
        .flat_map(|some| together(some, within))
        .collect();
    // One server that answers keeps the upstream alive.
    let verdict = if answers.iter().any(|(_, answer)| answer.is_ok()) {
        Verdict::Warning
    } else {
        Verdict::Problem
    };
    let answers = answers.into_iter();
    findings.extend(
        answers.map(|(server, answer)| of_server(&upstream.name, &server, answer, verdict)),
    );
    findings
}

/// A server, and how long a connection took, or why there was none.
type Answer = (String, Result<Duration, String>);

/// Connects to each of them, all at the same time.
fn together(servers: &[(String, fetch::Server)], within: Duration) -> Vec<Answer> {
    let (answers, answered) = mpsc::channel();
    thread::scope(|scope| {
        for (name, server) in servers {
            let answers = answers.clone();
            scope.spawn(move || {
                // Whoever waits for it does so for all.
                let _ = answers.send((name.clone(), connect(server, within)));
            });
        }
    });
    drop(answers);
    let mut answers: Vec<Answer> = answered.into_iter().collect();
    answers.sort_by(|one, two| one.0.cmp(&two.0));
    answers
}

fn connect(server: &fetch::Server, within: Duration) -> Result<Duration, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let connected = runtime.block_on(fetch::connect(server, within));
    connected
        .map(|()| begun.elapsed())
        .map_err(|error| error.to_string())
}

fn of_server(
    upstream: &str,
    server: &str,
    answer: Result<Duration, String>,
    otherwise: Verdict,
) -> Finding {
    let subject = format!("{upstream} {server}");
    match answer {
        Ok(took) => Finding::ok(
            AREA,
            subject,
            format!("connected in {:.1} ms", took.as_secs_f64() * 1e3),
        ),
        Err(why) => {
            let matters = match otherwise {
                Verdict::Problem => {
                    "no server of this upstream can be reached: its requests get 502"
                }
                _ => "requests for it are tried on other servers",
            };
            let mend = match server.strip_prefix("unix:") {
                Some(path) => format!("ss -lxp | grep {path}: whether it listens"),
                None => format!(
                    "nc -vz {}: whether it listens, and what lies between",
                    server.replace(':', " ")
                ),
            };
            Finding::ok(AREA, subject, why).but(otherwise, matters, mend)
        }
    }
}

fn unknown_names(upstream: &Upstream) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in upstream.names() {
        let found = upstream.state.names.get(&name).unwrap_or_default();
        if !found.addresses.is_empty() {
            continue;
        }
        let (host, port) = name;
        let why = found
            .error
            .unwrap_or_else(|| format!("no answer within {WITHIN:?}"));
        let finding = Finding::ok(AREA, format!("{} {host}:{port}", upstream.name), why);
        findings.push(finding.but(
            Verdict::Problem,
            "a name without an address is a server that nobody can ask",
            format!("getent ahosts {host}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_of_several_is_a_warning_and_the_last_a_problem() {
        let verdict =
            |otherwise| of_server("app", "192.0.2.1:80", Err("refused".into()), otherwise).verdict;
        assert_eq!(verdict(Verdict::Warning), Verdict::Warning);
        assert_eq!(verdict(Verdict::Problem), Verdict::Problem);
        let well = of_server(
            "app",
            "192.0.2.1:80",
            Ok(Duration::from_millis(2)),
            Verdict::Problem,
        );
        assert_eq!(
            (well.verdict, well.found.as_str()),
            (Verdict::Ok, "connected in 2.0 ms")
        );
    }
}
