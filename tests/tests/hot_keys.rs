//! Who is asked for most: what `/limits` and `status` say of the keys of each limit.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::net::SocketAddr;

use floodwall_tests::{Client, Floodwall, Loopback, Request, Yaml, eventually};
use serde_json::Value;

fn file(web: SocketAddr, admin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
clients: { trusted_proxies: [127.0.0.0/8], forwarded_header: x-forwarded-for }
limits:
  per-client: { key: client, rate: 5/d, burst: 5 }
  per-user: { key: [client, header(user)], rate: 1000/d, burst: 1000 }
routes: [{ name: all, limits: [per-client, per-user], respond: { body: ok } }]
admin: { address: ADMIN, socket: floodwall.sock }
",
    )
    .with("WEB", web)
    .with("ADMIN", admin)
}

fn send(web: SocketAddr, client: &str, times: usize) {
    let request = Request::get("/")
        .header("x-forwarded-for", client)
        .header("user", "ann");
    for _ in 0..times {
        Client::of(web).send(&request);
    }
}

/// What `GET /limits` says.
fn limits(admin: SocketAddr) -> Vec<Value> {
    let page = Client::of(admin).get("/limits");
    assert_eq!(page.status, 200);
    serde_json::from_str(&page.body).expect("a list of limits")
}

#[test]
fn the_hottest_keys_of_each_limit_are_shown_in_words_with_what_was_refused() {
    let (web, admin) = (Loopback::free(), Loopback::free());
    let floodwall = Floodwall::start(&file(web, admin));
    send(web, "192.0.2.7", 8);
    send(web, "2001:db8:1:2:3:4:5:6", 2);
    send(web, "198.51.100.1", 1);
    let limits = limits(admin);
    let hottest = |limit: usize| limits[limit]["hottest"].as_array().expect("a list").clone();
    let of_clients = hottest(0);
    let words: Vec<_> = of_clients.iter().map(|hot| hot["key"].clone()).collect();
    assert_eq!(
        words,
        [
            "client=192.0.2.7",
            "client=2001:db8:1:2::/64",
            "client=198.51.100.1"
        ]
    );
    let first = &of_clients[0];
    assert_eq!(
        [&first["requests"], &first["error"], &first["refused"]],
        [8, 0, 3]
    );
    // What the first limit refused, the second was not asked.
    let first = &hottest(1)[0];
    assert_eq!(first["key"], "client=192.0.2.7 header(user)=ann");
    assert_eq!([&first["requests"], &first["refused"]], [5, 0]);
    let text = floodwall.ask(&["status"]).stdout;
    assert!(text.contains("client=2001:db8:1:2::/64"), "{text}");
}

#[test]
fn a_flood_of_strangers_does_not_hide_who_comes_often() {
    let (web, admin) = (Loopback::free(), Loopback::free());
    let _floodwall = Floodwall::start(&file(web, admin));
    let mut connection = Client::of(web).connect().expect("the proxy accepts");
    for n in 0..2_000 {
        let client = match n % 5 {
            0 => "192.0.2.7".to_owned(),
            _ => format!("10.9.{}.{}", n >> 8, n & 255),
        };
        let request = Request::get("/").header("x-forwarded-for", client);
        connection.send(&request).expect("an answer");
    }
    eventually!(limits(admin)[0]["hottest"][0]["key"] == "client=192.0.2.7");
    let hot = &limits(admin)[0]["hottest"][0];
    let number = |name: &str| hot[name].as_u64().expect("a count");
    // It came four hundred times. Of what a thread counts beyond a thousand in a minute one in sixteen is looked at.
    let least = number("requests") - number("error");
    assert!(number("requests") >= 350 && least <= 450, "{hot}");
    assert!(number("refused") <= 395 && number("refused") > 300, "{hot}");
}
