//! The limits of `edge.yaml` mean what they say.

use std::{thread, time::Duration};

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml, eventually};

use crate::statuses;

#[test]
fn the_limits_of_the_edge_mean_what_they_say() {
    let ip = Loopback::claim();
    let (web, one, two) = (ip.free_port(), Origin::start(), Origin::start());
    let yaml = Yaml::example("edge.yaml")
        .with("0.0.0.0:8080", web)
        .with("127.0.0.1:9000", one.address())
        .with("127.0.0.1:9001", two.address())
        .with("127.0.0.1:9901", ip.free_port())
        .with("mode: auto", "mode: off")
        // Other tests keep the processor busy.
        .without_section("protection")
        // The clients of this test are many and come from one address.
        .with("192.0.2.10: 1000/s", format!("{}: unlimited", ip.ip()))
        .with("rate: 200/s", "rate: 10/s");
    let floodwall = Floodwall::start(&yaml);
    let client = Client::of(web).from(ip.ip());
    // login: five POSTs a minute for each client and path.
    let login = Request::new("POST", "/login").body("a");
    assert_eq!(statuses(client, &login, 6), [200, 200, 200, 200, 200, 429]);
    assert_eq!(client.get("/login").status, 200);
    // not-found: twenty in ten seconds, only counted.
    assert_eq!(
        statuses(client, &Request::get("/status/404"), 25),
        [404; 25]
    );
    let limit = |name: &str| {
        let status = floodwall.status();
        let limits = status["limits"].as_array().expect("limits").clone();
        limits
            .into_iter()
            .find(|limit| limit["name"] == name)
            .expect("it is there")
    };
    assert_eq!(limit("not-found")["refused"], 0);
    assert_ne!(limit("not-found")["shadowed"], 0);
    // search: one after the other, half a second deep.
    thread::scope(|scope| {
        let get = || client.get("/search").status;
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(get)).collect();
        let all = threads
            .into_iter()
            .map(|thread| thread.join().expect("a status"));
        let served = all.filter(|status| *status == 200).count();
        // On a machine that needs a while to start twenty threads, more turns have come.
        assert!((6..=12).contains(&served), "{served} served");
    });
    // reports: four at one time.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(client.get("/reports").status, 200));
        }
    });
    assert_eq!(limit("reports")["refused"], 0);
    eventually!(limit("reports")["in_flight"] == 0, within Duration::from_secs(10));
}
