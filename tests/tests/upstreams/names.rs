//! Servers with names, and servers on sockets.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Yaml, eventually};

use crate::{front, statuses, upstream};

/// The file with its servers written as `servers`.
fn named(servers: &str) -> (std::net::SocketAddr, Yaml) {
    let web = Loopback::free();
    let any = Loopback::free();
    (
        web,
        front(web, &[any], "").with(&format!("[{any}]"), servers),
    )
}

#[test]
fn a_name_is_looked_up_before_the_first_request() {
    let origin = Origin::at(([127, 0, 0, 1], 0).into());
    let port = origin.address().port();
    let (web, yaml) = named(&format!("[localhost:{port}]\n    dns: {{ family: ipv4 }}"));
    let floodwall = Floodwall::start(&yaml);
    assert_eq!(statuses(web, 3, "/"), [200; 3]);
    let now = upstream(&floodwall);
    assert_eq!(now["names"][0]["name"], format!("localhost:{port}"));
    assert_eq!(
        now["names"][0]["addresses"][0],
        origin.address().to_string()
    );
    assert!(now["names"][0]["answered_seconds_ago"].is_number(), "{now}");
}

#[test]
fn a_name_that_is_not_found_is_said_and_waits_for_nobody() {
    // RFC 6761: this one never exists.
    let (web, yaml) = named("[nobody.invalid:80]");
    let floodwall = Floodwall::start(&yaml);
    let response = Client::of(web).get("/");
    assert_eq!(response.status, 503);
    assert!(response.header("retry-after").is_some());
    eventually!(upstream(&floodwall)["names"][0]["error"].is_string());
    assert_eq!(upstream(&floodwall)["refused_unknown"], 1);
    let status = floodwall.ask(&["status"]).stdout;
    assert!(status.contains("nobody.invalid:80 (not found)"), "{status}");
    // A reload brings one that is there.
    let origin = Origin::start();
    floodwall.write(&yaml.with("nobody.invalid:80", origin.address()));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(statuses(web, 3, "/"), [200; 3]);
}
