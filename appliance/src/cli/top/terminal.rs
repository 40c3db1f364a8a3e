//! The operator's terminal: raw while it is ours, and as it was before at every end.

use std::{
    io::{self, IsTerminal, Write},
    os::fd::{AsFd, BorrowedFd},
    panic,
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal, raise},
        signalfd::{SfdFlags, SignalFd},
    },
};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::canvas::{Canvas, Size};

/// How the terminal was, as long as it is not so. The panic hook needs it wherever the panic is.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The screen beside the one with the shell's lines, without cursor and without wrapping.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// What a terminal is thought to have that does not tell.
const USUAL: Size = Size {
    width: 80,
    height: 24,
};

/// No screen has more columns or rows; a terminal that says otherwise would cost its memory.
const LARGEST: u16 = 1_000;

/// The terminal in our hands. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Terminal {
    signals: SignalFd,
    shown: Option<Canvas>,
    colours: bool,
}

/// What happened at the terminal.
#[derive(Debug, Default)]
pub(super) struct Happened {
    /// Bytes of keys.
    pub typed: Vec<u8>,
    /// Somebody rang the bell.
    pub woken: bool,
    /// The end was asked for, by a signal or because the terminal is gone.
    pub ended: bool,
}

/// Whether there is somebody to talk to, on a terminal that obeys.
pub(super) fn is_there() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    !dumb && io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Terminal {
    /// Takes the terminal. Signals are claimed for this thread and for those that it starts from here on.
    ///
    /// # Errors
    /// When there is none, or it does not obey.
    pub(super) fn enter() -> io::Result<Self> {
        let signals = claim_signals()?;
        give_back_on_panic();
        take()?;
        Ok(Self {
            signals,
            shown: None,
            // https://no-color.org
            colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        })
    }

    /// How large it is now.
    pub(super) fn size() -> Size {
        let Ok(size) = tcgetwinsize(io::stdout()) else {
            return USUAL;
        };
        match (size.ws_col.min(LARGEST), size.ws_row.min(LARGEST)) {
            (0, _) | (_, 0) => USUAL,
            (width, height) => Size {
                width: width.into(),
                height: height.into(),
            },
        }
    }

    /// Shows a canvas: only what differs from the last one is written.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn show(&mut self, canvas: Canvas) -> io::Result<()> {
        let changes = canvas.changes(self.shown.as_ref(), self.colours);
        self.shown = Some(canvas);
        write(&changes)
    }

    /// Draws everything anew the next time.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }

    /// Stops this process as the shell's job, and goes on when the shell says so.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        raise(Signal::SIGSTOP)?;
        self.resume()
    }

    fn resume(&mut self) -> io::Result<()> {
        self.forget();
        take()
    }

    /// Waits until something happens, but no longer than `patience`.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn wait(&mut self, bell: BorrowedFd, patience: Duration) -> io::Result<Happened> {
        let stdin = io::stdin();
        let mut fds = [stdin.as_fd(), self.signals.as_fd(), bell]
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        // Durations beyond what poll(2) takes come back early, which is allowed.
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = fds.map(|fd| fd.any().unwrap_or(false));
        let mut happened = Happened {
            woken: ready[2],
            ..Happened::default()
        };
        if ready[0] {
            let mut bytes = [0; 256];
            // A terminal whose other end was closed says so by an error.
            let read = match rustix::io::read(&stdin, &mut bytes) {
                Err(rustix::io::Errno::IO) => 0,
                read => read?,
            };
            happened.typed.extend_from_slice(&bytes[..read]);
            happened.ended = read == 0;
        }
        while let Some(signal) = self.signals.read_signal()? {
            match Signal::try_from(signal.ssi_signo.cast_signed()) {
                // The next drawing asks for the size.
                Ok(Signal::SIGWINCH) => {}
                // The shell has had the terminal in between.
                Ok(Signal::SIGCONT) => self.resume()?,
                _ => happened.ended = true,
            }
        }
        Ok(happened)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

fn claim_signals() -> io::Result<SignalFd> {
    let claimed: SigSet = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGWINCH,
        Signal::SIGCONT,
    ]
    .into_iter()
    .collect();
    claimed.thread_block()?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    Ok(SignalFd::with_flags(&claimed, flags)?)
}

/// A panic's words are for the shell's screen, so the terminal goes back before they are written.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let words = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            words(panic);
        }));
    });
}

fn take() -> io::Result<()> {
    let before = tcgetattr(io::stdin())?;
    let mut raw = before.clone();
    raw.make_raw();
    {
        let mut kept = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken twice, it was raw in between.
        kept.get_or_insert(before);
    }
    tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
    write(ENTER)
}

fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // A terminal that is gone has nothing to be given back.
        let _ = write(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        fs::File,
        io::Read,
        path::Path,
        process::{Command, Stdio},
    };

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// Names the terminal that `panics_on_a_terminal` is to panic on.
    const VARIABLE: &str = "FLOODWALL_TEST_PANICS";

    /// Not a test by itself: what the next one runs as a process of its own.
    #[test]
    fn panics_on_a_terminal() {
        if env::var_os(VARIABLE).is_some() {
            let _terminal = Terminal::enter().unwrap();
            panic!("as was asked");
        }
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_says_why() {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let name = Path::new(name.to_str().unwrap());
        let open = || File::options().read(true).write(true).open(name).unwrap();
        let line = open();
        let before = tcgetattr(&line).unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("cli::top::terminal::tests::panics_on_a_terminal")
            .env(VARIABLE, "1")
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()))
            .spawn()
            .unwrap();
        // Nobody writes more than the line takes without a reader.
        assert!(!child.wait().unwrap().success());
        let after = tcgetattr(&line).unwrap();
        assert_eq!(before.local_modes, after.local_modes);
        assert_eq!(before.input_modes, after.input_modes);
        drop(line);
        let mut written = Vec::new();
        // The end of a terminal without a command is an error.
        let _ = File::from(person).read_to_end(&mut written);
        let written = String::from_utf8_lossy(&written);
        let at = |words: &str| {
            written
                .find(words)
                .unwrap_or_else(|| panic!("no {words:?} in {written}"))
        };
        assert!(
            at(ENTER) < at(LEAVE) && at(LEAVE) < at("as was asked"),
            "{written}"
        );
    }
}
