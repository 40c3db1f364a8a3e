use std::{net::SocketAddr, num::NonZeroU32};

use floodwall_config::{BreakerScope, MaxInFlight, Response, StatusRange, Trip, units::Share};

use super::*;

const NOW: Nanos = Nanos::from_secs(100);

fn server(index: u16, weight: u32) -> config::Server {
    config::Server {
        address: config::Address::Ip(SocketAddr::from(([127, 0, 0, 1], 9000 + index))),
        weight: NonZeroU32::new(weight).unwrap(),
        tls: None,
    }
}

fn upstream_of(servers: Vec<config::Server>, breaker: Option<config::Breaker>) -> config::Upstream {
    config::Upstream {
        name: "app".to_owned(),
        servers,
        balance: config::Balance::RoundRobin,
        health: None,
        slow_start: None,
        dns: config::Dns::default(),
        tls: None,
        proxy_protocol: None,
        timeouts: config::UpstreamTimeouts::default(),
        pool: config::Pool::default(),
        retries: config::Retries::default(),
        breaker,
        outlier: None,
        max_in_flight: None,
        http2: false,
    }
}

/// One error opens it for two seconds.
fn touchy(scope: BreakerScope) -> config::Breaker {
    config::Breaker {
        trip: Trip::ErrorRatio {
            threshold: Share::of_millionths(500_000),
        },
        min_requests: 1,
        window: Nanos::from_secs(10),
        open_for: Nanos::from_secs(2),
        probes: 1,
        scope,
        errors: vec![StatusRange::SERVER_ERRORS],
        refusal: config::Refusal::Respond(Response {
            status: 503,
            headers: Vec::new(),
            body: None,
        }),
    }
}

fn endpoint(index: u16) -> Endpoint {
    Endpoint::Ip(SocketAddr::from(([127, 0, 0, 1], 9000 + index)))
}

fn asked(upstream: &Upstream, now: Nanos) -> Endpoint {
    upstream.enter(0, now).unwrap().attempt.endpoint().clone()
}

/// Another try, after those that were tried.
fn again(upstream: &Upstream, tried: &[Endpoint]) -> Endpoint {
    upstream
        .try_afresh(0, tried, NOW)
        .unwrap()
        .endpoint()
        .clone()
}

fn compile(upstream: &config::Upstream) -> Upstream {
    Upstream::compile(upstream, Arc::default(), NOW).unwrap()
}

fn fail(upstream: &Upstream, mut entry: Entry, now: Nanos) {
    entry.attempt.settle(upstream, Outcome::NoAnswer, now);
}

#[test]
fn a_retry_goes_elsewhere_while_there_is_an_elsewhere() {
    let upstream = compile(&upstream_of(vec![server(0, 1), server(1, 3)], None));
    let [one, other] = [0, 1].map(endpoint);
    for _ in 0..10 {
        assert_eq!(again(&upstream, std::slice::from_ref(&other)), one);
    }
    let both = [one, other];
    assert!(both.contains(&again(&upstream, &both)));
}

#[test]
fn a_server_with_an_open_breaker_is_passed_over() {
    let servers = vec![server(0, 1), server(1, 1)];
    let upstream = compile(&upstream_of(servers, Some(touchy(BreakerScope::Server))));
    let bad = upstream.enter(0, NOW).unwrap();
    assert_eq!(*bad.attempt.endpoint(), endpoint(0));
    fail(&upstream, bad, NOW);
    for _ in 0..10 {
        assert_eq!(asked(&upstream, NOW), endpoint(1));
    }
    // The only one that is left is asked again, and its breaker opens too.
    let good = upstream.enter(0, NOW).unwrap();
    fail(&upstream, good, NOW);
    let refused = upstream.enter(0, NOW.plus(Nanos::SECOND)).unwrap_err();
    assert_eq!(
        refused,
        Unavailable::Open {
            retry_after: Nanos::SECOND
        }
    );
}

#[test]
fn an_attempt_that_is_dropped_gives_its_probe_back() {
    let upstream = compile(&upstream_of(
        vec![server(0, 1)],
        Some(touchy(BreakerScope::Upstream)),
    ));
    let first = upstream.enter(0, NOW).unwrap();
    fail(&upstream, first, NOW);
    let later = NOW.plus(Nanos::from_secs(2));
    let probe = upstream.enter(0, later).unwrap();
    assert!(upstream.enter(0, later).is_err(), "the only probe is out");
    drop(probe);
    let mut probe = upstream.enter(0, later).unwrap();
    let answer = Outcome::Answered {
        status: 200,
        took: Nanos::SECOND,
    };
    probe.attempt.settle(&upstream, answer, later);
    assert!(upstream.enter(0, later).is_ok() && upstream.enter(0, later).is_ok());
}

#[test]
fn a_response_that_breaks_off_was_bad() {
    let upstream = compile(&upstream_of(
        vec![server(0, 1)],
        Some(touchy(BreakerScope::Upstream)),
    ));
    let mut entry = upstream.enter(0, NOW).unwrap();
    let answer = Outcome::Answered {
        status: 200,
        took: Nanos::SECOND,
    };
    entry.attempt.settle(&upstream, answer, NOW);
    assert!(upstream.enter(0, NOW).is_ok());
    fail(&upstream, entry, NOW);
    assert!(upstream.enter(0, NOW).is_err());
}

#[test]
fn slow_answers_open_a_breaker_that_looks_at_time() {
    let slow = config::Breaker {
        trip: Trip::SlowRatio {
            threshold: Share::of_millionths(500_000),
            after: Nanos::from_millis(50),
        },
        min_requests: 5,
        ..touchy(BreakerScope::Upstream)
    };
    let upstream = compile(&upstream_of(vec![server(0, 1)], Some(slow)));
    let answer = |millis, status| {
        let mut entry = upstream.enter(0, NOW).unwrap();
        let took = Nanos::from_millis(millis);
        entry
            .attempt
            .settle(&upstream, Outcome::Answered { status, took }, NOW);
    };
    answer(50, 200);
    answer(1, 500);
    answer(51, 200);
    answer(51, 200);
    assert!(upstream.enter(0, NOW).is_ok());
    answer(60, 200);
    assert!(upstream.enter(0, NOW).is_err(), "three of five were slow");
}

/// Two bad answers in a row put a server out for ten seconds; all may be out.
fn strict() -> config::Outlier {
    config::Outlier {
        consecutive: Some(2),
        success_rate: None,
        interval: Nanos::from_secs(10),
        duration: Nanos::from_secs(10),
        max: Nanos::from_secs(100),
        max_share: Share::WHOLE,
    }
}

#[test]
fn a_server_that_is_left_out_gets_nothing_until_it_is_back() {
    let config = config::Upstream {
        outlier: Some(strict()),
        ..upstream_of(vec![server(0, 1), server(1, 1)], None)
    };
    let upstream = compile(&config);
    let [one, other] = [0, 1].map(endpoint);
    let fail_at = |at: &Endpoint, now: Nanos| {
        let entry = upstream.enter(0, now).unwrap();
        if entry.attempt.endpoint() == at {
            fail(&upstream, entry, now);
        }
    };
    (0..4).for_each(|_| fail_at(&one, NOW));
    for _ in 0..10 {
        assert_eq!(asked(&upstream, NOW), other);
    }
    // A retry asks one that does well again, not one that is left out.
    assert_eq!(again(&upstream, std::slice::from_ref(&other)), other);
    // Nobody is left: all are asked, in turn.
    (0..4).for_each(|_| fail_at(&other, NOW));
    let all = [(); 4].map(|()| asked(&upstream, NOW));
    assert!(all.contains(&one) && all.contains(&other), "{all:?}");
    let back = NOW.plus(Nanos::from_secs(10));
    let all = [(); 2].map(|()| asked(&upstream, back));
    assert!(all.contains(&one) && all.contains(&other), "{all:?}");
}

#[test]
fn who_is_left_out_stays_so_over_a_reload() {
    let state: Arc<State> = Arc::default();
    let mut config = config::Upstream {
        outlier: Some(strict()),
        ..upstream_of(vec![server(0, 1), server(1, 1)], None)
    };
    let old = Upstream::compile(&config, Arc::clone(&state), NOW).unwrap();
    for _ in 0..4 {
        let entry = old.enter(0, NOW).unwrap();
        if entry.attempt.server == 0 {
            fail(&old, entry, NOW);
        }
    }
    old.take_over();
    config.outlier.as_mut().unwrap().interval = Nanos::from_secs(20);
    config.servers.swap(0, 1);
    let new = Upstream::compile(&config, state, NOW).unwrap();
    for _ in 0..4 {
        assert_eq!(asked(&new, NOW), endpoint(1));
    }
}

#[test]
fn an_adaptive_bound_goes_on_from_where_it_was() {
    let state: Arc<State> = Arc::default();
    let adaptive = |max| config::Upstream {
        max_in_flight: Some(MaxInFlight::Adaptive {
            min: 1,
            max,
            measure_every: Nanos::from_secs(10),
        }),
        ..upstream_of(vec![server(0, 1)], None)
    };
    let old = Upstream::compile(&adaptive(1_000), Arc::clone(&state), NOW).unwrap();
    let mut now = NOW;
    for _ in 0..1_000 {
        now = now.plus(Nanos::from_millis(2));
        let most = old.most_in_flight().unwrap();
        let mut held: Vec<Entry> = (0..most).map(|_| old.enter(0, now).unwrap()).collect();
        assert_eq!(old.enter(0, now).unwrap_err(), Unavailable::Full);
        let took = Nanos::from_millis(10);
        let answer = Outcome::Answered { status: 200, took };
        held[0].attempt.settle(&old, answer, now);
    }
    let grown = old.most_in_flight().unwrap();
    assert!(grown > 40, "{grown}");
    old.take_over();
    let new = Upstream::compile(&adaptive(1_000), Arc::clone(&state), now).unwrap();
    assert_eq!(new.most_in_flight(), Some(grown));
    let less = Upstream::compile(&adaptive(25), state, now).unwrap();
    assert_eq!(less.most_in_flight(), Some(25));
}

#[test]
fn places_are_counted_over_generations() {
    let state: Arc<State> = Arc::default();
    let config = config::Upstream {
        max_in_flight: Some(MaxInFlight::Fixed(2)),
        ..upstream_of(vec![server(0, 1)], None)
    };
    let old = Upstream::compile(&config, Arc::clone(&state), NOW).unwrap();
    let first = old.enter(0, NOW).unwrap();
    let new = Upstream::compile(&config, state, NOW).unwrap();
    let _second = new.enter(0, NOW).unwrap();
    assert_eq!(new.enter(0, NOW).unwrap_err(), Unavailable::Full);
    drop(first);
    assert!(new.enter(0, NOW).is_ok());
    assert_eq!(new.in_flight(), Some(1));
}

#[test]
fn a_breaker_outlives_its_generation() {
    let state: Arc<State> = Arc::default();
    let mut config = upstream_of(vec![server(0, 1)], Some(touchy(BreakerScope::Upstream)));
    let old = Upstream::compile(&config, Arc::clone(&state), NOW).unwrap();
    old.take_over();
    let entry = old.enter(0, NOW).unwrap();
    fail(&old, entry, NOW);
    let same = Upstream::compile(&config, Arc::clone(&state), NOW).unwrap();
    assert!(same.enter(0, NOW).is_err());
    // Other settings take the state over too, and count anew when they count otherwise.
    config.breaker.as_mut().unwrap().window = Nanos::from_secs(5);
    let other = Upstream::compile(&config, Arc::clone(&state), NOW).unwrap();
    assert!(other.enter(0, NOW).is_err());
    assert!(other.enter(0, NOW.plus(Nanos::from_secs(2))).is_ok());
    // One that was taken out and put in again begins closed.
    Upstream::compile(
        &upstream_of(vec![server(0, 1)], None),
        Arc::clone(&state),
        NOW,
    )
    .unwrap()
    .take_over();
    assert!(
        Upstream::compile(&config, state, NOW)
            .unwrap()
            .enter(0, NOW)
            .is_ok()
    );
}
