//! Commands that need no service: `check`, `schema`, usage.

use assert_cmd::prelude::OutputAssertExt;

use crate::site::{RESPOND, Site, floodwall, stderr, stdout};

#[test]
fn a_right_file_is_summed_up() {
    let said = Site::with(RESPOND).prints(&["check"]);
    assert!(
        said.ends_with(
            "floodwall.yaml: ok: 1 listener, 0 upstreams, 1 route, 1 limit, 0 packet limits\n"
        ),
        "{said}"
    );
}

#[test]
fn a_wrong_file_gives_every_problem_with_its_place_and_exit_code_2() {
    let site = Site::new();
    site.write_whole(
        "listeners:\n  web: { address: nowhere, colour: red }\nlimits:\n  one: { key: client, rate: 5 }\nroutes:\n  - { name: all, match: { path_prefix: / }, limits: [two], respond: { status: 200 } }\n",
    );
    let assert = site.floodwall(&["check"]).code(2);
    let problems = stderr(&assert);
    assert_eq!(stdout(&assert), "");
    let file = site.file();
    for (place, path) in [
        ("2:19", "listeners.web.address"),
        ("2:28", "listeners.web.colour"),
        ("4:29", "limits.one.rate"),
        ("6:54", "routes[0].limits[0]"),
    ] {
        let start = format!("{}:{place}: {path}: ", file.display());
        assert!(
            problems.lines().any(|line| line.starts_with(&start)),
            "no {start} in\n{problems}"
        );
    }
    assert_eq!(problems.lines().count(), 4, "{problems}");
}

#[test]
fn a_file_that_is_not_there_is_a_wrong_configuration() {
    let site = Site::new();
    for command in ["check", "run", "status", "reload"] {
        let said = stderr(&site.floodwall(&[command]).code(2));
        assert!(
            said.contains("floodwall.yaml: cannot be read: No such file"),
            "{command}: {said}"
        );
    }
}

#[test]
fn the_schema_is_one_json_document() {
    let assert = floodwall(&["schema"]).assert().success();
    let schema: serde_json::Value = serde_json::from_str(&stdout(&assert)).unwrap();
    assert!(schema["properties"]["listeners"].is_object(), "{schema}");
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    for wrong in [
        &["dance"] as &[_],
        &[],
        &["blocks", "add", "192.0.2.1"],
        &["blocks", "add", "192.0.2.1", "--for", "soon"],
        &["explain"],
    ] {
        floodwall(wrong).assert().code(2);
    }
    floodwall(&["--help"]).assert().success();
    let version = stdout(&floodwall(&["--version"]).assert().success());
    assert_eq!(
        version,
        format!("floodwall {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn without_a_service_the_words_say_what_to_do() {
    let site = Site::with(RESPOND);
    for command in [
        &["status"] as &[_],
        &["reload"],
        &["blocks", "list"],
        &["explain", "/"],
        &["check", "--diff"],
    ] {
        let said = stderr(&site.floodwall(command).code(1));
        for words in [
            "is floodwall running",
            "systemctl start floodwall",
            site.socket().to_str().unwrap(),
        ] {
            assert!(said.contains(words), "{command:?}: {said}");
        }
    }
}
