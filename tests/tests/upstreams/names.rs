//! Servers with names, and servers on sockets.

use std::{fs, time::Duration};

use floodwall_tests::{Client, Floodwall, Launch, Loopback, Origin, Repeat, Yaml, eventually};

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

/// A name that comes to mean others moves the requests there, loses none, and leaves no connection behind.
#[test]
fn a_name_that_changes_under_load_loses_nothing() {
    let file = std::env::temp_dir().join(format!("floodwall-hosts-{}", std::process::id()));
    let (web, first) = (Loopback::free(), Origin::start());
    let port = first.address().port();
    let second = Origin::at((Loopback::claim().ip(), port).into());
    let mean = |origins: &[&Origin]| {
        let lines = origins
            .iter()
            .map(|origin| format!("{} app.test\n", origin.address().ip()));
        // In place, for the file itself is mounted.
        fs::write(&file, lines.collect::<String>()).expect("a file of our own");
    };
    mean(&[&first]);
    let servers = format!("[\"app.test:{port}\"]\n    dns: {{ refresh: 1s }}");
    let any = Loopback::free();
    let yaml = front(web, &[any], "").with(&format!("[{any}]"), servers);
    let floodwall = Launch::default().with_hosts(&file).start(&yaml);
    let load = [(); 4].map(|()| {
        Repeat::every(Duration::ZERO, move || {
            Client::of(web).get("/slow/20").status
        })
    });
    eventually!(first.count() > 50);
    mean(&[&first, &second]);
    eventually!(second.count() > 50);
    mean(&[&second]);
    eventually!(
        upstream(&floodwall)["servers"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
    );
    let before = first.count();
    let now = second.count();
    eventually!(second.count() > now + 50);
    // Those that had chosen it by then.
    assert!(
        first.count() <= before + 4,
        "{} after {before}",
        first.count()
    );
    let mut answers = load.into_iter().flat_map(Repeat::stop);
    assert!(answers.all(|status| status == 200));
    // Only what leads to the second is left.
    drop(first);
    assert_eq!(statuses(web, 10, "/"), [200; 10]);
    eventually!(
        upstream(&floodwall)["connections"]["open"] == upstream(&floodwall)["connections"]["idle"]
    );
    drop(second);
    eventually!(upstream(&floodwall)["connections"]["open"] == 0);
    fs::remove_file(&file).expect("a file of our own");
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
