//! Pages of strangers, which a browser may be lured to, learn nothing of this one.

use floodwall_tests::{Client, Floodwall, Loopback, Origin, Request, Response};

use crate::front;

const PATHS: [&str; 8] = [
    "/",
    "/status",
    "/limits",
    "/blocks",
    "/metrics",
    "/events",
    "/page/page.js",
    "/gates/sale",
];

/// A name that a stranger lets point here is none that this service was given.
#[test]
fn a_rebound_name_is_answered_with_nothing() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let yaml = front(web, admin, &origin);
    let floodwall = Floodwall::start(&yaml);
    let asked = |path: &str, host: &str| {
        let request = Request::get(path).host(host).header("accept", "text/html");
        Client::of(admin).send(&request)
    };
    for path in PATHS {
        let refused = asked(path, "rebound.test:9901");
        assert_eq!(refused.status, 421, "{path}");
        assert!(refused.body.contains("admin.hosts"), "{}", refused.body);
    }
    for host in [admin.to_string(), format!("localhost:{}", admin.port())] {
        assert_eq!(asked("/status", &host).status, 200, "{host}");
    }
    // Unless the operator gave it.
    let named = format!("address: {admin}, hosts: [rebound.test, '*.edge.test']");
    floodwall.write(&yaml.with(&format!("address: {admin}"), named));
    let reloaded = floodwall.reload();
    assert!(
        reloaded
            .stdout
            .contains("admin.hosts: [] -> [rebound.test, *.edge.test]"),
        "{}",
        reloaded.stdout
    );
    for host in ["rebound.test", "a.edge.test:9901"] {
        assert_eq!(asked("/status", host).status, 200, "{host}");
    }
    assert_eq!(asked("/status", "edge.test").status, 421);
}

#[test]
fn no_stranger_may_frame_read_or_guess() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    let get = |path: &str| {
        let browser = Request::get(path).header("accept", "text/html");
        Client::of(admin).send(&browser.header("origin", "http://stranger.test"))
    };
    for path in PATHS.into_iter().filter(|path| *path != "/events") {
        let answer = get(path);
        assert_eq!(answer.status, 200, "{path}");
        let says = |name: &str| answer.header(name);
        assert_eq!(says("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(says("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(
            says("cross-origin-resource-policy"),
            Some("same-origin"),
            "{path}"
        );
        assert_eq!(says("access-control-allow-origin"), None, "{path}");
    }
    let page = get("/");
    let policy = page.header("content-security-policy").expect("a policy");
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(
            policy.split("; ").any(|each| each == rule),
            "no {rule} in {policy}"
        );
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

/// A page of another site takes no place of a reader's.
#[test]
fn other_sites_may_only_link_here() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    let from_elsewhere = |path: &str, mode: &str| {
        let request = Request::get(path)
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", mode);
        Client::of(admin).send(&request).status
    };
    assert_eq!(from_elsewhere("/events", "cors"), 403);
    assert_eq!(from_elsewhere("/", "navigate"), 200);
}

/// What has not changed is not sent again.
#[test]
fn browsers_keep_what_is_of_this_build() {
    let (ip, origin) = (Loopback::claim(), Origin::start());
    let (web, admin) = (ip.free_port(), ip.free_port());
    let _floodwall = Floodwall::start(&front(web, admin, &origin));
    let script = Client::of(admin).get("/page/page.js");
    let tag = script.header("etag").expect("a tag").to_owned();
    let again = |tag: &str| -> Response {
        Client::of(admin).send(&Request::get("/page/page.js").header("if-none-match", tag))
    };
    assert_eq!((again(&tag).status, again("\"other\"").status), (304, 200));
    assert_eq!(script.header("cache-control"), Some("no-cache"));
    assert_eq!(
        Client::of(admin).get("/status").header("cache-control"),
        Some("no-store")
    );
}
