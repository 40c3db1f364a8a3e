//! `--json`: one document on standard output, or nothing.

use serde_json::{Value, json};

use crate::{
    service::Service,
    site::{RESPOND, Site, stderr, stdout},
};

/// What a command with this exit code prints as JSON; it says nothing on standard error.
fn document(site: &Site, arguments: &[&str], code: i32) -> Value {
    let assert = site.floodwall(&[arguments, &["--json"]].concat());
    let assert = assert.code(code);
    assert_eq!(stderr(&assert), "", "{arguments:?}");
    serde_json::from_str(&stdout(&assert)).unwrap()
}

#[test]
fn a_check_tells_right_from_wrong() {
    let site = Site::with(RESPOND);
    let right = document(&site, &["check"], 0);
    assert_eq!(
        (&right["ok"], &right["problems"], &right["diff"]),
        (&json!(true), &json!([]), &Value::Null)
    );
    site.write(&RESPOND.replace("burst: 3", "burst: many"));
    let wrong = document(&site, &["check"], 2);
    assert_eq!(wrong["ok"], false);
    let problems = wrong["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{wrong:#}");
    assert_eq!(
        (&problems[0]["path"], &problems[0]["line"]),
        (&json!("limits.per-client.burst"), &json!(6))
    );
    assert!(problems[0]["problem"].as_str().unwrap().contains("many"));
}

#[test]
fn a_reload_tells_what_became_of_it() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    site.write(&RESPOND.replace("burst: 3", "burst: 4"));
    let diff = &document(&site, &["check", "--diff"], 0)["diff"];
    assert_eq!(diff["changes"].as_array().unwrap().len(), 1, "{diff:#}");
    let taken = document(&site, &["reload"], 0);
    assert_eq!(
        (
            &taken["ok"],
            &taken["from"],
            &taken["to"],
            &taken["changes"]
        ),
        (&json!(true), &json!(1), &json!(2), &diff["changes"])
    );
    site.write(&RESPOND.replace("burst: 3", "burst: many"));
    let refused = document(&site, &["reload"], 2);
    assert_eq!(
        (&refused["ok"], &refused["because"], &refused["running"]),
        (&json!(false), &json!("file"), &json!(2))
    );
    assert_eq!(refused["problems"].as_array().unwrap().len(), 1);
}

#[test]
fn blocks_are_documents() {
    let site = Site::with(RESPOND);
    let _service = Service::start(&site);
    let added = document(&site, &["blocks", "add", "192.0.2.7", "--for", "1h"], 0);
    assert_eq!(
        (&added["source"], &added["listed"]),
        (&json!("192.0.2.7"), &json!(true))
    );
    assert_eq!(
        document(&site, &["blocks", "remove", "192.0.2.7"], 0),
        json!({ "count": 1 })
    );
    document(&site, &["blocks", "add", "192.0.2.8", "--for", "1h"], 0);
    assert_eq!(
        document(&site, &["blocks", "clear"], 0),
        json!({ "count": 1 })
    );
}

#[test]
fn what_could_not_be_done_is_said_on_standard_error_only() {
    let site = Site::with(RESPOND);
    for command in [
        &["status"] as &[_],
        &["reload"],
        &["blocks", "list"],
        &["gate", "list", "sale"],
        &["explain", "/"],
        &["check", "--diff"],
    ] {
        let assert = site.floodwall(&[command, &["--json"]].concat()).code(1);
        assert_eq!(stdout(&assert), "", "{command:?}");
        assert!(
            stderr(&assert).contains("is floodwall running"),
            "{command:?}"
        );
    }
}
