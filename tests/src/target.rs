//! Where the running test was built.

use std::{env, path::PathBuf};

/// The folder that everything is built into.
pub(crate) fn folder() -> PathBuf {
    let mut folder = profile();
    folder.pop();
    folder
}

/// The folder of the test's profile in it.
pub(crate) fn profile() -> PathBuf {
    let test = env::current_exe().expect("a test has a path");
    // TARGET/PROFILE/deps/TEST
    let folder = test.ancestors().nth(2).expect("tests lie in deps");
    folder.to_owned()
}
