//! Both layers on one page: a source that a limit blocks vanishes into the kernel before the reader's eyes.

use std::{net::SocketAddr, time::Duration};

use floodwall_tests::{Browser, Client, Host, Instance, Launch, Repeat, Yaml, needs_root};
use serde_json::Value;

use crate::open;

const WEB: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const ADMIN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9901);

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
    let browser = host.run(Browser::start);
    open(&browser, ADMIN);
    let attacker = [127, 0, 0, 66];
    let client = Client::of(WEB).patient_for(Duration::from_millis(50));
    let attack = host.run(|| {
        Repeat::every(Duration::from_millis(10), move || {
            let refused = client
                .from(attacker)
                .try_send(&floodwall_tests::Request::get("/"));
            refused.map(|response| response.status).ok()
        })
    });
    let figure = |name: &str| {
        format!(
            "return Number(document.querySelector('[data-figure=\"{name}\"]').textContent.replace(/\\s.*/, ''))"
        )
    };
    let rises = |value: &Value| value.as_f64() > Some(0.0);
    browser.wait_for(&figure("dropped"), rises);
    browser.wait_for(
        "return document.querySelector('#blocks tbody')?.innerText ?? ''",
        |text| {
            text.as_str().is_some_and(|text| {
                text.starts_with("127.0.0.66/32") && text.contains("per-client")
            })
        },
    );
    let drawn =
        "return document.querySelectorAll('#plot path.blocked')[1].getAttribute('d').length > 20";
    browser.wait_for(drawn, |drawn| drawn == true);
    let state = browser.run("return document.querySelector('#prefilter .lead').innerText");
    assert!(
        state
            .as_str()
            .is_some_and(|state| state.starts_with("On, generation 1, in the table that both")),
        "{state}"
    );
    drop(attack);
    let blocked = floodwall.status()["prefilter"]["packets"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|count| count["reason"] == "blocked")
        .and_then(|count| count["packets"].as_u64())
        .expect("packets are counted");
    let shown = browser.wait_for(
        "return Number([...document.querySelectorAll('#prefilter tbody tr')].find((row) => row.cells[0].textContent === 'blocked').cells[3].textContent.replaceAll('\\u202f', ''))",
        |shown| shown.as_u64() >= Some(blocked),
    );
    assert!(
        shown.as_u64()
            <= floodwall.status()["prefilter"]["packets"]
                .as_array()
                .and_then(|counts| {
                    counts.iter().find(|count| count["reason"] == "blocked")?["packets"].as_u64()
                })
    );
    browser.screenshot("page-attack.png");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
