//! What operators type and read: the commands and their exit codes, the admin address, the control socket.

use std::{
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
};

use floodwall_tests::{Client, Floodwall, Loopback, Request, Yaml, eventually, needs_root};
use serde_json::Value;

fn front(web: SocketAddr, admin: SocketAddr) -> Yaml {
    Yaml::new(
        "listeners: { web: { address: WEB } }
limits:
  narrow: { key: client, rate: 2/d, burst: 2 }
routes:
  - { name: all, match: { path_prefix: / }, limits: [narrow], respond: { body: ok } }
admin: { address: ADMIN }
",
    )
    .with("WEB", web)
    .with("ADMIN", admin)
}

#[test]
fn exit_codes_tell_wrong_from_failed() {
    let code = |arguments: &[&str]| Floodwall::command(arguments).code;
    for help in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["blocks", "add", "--help"],
    ] {
        assert_eq!(code(help), Some(0), "{help:?}");
    }
    for wrong in [
        &["no-such-command"][..],
        &[],
        &["status", "--no-such-option"],
        &["blocks", "add", "10.0.0.1"],
        &["blocks", "add", "10.0.0.1", "--for", "soon"],
    ] {
        assert_eq!(code(wrong), Some(2), "{wrong:?}");
    }
    for nobody in [
        &["status"][..],
        &["reload"],
        &["blocks", "list"],
        &["explain", "/"],
    ] {
        let answer =
            Floodwall::command(&[nobody, &["--socket", "/nonexistent/floodwall.sock"]].concat());
        assert_eq!(answer.code, Some(1), "{nobody:?}");
        assert!(
            answer.stderr.contains("/nonexistent/floodwall.sock"),
            "{}",
            answer.stderr
        );
    }
}

#[test]
fn the_admin_address_shows_and_changes_nothing() {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    let floodwall = Floodwall::start(&front(web, admin));
    assert_eq!(
        [0; 3].map(|_| Client::of(web).get("/").status),
        [200, 200, 429]
    );
    // The last request is counted after its response is written.
    eventually!(floodwall.finished("4xx") == 1 && floodwall.status()["requests"]["in_flight"] == 0);
    let json = |path: &str| -> Value {
        let response = Client::of(admin).get(path);
        assert_eq!(
            (response.status, response.header("content-type")),
            (200, Some("application/json")),
            "{path}"
        );
        serde_json::from_str(&response.body).expect("JSON")
    };
    assert_eq!(json("/status")["requests"], floodwall.status()["requests"]);
    assert_eq!(json("/limits"), floodwall.status()["limits"]);
    assert_eq!(json("/limits")[0]["refused"], 1);
    assert_eq!(json("/limits")[0]["hottest"][0]["left"], 0);
    let verdicts = json("/status")["requests"]["verdicts"].clone();
    let verdict = |at: usize| {
        (
            verdicts[at]["verdict"].clone(),
            verdicts[at]["count"].clone(),
        )
    };
    assert_eq!(verdict(0), ("admitted".into(), 2.into()));
    assert_eq!(verdict(1), ("refused".into(), 1.into()));
    assert_eq!(json("/blocks"), Value::Array(Vec::new()));
    // The page for people says what else there is.
    let page = Client::of(admin).get("/");
    for path in ["/metrics", "/status", "/blocks", "/limits"] {
        assert!(page.body.contains(path), "no {path} in\n{}", page.body);
    }
    assert_eq!(Client::of(admin).get("/nothing").status, 404);
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(
            Client::of(admin)
                .send(&Request::new(method, "/blocks"))
                .status,
            405,
            "{method}"
        );
    }
}

/// Every sample of the page belongs to a family with a line of help, and the page ends as the format wants it.
#[test]
fn metrics_are_open_metrics() {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    let floodwall = Floodwall::start(&front(web, admin));
    Client::of(web).get("/");
    // A request is counted after its response is written.
    floodwall.logged(|line| line["path"] == "/");
    let page = Client::of(admin).get("/metrics").body;
    assert!(page.ends_with("# EOF\n"));
    let families: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
        .collect();
    for sample in page.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            families.iter().any(|family| sample.starts_with(family)),
            "{sample}"
        );
        let value = sample
            .rsplit(' ')
            .next()
            .and_then(|value| value.parse::<f64>().ok());
        assert!(value.is_some_and(f64::is_finite), "{sample}");
    }
    for sample in [
        "floodwall_generation{layer=\"proxy\"} 1",
        "floodwall_limit_requests_total{limit=\"narrow\",verdict=\"admitted\"} 1",
        "floodwall_requests_total{status=\"2xx\"} 1",
        "floodwall_prefilter_on 0",
    ] {
        assert!(
            page.lines().any(|line| line == sample),
            "no {sample} in\n{page}"
        );
    }
}

#[test]
fn the_control_socket_is_for_its_owner_and_group() {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    let floodwall = Floodwall::start(&front(web, admin));
    let socket = floodwall.folder().join("floodwall.sock");
    let mode = socket.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    // A second service does not take the first one's place.
    let file = floodwall.folder().join("floodwall.yaml");
    let second = Floodwall::command(&["run", "-c", file.to_str().expect("a plain path")]);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(
        second.stderr.contains("floodwall.sock"),
        "{}",
        second.stderr
    );
    assert_eq!(floodwall.status()["pid"], floodwall.pid());
}

#[test]
fn who_may_not_ask_is_told_who_may() {
    needs_root!();
    let ip = Loopback::claim();
    let floodwall = Floodwall::start(&front(ip.free_port(), ip.free_port()));
    let refusal = |path: &str| {
        let answer = floodwall.ask_as_nobody(&["status"]);
        assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), ""));
        let words = format!("{path} may only be opened by user root: try with sudo -u root");
        assert!(answer.stderr.contains(&words), "{}", answer.stderr);
    };
    // A folder may keep others out, and where it does not the socket does.
    let folder = floodwall.folder();
    for (mode, path) in [
        (0o700, folder.to_owned()),
        (0o755, folder.join("floodwall.sock")),
    ] {
        fs::set_permissions(folder, Permissions::from_mode(mode)).expect("it is ours");
        refusal(path.to_str().expect("a plain path"));
    }
}

#[test]
fn status_and_explain_are_for_people_too() {
    let ip = Loopback::claim();
    let (web, admin) = (ip.free_port(), ip.free_port());
    let floodwall = Floodwall::start(&front(web, admin));
    let status = floodwall.ask(&["status"]).stdout;
    for part in [
        "generation   1 in the proxy",
        "narrow",
        &web.to_string(),
        "pre-filter",
    ] {
        assert!(
            status.to_lowercase().contains(part),
            "no {part:?} in\n{status}"
        );
    }
    let explained = floodwall
        .ask(&["explain", "--client", "203.0.113.7", "http://a/x?y=z"])
        .stdout;
    for part in ["203.0.113.7", "all", "narrow"] {
        assert!(explained.contains(part), "no {part:?} in\n{explained}");
    }
}
