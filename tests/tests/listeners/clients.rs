//! Clients that must show who they are.

use floodwall_tests::{Authority, Curl, Floodwall, Loopback, s_client};

use crate::{handshakes::failed, secure};

#[test]
fn only_clients_of_the_authority_come_in() {
    let web = Loopback::free();
    let (ours, others) = (Authority::new("ours"), Authority::new("others"));
    let www = ours.issue("www", &["www.test"]);
    let (friend, stranger) = (ours.issue("friend", &[]), others.issue("stranger", &[]));
    let required = format!(", client_ca: {}", ours.certificate().display());
    let floodwall = Floodwall::start(&secure(web, &[&www], &required));
    let curl = || Curl::new().trusting(&ours.certificate());
    for version in ["1.2", "1.3"] {
        let curl = || curl().with("--tls-max", version);
        assert_eq!(
            curl().showing(&friend).https("www.test", web, "/").body,
            "hello"
        );
        assert_eq!(
            curl().showing(&stranger).https("www.test", web, "/").status,
            0
        );
        assert_eq!(curl().https("www.test", web, "/").status, 0);
    }
    assert_eq!(failed(&floodwall, "client_certificate"), 4);
    // With TLS 1.3 a client is already asking when it is told.
    for protocol in ["--http1.1", "--http2"] {
        let told = curl().flag(protocol).https("www.test", web, "/").complaint;
        assert!(told.contains("certificate required"), "{protocol}: {told}");
    }

    let optional = format!("{required}, client_auth: optional");
    floodwall.write(&secure(web, &[&www], &optional));
    assert_eq!(floodwall.reload().code, Some(0));
    assert_eq!(curl().https("www.test", web, "/").body, "hello");
    assert_eq!(
        curl().showing(&stranger).https("www.test", web, "/").status,
        0
    );
}

/// A resumed session is not asked again: what was begun without a certificate must not go on with one required.
#[test]
fn a_session_from_before_certificates_were_required_is_not_resumed() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let www = authority.issue("www", &["www.test"]);
    let floodwall = Floodwall::start(&secure(web, &[&www], ""));
    let ticket = authority.file("ticket", b"");
    let ticket = ticket.to_str().unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(s_client(web, &[version, "-sess_out", ticket]).contains("hello"));
        let resumed = s_client(web, &[version, "-sess_in", ticket]);
        assert!(resumed.contains("Reused, "), "{resumed}");
        let required = format!(", client_ca: {}", authority.certificate().display());
        floodwall.write(&secure(web, &[&www], &required));
        assert_eq!(floodwall.reload().code, Some(0));
        let refused = s_client(web, &[version, "-sess_in", ticket]);
        assert!(!refused.contains("hello"), "{refused}");
        floodwall.write(&secure(web, &[&www], ""));
        assert_eq!(floodwall.reload().code, Some(0));
    }
}
