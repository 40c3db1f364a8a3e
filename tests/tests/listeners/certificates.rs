//! Which certificate a client is shown, and in which version.

use floodwall_tests::{Authority, Curl, Floodwall, Loopback, s_client};

use crate::secure;

#[test]
fn the_name_that_is_asked_for_decides_and_the_first_serves_the_rest() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let any = authority.issue("any", &["*.any.test", "any.test"]);
    let _floodwall = Floodwall::start(&secure(web, &[&www, &any], ""));
    let get = |host: &str| {
        Curl::new()
            .trusting(&authority.certificate())
            .https(host, web, "/")
    };
    for host in ["www.test", "a.any.test", "A.Any.Test", "any.test"] {
        assert_eq!(get(host).body, "hello", "{host}");
    }
    // curl's code for a certificate that is for somebody else.
    for host in ["a.b.any.test", "other.test"] {
        assert_eq!(get(host).code, Some(60), "{host}");
    }
    let shown = s_client(web, &["-servername", "other.test"]);
    assert!(
        shown.contains("subject=CN = www of ca") || shown.contains("subject=CN=www of ca"),
        "{shown}"
    );
    let unnamed = s_client(web, &["-noservername"]);
    assert!(unnamed.contains("www of ca"), "{unnamed}");
}

#[test]
fn a_request_for_a_host_of_another_certificate_is_misdirected() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test", "also.test"]);
    let any = authority.issue("any", &["any.test"]);
    let _floodwall = Floodwall::start(&secure(web, &[&www, &any], ""));
    let asking_for = |host: &str| {
        Curl::new()
            .trusting(&authority.certificate())
            .with("-H", &format!("Host: {host}"))
            .https("www.test", web, "/")
            .status
    };
    assert_eq!(asking_for("any.test"), 421);
    // One certificate for both, or none for it at all.
    assert_eq!(asking_for("also.test"), 200);
    assert_eq!(asking_for("unknown.test"), 200);
}

#[test]
fn versions_below_the_least_are_refused_and_counted() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let floodwall = Floodwall::start(&secure(web, &[&www], ""));
    for (option, version) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let said = s_client(web, &[option]);
        assert!(said.contains("hello") && said.contains(version), "{said}");
    }
    floodwall.write(&secure(web, &[&www], ", min_version: 1.3"));
    assert_eq!(floodwall.reload().code, Some(0));
    assert!(s_client(web, &["-tls1_3"]).contains("hello"));
    assert!(!s_client(web, &["-tls1_2"]).contains("hello"));
    assert_eq!(crate::handshakes::failed(&floodwall, "incompatible"), 1);
}

#[test]
fn the_protocol_is_agreed_on_and_the_upstream_is_told_of_https() {
    use floodwall_tests::Origin;
    let (web, authority, origin) = (Loopback::free(), Authority::new("ca"), Origin::start());
    let www = authority.issue("www", &["www.test"]);
    let yaml = secure(web, &[&www], "")
        .with("respond: { status: 200, body: hello }", "upstream: app")
        .and(&format!(
            "upstreams: {{ app: {{ servers: ['{}'] }} }}\n",
            origin.address()
        ));
    let _floodwall = Floodwall::start(&yaml);
    let said = s_client(web, &["-alpn", "spdy/3,http/1.1"]);
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
    assert_eq!(origin.last().header("x-forwarded-proto"), Some("https"));
}

#[test]
fn an_ocsp_response_is_shown_with_its_certificate() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    // A status of success and an empty answer: what is in it is for clients to judge.
    let response = authority.file("www.ocsp", &[0x30, 0x03, 0x0a, 0x01, 0x00]);
    let stapled = format!("ocsp: {} }}", response.display());
    let yaml = secure(web, &[&www], "").with(".key }", format!(".key, {stapled}"));
    let _floodwall = Floodwall::start(&yaml);
    let said = s_client(web, &["-status"]);
    assert!(said.contains("OCSP response"), "{said}");
    assert!(!said.contains("OCSP response: no response sent"), "{said}");
}
