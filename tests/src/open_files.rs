//! Room for many connections at one time.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets this process, and those it starts, have so many files open, and tells how many they may have: fewer, when the
/// system has a lower bound that nobody here may raise.
pub fn raise_open_files(to: usize) -> usize {
    let of_files = Resource::RLIMIT_NOFILE;
    let (_, most) = getrlimit(of_files).expect("the bound can be asked");
    let wanted = most.max(to as u64);
    if setrlimit(of_files, wanted, wanted).is_err() {
        setrlimit(of_files, most, most).expect("a soft bound may become the hard one");
    }
    let (now, _) = getrlimit(of_files).expect("the bound can be asked");
    usize::try_from(now).unwrap_or(usize::MAX)
}
