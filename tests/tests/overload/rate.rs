//! The rate of all requests together.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, eventually};

use crate::{each_priority, measure, of, protected, shed};

#[test]
fn a_bucket_is_kept_for_the_important() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = protected(web, origin.address(), "rate: { trigger: 10/d, burst: 10 }");
    let floodwall = Floodwall::start(&yaml);
    let send = |priority: &str, times: usize| -> Vec<u16> {
        let send = |_| Client::of(web).send(&of(priority, "/")).status;
        (0..times).map(send).collect()
    };
    // Eight for anybody, ten for the normal, twelve for the high, and any number for the critical.
    assert_eq!(
        send("low", 9),
        [200, 200, 200, 200, 200, 200, 200, 200, 503]
    );
    assert_eq!(send("normal", 3), [200, 200, 503]);
    assert_eq!(send("high", 3), [200, 200, 503]);
    assert_eq!(send("critical", 20), [200; 20]);
    assert_eq!(shed(&floodwall, "rate"), [1, 1, 1, 0]);
    assert_eq!(each_priority(web), [503, 503, 503, 200]);
    assert_eq!(measure(&floodwall, "rate")["value"], 10.0);
}

#[test]
fn what_a_limit_refuses_is_not_charged() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = protected(web, origin.address(), "rate: { trigger: 3/d, burst: 3 }");
    let floodwall = Floodwall::start(&yaml);
    for _ in 0..20 {
        assert_eq!(Client::of(web).get("/closed").status, 429);
    }
    assert_eq!(measure(&floodwall, "rate")["value"], 0.0);
    let statuses = [(); 4].map(|()| Client::of(web).get("/").status);
    assert_eq!(statuses, [200, 200, 200, 503]);
}

#[test]
fn whoever_leaves_the_queue_of_a_limit_is_not_charged() {
    let (web, origin) = (Loopback::free(), Origin::start());
    let yaml = protected(web, origin.address(), "rate: { trigger: 9/d, burst: 9 }");
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(Client::of(web).get("/queued").status, 200);
    let mut waiting = Client::of(web).connect().expect("the proxy accepts");
    let head = b"GET /queued HTTP/1.1\r\nHost: a\r\n\r\n";
    waiting.write(head).expect("the request goes out");
    eventually!(measure(&floodwall, "rate")["value"] == 2.0);
    assert_eq!(floodwall.status()["protection"]["in_flight"], 1);
    drop(waiting);
    eventually!(measure(&floodwall, "rate")["value"] == 1.0);
    eventually!(floodwall.status()["protection"]["in_flight"] == 0);
}
