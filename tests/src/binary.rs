//! The `floodwall` binary of the same build as the tests.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::target;

/// Names a binary to test instead of building one.
const VARIABLE: &str = "FLOODWALL_BIN";

/// Where the binary is, built once for each test process if need be.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os(VARIABLE).map_or_else(build, PathBuf::from))
}

/// Builds into the folder, and in the profile, that the running test comes from.
fn build() -> PathBuf {
    let folder = &target::profile();
    let target = &target::folder();
    let profile = folder.file_name().expect("the profile's folder has a name");
    let profile = if profile == "debug" {
        "dev".into()
    } else {
        OsString::from(profile)
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--package",
            "floodwall",
            "--bin",
            "floodwall",
        ])
        .arg("--profile")
        .arg(profile)
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "floodwall does not build");
    folder.join("floodwall")
}
