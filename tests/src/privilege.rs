//! What a test may do on this machine.

/// Whether the process may make namespaces and load programs into the kernel.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Whether a program is installed.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Ends the test, and says that it did not run, where nobody may install a browser and there is none.
#[macro_export]
macro_rules! needs_browser {
    () => {
        if !$crate::privilege::is_root() && !$crate::privilege::is_installed("chromedriver") {
            eprintln!("SKIPPED {}: no chromedriver is installed", module_path!());
            return;
        }
    };
}

/// Ends the test, and says that it did not run, unless the process is root.
#[macro_export]
macro_rules! needs_root {
    () => {
        if !$crate::privilege::is_root() {
            eprintln!("SKIPPED {}: namespaces and XDP need root", module_path!());
            return;
        }
    };
}
