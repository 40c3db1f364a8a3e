//! The instance's folder in the BPF file system: its lock, and the maps that outlive the process.

use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    thread,
};

use aya::maps::MapData;
use aya_obj::generated::{
    BPF_F_MMAPABLE,
    bpf_map_type::{self, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_RINGBUF},
};
use floodwall_limiter::{FlowTable, block::RECORD_BYTES};
use floodwall_xdp_abi::maps::{
    BLOCK_RECORDS, BLOCKS, CONTROL, COUNTERS, Control, Counters, FLOWS, GONE_ROW, INTERFACES,
    LAYOUT, ROW_INDICES, ROWS, Reasons, SAMPLES, SAMPLES_BYTES, SET_BYTES,
};

use nix::mount::{MsFlags, mount};

use crate::{Error, Settings, attachment};

/// Where the pinned maps came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// There were none.
    Created,
    /// An earlier process left them, with its flow table and blocks.
    Adopted,
    /// There were some of another shape, whose state was given up: what was wrong with them.
    Replaced(String),
}

/// The locked folder. Dropping it lets another process have the instance; what is pinned stays.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    lock: File,
}

/// How a process comes to an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nobody else may have it.
    Sole,
    /// The process that has it knows, and gives it up when it ends.
    Successor,
}

impl Folder {
    /// Opens the instance's folder, makes it when there is none, and takes its lock.
    ///
    /// # Errors
    /// [`Error::NoBpfFileSystem`], [`Error::Privilege`], or [`Error::InstanceInUse`].
    pub(crate) fn open(settings: &Settings, claim: Claim) -> Result<Self, Error> {
        Self::open_at(settings, path(settings), claim)
    }

    fn open_at(settings: &Settings, path: PathBuf, claim: Claim) -> Result<Self, Error> {
        if !is_in_bpffs(&path) && !mounts_bpffs(&settings.bpffs) {
            return Err(Error::NoBpfFileSystem {
                path: settings.bpffs.clone(),
            });
        }
        let act = |error| Error::kernel(format!("make {}", path.display()), error);
        fs::create_dir_all(&path).map_err(act)?;
        let lock = File::open(&path).map_err(act)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(TryLockError::WouldBlock) if claim == Claim::Successor => {
                let awaited = lock.try_clone().map_err(act)?;
                thread::spawn(move || {
                    // Should that fail, the instance is without a lock, and not without a filter.
                    let _ = awaited.lock();
                });
                Ok(Self { path, lock })
            }
            Err(TryLockError::WouldBlock) => Err(Error::InstanceInUse { path }),
            Err(TryLockError::Error(error)) => {
                Err(Error::kernel(format!("lock {}", path.display()), error))
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the link of an interface is pinned. By number: names in this file system have no dots.
    pub(crate) fn link(&self, ifindex: u32) -> PathBuf {
        self.path.join(format!("{LINK}{ifindex}"))
    }

    /// The numbers of all interfaces that have a link here.
    pub(crate) fn links(&self) -> Result<Vec<u32>, Error> {
        let act = |error| Error::kernel(format!("read {}", self.path.display()), error);
        let mut links = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(act)? {
            let name = entry.map_err(act)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(LINK));
            links.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        Ok(links)
    }

    /// Opens the pinned maps, or makes them. Maps of another shape are given up, all together: the cells
    /// of one table mean nothing to another.
    pub(crate) fn maps(&self, sources: u64) -> Result<(Maps, Origin), Error> {
        let shapes = shapes(sources)?;
        let mut origin = Origin::Adopted;
        for shape in &shapes {
            match shape.mismatch(&self.path.join(shape.name)) {
                Ok(None) => {}
                Ok(Some(difference)) => origin = Origin::Replaced(difference),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if origin == Origin::Adopted {
                        origin = Origin::Created;
                    }
                }
                Err(error) => {
                    return Err(Error::kernel(
                        format!("open the pinned {}", shape.name),
                        error,
                    ));
                }
            }
        }
        if origin != Origin::Adopted {
            self.unpin(&shapes)?;
        }
        let [flows, blocks, control, counters, interfaces, rows, samples] = shapes;
        // The program finds it by its pin, and whoever reads it opens it again.
        drop(samples.open(&self.path)?);
        let maps = Maps {
            sets: flows.entries.into(),
            flows: flows.open(&self.path)?,
            blocks: blocks.open(&self.path)?,
            control: control.open(&self.path)?,
            counters: counters.open(&self.path)?,
            interfaces: interfaces.open(&self.path)?,
            rows: rows.open(&self.path)?,
        };
        Ok((maps, origin))
    }

    /// Opens the pinned ring buffer of samples.
    pub(crate) fn samples(&self) -> Result<MapData, Error> {
        MapData::from_pin(self.path.join(SAMPLES))
            .map_err(|error| Error::kernel(format!("open the pinned {SAMPLES}"), error))
    }

    fn unpin(&self, shapes: &[Shape]) -> Result<(), Error> {
        for shape in shapes {
            remove(&self.path.join(shape.name))?;
        }
        Ok(())
    }

    /// Detaches from every interface, and removes the folder.
    pub(crate) fn detach(self) -> Result<(), Error> {
        attachment::leave_others(&self, std::iter::empty())?;
        self.remove()
    }

    /// Removes the folder with everything in it, which detaches the program.
    pub(crate) fn remove(self) -> Result<(), Error> {
        let act = |error| Error::kernel(format!("remove {}", self.path.display()), error);
        for entry in fs::read_dir(&self.path).map_err(act)? {
            remove(&entry.map_err(act)?.path())?;
        }
        fs::remove_dir(&self.path).map_err(act)
    }
}

impl Drop for Folder {
    /// Closing the file would not do: a child that another thread is just starting has it open until it runs its
    /// own program, and would keep the lock that long.
    fn drop(&mut self) {
        // Should that fail, the lock goes with the file all the same.
        let _ = self.lock.unlock();
    }
}

/// Removes a pin, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::kernel(format!("unpin {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// The instance's folder. The layout's version is in its name, so that a program never opens maps that
/// were laid out for another.
pub(crate) fn path(settings: &Settings) -> PathBuf {
    settings
        .bpffs
        .join("floodwall")
        .join(format!("{}-v{LAYOUT}", settings.instance))
}

/// The folder of the same instance whose maps are laid out for another version, if there is one. Nobody may hold it.
pub(crate) fn other_layout(settings: &Settings, claim: Claim) -> Result<Option<Folder>, Error> {
    let own = path(settings);
    let Some(Ok(entries)) = own.parent().map(fs::read_dir) else {
        return Ok(None);
    };
    let prefix = format!("{}-v", settings.instance);
    let is_layout = |name: &str| {
        let version = name.strip_prefix(&prefix);
        version.is_some_and(|version| version.parse::<u32>().is_ok())
    };
    let mut others = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| *path != own)
        .filter(|path| {
            path.file_name()
                .and_then(OsStr::to_str)
                .is_some_and(is_layout)
        });
    others
        .next()
        .map(|path| Folder::open_at(settings, path, claim))
        .transpose()
}

/// Moves the links of another layout's folder here, so that its programs are replaced and not detached. Tells
/// the folder, which has nothing left that filters.
pub(crate) fn take_over_links(
    settings: &Settings,
    folder: &Folder,
    claim: Claim,
) -> Result<Option<Folder>, Error> {
    let Some(other) = other_layout(settings, claim)? else {
        return Ok(None);
    };
    for ifindex in other.links()? {
        let (from, to) = (other.link(ifindex), folder.link(ifindex));
        fs::rename(&from, &to)
            .map_err(|error| Error::kernel(format!("move {}", from.display()), error))?;
    }
    Ok(Some(other))
}

const LINK: &str = "link-";

/// The maps that all generations share.
#[derive(Debug)]
pub(crate) struct Maps {
    pub(crate) flows: MapData,
    pub(crate) blocks: MapData,
    pub(crate) control: MapData,
    pub(crate) counters: MapData,
    pub(crate) interfaces: MapData,
    pub(crate) rows: MapData,
    /// Number of sets in `flows`.
    pub(crate) sets: u64,
}

/// What a map must be.
struct Shape {
    name: &'static str,
    kind: bpf_map_type,
    /// Bytes of a key and of a value; a ring buffer has neither.
    key: u32,
    value: usize,
    entries: u32,
    flags: u32,
}

fn shapes(sources: u64) -> Result<[Shape; 7], Error> {
    let sets = FlowTable::<()>::sets_for(sources);
    let entries = u32::try_from(sets).map_err(|_| Error::TooManySources {
        found: sources,
        most: (1 << 31) * 4,
    })?;
    let array = |name, value, entries| Shape {
        name,
        kind: BPF_MAP_TYPE_ARRAY,
        key: 4,
        value,
        entries,
        flags: BPF_F_MMAPABLE,
    };
    let counts = |name, value, entries| Shape {
        kind: BPF_MAP_TYPE_PERCPU_ARRAY,
        flags: 0,
        ..array(name, value, entries)
    };
    Ok([
        array(FLOWS, SET_BYTES, entries),
        array(BLOCKS, RECORD_BYTES, BLOCK_RECORDS),
        array(CONTROL, size_of::<Control>(), 1),
        counts(COUNTERS, size_of::<Counters>(), 1),
        counts(INTERFACES, size_of::<Reasons>(), GONE_ROW + 1),
        array(ROWS, ROW_INDICES, 1),
        Shape {
            name: SAMPLES,
            kind: BPF_MAP_TYPE_RINGBUF,
            key: 0,
            value: 0,
            entries: SAMPLES_BYTES,
            flags: 0,
        },
    ])
}

impl Shape {
    /// Says how the map that is pinned here differs, if it does.
    fn mismatch(&self, path: &Path) -> io::Result<Option<String>> {
        fs::symlink_metadata(path)?;
        let info = MapData::from_pin(path)
            .and_then(|map| map.info())
            .map_err(io::Error::other)?;
        let wanted = (self.value_size(), self.entries, self.flags);
        let found = (info.value_size(), info.max_entries(), info.map_flags());
        let kind = info.map_type().map(|kind| kind as u32).ok();
        if kind == Some(self.kind as u32) && found == wanted {
            return Ok(None);
        }
        Ok(Some(format!(
            "the pinned {} has values of {} bytes, {} entries and flags {:#x} instead of {}, {} and {:#x}",
            self.name, found.0, found.1, found.2, wanted.0, wanted.1, wanted.2
        )))
    }

    fn open(&self, folder: &Path) -> Result<MapData, Error> {
        let path = folder.join(self.name);
        if path.exists() {
            return MapData::from_pin(&path)
                .map_err(|error| Error::kernel(format!("open the pinned {}", self.name), error));
        }
        let (value, flags) = (self.value_size(), self.flags);
        let definition =
            aya_obj::Map::new_from_params(self.kind as u32, self.key, value, self.entries, flags);
        let map = MapData::create(definition, self.name, None)
            .map_err(|error| Error::kernel(format!("create the map {}", self.name), error))?;
        map.pin(&path)
            .map_err(|error| Error::kernel(format!("pin {}", path.display()), error))?;
        Ok(map)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the values are 64 KiB at most"
    )]
    fn value_size(&self) -> u32 {
        self.value as u32
    }
}

/// Mounts the BPF file system where the kernel wants it, as bpftool does, if this process may: a host without a
/// service manager has none. Tells whether it is there now.
///
/// In a mount namespace of the process's own (`ip netns exec` makes one) the mount, and what is pinned in it, ends
/// with the process.
fn mounts_bpffs(bpffs: &Path) -> bool {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    bpffs == Path::new(Settings::BPFFS)
        && mount(Some("bpf"), bpffs, Some("bpf"), flags, Some("mode=0700")).is_ok()
        && is_in_bpffs(bpffs)
}

/// Whether the deepest folder of the path that exists is in a BPF file system. The first ones need not be:
/// a confined service sees its own folder alone, bound below an empty `/sys/fs/bpf`.
fn is_in_bpffs(path: &Path) -> bool {
    const BPF_FS_MAGIC: i64 = 0xcafe_4a11;
    path.ancestors()
        .find_map(|folder| nix::sys::statfs::statfs(folder).ok())
        .is_some_and(|stats| stats.filesystem_type().0 == BPF_FS_MAGIC)
}
