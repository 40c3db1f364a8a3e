//! Clients that others wrote: `curl` and `openssl s_client`.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
};

/// `curl`, before it runs.
#[derive(Debug)]
pub struct Curl(Command);

/// What `curl` got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// 0 when there was no response.
    pub status: u16,
    pub body: String,
    /// `curl`'s own exit code.
    pub code: Option<i32>,
    /// What `curl` says when something goes wrong.
    pub complaint: String,
}

impl Curl {
    pub fn new() -> Self {
        let mut command = Command::new("curl");
        // No proxy, no configuration of whoever runs the test.
        command
            .args(["-q", "--noproxy", "*", "-sS", "--max-time", "10"])
            .args(["-w", "\n%{http_code}"]);
        Self(command)
    }

    /// Trusts this authority alone.
    #[must_use]
    pub fn trusting(self, authority: &Path) -> Self {
        self.with("--cacert", authority.to_str().unwrap_or_default())
    }

    /// Shows this certificate.
    #[must_use]
    pub fn showing(self, issued: &crate::Issued) -> Self {
        let chain = issued.chain.to_str().unwrap_or_default();
        let key = issued.key.to_str().unwrap_or_default();
        self.with("--cert", chain).with("--key", key)
    }

    /// Adds an option with its value.
    #[must_use]
    pub fn with(mut self, option: &str, value: &str) -> Self {
        self.0.args([option, value]);
        self
    }

    /// Adds an option without a value.
    #[must_use]
    pub fn flag(mut self, option: &str) -> Self {
        self.0.arg(option);
        self
    }

    /// Gets a path of a host by HTTPS, at this address whatever the host's is.
    pub fn https(self, host: &str, at: SocketAddr, path: &str) -> Got {
        let (port, ip) = (at.port(), at.ip());
        self.with("--resolve", &format!("{host}:{port}:{ip}"))
            .get(&format!("https://{host}:{port}{path}"))
    }

    pub fn get(mut self, url: &str) -> Got {
        let output = self.0.arg(url).output().expect("curl is installed");
        let text = text(&output);
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        Got {
            status: status.parse().unwrap_or(0),
            body: body.to_owned(),
            code: output.status.code(),
            complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Default for Curl {
    fn default() -> Self {
        Self::new()
    }
}

/// All that `openssl s_client` says of a handshake with these options, and of the response to one request.
pub fn s_client(at: SocketAddr, options: &[&str]) -> String {
    let mut client = Command::new("openssl")
        .args(["s_client", "-ign_eof", "-connect", &at.to_string()])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let request = b"GET / HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n";
    if let Some(mut input) = client.stdin.take() {
        // It may have ended already: a handshake that failed is an answer too.
        let _ = std::io::Write::write_all(&mut input, request);
    }
    let output = client
        .wait_with_output()
        .expect("a child can be waited for");
    text(&output) + &String::from_utf8_lossy(&output.stderr)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
