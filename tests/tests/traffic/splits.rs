//! One route, several upstreams.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Yaml};

/// The contract's mesh, with its own addresses.
fn mesh(web: std::net::SocketAddr, old: &Origin, new: &Origin) -> Yaml {
    Yaml::example("mesh.yaml")
        .with("127.0.0.1:8080", web)
        .with("127.0.0.1:9001", old.address())
        .with("127.0.0.1:9002", new.address())
        .with("rate: 100/s, burst: 100", "rate: 100k/s")
}

fn user(uid: usize) -> Request {
    Request::get("/").header("cookie", format!("uid=user-{uid}"))
}

#[test]
fn the_mesh_example_sends_canaries_and_a_share_of_the_users_elsewhere() {
    let (web, old, new) = (Loopback::free(), Origin::start(), Origin::start());
    let floodwall = Floodwall::start(&mesh(web, &old, &new));
    let client = Client::of(web);
    client.send(&Request::get("/").header("x-canary-user", "me"));
    assert_eq!((old.count(), new.count()), (0, 1));
    let explained = floodwall.json(&["explain", "--json", "--header", "x-canary-user: me", "/"]);
    assert_eq!(explained["split"], "split[0]: its match");
    assert_eq!(explained["action"]["upstream"]["name"], "v2-backend");
    let explained = floodwall.ask(&["explain", "--header", "cookie: uid=user-1", "/"]);
    assert!(
        explained
            .stdout
            .contains("split       split[2]: what is left"),
        "{}",
        explained.stdout
    );
}

#[test]
fn a_user_goes_the_same_way_on_every_host_and_no_share_that_grows_moves_one_back() {
    let (one, two) = (Loopback::free(), Loopback::free());
    let (old, new) = (Origin::start(), Origin::start());
    let first = Floodwall::start(&mesh(one, &old, &new));
    let _second = Floodwall::start(&mesh(two, &old, &new).with("share: 5%", "share: 30%"));
    let goes_new = |web, uid| {
        let before = new.count();
        assert_eq!(Client::of(web).send(&user(uid)).status, 200);
        new.count() > before
    };
    let by_five: Vec<bool> = (0..200).map(|uid| goes_new(one, uid)).collect();
    // The other host has the larger share: whoever is in the small one is in it too.
    let by_thirty: Vec<bool> = (0..200).map(|uid| goes_new(two, uid)).collect();
    assert!(
        by_five
            .iter()
            .zip(&by_thirty)
            .all(|(five, thirty)| !five || *thirty)
    );
    let share = by_thirty.iter().filter(|new| **new).count();
    assert!((40..=80).contains(&share), "{share} of 200");
    // Now the first host's share grows to the same: it is the same users.
    first.write(&mesh(one, &old, &new).with("share: 5%", "share: 30%"));
    let reloaded = first.reload();
    assert_eq!(reloaded.code, Some(0), "{}", reloaded.stderr);
    let grown: Vec<bool> = (0..200).map(|uid| goes_new(one, uid)).collect();
    assert_eq!(grown, by_thirty);
}
