//! What Floodwall has pinned, read as an operator would read it: with bpftool, beside the process.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use floodwall_tests::Instance;
use serde_json::Value;

/// How often a program ran, and how long in all, by the kernel's count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    pub(crate) count: u64,
    pub(crate) ns: u64,
}

/// Has the kernel count what its programs take, until dropped.
#[derive(Debug)]
pub(crate) struct Counting {
    before: String,
}

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

impl Counting {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let before = fs::read_to_string(SWITCH)?;
        fs::write(SWITCH, "1")?;
        Ok(Self { before })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        // It costs every program some nanoseconds, and does no harm.
        let _ = fs::write(SWITCH, self.before.trim());
    }
}

/// The runs of the program on the instance's only interface.
pub(crate) fn runs(instance: &Instance) -> anyhow::Result<Runs> {
    let link = entry(&folder(instance)?, "link-")?;
    let link = bpftool(&["link", "show", "pinned"], &link.display().to_string())?;
    let id = link["prog_id"]
        .as_u64()
        .context("a link without a program")?;
    let program = bpftool(&["prog", "show", "id"], &id.to_string())?;
    // A program that has not run since the counting began has no such numbers.
    let number = |key: &str| program[key].as_u64().unwrap_or(0);
    Ok(Runs {
        count: number("run_cnt"),
        ns: number("run_time_ns"),
    })
}

/// The values of a pinned array, as bytes.
pub(crate) fn values(instance: &Instance, map: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let path = folder(instance)?.join(map);
    let dump = bpftool(&["map", "dump", "pinned"], &path.display().to_string())?;
    let entries = dump.as_array().context("not a list of entries")?;
    let values = entries.iter().map(|entry| bytes(&entry["value"]));
    values.collect::<Option<_>>().context("not a map of bytes")
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    let digits = |byte: &Value| {
        let digits = byte.as_str()?.strip_prefix("0x")?;
        u8::from_str_radix(digits, 16).ok()
    };
    value.as_array()?.iter().map(digits).collect()
}

/// The instance's folder, whose name ends in the layout's version.
fn folder(instance: &Instance) -> anyhow::Result<PathBuf> {
    entry(Path::new("/sys/fs/bpf/floodwall"), &format!("{instance}-v"))
}

fn entry(folder: &Path, prefix: &str) -> anyhow::Result<PathBuf> {
    fs::read_dir(folder)?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .with_context(|| format!("{} has no {prefix}", folder.display()))
}

fn bpftool(words: &[&str], object: &str) -> anyhow::Result<Value> {
    let output = Command::new("bpftool")
        .arg("--json")
        .args(words)
        .arg(object)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&said).with_context(|| format!("bpftool {words:?} {object}: {said}"))
}
