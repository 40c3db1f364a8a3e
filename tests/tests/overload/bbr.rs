//! The machine's capacity: what is beyond it is refused fast, and what is within it is served as if nothing were.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Repeat, Response, WORKERS, wait};

use crate::protected;

/// One request: what came back, and after how long.
type Answer = (u16, Duration);

/// So many clients ask one after the other for `length`, a moment later when they are shed.
fn clients(web: SocketAddr, number: usize, length: Duration) -> Vec<Answer> {
    let clients: Vec<Repeat<Answer>> = (0..number)
        .map(|_| {
            let mut connection = Client::of(web).connect().expect("the proxy accepts");
            Repeat::every(Duration::ZERO, move || {
                let begin = Instant::now();
                let response: Response = connection.get("/work/20").expect("an answer");
                let took = begin.elapsed();
                if response.status == 503 {
                    wait::for_the_clock(begin + Duration::from_millis(20));
                }
                (response.status, took)
            })
        })
        .collect();
    wait::for_the_clock(Instant::now() + length);
    clients.into_iter().flat_map(Repeat::stop).collect()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn of_status(answers: &[Answer], status: u16) -> Vec<Duration> {
    let of = answers.iter().filter(|(found, _)| *found == status);
    of.map(|(_, took)| *took).collect()
}

#[test]
fn a_saturated_origin_keeps_its_throughput_and_the_rest_is_refused_fast() {
    let (web, origin) = (Loopback::free(), Origin::start());
    // Every answer takes longer than this, so that the capacity alone decides.
    let protection = "response_time: { trigger: 1ms, strategy: bbr }";
    let floodwall = Floodwall::start(
        &protected(web, origin.address(), protection).with("1000/d, burst: 1000", "1M/s"),
    );
    let length = Duration::from_secs(3);
    let calm = clients(web, WORKERS, length);
    let flood = clients(web, WORKERS * 6, length);
    let (peak, served) = (of_status(&calm, 200).len(), of_status(&flood, 200));
    let shed = of_status(&flood, 503);
    assert!(
        served.len() * 10 >= peak * 8,
        "{} served, {peak} at the peak, {} shed; {}",
        served.len(),
        shed.len(),
        floodwall.status()["protection"]
    );
    assert!(
        shed.len() > served.len(),
        "{} shed, {} served",
        shed.len(),
        served.len()
    );
    // Without protection six times as many would wait six turns of 20 ms each.
    let (fast, slow) = (median(shed), median(served));
    assert!(slow < Duration::from_millis(60), "{slow:?}");
    assert!(fast < Duration::from_millis(10), "{fast:?}");
}
