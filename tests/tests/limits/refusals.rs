//! What a client is told.

use floodwall_tests::{Client, Floodwall, Loopback, Request};

use crate::limited;

#[test]
fn a_refusal_says_which_limit_it_was_and_when_to_come_back() {
    let web = Loopback::free();
    let yaml = limited(web, "key: client").with("2/d, burst: 2", "1/m, burst: 2");
    let floodwall = Floodwall::start(&yaml);
    let admitted = Client::of(web).get("/");
    assert_eq!(
        admitted.header("ratelimit-policy"),
        Some("\"narrow\";q=2;w=120")
    );
    assert_eq!(admitted.header("ratelimit"), Some("\"narrow\";r=1;t=60"));
    assert_eq!(admitted.header("retry-after"), None);
    assert_eq!(
        Client::of(web).get("/").header("ratelimit"),
        Some("\"narrow\";r=0;t=60")
    );

    let text = Client::of(web).get("/refused");
    assert_eq!(text.status, 429);
    assert_eq!(text.header("retry-after"), Some("60"));
    assert_eq!(
        text.header("ratelimit-policy"),
        Some("\"narrow\";q=2;w=120")
    );
    assert_eq!(text.header("ratelimit"), Some("\"narrow\";r=0;t=60"));
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(
        text.body,
        "refused by the limit narrow; come back in 60 seconds\n"
    );
    assert!(!text.closes(), "a refusal does not cost the connection");

    let json = Client::of(web).send(&Request::get("/").header("Accept", "application/json"));
    assert_eq!(
        (json.status, json.header("content-type")),
        (429, Some("application/json"))
    );
    let body: serde_json::Value = serde_json::from_str(&json.body).expect("JSON, as asked for");
    assert_eq!(
        (&body["limit"], &body["retry_after_seconds"]),
        (&"narrow".into(), &60.into())
    );

    let line = floodwall.logged(|line| line["path"] == "/refused");
    assert_eq!(
        [&line["status"], &line["limit"], &line["verdict"]],
        [
            &429.into(),
            &"narrow".into(),
            &serde_json::Value::from("refused")
        ]
    );
}

#[test]
fn a_refusal_may_look_otherwise() {
    let web = Loopback::free();
    let limit = "key: none, reject: { status: 503, headers: { x-why: busy }, body: \"later\\n\" }";
    let _floodwall = Floodwall::start(&limited(web, limit).with("2/d, burst: 2", "0/s"));
    // 0/s admits nothing, from the first request, and nobody can say when to come back.
    let response = Client::of(web).get("/");
    assert_eq!((response.status, response.body.as_str()), (503, "later\n"));
    assert_eq!(
        (response.header("x-why"), response.header("retry-after")),
        (Some("busy"), None)
    );
}
