//! An authority that issues certificates, as `openssl` makes them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::scratch::Scratch;

/// An authority, with a folder for what it issues.
#[derive(Debug)]
pub struct Authority {
    folder: Scratch,
    name: String,
}

/// A certificate and its key, in files.
#[derive(Clone, Debug)]
pub struct Issued {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let authority = Self {
            folder: Scratch::new(),
            name: name.to_owned(),
        };
        authority.make("ca", name, &[]);
        authority
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for hosts, in files of this name; those of the same name are replaced.
    pub fn issue(&self, file: &str, hosts: &[&str]) -> Issued {
        let names: Vec<_> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
        let names = format!("subjectAltName={}", names.join(","));
        let (chain, key) = (self.certificate(), self.folder.join("ca.key"));
        let mut more = vec!["-CA", path(&chain), "-CAkey", path(&key)];
        more.extend(["-addext", "basicConstraints=critical,CA:FALSE"]);
        if !hosts.is_empty() {
            more.extend(["-addext", &names]);
        }
        let subject = format!("{file} of {}", self.name);
        self.make(file, &subject, &more)
    }

    /// A path in its folder, for what else belongs there.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, content).expect("the folder takes files");
        path
    }

    fn make(&self, file: &str, subject: &str, more: &[&str]) -> Issued {
        let issued = Issued {
            chain: self.folder.join(&format!("{file}.pem")),
            key: self.folder.join(&format!("{file}.key")),
        };
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "30"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-subj", &format!("/CN={subject}")])
            .args(["-out", path(&issued.chain), "-keyout", path(&issued.key)])
            .args(more)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("openssl is installed");
        assert!(made.success(), "openssl does not make {file}");
        issued
    }
}

impl Issued {
    /// An entry of `certificates`.
    pub fn yaml(&self) -> String {
        let (chain, key) = (self.chain.display(), self.key.display());
        format!("{{ chain: {chain}, key: {key} }}")
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
