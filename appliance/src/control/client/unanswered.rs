//! Why a question had no answer, and what to do about it.

use std::{
    fmt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, Gid, Group, Uid, User, access};

use super::{DecodeError, PATIENCE};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(
        "nothing answers on {}: is floodwall running, and started with this file? Start it with `systemctl start \
         floodwall` or `floodwall run -c FILE`, name its file with -c, or its socket with --socket",
        .0.display()
    )]
    NotRunning(PathBuf),
    #[error("{} is no socket: name the service's file with -c, or its socket with --socket", .0.display())]
    NotASocket(PathBuf),
    #[error("{0}")]
    Forbidden(Closed),
    #[error("cannot talk to {}: {cause}; the service's log may say more: journalctl -u floodwall", .socket.display())]
    Broken {
        socket: PathBuf,
        cause: std::io::Error,
    },
    #[error(
        "{} did not answer within {} s: see the service's log, journalctl -u floodwall",
        .0.display(), PATIENCE.as_secs()
    )]
    Silent(PathBuf),
    #[error(
        "what listens on {} {cause}; a service that was upgraded speaks as this program does once it is restarted: \
         systemctl restart floodwall",
        .socket.display()
    )]
    Strange { socket: PathBuf, cause: DecodeError },
}

/// A path that we may not open, or a folder on the way that we may not enter.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed {
    path: PathBuf,
    /// Whose it is; none when even that is hidden.
    owner: Option<Owner>,
}

/// By name, where there is one.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    user: String,
    group: String,
}

impl Closed {
    /// Finds what keeps us from a socket.
    pub(super) fn on_the_way_to(socket: &Path) -> Self {
        let mut folders: Vec<&Path> = socket.ancestors().skip(1).collect();
        // From the root on.
        folders.reverse();
        let may_enter = |folder: &Path| access(folder, AccessFlags::X_OK).is_ok();
        // A relative path begins in the folder without a name.
        let mut named = folders
            .into_iter()
            .filter(|each| !each.as_os_str().is_empty());
        let path = named.find(|folder| !may_enter(folder)).unwrap_or(socket);
        Self {
            path: path.to_owned(),
            owner: Owner::of(path),
        }
    }
}

impl Owner {
    fn of(path: &Path) -> Option<Self> {
        let meta = path.metadata().ok()?;
        let user = User::from_uid(Uid::from_raw(meta.uid())).ok().flatten();
        let group = Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten();
        Some(Self {
            user: user.map_or_else(|| meta.uid().to_string(), |user| user.name),
            group: group.map_or_else(|| meta.gid().to_string(), |group| group.name),
        })
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.owner {
            None => write!(f, "{path} may not be opened by this user: try with sudo"),
            // Nobody is to join the group of root.
            Some(Owner { user, group }) if group == "root" => {
                write!(
                    f,
                    "{path} may only be opened by user {user}: try with sudo -u {user}"
                )
            }
            Some(Owner { user, group }) => write!(
                f,
                "{path} may only be opened by user {user} and group {group}: try with sudo -u {user}, or join the group \
                 with `sudo usermod -aG {group} $USER` and log in again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_door_says_who_has_the_key() {
        let closed = |owner: Option<(&str, &str)>| {
            let closed = Closed {
                path: "/run/floodwall".into(),
                owner: owner.map(|(user, group)| Owner {
                    user: user.to_owned(),
                    group: group.to_owned(),
                }),
            };
            closed.to_string()
        };
        let own = closed(Some(("floodwall", "ops")));
        assert!(
            own.contains("sudo -u floodwall") && own.contains("usermod -aG ops"),
            "{own}"
        );
        let of_root = closed(Some(("root", "root")));
        assert!(of_root.ends_with("try with sudo -u root"), "{of_root}");
        assert!(closed(None).ends_with("try with sudo"));
    }

    #[test]
    fn where_every_folder_is_open_it_is_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("closed.sock");
        std::fs::write(&socket, "").unwrap();
        let closed = Closed::on_the_way_to(&socket);
        assert_eq!((&closed.path, closed.owner.is_some()), (&socket, true));
    }
}
