//! Both layers on one page: a source that a limit blocks vanishes into the kernel before the reader's eyes.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use floodwall_tests::{
    Client, Floodwall, Host, Instance, Launch, Repeat, Request, Yaml, needs_root,
};
use serde_json::Value;

use crate::open;

/// In a namespace of the test's own.
const WEB: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

#[test]
fn an_attack_rises_and_vanishes_into_the_kernel() {
    needs_root!();
    let (host, instance) = (Host::alone(), Instance::claim());
    let yaml = Yaml::new(
        "listeners: { web: { address: WEB } }
prefilter: { interfaces: [lo], instance: INSTANCE, required: true }
limits: { per-client: { key: client, rate: 5/s, block: { after: 20, within: 10s, for: 1m } } }
routes: [{ name: all, limits: [per-client], respond: { body: ok } }]
admin: { address: ADMIN }
",
    )
    .with("WEB", WEB)
    .with("ADMIN", ADMIN)
    .with("INSTANCE", &instance);
    let floodwall = Launch::default().on(&host).start(&yaml);
    host.run(|| watch_an_attack(&floodwall));
}

fn watch_an_attack(floodwall: &Floodwall<'_>) {
    let browser = open(ADMIN);
    let attacker = Client::of(WEB)
        .from(ATTACKER)
        .patient_for(Duration::from_millis(50));
    let attack = Repeat::every(Duration::from_millis(10), move || {
        let answer = attacker.try_send(&Request::get("/"));
        answer.map(|response| response.status).ok()
    });

    // It rises, and vanishes: the figures, the list of blocks and the plot tell of it.
    let dropped =
        "return parseFloat(document.querySelector('[data-figure=\"dropped\"]').textContent) > 0";
    browser.wait_for(dropped, |dropped| dropped == true);
    let listed = browser.wait_for(
        "return document.querySelector('#blocks tbody').innerText",
        |text| text != "",
    );
    let listed = listed.as_str().expect("a text");
    assert!(
        listed.starts_with("127.0.0.66") && listed.contains("per-client"),
        "{listed}"
    );
    let drawn =
        "return document.querySelectorAll('#plot path.blocked')[1].getAttribute('d').length > 20";
    browser.wait_for(drawn, |drawn| drawn == true);
    let state = browser.run("return document.querySelector('#prefilter .lead').innerText");
    let state = state.as_str().expect("a text");
    assert!(
        state.starts_with("On, generation 1, in the table that both layers share"),
        "{state}"
    );
    browser.screenshot("page-attack.png");

    // All packets are on the page, and no others.
    drop(attack);
    let blocked = || packets(&floodwall.status(), "blocked");
    let row = "[...document.querySelectorAll('#prefilter tbody tr')].find((row) => row.cells[0].textContent === 'blocked')";
    let shown = format!("return Number({row}.cells[3].textContent.replaceAll('\u{202f}', ''))");
    let shown = browser.wait_for(&shown, |shown| shown.as_u64() == Some(blocked()));
    assert!(shown.as_u64() > Some(10), "{shown}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn packets(status: &Value, reason: &str) -> u64 {
    let counts = status["prefilter"]["packets"].as_array();
    let count = counts
        .into_iter()
        .flatten()
        .find(|count| count["reason"] == reason);
    count
        .and_then(|count| count["packets"].as_u64())
        .expect("every reason is there")
}
