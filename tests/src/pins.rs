//! What a pre-filter pins in the BPF file system: a name of its own for each test, and nothing left behind.

use std::{
    fmt, fs,
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

const BPFFS: &str = "/sys/fs/bpf";

/// A value for `prefilter.instance` that nobody else uses. Its pins go when it does, which detaches the program
/// of a process that was killed.
#[derive(Debug)]
pub struct Instance(String);

impl Instance {
    /// Draws a name, and mounts the BPF file system if nobody has.
    pub fn claim() -> Self {
        static CLAIMED: AtomicU32 = AtomicU32::new(0);
        let mounted = statfs(BPFFS).is_ok_and(|found| found.filesystem_type() == BPF_FS_MAGIC);
        if !mounted {
            mount(
                Some("bpf"),
                BPFFS,
                Some("bpf"),
                MsFlags::empty(),
                None::<&str>,
            )
            .expect("root may mount a bpffs");
        }
        Self(format!(
            "story-{}-{}",
            process::id(),
            CLAIMED.fetch_add(1, Relaxed)
        ))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let Ok(folders) = fs::read_dir(Path::new(BPFFS).join("floodwall")) else {
            return;
        };
        // NAME-vLAYOUT
        let prefix = format!("{}-v", self.0);
        for folder in folders
            .flatten()
            .filter(|folder| folder.file_name().to_string_lossy().starts_with(&prefix))
        {
            // The test is over; pins that stay behind are only untidy.
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}
