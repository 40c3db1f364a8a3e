use std::path::{Path, PathBuf};

use floodwall_config::Place;

use super::*;

/// A file beside this one, as line 3 of a configuration names it.
fn file(name: &str) -> NamedFile {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/tls/certificates/tests");
    let place = Place { line: 3, column: 9 };
    NamedFile::new(
        folder.join(name),
        PathBuf::from("f.yaml"),
        place,
        "a.b".to_owned(),
    )
}

/// The first is for `a.test` and `*.b.test`, the second for `x.b.test` and `c.test`; from 2026 to 2036.
fn both() -> Certificates {
    let wanted = ["first", "second"].map(|name| config::Certificate {
        chain: file(&format!("{name}.pem")),
        key: file(&format!("{name}.key")),
        ocsp: None,
    });
    Certificates::load(&wanted).unwrap()
}

#[test]
fn a_whole_name_goes_before_a_wildcard_which_is_one_label() {
    let certificates = both();
    for (host, expected) in [
        ("a.test", Some(0)),
        ("A.TEST.", Some(0)),
        ("y.b.test", Some(0)),
        ("x.b.test", Some(1)),
        ("c.test", Some(1)),
        ("b.test", None),
        ("z.y.b.test", None),
        ("", None),
        ("192.0.2.1", None),
    ] {
        let found = certificates.for_host(host).map(|places| places[0]);
        assert_eq!(found, expected, "{host}");
    }
}

#[test]
fn a_host_of_another_certificate_is_not_served() {
    let certificates = both();
    for (name, host, expected) in [
        (Some("a.test"), "a.test", true),
        (Some("a.test"), "y.b.test", true),
        (Some("a.test"), "c.test", false),
        (Some("y.b.test"), "x.b.test", false),
        (Some("c.test"), "x.b.test", true),
        (Some("a.test"), "unknown.test", true),
        (Some("unknown.test"), "a.test", true),
        (Some("unknown.test"), "c.test", false),
        (None, "a.test", true),
        (None, "c.test", false),
    ] {
        assert_eq!(certificates.agree(name, host), expected, "{name:?} {host}");
    }
}

#[test]
fn what_is_not_valid_now_is_told() {
    let certificates = both();
    let warnings = |year: i64| {
        let warnings: Vec<_> = certificates.warnings((year - 1970) * 31_556_952).collect();
        warnings.join("; ")
    };
    assert_eq!(warnings(2030), "");
    assert!(warnings(2020).contains("first.pem: the certificate is not valid yet"));
    assert!(warnings(2040).contains("second.pem: the certificate has expired"));
}

#[test]
fn only_the_same_bytes_are_the_same() {
    assert!(both().same(&both()));
    let other = Certificates::load(&[config::Certificate {
        chain: file("second.pem"),
        key: file("second.key"),
        ocsp: None,
    }]);
    assert!(!both().same(&other.unwrap()));
}

#[test]
fn a_staple_is_a_response_of_success() {
    let folder = tempfile::tempdir().unwrap();
    let said = |bytes: &[u8]| {
        let path = folder.path().join("ocsp");
        std::fs::write(&path, bytes).unwrap();
        let place = Place { line: 3, column: 9 };
        staple(&NamedFile::new(
            path,
            PathBuf::from("f.yaml"),
            place,
            "a.b".to_owned(),
        ))
        .map_err(|problem| problem.to_string())
    };
    assert!(said(&[0x30, 3, 0x0a, 1, 0]).is_ok());
    assert!(said(&[0x30, 0x82, 0, 3, 0x0a, 1, 0]).is_ok());
    assert!(
        said(&[0x30, 3, 0x0a, 1, 6])
            .unwrap_err()
            .contains("a question that failed")
    );
    for wrong in [&b""[..], b"0", b"\x30\xff", b"-----BEGIN"] {
        assert!(said(wrong).unwrap_err().contains("no OCSP response"));
    }
}
