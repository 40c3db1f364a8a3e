//! Where the running test, or program, was built.

use std::{env, path::PathBuf};

/// The folder that everything is built into.
pub(crate) fn folder() -> PathBuf {
    let mut folder = profile();
    folder.pop();
    folder
}

/// The folder of the test's profile in it.
pub(crate) fn profile() -> PathBuf {
    let mut folder = env::current_exe().expect("a program has a path");
    // TARGET/PROFILE/deps/TEST, or TARGET/PROFILE/PROGRAM
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    folder
}
