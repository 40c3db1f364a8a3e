//! What survives a restart and a reboot: the blocks, in a file of the `state` folder.
//!
//! While the kernel's maps live they know better, and the file is only written. It matters after a reboot, and
//! where there is no pre-filter. It may be a second old after a crash.

pub mod file;

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use floodwall_limiter::{Nanos, Scope, block::By};
use serde::{Deserialize, Serialize};

use crate::{blocks, host::Host};

/// Keeps the file up to date until it is closed.
#[derive(Debug)]
pub struct Keeper {
    /// Dropping it ends the thread, which saves once more.
    held: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

/// How old the file may be.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Saved {
    blocks: Vec<Block>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Block {
    address: IpAddr,
    host: bool,
    operator: bool,
    /// Who the operator was, where that is known.
    #[serde(default)]
    uid: Option<u32>,
    reason: String,
    /// Milliseconds since 1970: the monotonic clock starts again with the machine.
    ends: u64,
}

impl Keeper {
    /// Puts back what the folder holds, and saves what changes from now on.
    ///
    /// A folder that cannot be used, or a file that cannot be read, is said in the log; it stops nobody from
    /// being served. A damaged file is set aside.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn open(host: &Arc<Host>, folder: &Path) -> io::Result<Self> {
        let file = folder.join("blocks.json");
        if let Err(error) = fs::create_dir_all(folder) {
            tracing::warn!(folder = %folder.display(), %error, "state: the folder cannot be made, nothing will be saved");
        }
        let saved = read(&file);
        // Maps that outlived the process know better than a file.
        if !host.kernel.adopted() {
            restore(host, &saved);
        }
        let (held, released) = mpsc::channel::<()>();
        let keeper = Arc::clone(host);
        let thread = thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || {
                let mut last = saved;
                loop {
                    let going_on =
                        released.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout);
                    save(&keeper, &file, &mut last);
                    if !going_on {
                        return;
                    }
                }
            })?;
        Ok(Self { held, thread })
    }

    /// Saves once more and ends.
    pub fn close(self) {
        drop(self.held);
        // A panic in the thread was reported by the panic hook already.
        let _ = self.thread.join();
    }
}

fn read(file: &Path) -> Saved {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Saved::default(),
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "state: cannot be read");
            return Saved::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        let aside = file.with_extension("json.damaged");
        let kept = fs::rename(file, &aside).map_or("and cannot be set aside".to_owned(), |()| {
            format!("and is now {}", aside.display())
        });
        tracing::error!(file = %file.display(), %error, "state: the file is damaged {kept}");
        Saved::default()
    })
}

fn restore(host: &Host, saved: &Saved) {
    let now = unix_millis(SystemTime::now());
    for block in &saved.blocks {
        let left = Nanos::from_millis(block.ends.saturating_sub(now));
        if left == Nanos::ZERO {
            continue;
        }
        let scope = if block.host {
            Scope::Host
        } else {
            Scope::Listeners
        };
        let by = if block.operator {
            By::Operator { uid: block.uid }
        } else {
            By::Limit
        };
        if let Err(error) = blocks::add(host, block.address, left, scope, &block.reason, by) {
            tracing::info!(%error, "state: a saved block is not in force any more");
        }
    }
}

/// Writes the file if it would say something else than the last one.
fn save(host: &Host, file: &Path, last: &mut Saved) {
    let saved = present(host);
    if saved.is_like(last) {
        return;
    }
    match write(file, &saved) {
        Ok(()) => *last = saved,
        Err(error) => tracing::warn!(file = %file.display(), %error, "state: cannot be saved"),
    }
}

impl Saved {
    /// Whether the same blocks stand, with the same ends but for the rounding between two clocks.
    fn is_like(&self, other: &Self) -> bool {
        self.blocks.len() == other.blocks.len()
            && self.blocks.iter().zip(&other.blocks).all(|(one, other)| {
                (one.address, one.host, &one.reason) == (other.address, other.host, &other.reason)
                    && one.ends.abs_diff(other.ends) < 100
            })
    }
}

fn present(host: &Host) -> Saved {
    let (now, wall) = (host.now(), unix_millis(SystemTime::now()));
    let mut entries = host.book.list(&host.table, now);
    entries.sort_by_key(|entry| (entry.source, entry.scope as u8));
    let blocks = entries
        .into_iter()
        .map(|entry| Block {
            address: entry.source.address(),
            host: entry.scope == Scope::Host,
            operator: entry.by != By::Limit,
            uid: entry.by.uid(),
            reason: entry.reason,
            ends: wall.saturating_add(entry.until.minus(now).0 / 1_000_000),
        })
        .collect();
    Saved { blocks }
}

/// Replaces the file in one step: a reader sees the old one or the new one.
fn write(file: &Path, saved: &Saved) -> io::Result<()> {
    let new: PathBuf = file.with_extension("json.new");
    fs::write(&new, serde_json::to_vec_pretty(saved)?)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, file)
}

fn unix_millis(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
