//! What a test may do on this machine.

/// Whether the process may make namespaces and load programs into the kernel.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
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
