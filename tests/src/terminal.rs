//! A pseudo-terminal with a command on it: what is typed goes in, and what its screen shows comes out.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Termios, Winsize, tcgetattr, tcsetwinsize},
};

use crate::wait;

/// The terminal. The command is killed when it is dropped.
#[derive(Debug)]
pub struct Terminal {
    /// The end where a person sits.
    person: File,
    /// The command's end, kept open so that its settings can be read after the command.
    line: File,
    before: Termios,
    process: Child,
    shown: Arc<Mutex<Shown>>,
}

/// What came out.
struct Shown {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    /// Runs a program on a new terminal of this size.
    pub(crate) fn run(
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        (columns, rows): (u16, u16),
    ) -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let person = person.expect("the system has a pseudo-terminal");
        grantpt(&person).expect("it is ours");
        unlockpt(&person).expect("it can be opened");
        let name = ptsname(&person, Vec::new()).expect("it has a name");
        let name = Path::new(name.to_str().expect("a plain path")).to_owned();
        let open = || {
            let mut options = File::options();
            options
                .read(true)
                .write(true)
                .open(&name)
                .expect("it opens")
        };
        let person = File::from(person);
        resize(&person, columns, rows);
        let line = open();
        let before = tcgetattr(&line).expect("it has settings");
        // The terminal is to be the command's own, as a shell's is.
        let process = Command::new("setsid")
            .arg("--ctty")
            .arg(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()))
            .spawn()
            .expect("the command runs");
        let shown = Arc::new(Mutex::new(Shown {
            screen: vt100::Parser::new(rows, columns, 0),
            bytes: Vec::new(),
        }));
        let reader = person.try_clone().expect("a descriptor is left");
        let written = Arc::clone(&shown);
        // It ends with the last descriptor of the command's end.
        thread::spawn(move || read(reader, &written));
        Self {
            person,
            line,
            before,
            process,
            shown,
        }
    }

    /// Types these bytes, as keys send them.
    pub fn type_in(&mut self, keys: &str) {
        self.person
            .write_all(keys.as_bytes())
            .expect("somebody reads");
    }

    /// Makes the screen larger or smaller.
    pub fn resize(&self, columns: u16, rows: u16) {
        let mut shown = self.shown();
        shown.screen.screen_mut().set_size(rows, columns);
        resize(&self.person, columns, rows);
    }

    /// What the screen shows: its lines, without the blanks at their ends.
    pub fn screen(&self) -> String {
        self.shown().screen.screen().contents()
    }

    /// Everything that was written so far.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.shown().bytes).into_owned()
    }

    /// Waits until the screen shows these words. A screen that never does fails the test.
    pub fn await_words(&self, words: &str) {
        self.await_screen(words, |screen| screen.contains(words));
    }

    /// Waits until the screen is as wanted.
    pub fn await_screen(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let seen = wait::until(wait::PATIENCE, || wanted(&self.screen()).then_some(()));
        assert!(
            seen.is_some(),
            "no {what} on the screen:\n{}",
            self.screen()
        );
    }

    /// Whether the terminal is as it was before the command: its settings, its cursor, and the shell's own screen.
    pub fn is_as_before(&self) -> bool {
        let now = tcgetattr(&self.line).expect("it has settings");
        let modes = |settings: &Termios| {
            let Termios {
                input_modes,
                output_modes,
                control_modes,
                local_modes,
                ..
            } = settings;
            (*input_modes, *output_modes, *control_modes, *local_modes)
        };
        let shown = self.shown();
        let screen = shown.screen.screen();
        modes(&now) == modes(&self.before) && !screen.alternate_screen() && !screen.hide_cursor()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).expect("a process has a small number");
        kill(Pid::from_raw(pid), signal).expect("the command still runs");
    }

    /// Waits until the command has ended by itself.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let ended = wait::until(within, || {
            self.process.try_wait().expect("a child can be waited for")
        });
        ended.unwrap_or_else(|| panic!("still running:\n{}", self.screen()))
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

fn resize(terminal: &File, columns: u16, rows: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("a terminal has a size");
}

fn read(mut person: File, shown: &Mutex<Shown>) {
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = person.read(&mut bytes) {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.screen.process(&bytes[..length]);
        shown.bytes.extend_from_slice(&bytes[..length]);
    }
}
