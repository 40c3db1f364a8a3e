//! Files that are wrong: told by `check`, refused at the start and by a reload, and the old ones serve on.

use std::fs;

use floodwall_tests::{Authority, Curl, Floodwall, Loopback};

use crate::secure;

#[test]
fn wrong_files_are_told_at_their_key_by_everybody_who_reads_them() {
    let (web, authority) = (Loopback::free(), Authority::new("ca"));
    let (www, other) = (
        authority.issue("www", &["www.test"]),
        authority.issue("other", &["other.test"]),
    );
    let good = secure(web, &[&www, &other], "");
    let floodwall = Floodwall::start(&good);
    let key = www.key.display().to_string();
    let junk = authority.file("junk.pem", b"junk").display().to_string();
    let nameless = authority.issue("nameless", &[]);
    for (old, new, expected) in [
        (
            key.clone(),
            "/nonexistent.key".to_owned(),
            "cannot be read: No such file",
        ),
        (
            key.clone(),
            other.key.display().to_string(),
            "which is not the key of the certificate",
        ),
        (
            key.clone(),
            www.chain.display().to_string(),
            "no private key but `CERTIFICATE`",
        ),
        (
            www.chain.display().to_string(),
            junk.clone(),
            "no certificate but no PEM section at all",
        ),
        (other.yaml(), nameless.yaml(), "for no host name"),
        (
            ".key }]".to_owned(),
            format!(".key, ocsp: {junk} }}]"),
            "no OCSP response",
        ),
        (
            ".key }]".to_owned(),
            format!(".key }}], client_ca: {key}"),
            "no certificate but `PRIVATE KEY`",
        ),
    ] {
        let wrong = good.clone().with(&old, &new);
        let told = Floodwall::check(wrong.text().as_bytes());
        assert_eq!(told.code, Some(2));
        let place = "floodwall.yaml:5:";
        assert!(
            told.stderr.contains(place) && told.stderr.contains(expected),
            "{}",
            told.stderr
        );
        assert!(
            told.stderr.contains(" listeners.web.tls."),
            "{}",
            told.stderr
        );
        floodwall.write(&wrong);
        let refused = floodwall.reload();
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
    let got = Curl::new()
        .trusting(&authority.certificate())
        .https("www.test", web, "/");
    assert_eq!(got.body, "hello", "the first files serve on");

    fs::write(&www.chain, "junk").unwrap();
    let ended = Floodwall::refuse(&good);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("listeners.web.tls.certificates[0].chain"),
        "{}",
        ended.stderr
    );
}
