//! One path from a changed file to a new generation, for SIGHUP and for `floodwall reload`.
//!
//! Everything that can fail comes first. A file that is refused has changed nothing in either layer.

mod compare;
mod history;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use floodwall_config::{self as config, Config, Problems};
use serde::{Deserialize, Serialize};

pub use self::{
    compare::Comparison,
    history::{Outcome, Passage},
};
use history::History;

use crate::{
    access_log::{Sink, timestamp},
    generation::Generation,
    host::Host,
    log::Log,
    protection,
    systemd::Manager,
    upstream,
};

/// So long a reload waits for names of servers that are new. Requests go on meanwhile.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);

/// Makes new generations, one at a time.
#[derive(Debug)]
pub struct Reloader {
    host: Arc<Host>,
    file: PathBuf,
    log: Log,
    manager: Arc<Manager>,
    /// Held for a whole reload.
    turn: Mutex<()>,
    past: Mutex<Past>,
}

#[derive(Debug)]
struct Past {
    /// The text of the running generation's file.
    text: String,
    last: Option<LastReload>,
    history: History,
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastReload {
    /// RFC 3339, in UTC.
    pub at: String,
    pub ok: bool,
    /// What changed, in words; empty after a refusal.
    pub changes: Vec<String>,
    /// Why it was refused; empty after success.
    pub problems: Vec<String>,
}

/// A reload that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    pub file: PathBuf,
    pub from: u64,
    pub to: u64,
    /// What changed, in words.
    pub changes: Vec<String>,
    pub duration_seconds: f64,
}

/// A reload that was not, so that nothing has changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    pub file: PathBuf,
    pub because: Because,
    /// Everything that is wrong, as `floodwall check` prints it.
    pub problems: Vec<String>,
    /// The generation that goes on running.
    pub running: u64,
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The file is wrong.
    File,
    /// The file is right, but changes what only a restart can.
    RestartOnly,
    /// The kernel did not take the new pre-filter.
    Kernel,
}

impl Reloader {
    /// Prepares for reloads of the file that the host's generation came from, with this `text`, after what a
    /// predecessor had of them.
    pub fn new(
        host: Arc<Host>,
        text: String,
        log: Log,
        manager: Arc<Manager>,
        before: Vec<Passage>,
    ) -> Self {
        let first = host.pin();
        let file = first.file.clone();
        let mut history = History::begin(first.number, host.started.wall);
        history.follow(before);
        let past = Mutex::new(Past {
            text,
            last: None,
            history,
        });
        Self {
            host,
            file,
            log,
            manager,
            turn: Mutex::default(),
            past,
        }
    }

    /// Reads the file again, and puts its rules into both layers or changes nothing.
    ///
    /// # Errors
    /// [`Refused`] with everything that is wrong. It is also in the log, in `status` and in the unit's status.
    pub fn reload(&self) -> Result<Reloaded, Refused> {
        // A panic in an earlier reload left nothing half done: the switch is its last step.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.manager.reloading();
        let outcome = self.attempt().map_err(|fault| self.refused(&fault));
        match &outcome {
            Ok(reloaded) => self.taken(reloaded),
            Err(refused) => self.remember_refusal(refused),
        }
        self.manager.ready(&self.headline());
        outcome
    }

    /// The last reload, whatever became of it.
    pub fn last(&self) -> Option<LastReload> {
        self.past().last.clone()
    }

    /// The last reloads and, if they are few, the start of the process; the latest first.
    pub fn history(&self) -> Vec<Passage> {
        self.past().history.all()
    }

    /// The file, and the text of it that is running.
    pub fn running(&self) -> (&Path, String) {
        (&self.file, self.past().text.clone())
    }

    /// The unit's status line.
    pub fn headline(&self) -> String {
        let running = self.host.generation().number;
        let layers = match self.host.kernel.generation() {
            Some(_) => "in the proxy and the pre-filter",
            None => "in the proxy; the pre-filter is off",
        };
        match self.last().filter(|last| !last.ok) {
            None => format!("generation {running} {layers}"),
            Some(last) => {
                let first = last.problems.first().map_or("", String::as_str);
                let more = match last.problems.len() {
                    0 | 1 => String::new(),
                    all => format!(" (and {} more)", all - 1),
                };
                format!(
                    "generation {running} {layers}; reload refused at {}: {first}{more}",
                    last.at
                )
            }
        }
    }

    fn attempt(&self) -> Result<Reloaded, Fault> {
        let began = self.host.now();
        let file = self.file.clone();
        let text = Config::text_at(&file)?;
        let config = Config::from_text(&text, &file)?;
        let running = self.host.pin();
        let restart_only = self.restart_only(&running.config, &config);
        if !restart_only.is_empty() {
            return Err(Fault::RestartOnly(restart_only));
        }
        let mut changes: Vec<String> = running
            .config
            .changes(&config)
            .iter()
            .map(ToString::to_string)
            .collect();
        let next = Generation::compile(
            running.number + 1,
            file.clone(),
            config,
            self.host.secret(),
            &self.host.stats,
        )?;
        changes.extend(next.files_changed_since(&running));
        upstream::names::look_up_new(&next, LOOK_UP_WITHIN, || self.host.now());
        let (level, target) = (next.config.log.level, next.config.log.access.clone());
        // Opened again even when it is the same: a file may have been moved away.
        let sink = Sink::open(&target).map_err(|cause| Fault::AccessLog(target.clone(), cause))?;
        let prepared = self
            .host
            .kernel
            .prepare(&next)
            .map_err(|error| Fault::Kernel(error.to_string()))?;
        self.host
            .kernel
            .switch(prepared)
            .map_err(|error| Fault::Kernel(error.to_string()))?;
        // Nothing after the kernel's switch can fail: both layers have the generation, or neither.
        let to = next.number;
        self.host.switch(next);
        self.host.access_log.redirect(&target, sink);
        self.log.set_level(level);
        self.past().text = text;
        let duration_seconds = Duration::from(self.host.now().minus(began)).as_secs_f64();
        Ok(Reloaded {
            file,
            from: running.number,
            to,
            changes,
            duration_seconds,
        })
    }

    fn taken(&self, reloaded: &Reloaded) {
        self.host.stats.reloads.taken.one();
        protection::warn_of_unknown(&self.host);
        for warning in self.host.generation().warnings() {
            tracing::warn!("{warning}");
        }
        let Reloaded {
            from,
            to,
            changes,
            duration_seconds,
            ..
        } = reloaded;
        let duration = format!("{:.1}ms", duration_seconds * 1e3);
        tracing::info!(
            from,
            to,
            duration,
            changes = changes.len(),
            "reloaded {}",
            self.file.display()
        );
        for change in changes.iter().take(LOGGED) {
            tracing::info!(generation = to, "changed: {change}");
        }
        let at = SystemTime::now();
        let mut past = self.past();
        past.history.keep(*to, Outcome::Taken, changes, at);
        past.last = Some(LastReload {
            at: timestamp(at),
            ok: true,
            changes: changes.clone(),
            problems: vec![],
        });
    }

    fn remember_refusal(&self, refused: &Refused) {
        self.host.stats.reloads.refused.one();
        tracing::error!(
            running = refused.running,
            problems = refused.problems.len(),
            "reload of {} refused, nothing has changed",
            self.file.display()
        );
        for problem in refused.problems.iter().take(LOGGED) {
            tracing::error!("{problem}");
        }
        let at = SystemTime::now();
        let (running, problems) = (refused.running, &refused.problems);
        let mut past = self.past();
        past.history.keep(running, Outcome::Refused, problems, at);
        past.last = Some(LastReload {
            at: timestamp(at),
            ok: false,
            changes: vec![],
            problems: problems.clone(),
        });
    }

    fn refused(&self, fault: &Fault) -> Refused {
        let (because, problems) = match fault {
            Fault::File(problems) => (
                Because::File,
                problems
                    .as_slice()
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
            Fault::RestartOnly(changes) => (
                Because::RestartOnly,
                changes
                    .iter()
                    .map(|change| format!("{change}: needs a restart, and nothing else is applied"))
                    .collect(),
            ),
            Fault::AccessLog(target, cause) => (
                Because::File,
                vec![format!("log.access: cannot append to {target}: {cause}")],
            ),
            Fault::Kernel(message) => (
                Because::Kernel,
                vec![format!("the pre-filter was not replaced: {message}")],
            ),
        };
        Refused {
            file: self.file.clone(),
            because,
            problems,
            running: self.host.generation().number,
        }
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        // Only whole values are stored under this lock.
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes or problems that one reload writes into the log; all are in `status`.
const LOGGED: usize = 20;

/// Why an attempt ended.
#[derive(Debug)]
enum Fault {
    File(Problems),
    RestartOnly(Vec<String>),
    AccessLog(config::AccessLog, io::Error),
    Kernel(String),
}

impl From<Problems> for Fault {
    fn from(problems: Problems) -> Self {
        Self::File(problems)
    }
}

impl fmt::Display for Refused {
    /// Writes one problem a line, and what goes on.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        write!(
            f,
            "{}: not reloaded; generation {} goes on running",
            self.file.display(),
            self.running
        )
    }
}
