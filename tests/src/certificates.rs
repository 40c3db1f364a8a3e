//! An authority that issues certificates, as `openssl` makes them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
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

    /// A certificate for a host that ended long ago, signed by its own key.
    pub fn issue_expired(&self, file: &str, host: &str) -> Issued {
        let issued = Issued {
            chain: self.folder.join(&format!("{file}.pem")),
            key: self.folder.join(&format!("{file}.key")),
        };
        let (request, folder) = (self.folder.join("request.pem"), self.folder.path());
        openssl(&[
            &["req", "-newkey", "ec", "-nodes", "-subj", "/CN=expired"][..],
            &["-pkeyopt", "ec_paramgen_curve:P-256"],
            &["-addext", &format!("subjectAltName=DNS:{host}")],
            &["-out", path(&request), "-keyout", path(&issued.key)],
        ]);
        // Only `ca` takes dates in every version of openssl; it wants a book of what it has signed.
        let book = self.file("book", b"");
        let settings = format!(
            "[ca]\ndefault_ca = it\n[it]\ndatabase = {}\nnew_certs_dir = {}\nrand_serial = yes\n\
             default_md = sha256\ncopy_extensions = copy\npolicy = any\n[any]\ncommonName = supplied\n",
            book.display(),
            folder.display()
        );
        let settings = self.file("settings", settings.as_bytes());
        openssl(&[
            &[
                "ca",
                "-batch",
                "-notext",
                "-selfsign",
                "-config",
                path(&settings),
            ][..],
            &["-startdate", "200101000000Z", "-enddate", "200201000000Z"],
            &[
                "-in",
                path(&request),
                "-keyfile",
                path(&issued.key),
                "-out",
                path(&issued.chain),
            ],
        ]);
        issued
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
        openssl(&[
            &["req", "-x509", "-newkey", "ec", "-nodes", "-days", "30"][..],
            &["-pkeyopt", "ec_paramgen_curve:P-256"],
            &["-subj", &format!("/CN={subject}")],
            &["-out", path(&issued.chain), "-keyout", path(&issued.key)],
            more,
        ]);
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

fn openssl(arguments: &[&[&str]]) {
    let output = Command::new("openssl")
        .args(arguments.concat())
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
