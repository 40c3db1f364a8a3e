//! How it goes with the folder, for the log and for `status`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};

use crate::access_log::timestamp;

/// What is told of the folder by those who write to it.
#[derive(Debug)]
pub struct Report {
    /// None when the file names none: nothing is kept.
    folder: Option<PathBuf>,
    /// Until when a predecessor may have the folder without a word about it.
    predecessor: Option<Instant>,
    told: Mutex<Told>,
}

/// A predecessor lets go of the folder as soon as it is told that its successor serves.
const HAND_OVER: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
struct Told {
    saved: Option<SystemTime>,
    /// What is wrong now, by what it is wrong with.
    troubles: BTreeMap<&'static str, String>,
    set_aside: Vec<PathBuf>,
}

/// The `state` folder as `status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateStatus {
    pub folder: PathBuf,
    /// When something was written there last by this process, RFC 3339 in UTC; what has not changed is not written.
    pub last_saved: Option<String>,
    /// What is wrong now, in words; empty when everything is kept.
    pub problems: Vec<String>,
    /// Files that did not count at the start of this process, under the names that they have now.
    pub set_aside: Vec<PathBuf>,
}

impl Report {
    pub fn on(folder: Option<&Path>, has_predecessor: bool) -> Self {
        Self {
            folder: folder.map(ToOwned::to_owned),
            predecessor: has_predecessor.then(|| Instant::now() + HAND_OVER),
            told: Mutex::default(),
        }
    }

    /// Whether it is a predecessor that has the folder, if anybody has.
    pub fn waits_for_predecessor(&self) -> bool {
        self.predecessor.is_some_and(|until| Instant::now() < until)
    }

    /// Something was written.
    pub fn saved(&self) {
        self.lock().saved = Some(SystemTime::now());
    }

    /// What is wrong with something; none when nothing is. The log is told what changes.
    pub fn note(&self, what: &'static str, trouble: Option<String>) {
        let mut told = self.lock();
        let before = told.troubles.get(what);
        if before == trouble.as_ref() {
            return;
        }
        let folder = self.folder.as_deref().unwrap_or(Path::new("")).display();
        if let Some(trouble) = trouble {
            tracing::error!(%folder, "state: {what}: {trouble}");
            told.troubles.insert(what, trouble);
        } else {
            tracing::info!(%folder, "state: {what} is in order again");
            told.troubles.remove(what);
        }
    }

    /// What is wrong with something now.
    pub fn trouble(&self, what: &'static str) -> Option<String> {
        self.lock().troubles.get(what).cloned()
    }

    /// A file that did not count is out of the way, under this name.
    pub fn set_aside(&self, what: &'static str, why: &dyn std::error::Error, aside: PathBuf) {
        let now = aside.display();
        tracing::error!("state: {what} {why}; it is now {now}, and what it holds does not count");
        self.lock().set_aside.push(aside);
    }

    pub fn status(&self) -> Option<StateStatus> {
        let told = self.lock();
        Some(StateStatus {
            folder: self.folder.clone()?,
            last_saved: told.saved.map(timestamp),
            problems: (told.troubles.iter())
                .map(|(what, trouble)| format!("{what}: {trouble}"))
                .collect(),
            set_aside: told.set_aside.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Only whole values are stored under this lock.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
