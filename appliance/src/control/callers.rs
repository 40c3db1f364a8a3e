//! Who may ask at the control socket, and how many at one time.
//!
//! The mode of the socket's path lets in its owner and its group. Somebody may loosen it, or hand on a connection; so
//! the kernel is asked who is at the other end, and only these get answers: root, the service's own user, and the
//! path's owner and group as they are now.

use std::{
    collections::HashMap,
    ffi::CString,
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::unistd::{Gid, Group, Uid, User, geteuid, getgrouplist};
use tokio::{
    net::UnixStream,
    sync::{Notify, watch},
    time::timeout,
};

/// Connections of one user at one time.
pub(super) const EACH: usize = 64;

/// Connections of all together who may not ask: each is told so and closed.
const STRANGERS: usize = 8;

/// How long callers who ask nothing keep a process that leaves.
const FAREWELL: Duration = Duration::from_secs(1);

/// Those who are served at the door.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    open: Mutex<HashMap<Who, usize>>,
    count: watch::Sender<usize>,
    closing: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    User(u32),
    Stranger,
}

/// Whoever is at the other end of a connection, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) uid: u32,
    pub(super) pid: Option<i32>,
    pub(super) may_ask: bool,
}

/// A place among the callers, until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    who: Who,
    shared: Arc<Shared>,
}

/// A user with as many connections as one may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("user {uid} has as many connections to the control socket as one may have; close some")]
pub(super) struct TooMany {
    uid: u32,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            count: watch::Sender::new(0),
            closing: Notify::new(),
        }
    }
}

impl Callers {
    /// Takes nobody in any more.
    pub fn close(&self) {
        self.0.closing.notify_waiters();
    }

    /// Waits until those who are in have had their answers; not for ever for those who ask nothing.
    pub async fn leave(&self) {
        let mut count = self.0.count.subscribe();
        // Whoever is in after that has been silent.
        let _ = timeout(FAREWELL, count.wait_for(|count| *count == 0)).await;
    }

    /// Ends when nobody is to be taken in any more.
    pub(super) fn closing(&self) -> &Notify {
        &self.0.closing
    }

    /// Takes a caller in, so that nobody keeps others out by how many he is.
    ///
    /// # Errors
    /// [`TooMany`].
    pub(super) fn take_in(&self, caller: Caller) -> Result<Seat, TooMany> {
        let (who, most) = if caller.may_ask {
            (Who::User(caller.uid), EACH)
        } else {
            (Who::Stranger, STRANGERS)
        };
        let mut open = self.0.lock();
        let mine = open.entry(who).or_default();
        if *mine >= most {
            return Err(TooMany { uid: caller.uid });
        }
        *mine += 1;
        self.0.count.send_modify(|count| *count += 1);
        Ok(Seat {
            who,
            shared: Arc::clone(&self.0),
        })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Who, usize>> {
        // Only numbers are changed under this lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.shared.lock();
        if let Some(mine) = open.get_mut(&self.who) {
            *mine -= 1;
            if *mine == 0 {
                open.remove(&self.who);
            }
        }
        self.shared.count.send_modify(|count| *count -= 1);
    }
}

impl Caller {
    /// Asks the kernel who it is, and whether those who the socket at this path is for are among them.
    ///
    /// # Errors
    /// When the connection is gone.
    pub(super) fn of(stream: &UnixStream, path: &Path) -> io::Result<Self> {
        let peer = stream.peer_cred()?;
        // A path that is gone is nobody's.
        let owner = fs::metadata(path).ok().map(|meta| (meta.uid(), meta.gid()));
        Ok(Self {
            uid: peer.uid(),
            pid: peer.pid(),
            may_ask: may_ask(peer.uid(), peer.gid(), owner),
        })
    }

    /// Why this one gets no answers.
    pub(super) fn refusal(self, path: &Path) -> String {
        let group = fs::metadata(path).ok().map(|meta| {
            let gid = Gid::from_raw(meta.gid());
            let named = Group::from_gid(gid).ok().flatten();
            named.map_or_else(|| gid.to_string(), |group| group.name)
        });
        format!(
            "user {} may not ask at the control socket: it is for root, the service's user and the group {}; ask as one \
             of them, or join the group",
            self.uid,
            group.as_deref().unwrap_or("of its path")
        )
    }
}

/// Whether a user with this primary group may ask at a socket of this owner and group.
fn may_ask(uid: u32, gid: u32, owner: Option<(u32, u32)>) -> bool {
    if uid == 0 || uid == geteuid().as_raw() {
        return true;
    }
    owner.is_some_and(|(user, group)| uid == user || gid == group || is_member(uid, gid, group))
}

/// Whether the user is in the group, as the system's lists have it.
fn is_member(uid: u32, gid: u32, group: u32) -> bool {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return false;
    };
    let groups = CString::new(user.name)
        .ok()
        .and_then(|name| getgrouplist(&name, Gid::from_raw(gid)).ok());
    groups.is_some_and(|groups| groups.contains(&Gid::from_raw(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: u32 = 65_534;

    #[test]
    fn root_the_owner_and_the_group_may_ask_and_nobody_else() {
        let owner = Some((500, 600));
        assert!(may_ask(0, 0, owner) && may_ask(0, NOBODY, None));
        assert!(may_ask(500, NOBODY, owner) && may_ask(NOBODY, 600, owner));
        assert!(!may_ask(NOBODY, NOBODY, owner) && !may_ask(NOBODY, NOBODY, None));
        assert!(!may_ask(600, 500, owner), "a group is no user");
    }

    #[test]
    fn membership_is_looked_up() {
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        assert!(is_member(0, root.gid.as_raw(), root.gid.as_raw()));
        assert!(!is_member(0, 0, 4_000_000_000) && !is_member(4_000_000_000, 1, 2));
    }

    #[test]
    fn one_user_takes_no_place_of_another() {
        let callers = Callers::default();
        let caller = |uid, may_ask| Caller {
            uid,
            pid: None,
            may_ask,
        };
        let mut seats: Vec<Seat> = (0..EACH)
            .map(|_| callers.take_in(caller(1, true)).unwrap())
            .collect();
        let full = callers.take_in(caller(1, true)).unwrap_err();
        assert!(full.to_string().contains("user 1 has as many"), "{full}");
        let strangers: Vec<Seat> = (0..100)
            .filter_map(|uid| callers.take_in(caller(100 + uid, false)).ok())
            .collect();
        assert_eq!(strangers.len(), STRANGERS);
        assert!(callers.take_in(caller(2, true)).is_ok());
        seats.pop();
        assert!(callers.take_in(caller(1, true)).is_ok());
    }
}
