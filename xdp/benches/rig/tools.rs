//! The tools of the system that set things up and that are compared with.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Runs a command line, with nothing to read.
pub(crate) fn run(line: &str) -> Result<String, crate::Failure> {
    feed(line, "")
}

/// Runs a command line that reads `input`, and tells what it printed.
pub(crate) fn feed(line: &str, input: &str) -> Result<String, crate::Failure> {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    let mut child = Command::new(name)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{line}: {error}").into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
