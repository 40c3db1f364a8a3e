//! What the page shows is what `status --json` says.

use std::{collections::BTreeMap, time::Duration};

use floodwall_tests::{Browser, Client, Floodwall, Loopback, Origin, Repeat, needs_browser, wait};
use serde_json::Value;

use crate::{ask, document, front, open};

/// All that stands on the page under the name that the document has for it.
const SHOWN: &str = "return Object.fromEntries([...document.querySelectorAll('[data-at]')]
    .filter((each) => each.checkVisibility()).map((each) => [each.dataset.at, each.textContent]))";

/// What must be among it.
const EXPECTED: [&str; 12] = [
    "/status/generation/proxy",
    "/status/requests/in_flight",
    "/status/connections/open",
    "/status/limits/0/name",
    "/status/limits/0/refused",
    "/status/limits/1/hottest/0/key",
    "/status/gates/0/admitted",
    "/status/routes/2/duration/count",
    "/status/upstreams/0/servers/0/requests",
    "/status/history/0/generation",
    "/status/protection/measures/0/measure",
    "/blocks/0/reason",
];

/// Everything on the page that is not in the document, with what is there instead.
fn differences(shown: &Value, document: &Value) -> BTreeMap<String, (String, String)> {
    let shown = shown.as_object().expect("an object");
    let pairs = shown.iter().map(|(at, text)| {
        let text = text.as_str().expect("a text").to_owned();
        match document.pointer(at) {
            Some(Value::String(wanted)) => (at, text, wanted.clone()),
            Some(Value::Number(wanted)) => (at, text.replace('\u{202f}', ""), wanted.to_string()),
            other => (at, text, format!("{other:?}")),
        }
    });
    let different = pairs.filter(|(_, text, wanted)| text != wanted);
    different
        .map(|(at, text, wanted)| (at.clone(), (text, wanted)))
        .collect()
}

#[test]
fn the_page_says_what_the_status_says() {
    needs_browser!();
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let yaml = front(web, admin, &origin);
    let floodwall = Floodwall::start(&yaml);
    let browser = open(admin);

    while_traffic_runs(&browser, &floodwall, web);
    for path in ["/narrow", "/sale", "/app/status/500"] {
        for user in ["anna", "ben", "cleo", "dora"] {
            ask(web, path, user);
        }
    }
    let reason = "too <b>loud</b> & \"bold\"";
    let blocked = [
        "blocks",
        "add",
        "192.0.2.7",
        "--for",
        "10m",
        "--reason",
        reason,
    ];
    assert_eq!(floodwall.ask(&blocked).code, Some(0));
    floodwall.write(&yaml.clone().with("burst: 3 }", "burst: 4 }"));
    assert_eq!(floodwall.reload().code, Some(0));
    floodwall.write(&yaml.with("3/d", "plenty"));
    assert_eq!(floodwall.reload().code, Some(2));

    // Traffic has come to rest, and so do both.
    let mut left = BTreeMap::new();
    let equal = wait::until(wait::PATIENCE, || {
        let shown = browser.run(SHOWN);
        left = differences(&shown, &document(&floodwall));
        left.is_empty().then_some(shown)
    });
    let shown = equal.unwrap_or_else(|| panic!("on the page, and in the status: {left:#?}"));
    for at in EXPECTED {
        assert!(
            shown.get(at).is_some(),
            "{at} is not on the page: {shown:#}"
        );
    }
    assert_eq!(shown["/blocks/0/reason"], reason);
    assert_generations(&browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// While a counter grows the page is never ahead of it, and not far behind; and it shows how fast it grows.
fn while_traffic_runs(browser: &Browser, floodwall: &Floodwall<'_>, web: std::net::SocketAddr) {
    let traffic = Repeat::every(Duration::from_millis(20), move || ask(web, "/app/", "anna"));
    let admitted = |floodwall: &Floodwall<'_>| {
        let admitted = &floodwall.status()["limits"][1]["admitted"];
        admitted.as_u64().expect("a count")
    };
    let on_page = || {
        let text = browser.run(
            "return document.querySelector('[data-at=\"/status/limits/1/admitted\"]').textContent",
        );
        let digits = text.as_str().expect("a text").replace('\u{202f}', "");
        digits.parse::<u64>().expect("a count")
    };
    for _ in 0..3 {
        let before = admitted(floodwall);
        let shown = wait::until(wait::PATIENCE, || {
            Some(on_page()).filter(|shown| *shown >= before)
        });
        let shown = shown.expect("the page follows");
        assert!(
            shown <= admitted(floodwall),
            "{shown} is more than there were"
        );
    }
    let figure = "return Number(document.querySelector('[data-figure=\"requests\"]').textContent)";
    let about_fifty = |rate: &Value| rate.as_f64().is_some_and(|rate| rate > 25.0 && rate < 75.0);
    browser.wait_for(figure, about_fifty);
    let drawn = "return document.querySelector('#plot path.served').getAttribute('d').length > 40";
    browser.wait_for(drawn, |drawn| drawn == true);
    assert!(traffic.stop().iter().all(|status| *status == 200));
}

/// The history tells what each reload changed, and why one was refused.
fn assert_generations(browser: &Browser) {
    let history = browser.run(
        "return [...document.querySelectorAll('#generations ol > li')].map((each) => [each.dataset.outcome, each.innerText])",
    );
    let outcomes: Vec<&str> = (0..3).filter_map(|at| history[at][0].as_str()).collect();
    assert_eq!(outcomes, ["refused", "taken", "started"], "{history}");
    let texts: Vec<&str> = (0..3).filter_map(|at| history[at][1].as_str()).collect();
    assert!(texts[0].contains("plenty"), "{history}");
    assert!(texts[1].contains("limits.narrow"), "{history}");
    let alarm = browser.run("return document.getElementById('refused').innerText");
    assert!(
        alarm.as_str().is_some_and(|text| text.contains("plenty")),
        "{alarm}"
    );
}

/// Whoever wrote a key, it is text.
#[test]
fn what_clients_write_never_becomes_markup() {
    needs_browser!();
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let floodwall = Floodwall::start(&front(web, admin, &origin));
    let hostile =
        "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";
    assert_eq!(ask(web, "/app/", hostile), 200);
    let add = [
        "blocks",
        "add",
        "192.0.2.7",
        "--for",
        "10m",
        "--reason",
        hostile,
    ];
    assert_eq!(floodwall.ask(&add).code, Some(0));

    let browser = open(admin);
    let texts =
        "return ['#hottest', '#blocks'].map((part) => document.querySelector(part).innerText)";
    let shown = browser.wait_for(texts, |texts| {
        texts[0]
            .as_str()
            .is_some_and(|text| text.contains("onerror"))
    });
    let wanted = format!("header(x-user)={hostile}");
    assert!(
        shown[0].as_str().is_some_and(|text| text.contains(&wanted)),
        "{shown}"
    );
    assert!(
        shown[1]
            .as_str()
            .is_some_and(|text| text.contains("<img src=x")),
        "{shown}"
    );
    let made = "return [document.title, document.querySelectorAll('main :is(img, script, iframe, object)').length]";
    assert_eq!(browser.run(made), serde_json::json!(["Floodwall", 0]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // Were there a mistake, the policy would be in its way.
    let markup = "try { document.body.innerHTML = '<img src=x>'; return 'made' } catch (error) { return error.name }";
    assert_eq!(browser.run(markup), "TypeError");
}

/// Who opens it without scripts, or with `curl`, is told where the same is.
#[test]
fn without_a_browser_there_is_an_index() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    let plain = Client::of(admin).get("/");
    assert_eq!(
        plain.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let html = floodwall_tests::Request::get("/").header("accept", "text/html,*/*;q=0.8");
    let html = Client::of(admin).send(&html);
    assert_eq!(
        html.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(html.header("vary"), Some("accept"));
    let noscript = html
        .body
        .split("<noscript>")
        .nth(1)
        .expect("something for those without scripts");
    assert!(noscript.contains("JSON"), "{noscript}");
    for path in ["/status", "/blocks", "/limits", "/metrics"] {
        assert!(
            html.body.contains(&format!("href=\"{path}\"")),
            "no link to {path}"
        );
    }
    // What it is made of comes from here alone.
    assert!(!html.body.contains("://"), "{}", html.body);
}
