use std::path::PathBuf;

use floodwall_config::Place;

use super::*;

const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBijCCATCgAwIBAgIUA2FG6P4nK0hm04aOR+Y2ONit9YowCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGYS50ZXN0MB4XDTI2MTEyMTE0MjkzMFoXDTM2MTExODE0Mjkz
MFowETEPMA0GA1UEAwwGYS50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
nP4eo2Y0Trj8U7Q2ZLmQPaABgyj5HrvHsu3P0bj+Dlt08y940OUiY9O0wW7owDJH
3kE4Sso2uh4+6yG8HOnITaNmMGQwHQYDVR0OBBYEFPuFn8LCPL2RCA0Uv2GBeJFT
6JO/MB8GA1UdIwQYMBaAFPuFn8LCPL2RCA0Uv2GBeJFT6JO/MA8GA1UdEwEB/wQF
MAMBAf8wEQYDVR0RBAowCIIGYS50ZXN0MAoGCCqGSM49BAMCA0gAMEUCIExvoYnR
SDjpJuNJ+Q3PineroAmNce8SBeow7on5MUuOAiEAxWEu4On7+deGPC3LsRDVDxfB
a8avTd4uoIm/nF6cY74=
-----END CERTIFICATE-----
";

const PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgoRLpo/7G1JeR3gZX
NTGKbxe1Wn/FGUOgpD48gXflkH6hRANCAASc/h6jZjROuPxTtDZkuZA9oAGDKPke
u8ey7c/RuP4OW3TzL3jQ5SJj07TBbujAMkfeQThKyja6Hj7rIbwc6chN
-----END PRIVATE KEY-----
";

const SEC1: &str = "\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIKES6aP+xtSXkd4GVzUxim8XtVp/xRlDoKQ+PIF35ZB+oAoGCCqGSM49
AwEHoUQDQgAEnP4eo2Y0Trj8U7Q2ZLmQPaABgyj5HrvHsu3P0bj+Dlt08y940OUi
Y9O0wW7owDJH3kE4Sso2uh4+6yG8HOnITQ==
-----END EC PRIVATE KEY-----
";

const P521_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAV3u61TskVOxQGqZe
iIDKJjqWEoK6rPSahNmwPZtRoCG+ZOWs4DT1HrgIGRO2+Zfr+/NvQ95iwIROf1uS
ubI8zo6hgYkDgYYABABJVtL6vpB3jeIE+ig5VTNKdAAyN5bOm1eArnZ6/IEm1MLP
EWBxp3OdWt3CJWcDxVWsPTpNSIHN6817bjLkuATKlgF77bnMCuFYfYl39aUt0KjU
+G/3A4HlKZCOOTwFVklI0y5MVpNd5nBNL8HNgBbRzp5sJV60ReeAidyZ9TE6FUvV
qg==
-----END PRIVATE KEY-----
";

const OTHER_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgc0cq9Kjzn1HwjJVX
OmCn9JH/vUwTpBZbCVYIBUZ0H9GhRANCAATFJUq1UXygxpcnRjDaAJdRhGTY+rEY
I5qfXPZbY15xxGlqjY7RGeuWduCGrr3isKrroC4zlPZLVbwytJ8cW9xS
-----END PRIVATE KEY-----
";

const ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjaU1m03+YsHgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJy89zLZ3zSySVnOLzhnn/gEgZBM
P+rZaQMnTmcQ/Q5c1jnT4nTCUxEKCVjyeqbOVQ5TW6jJ+FWy1vEp4hLO+CsxwZjA
1piSafqIxAYD7rkidLijM0T3TaSjlpGRfZQ/K8wi8T82BnXwP5cQ491l9YPZTkyD
/O6qmMDePJw71GpXhIbKtj1YNFSPhe3Pd2z5R0ibqpnwj9OGTgZgT9wZo+9/w0w=
-----END ENCRYPTED PRIVATE KEY-----
";

/// The file with this content that line 3 of a configuration names.
fn file(folder: &tempfile::TempDir, name: &str, content: &str) -> NamedFile {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    named(path)
}

fn named(path: PathBuf) -> NamedFile {
    let place = Place { line: 3, column: 9 };
    NamedFile::new(path, PathBuf::from("f.yaml"), place, "a.b".to_owned())
}

fn said(problem: &Problem) -> String {
    problem.to_string()
}

#[test]
fn a_chain_and_its_key_in_each_format_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let chain = file(&folder, "chain", &CERTIFICATE.repeat(2));
    for key in [PKCS8, SEC1] {
        let key = file(&folder, "key", key);
        assert_eq!(certified_key(&chain, &key).unwrap().cert.len(), 2);
    }
    let both = file(&folder, "both", &format!("{CERTIFICATE}{PKCS8}"));
    assert!(certified_key(&both, &both).is_ok());
    assert_eq!(authorities(&chain).unwrap().len(), 2);
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (
        file(&folder, "chain", CERTIFICATE),
        file(&folder, "key", OTHER_KEY),
    );
    let problem = said(&certified_key(&chain, &key).unwrap_err());
    assert!(problem.starts_with("f.yaml:3:9: a.b: found "), "{problem}");
    assert!(
        problem.contains("/key, which is not the key of the certificate"),
        "{problem}"
    );
}

#[test]
fn a_key_that_nobody_here_can_use_is_told_from_a_broken_file() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (
        file(&folder, "chain", CERTIFICATE),
        file(&folder, "key", P521_KEY),
    );
    let problem = said(&certified_key(&chain, &key).unwrap_err());
    assert!(
        problem.contains("/key, whose key is of another kind or size; allowed: an RSA key"),
        "{problem}"
    );
}

#[test]
fn what_a_file_has_instead_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let broken = CERTIFICATE.replace("MII", "AAA");
    let torn = &CERTIFICATE[..200];
    for (content, expected) in [
        ("", "no certificate but no PEM section at all"),
        ("\x30\x03abc", "no PEM section at all"),
        (PKCS8, "no certificate but `PRIVATE KEY`"),
        (&broken, "certificate 1 cannot be used"),
        (torn, "no proper PEM"),
    ] {
        let file = file(&folder, "f", content);
        for problem in [chain(&file).unwrap_err(), authorities(&file).unwrap_err()] {
            assert!(said(&problem).contains(expected), "{problem}");
        }
    }
    for (content, expected) in [
        (CERTIFICATE, "no private key but `CERTIFICATE`"),
        (ENCRYPTED, "no private key but `ENCRYPTED PRIVATE KEY`"),
        (&PKCS8.repeat(2), "2 private keys"),
    ] {
        let problem = said(&key(&file(&folder, "f", content)).unwrap_err());
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let missing = named(folder.path().join("none"));
    assert!(said(&chain(&missing).unwrap_err()).contains("cannot be read: No such file"));
    let itself = named(folder.path().to_owned());
    assert!(said(&key(&itself).unwrap_err()).contains("no regular file"));
    let large = file(&folder, "large", &"#".repeat(2 << 20));
    assert!(said(&chain(&large).unwrap_err()).contains("larger than 1 MiB"));
}
