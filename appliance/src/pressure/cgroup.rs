//! Where the process stands in the tree of control groups (cgroup v2).

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The process's group and those above it up to the root, the own one first; none without cgroup v2.
///
/// In a container with a namespace of its own the root is the container's, and has limits as any other.
pub(super) fn groups(root: &Path) -> Vec<PathBuf> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok();
    let own = own.as_deref().and_then(unified).unwrap_or_default();
    let mount = root.join("sys/fs/cgroup");
    // Only the unified hierarchy has this file, and every group of it.
    if own.is_empty() || !mount.join("cgroup.controllers").exists() {
        return Vec::new();
    }
    let own = own.trim_start_matches('/');
    // A path that leaves the namespace's root names a group that is not mounted here.
    if own.split('/').any(|part| part == "..") {
        return vec![mount];
    }
    let path = mount.join(own);
    path.ancestors()
        .take_while(|group| group.starts_with(&mount))
        .map(Path::to_owned)
        .collect()
}

/// The path of the unified hierarchy in `/proc/self/cgroup`: the line `0::PATH`.
fn unified(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("0::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_among_the_old_ones() {
        let hybrid = "9:name=systemd:/\n4:memory:/x\n0::/system.slice/floodwall.service\n";
        assert_eq!(unified(hybrid), Some("/system.slice/floodwall.service"));
        assert_eq!(unified("4:memory:/x\n"), None);
    }
}
