//! TLS towards servers, with `openssl s_server` as one that others wrote.

use std::{
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use floodwall_tests::{Authority, Client, Floodwall, Issued, Loopback, eventually};

use crate::{front, upstream};

/// A server that answers every request with a page about its connection.
struct Server {
    address: SocketAddr,
    process: Child,
}

impl Server {
    fn start(own: &Issued, more: &[&str]) -> Self {
        let address = Loopback::free();
        let process = Command::new("openssl")
            .args(["s_server", "-www", "-accept", &address.to_string()])
            .arg("-cert")
            .arg(&own.chain)
            .arg("-key")
            .arg(&own.key)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        eventually!(TcpStream::connect(address).is_ok());
        Self { address, process }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The status of a request to this server, with these settings of TLS, and what went wrong if anything did.
fn asked(server: &Server, tls: &str) -> (u16, String) {
    let web = Loopback::free();
    let floodwall = Floodwall::start(&front(web, &[server.address], &format!("tls: {tls}")));
    let status = Client::of(web).get("/").status;
    let error = upstream(&floodwall)["servers"][0]["last_error"]["what"].clone();
    (status, error.as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_certificate_must_be_signed_by_the_authority_and_for_the_server() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let server = Server::start(&authority.issue("app", &["app.test"]), &[]);
    let (ca, other) = (authority.certificate(), other.certificate());
    let tls = |name: &str, ca: &std::path::Path| {
        format!("{{ server_name: {name}, ca: {} }}", ca.display())
    };
    assert_eq!(asked(&server, &tls("app.test", &ca)), (200, String::new()));
    for (tls, said) in [
        (tls("other.test", &ca), "not valid for name"),
        (tls("app.test", &other), "UnknownIssuer"),
        (format!("{{ ca: {} }}", ca.display()), "not valid for name"),
    ] {
        let (status, error) = asked(&server, &tls);
        assert_eq!(status, 502, "{tls}");
        assert!(error.contains(said), "{tls}: {error}");
    }
    assert_eq!(asked(&server, "{ verify: false }").0, 200);
}

#[test]
fn a_server_that_wants_a_certificate_is_shown_one() {
    let authority = Authority::new("authority");
    let ca = authority.certificate();
    let ca = ca.display().to_string();
    let wants = ["-Verify", "1", "-verify_return_error", "-CAfile", &ca];
    let server = Server::start(&authority.issue("app", &["app.test"]), &wants);
    let own = authority.issue("client", &[]).yaml();
    let tls = format!("server_name: app.test, ca: {ca}");
    assert_eq!(
        asked(&server, &format!("{{ {tls}, certificate: {own} }}")).0,
        200
    );
    assert_eq!(asked(&server, &format!("{{ {tls} }}")).0, 502);
}

#[test]
fn checks_are_as_strict_as_requests() {
    let authority = Authority::new("authority");
    let server = Server::start(&authority.issue("app", &["app.test"]), &[]);
    let more = |name: &str| {
        let ca = authority.certificate();
        format!(
            "tls: {{ server_name: {name}, ca: {} }}
    health: {{ path: /, interval: 100ms, unhealthy: 1 }}",
            ca.display()
        )
    };
    let health = |name: &str| {
        let floodwall = Floodwall::start(&front(Loopback::free(), &[server.address], &more(name)));
        eventually!(upstream(&floodwall)["servers"][0]["health"]["checks"] != 0);
        upstream(&floodwall)["servers"][0]["health"]["healthy"] == true
    };
    assert!(health("app.test") && !health("other.test"));
}

#[test]
fn a_file_that_is_no_certificate_is_a_mistake_of_the_file() {
    let authority = Authority::new("authority");
    let key = authority.issue("app", &["app.test"]).key;
    let yaml = front(
        Loopback::free(),
        &[Loopback::free()],
        &format!("tls: {{ ca: {} }}", key.display()),
    );
    let (row, column) = yaml.place_of(&key.display().to_string());
    let said = format!("floodwall.yaml:{row}:{column}: upstreams.app.tls.ca: found ");
    for answer in [
        Floodwall::check(yaml.text().as_bytes()),
        Floodwall::refuse(&yaml),
    ] {
        assert_eq!(answer.code, Some(2));
        assert!(answer.stderr.contains(&said), "{}", answer.stderr);
        assert!(
            answer.stderr.contains("no certificate but `PRIVATE KEY`"),
            "{}",
            answer.stderr
        );
    }
}
