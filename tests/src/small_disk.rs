//! A disk that is soon full.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// A file system of a few bytes over a folder, taken away when dropped. It takes root.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one over this folder, which is made.
    pub fn over(folder: &Path, bytes: u64) -> Self {
        fs::create_dir_all(folder).expect("a folder can be made");
        let size = format!("size={bytes}");
        mount(
            Some("tmpfs"),
            folder,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(size.as_str()),
        )
        .expect("root may mount");
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        // Ends with the error that is wanted.
        let _ = fs::write(self.filler(), vec![1; 64 << 20]);
    }

    /// Takes out what it was filled with.
    pub fn empty(&self) {
        fs::remove_file(self.filler()).expect("it was filled");
    }

    /// Lets nobody write to it any more, or lets them again.
    pub fn only_read(&self, only: bool) {
        let flags = MsFlags::MS_REMOUNT
            | if only {
                MsFlags::MS_RDONLY
            } else {
                MsFlags::empty()
            };
        mount(
            None::<&str>,
            &self.folder,
            None::<&str>,
            flags,
            None::<&str>,
        )
        .expect("nobody has a file open to write");
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A test that failed leaves whatever holds it to the end of the test.
        let _ = umount2(&self.folder, MntFlags::MNT_DETACH);
    }
}
