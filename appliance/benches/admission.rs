//! Nanoseconds that limits add to a request: every limit of the route is asked and admits, and the response says how
//! the client stands: over HTTP/1 in lines behind the head, over HTTP/2 in fields of it. In CPU time of this thread, so
//! that a busy machine does not count; the median of nine runs.
//!
//! What is done without limits too, the row of no limits shows. A proxied request takes some twenty microseconds of CPU:
//! `tests/bench` measures it, and the share of this.

#![expect(clippy::expect_used, reason = "a bench that cannot go on may panic")]

use std::{hint::black_box, net::IpAddr, path::PathBuf, time::Duration};

use floodwall::{
    access_log::AccessLog,
    admission::{self, Verdict},
    boot::open_host,
    client,
    generation::Generation,
    host::Host,
    key::Subject,
    refusal,
    request::RequestView,
};
use floodwall_config::{self as config, Config};
use floodwall_limiter::Nanos;
use http::HeaderMap;
use nix::time::{ClockId, clock_gettime};
use pingora_http::ResponseHeader;

type Failure = Box<dyn std::error::Error>;

const REQUESTS: u32 = 200_000;
const RUNS: usize = 9;

fn main() -> Result<(), Failure> {
    for limits in [0, 1, 5, 20] {
        let host = host(limits)?;
        let mut response = response()?;
        let (asked, lines, fields) = (
            median(|request| asked(&host, request)),
            median(|request| told_in_lines(&host, request, &mut response)),
            median(|request| told_in_fields(&host, request)),
        );
        println!(
            "appliance/limits limits={limits:<2} asked={asked:5.0} ns  and told in lines={lines:5.0} ns, in fields={fields:5.0} ns"
        );
    }
    Ok(())
}

/// A host with one route under so many limits, none of which is ever reached, for clients of every kind of key.
fn host(limits: usize) -> Result<Host, Failure> {
    let keys = ["client", "none", "host", "path", "[client, path]"];
    let names: Vec<String> = (0..limits).map(|at| format!("l{at}")).collect();
    let of = |(name, key)| format!("  {name}: {{ key: {key}, rate: 1M/s, burst: 1000000000 }}\n");
    let budgets: String = names.iter().zip(keys.iter().cycle()).map(of).collect();
    let text = format!(
        "listeners: {{ web: {{ address: 127.0.0.1:8080 }} }}\n{}{budgets}\
         routes: [{{ name: all, limits: [{}], respond: {{}} }}]\n",
        if limits > 0 { "limits:\n" } else { "" },
        names.join(", ")
    );
    let file = PathBuf::from("bench.yaml");
    let config = Config::from_text(&text, &file)?;
    let access_log = AccessLog::open(&config::AccessLog::Off)?;
    Ok(open_host(&file, config, access_log, false)?)
}

/// Asks the limits about one request of one of a thousand clients, and tells what came of it.
fn ask<T>(host: &Host, request: u32, tell: impl FnOnce(&Generation, Verdict<'_>) -> T) -> T {
    let generation = host.generation();
    let headers = HeaderMap::new();
    let request_view = RequestView {
        method: "GET",
        host: "www.example.org",
        path: "/index.html",
        query: None,
        headers: &headers,
    };
    let peer = IpAddr::from((0x0a00_0000 + request % 1000).to_be_bytes());
    let route = generation.router.find(&request_view);
    let route = route.expect("the file's one route takes everything");
    let client = client::identify(&generation.clients, peer.into(), &headers);
    let subject = Subject {
        request: request_view,
        client,
        client_key: client.key(host.secret()),
        route: &route.rule.name,
        connection: 1,
        tls: None,
    };
    let now = Nanos::from_secs(1_000).plus(Nanos(u64::from(request) * 20_000));
    tell(
        &generation,
        admission::decide(host, &generation, &route.rule, &subject, now),
    )
}

fn asked(host: &Host, request: u32) {
    ask(host, request, |_, verdict| {
        assert!(matches!(black_box(verdict), Verdict::Admitted(_)));
    });
}

/// What an upstream sends with a small body.
fn response() -> Result<ResponseHeader, Failure> {
    let mut response = ResponseHeader::build(200, Some(6))?;
    for (name, value) in [
        ("server", "nginx/1.22.1"),
        ("date", "Sat, 21 Nov 2026 23:52:46 GMT"),
        ("content-type", "text/plain"),
        ("content-length", "6"),
        ("connection", "keep-alive"),
    ] {
        response.insert_header(name, value)?;
    }
    Ok(response)
}

/// The same, with the lines of the response.
fn told_in_lines(host: &Host, request: u32, response: &mut ResponseHeader) {
    ask(host, request, |generation, verdict| {
        if let Verdict::Admitted(admission) = verdict
            && let Some(standing) = admission.standing
        {
            refusal::remove_standing(response);
            black_box(refusal::standing_lines(generation, &standing));
        }
    });
}

/// The same, with the fields of a response.
fn told_in_fields(host: &Host, request: u32) {
    ask(host, request, |generation, verdict| {
        let mut header = ResponseHeader::build(200, Some(6)).expect("200 is a status");
        if let Verdict::Admitted(admission) = verdict
            && let Some(standing) = admission.standing
        {
            let written = refusal::write_standing(&mut header, generation, standing);
            written.expect("the fields are visible ASCII");
        }
        black_box(header);
    });
}

/// The middle of some runs: nanoseconds of this thread's CPU time for one request.
fn median(mut work: impl FnMut(u32)) -> f64 {
    let mut runs: Vec<f64> = (0..RUNS).map(|_| timed(&mut work)).collect();
    runs.sort_by(f64::total_cmp);
    runs[RUNS / 2]
}

fn timed(work: &mut impl FnMut(u32)) -> f64 {
    let begun = cpu_time();
    for request in 0..REQUESTS {
        work(black_box(request));
    }
    cpu_time().saturating_sub(begun).as_secs_f64() * 1e9 / f64::from(REQUESTS)
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
