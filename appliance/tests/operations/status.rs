//! `floodwall status`

use crate::{
    http,
    service::Service,
    site::{RESPOND, Site, floodwall, stdout},
};
use assert_cmd::prelude::OutputAssertExt;

#[test]
fn the_document_has_what_dashboards_rely_on() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    http::get(site.web, "/").unwrap();
    let status = site.json(&["status", "--json"]);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["generation"]["file"], site.file().to_str().unwrap());
    assert_eq!(status["generation"]["kernel"], serde_json::Value::Null);
    assert_eq!(status["listeners"][0]["name"], "web");
    assert_eq!(status["listeners"][0]["address"], site.web.to_string());
    assert_eq!(status["prefilter"]["on"], false);
    assert_eq!(
        status["prefilter"]["why"],
        "the configuration has no prefilter"
    );
    assert_eq!(
        status["table"]["bytes"].as_u64().unwrap(),
        status["table"]["cells"].as_u64().unwrap() * 16
    );
    let limit = &status["limits"][0];
    assert_eq!(limit["key"], serde_json::json!(["client"]));
    assert_eq!(
        (
            limit["rate"].as_str(),
            limit["burst"].as_u64(),
            limit["admitted"].as_u64()
        ),
        (Some("1/m"), Some(3), Some(1))
    );
}

#[test]
fn people_read_it_in_80_columns() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    let seen = site.prints(&["status"]);
    for words in [
        "generation   1 in the proxy",
        "pre-filter   off: the configuration has no prefilter",
        "per-client   1/m      3",
        "finished none",
    ] {
        assert!(seen.contains(words), "no `{words}` in\n{seen}");
    }
    for line in seen.lines().filter(|line| !line.starts_with("file ")) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn the_socket_alone_is_enough() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    let assert = floodwall(&["status", "--socket"])
        .arg(site.socket())
        .assert()
        .success();
    assert!(stdout(&assert).starts_with("floodwall "));
}
