//! A certificate for the measured servers: P-256, signed by itself, as new ones mostly are P-256 today.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};

/// The files of one certificate.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(crate) bundle: PathBuf,
}

impl Certificate {
    /// Makes one that lasts as long as the process.
    pub(crate) fn make() -> anyhow::Result<&'static Self> {
        let folder = tempfile::Builder::new()
            .prefix("floodwall-bench-tls-")
            .tempdir()?
            .keep();
        let file = |name: &str| folder.join(name);
        let made = Self {
            chain: file("chain.pem"),
            key: file("key.pem"),
            bundle: file("bundle.pem"),
        };
        let output = Command::new("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
            .args(["-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.chain)
            .output()
            .context("starting openssl")?;
        ensure!(
            output.status.success(),
            "openssl: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let both = [fs::read(&made.chain)?, fs::read(&made.key)?].concat();
        fs::write(&made.bundle, both)?;
        Ok(Box::leak(Box::new(made)))
    }
}
