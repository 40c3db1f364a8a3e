//! What the service writes: its state, its sockets, its log.

use std::path::{Path, PathBuf};

use floodwall_config::AccessLog;
use nix::unistd::{AccessFlags, access};

use super::{Finding, Patient, Verdict};

const AREA: &str = "files";

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let config = patient.config;
    if patient.running.is_some() {
        // It has them open, and as another user perhaps than this one.
        return vec![Finding::ok(
            AREA,
            "paths",
            "the service has opened what it writes",
        )];
    }
    let mut findings = Vec::new();
    if let Some(folder) = &config.state {
        findings.push(folder_for("state", folder));
    }
    if let Some(folder) = config.admin.socket.parent() {
        findings.push(folder_for("admin.socket", folder));
    }
    if let AccessLog::File(path) = &config.log.access {
        findings.push(log(path));
    }
    findings
}

/// A folder that the service makes when there is none.
fn folder_for(key: &str, folder: &Path) -> Finding {
    let there = nearest(folder);
    let found = Finding::ok(AREA, key, folder.display().to_string());
    match access(&there, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) => found,
        Err(error) => {
            let words = format!(
                "{}: {} cannot be written by this user: {error}",
                folder.display(),
                there.display()
            );
            not_writable(key, words, &there)
        }
    }
}

fn log(path: &Path) -> Finding {
    match access(path, AccessFlags::W_OK) {
        Ok(()) => Finding::ok(AREA, "log.access", path.display().to_string()),
        Err(nix::errno::Errno::ENOENT) => {
            folder_for("log.access", path.parent().unwrap_or(Path::new("/")))
        }
        Err(error) => {
            let words = format!("{} cannot be written by this user: {error}", path.display());
            not_writable("log.access", words, path)
        }
    }
}

fn not_writable(key: &str, found: String, path: &Path) -> Finding {
    Finding::ok(AREA, key, found).but(
        Verdict::Problem,
        "the service started by this user does not start",
        format!(
            "chown floodwall: {}, or start it as who owns it: systemctl start floodwall",
            path.display()
        ),
    )
}

/// The path itself, or the folder nearest to it that is there.
fn nearest(path: &Path) -> PathBuf {
    let mut above = path.ancestors();
    above
        .find(|each| each.exists())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_judged_by_the_folder_above() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        assert_eq!(nearest(&deep), folder.path());
        assert_eq!(folder_for("state", &deep).verdict, Verdict::Ok);
        assert_eq!(log(&deep).verdict, Verdict::Ok);
    }

    #[test]
    fn what_nobody_may_write_is_a_problem() {
        // Not even root writes to a file system of the kernel's own.
        assert_eq!(
            folder_for("state", Path::new("/proc/1/floodwall")).verdict,
            Verdict::Problem
        );
    }
}
