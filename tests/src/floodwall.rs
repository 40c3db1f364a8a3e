//! The service as its operator has it: a file, a process, signals, and the command line.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::{Group, Host, Terminal, Yaml, binary, notify::Manager, scratch::Scratch, wait};

/// What the files in the service's folder are called.
const FILE: &str = "floodwall.yaml";
const SOCKET: &str = "floodwall.sock";
const ACCESS_LOG: &str = "access.log";
const LOG: &str = "floodwall.log";
const MANAGER: &str = "notify.sock";

/// The user whom nothing belongs to.
const NOBODY: u32 = 65_534;

/// Where and as whom the service is to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Launch<'h> {
    host: Option<&'h Host>,
    user: Option<u32>,
    hosts: Option<&'h Path>,
    group: Option<&'h Group>,
}

/// A running service; killed when dropped.
#[derive(Debug)]
pub struct Floodwall<'h> {
    process: Child,
    /// The process that serves now, when it is not the one that was started here.
    successor: Option<Pid>,
    manager: Manager,
    launch: Launch<'h>,
    folder: Scratch,
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl<'h> Launch<'h> {
    /// Runs in a host's network namespace.
    #[must_use]
    pub fn on(self, host: &'h Host) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    /// Runs as a user without any privilege.
    #[must_use]
    pub fn as_nobody(self) -> Self {
        Self {
            user: Some(NOBODY),
            ..self
        }
    }

    /// Looks names up in this file instead of `/etc/hosts`. Written anew in place it is seen at once.
    #[must_use]
    pub fn with_hosts(self, hosts: &'h Path) -> Self {
        Self {
            hosts: Some(hosts),
            ..self
        }
    }

    /// Runs in a control group.
    #[must_use]
    pub fn within(self, group: &'h Group) -> Self {
        Self {
            group: Some(group),
            ..self
        }
    }

    /// Starts the service, and returns when it says that it is ready.
    pub fn start(self, yaml: &Yaml) -> Floodwall<'h> {
        let folder = Scratch::new();
        folder.write(FILE, yaml.text());
        let manager = Manager::at(&folder.join(MANAGER));
        if let Some(user) = self.user {
            folder.give_to(user);
        }
        let process = self.spawn(&folder);
        let mut floodwall = Floodwall {
            process,
            successor: None,
            manager,
            launch: self,
            folder,
        };
        floodwall.await_ready(1);
        floodwall
    }

    /// Runs a command with a file that no service runs.
    pub fn command_with_file(self, yaml: &Yaml, arguments: &[&str]) -> Answer {
        let folder = Scratch::new();
        let file = folder.write(FILE, yaml.text());
        if let Some(user) = self.user {
            folder.give_to(user);
        }
        run(self.command(&folder).args(arguments).arg("-c").arg(file))
    }

    fn spawn(self, folder: &Scratch) -> Child {
        let append = |name: &str| {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(folder.join(name));
            Stdio::from(file.expect("the folder takes files"))
        };
        self.command(folder)
            .args(["run", "-c"])
            .arg(folder.join(FILE))
            .env("NOTIFY_SOCKET", folder.join(MANAGER))
            .stdin(Stdio::null())
            .stdout(append(ACCESS_LOG))
            .stderr(append(LOG))
            .spawn()
            .expect("the binary runs")
    }

    /// The binary, behind what puts it into its namespace and takes its privileges.
    fn command(self, folder: &Scratch) -> Command {
        let mut words: Vec<PathBuf> = Vec::new();
        if let Some(group) = self.group {
            words.extend(group.words());
        }
        if let Some(host) = self.host {
            // Not `ip netns exec`, which hides /sys/fs/bpf.
            words.extend([
                "nsenter".into(),
                format!("--net={}", host.path().display()).into(),
            ]);
        }
        if let Some(hosts) = self.hosts {
            let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
            words.extend(["unshare", "--mount", "sh", "-c", script].map(PathBuf::from));
            words.push(hosts.to_owned());
        }
        if let Some(user) = self.user {
            let options = [
                format!("--reuid={user}"),
                format!("--regid={user}"),
                "--clear-groups".into(),
            ];
            words.push("setpriv".into());
            words.extend(options.map(PathBuf::from));
            words.push(folder.copy_in(binary::path()));
        } else {
            words.push(binary::path().into());
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

impl Floodwall<'static> {
    /// Starts the service here, as whoever runs the test.
    pub fn start(yaml: &Yaml) -> Self {
        Launch::default().start(yaml)
    }

    /// Runs the service with a file that it does not take, and returns what it said when it ended.
    pub fn refuse(yaml: &Yaml) -> Answer {
        let folder = Scratch::new();
        let file = folder.write(FILE, yaml.text());
        run(Command::new(binary::path()).args(["run", "-c"]).arg(file))
    }

    /// `floodwall check` of a file with these bytes.
    pub fn check(bytes: &[u8]) -> Answer {
        let folder = Scratch::new();
        let file = folder.join(FILE);
        fs::write(&file, bytes).expect("the folder takes files");
        let mut answer = run(Command::new(binary::path())
            .args(["check", "-c"])
            .arg(&file));
        let name = format!("{}", file.display());
        answer.stdout = answer.stdout.replace(&name, FILE);
        answer.stderr = answer.stderr.replace(&name, FILE);
        answer
    }

    /// `floodwall` with these arguments and a file that no service runs.
    pub fn with_file(yaml: &Yaml, arguments: &[&str]) -> Answer {
        Launch::default().command_with_file(yaml, arguments)
    }

    /// The same under a program that runs another one, such as `prlimit`.
    pub fn with_file_under(mut program: Command, yaml: &Yaml, arguments: &[&str]) -> Answer {
        let folder = Scratch::new();
        let file = folder.write(FILE, yaml.text());
        program
            .arg(binary::path())
            .args(arguments)
            .arg("-c")
            .arg(file);
        run(&mut program)
    }

    /// `floodwall` with these arguments, and no service.
    pub fn command(arguments: &[&str]) -> Answer {
        run(Command::new(binary::path()).args(arguments))
    }
}

impl Floodwall<'_> {
    pub fn pid(&self) -> u32 {
        let successor = self
            .successor
            .and_then(|pid| u32::try_from(pid.as_raw()).ok());
        successor.unwrap_or_else(|| self.process.id())
    }

    /// Bytes of memory that it has.
    pub fn resident(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
        kib.expect("a number of kB") << 10
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of the file.
    pub fn file(&self) -> String {
        self.folder.join(FILE).display().to_string()
    }

    /// Rewrites the file, all at once.
    pub fn write(&self, yaml: &Yaml) {
        self.folder.write(FILE, yaml.text());
    }

    /// A command that asks the running service, such as `status`.
    pub fn ask(&self, arguments: &[&str]) -> Answer {
        run(Command::new(binary::path())
            .args(arguments)
            .arg("--socket")
            .arg(self.socket()))
    }

    /// The same with this on its standard input.
    pub fn tell(&self, arguments: &[&str], input: &str) -> Answer {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(input.as_bytes())
            .and_then(|()| file.rewind())
            .expect("a file can be written and read");
        let mut command = Command::new(binary::path());
        command.args(arguments).arg("--socket").arg(self.socket());
        answer(command.stdin(file))
    }

    /// The same as a user and a group that have no privilege, and may reach the folder; only root can ask so.
    pub fn ask_as(&self, user: u32, group: u32, arguments: &[&str]) -> Answer {
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.folder.path(), everybody).expect("the folder is ours");
        let program = self.folder.copy_in(binary::path());
        let mut command = Command::new("setpriv");
        command
            .args([format!("--reuid={user}"), format!("--regid={group}")])
            .arg("--clear-groups")
            .arg(program)
            .args(arguments)
            .arg("--socket")
            .arg(self.socket());
        run(&mut command)
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(SOCKET)
    }

    /// The same, from a user without any privilege, who has a copy of the program.
    pub fn ask_as_nobody(&self, arguments: &[&str]) -> Answer {
        let home = Scratch::new();
        home.give_to(NOBODY);
        run(Launch::default()
            .as_nobody()
            .command(&home)
            .args(arguments)
            .arg("--socket")
            .arg(self.folder.join(SOCKET)))
    }

    /// A command that asks the running service, on a terminal with so many columns and rows, and with this
    /// environment beside the usual one.
    pub fn on_terminal(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        size: (u16, u16),
    ) -> Terminal {
        let socket = self.folder.join(SOCKET);
        let socket = socket.to_str().expect("a plain path");
        let arguments = [arguments, &["--socket", socket]].concat();
        Terminal::run(binary::path(), &arguments, environment, size)
    }

    /// `floodwall status --json`. No answer fails the test.
    pub fn status(&self) -> Value {
        self.json(&["status", "--json"])
    }

    /// How many requests ended with a status of this class, such as `2xx`. A request is counted after its response
    /// is written.
    pub fn finished(&self, class: &str) -> usize {
        let status = self.status();
        let classes = status["requests"]["finished"].as_array();
        let class = classes
            .into_iter()
            .flatten()
            .find(|each| each["class"] == class);
        let count = class
            .and_then(|class| class["count"].as_u64())
            .expect("every class is there");
        usize::try_from(count).expect("a test is short")
    }

    /// `floodwall blocks list --json`. No answer fails the test.
    pub fn blocks(&self) -> Vec<Value> {
        let blocks = self.json(&["blocks", "list", "--json"]);
        blocks.as_array().expect("a list").clone()
    }

    /// A command whose answer is JSON. Anything else fails the test.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.ask(arguments);
        assert_eq!(answer.code, Some(0), "{arguments:?}: {}", answer.stderr);
        serde_json::from_str(&answer.stdout).expect("one JSON document")
    }

    /// `floodwall reload`.
    pub fn reload(&self) -> Answer {
        self.ask(&["reload"])
    }

    /// SIGHUP; returns when the reload is over, whatever became of it, as the service manager is told.
    pub fn hang_up(&self) {
        let before = self.times_ready();
        self.signal(Signal::SIGHUP);
        let over = wait::until(wait::PATIENCE, || {
            (self.times_ready() > before).then_some(())
        });
        assert!(over.is_some(), "no end of the reload:\n{}", self.log());
    }

    /// SIGQUIT; returns when a new process serves and answers its operators, whose predecessor has heard of it and may
    /// still finish what it has.
    pub fn hand_over(&mut self) {
        let handed_over = || self.log().matches("handed over: ").count();
        let (before, old, handovers) = (self.times_ready(), self.pid(), handed_over());
        self.signal(Signal::SIGQUIT);
        let over = wait::until(wait::PATIENCE * 3, || {
            let main = self.manager.heard().iter().rev().find_map(|line| {
                let pid = line.strip_prefix("MAINPID=")?;
                pid.parse::<i32>().ok()
            })?;
            let is_new = u32::try_from(main) != Ok(old) && self.times_ready() > before;
            let is_over = is_new && handed_over() > handovers && self.status()["pid"] == main;
            is_over.then(|| Pid::from_raw(main))
        });
        assert!(over.is_some(), "no new process:\n{}", self.log());
        self.successor = over;
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process has a small number");
        kill(Pid::from_raw(pid), signal).expect("the service still runs");
    }

    /// Kills the process with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.kill().expect("the service still runs");
        self.process.wait().expect("a child can be waited for");
    }

    /// Starts a process again on the same folder, and waits until it is ready.
    pub fn start_again(&mut self) {
        // What the last process said is not what this one will say.
        self.manager.hear_all();
        let before = self.times_ready();
        self.process = self.launch.spawn(&self.folder);
        self.await_ready(before + 1);
    }

    /// Waits until the process has ended by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let ended = wait::until(within, || {
            self.process.try_wait().expect("a child can be waited for")
        });
        ended.unwrap_or_else(|| panic!("still running after {within:?}:\n{}", self.log()))
    }

    /// The service's own log.
    pub fn log(&self) -> String {
        self.folder.read(LOG)
    }

    /// The lines of the access log that are written by now.
    pub fn access_log(&self) -> Vec<Value> {
        let text = self.folder.read(ACCESS_LOG);
        // The last line may be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is one JSON object"))
            .collect()
    }

    /// The first line of the access log that `wanted` picks, as soon as it is there.
    pub fn logged(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = wait::until(wait::PATIENCE, || {
            self.access_log().into_iter().find(&wanted)
        });
        line.unwrap_or_else(|| {
            panic!(
                "no such line in the access log:\n{}",
                self.folder.read(ACCESS_LOG)
            )
        })
    }

    fn times_ready(&self) -> usize {
        self.manager
            .heard()
            .iter()
            .filter(|line| *line == "READY=1")
            .count()
    }

    fn await_ready(&mut self, times: usize) {
        let ready = wait::until(wait::PATIENCE, || {
            let ended = self.process.try_wait().expect("a child can be waited for");
            assert!(
                ended.is_none(),
                "it ended instead of starting: {ended:?}\n{}",
                self.log()
            );
            (self.times_ready() >= times).then_some(())
        });
        assert!(ready.is_some(), "it is not ready:\n{}", self.log());
    }
}

impl Drop for Floodwall<'_> {
    fn drop(&mut self) {
        // It may have been killed or have ended before.
        if let Some(successor) = self.successor {
            let _ = kill(successor, Signal::SIGKILL);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- the service's log ---\n{}", self.log());
        }
    }
}

fn run(command: &mut Command) -> Answer {
    answer(command.stdin(Stdio::null()))
}

fn answer(command: &mut Command) -> Answer {
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Answer {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
