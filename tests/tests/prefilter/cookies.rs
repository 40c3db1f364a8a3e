//! SYNs above a limit's rate that the kernel's program answers with cookies.

use std::{fs, thread, time::Duration};

use floodwall_tests::{Host, Instance, Request, needs_root};

use crate::{
    blocks::spoof,
    edge::{Scene, web},
};

/// Room for one SYN, so that whatever connects has had a cookie.
const LIMIT: &str = "limits: { syn: { match: { ports: [8080], syn: true }, \
                     key: none, rate: 1/d, burst: 1, over: cookie } }";

fn give_cookies(host: &Host, how: &str) {
    let set = || fs::write("/proc/sys/net/ipv4/tcp_syncookies", how);
    host.run(set).expect("root may set a namespace's sysctl");
}

#[test]
fn good_clients_connect_through_a_flood_of_spoofed_syns() {
    needs_root!();
    for mode in ["native", "generic"] {
        let scene = Scene::new();
        give_cookies(&scene.edge, "2");
        let instance = Instance::claim();
        let _relay = scene.take_from_driver(&instance);
        let floodwall = scene.start(mode, &[LIMIT]);
        let served: Vec<u16> = thread::scope(|scope| {
            scope.spawn(|| spoof(&scene.bad, 50_000));
            let client = || (0..50).map(|_| web().get("/free").status).collect();
            scene.good.run(client)
        });
        assert!(served.iter().all(|status| *status == 200), "{served:?}");
        let status = floodwall.status();
        let kernel = &status["prefilter"];
        assert_eq!(kernel["no_cookies"], serde_json::Value::Null);
        let limit = &kernel["limits"][0];
        assert_eq!(limit["admitted"], 1, "{mode}");
        // The good clients' and some of the flood's, of which the wire loses what it has no room for.
        let cookies = limit["cookies"].as_u64().expect("a count");
        assert!(cookies > 1000, "{mode}: {limit}");
        let answered = kernel["packets"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|each| each["reason"] == "cookie");
        let answered = answered.expect("it is a reason");
        assert_eq!(answered["packets"], cookies);
        assert_eq!(
            (&answered["dropped"], &answered["answered"]),
            (&false.into(), &true.into())
        );
        assert!(
            scene.metrics().contains(
                "floodwall_prefilter_limit_packets_total{limit=\"syn\",verdict=\"cookie\"}"
            )
        );
    }
}

#[test]
fn listeners_that_give_no_cookies_are_told_of_and_a_reload_finds_that_they_do() {
    needs_root!();
    let scene = Scene::new();
    give_cookies(&scene.edge, "1");
    let instance = Instance::claim();
    let _relay = scene.take_from_driver(&instance);
    let floodwall = scene.start("native", &[LIMIT]);
    let connects = |times| {
        let try_one = |_: &u32| {
            let client = web().patient_for(Duration::from_millis(500));
            client.try_send(&Request::get("/free")).is_ok()
        };
        scene.good.run(|| (0..times).filter(try_one).count())
    };
    assert_eq!(connects(3), 1, "what the limit has room for, and no more");
    let why = "net.ipv4.tcp_syncookies is 1: set it to 2";
    let told = floodwall.status()["prefilter"]["no_cookies"].to_string();
    assert!(told.contains(why), "{told}");
    assert!(floodwall.log().contains(why), "{}", floodwall.log());
    let shown = floodwall.ask(&["status"]).stdout;
    assert!(shown.contains(why), "{shown}");
    give_cookies(&scene.edge, "2");
    let answer = floodwall.reload();
    assert_eq!(answer.code, Some(0), "{}", answer.stderr);
    assert_eq!(connects(3), 3);
    let status = floodwall.status();
    assert_eq!(status["prefilter"]["no_cookies"], serde_json::Value::Null);
}
