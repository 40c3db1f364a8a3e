//! `promtool`, which knows what Prometheus makes of metrics and rules.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The tool of this machine: Debian's, or the one that `.ci/need` has put beside the build.
#[derive(Clone, Debug)]
pub struct Promtool(PathBuf);

impl Promtool {
    /// None where it is not installed.
    pub fn find() -> Option<Self> {
        let test = env::current_exe().ok()?;
        // TARGET/PROFILE/deps/TEST
        let beside = test.ancestors().nth(3)?.join("peers/promtool");
        let path = env::var_os("PATH").unwrap_or_default();
        let installed = env::split_paths(&path).map(|folder| folder.join("promtool"));
        installed
            .chain([beside])
            .find(|tool| tool.is_file())
            .map(Self)
    }

    /// Runs it in a folder. Anything but success fails the test, with what it said.
    pub fn succeeds(&self, folder: &Path, arguments: &[&str], input: &str) {
        let output = self.run(folder, arguments, input);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
    }

    fn run(&self, folder: &Path, arguments: &[&str], input: &str) -> Output {
        let mut tool = Command::new(&self.0)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool runs");
        let mut stdin = tool.stdin.take().expect("it was piped");
        let input = input.to_owned();
        // Beside the reading: what it says may fill a pipe before it has read everything.
        let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = tool.wait_with_output().expect("a child can be waited for");
        // It may have had enough.
        let _ = writer.join();
        output
    }
}
