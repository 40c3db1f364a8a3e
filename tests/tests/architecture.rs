//! Who may know whom: the arrows between the folders, checked on what Cargo resolved.
//!
//! The limiter is arithmetic and memory, so that the kernel can run it; only `xdp` talks to the kernel, only
//! `appliance` to the network; `config` and `xdp` never meet.
#![expect(clippy::expect_used, reason = "a check that cannot look must fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What a folder's crates may use, of the workspace and of the world.
struct Layer {
    folder: &'static str,
    /// Folders whose crates they may depend on, beside their own.
    knows: &'static [&'static str],
    /// Crates that may not be in their build at all, however they would come in.
    never: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        folder: "limiter",
        knows: &[],
        never: &["aya", "pingora", "tokio"],
    },
    Layer {
        folder: "config",
        knows: &["limiter"],
        never: &["aya", "pingora", "tokio"],
    },
    Layer {
        folder: "xdp",
        knows: &["limiter"],
        never: &["pingora", "tokio"],
    },
    Layer {
        folder: "appliance",
        knows: &["limiter", "config", "xdp"],
        never: &[],
    },
    // May know everything; nobody may know it, since no list above names it.
    Layer {
        folder: "tests",
        knows: &["limiter", "config", "xdp", "appliance"],
        never: &[],
    },
];

/// Crate families that only one of the product's folders may name in its manifests.
const GATES: &[(&str, &str)] = &[("aya", "xdp"), ("pingora", "appliance")];

/// All that may stand at the top, beside dotfiles and build output.
const TOP_LEVEL: &[&str] = &[
    "appliance",
    "config",
    "limiter",
    "systemd",
    "tests",
    "xdp",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "rust-toolchain.toml",
];

const BUILD_OUTPUT: &str = "target";

#[test]
fn every_member_belongs_to_a_layer() {
    for member in members() {
        assert!(
            LAYERS.iter().any(|layer| layer.folder == member.folder),
            "{} lives in `{}`, which is no layer",
            member.name,
            member.folder
        );
    }
}

#[test]
fn arrows_run_one_way() {
    let members = members();
    for member in &members {
        let layer = layer_of(member);
        let build = build_of(&member.name);
        for other in members.iter().filter(|other| build.contains(&other.name)) {
            assert!(
                other.folder == layer.folder || layer.knows.contains(&other.folder.as_str()),
                "{} ({}) may not depend on {} ({})",
                member.name,
                member.folder,
                other.name,
                other.folder
            );
        }
    }
}

#[test]
fn no_layer_builds_what_it_must_not_know() {
    for member in members() {
        let build = build_of(&member.name);
        for family in layer_of(&member).never {
            let found: Vec<_> = build.iter().filter(|name| is_of(name, family)).collect();
            assert!(found.is_empty(), "{} builds {found:?}", member.name);
        }
    }
}

#[test]
fn kernel_and_network_have_one_door_each() {
    for member in members().iter().filter(|member| member.folder != "tests") {
        let named = named_by(&member.name);
        for (family, door) in GATES.iter().filter(|(_, door)| *door != member.folder) {
            let found: Vec<_> = named.iter().filter(|name| is_of(name, family)).collect();
            assert!(
                found.is_empty(),
                "{} names {found:?}, which only `{door}` may",
                member.name
            );
        }
    }
}

#[test]
fn the_top_level_holds_nothing_else() {
    let unexpected: Vec<_> = fs::read_dir(top())
        .expect("the workspace can be listed")
        .map(|entry| entry.expect("an entry can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != BUILD_OUTPUT)
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?} at the top level");
}

/// Locked builds of the workspaces beside this one, such as benches, fail when a crate of this one has got a dependency
/// that their lock files do not know.
#[test]
fn lock_files_of_other_workspaces_know_all_dependencies() {
    let members = members();
    for lock in ["limiter/bench", "tests/bench", "xdp/ebpf", "xdp/fuzz"] {
        let path = top().join(lock).join("Cargo.lock");
        let text = fs::read_to_string(&path).expect("the lock file is there");
        let locked = locked(&text);
        for member in &members {
            let Some(known) = locked.get(member.name.as_str()) else {
                continue;
            };
            let mut named = named_by(&member.name);
            named.remove(&member.name);
            let missing: Vec<_> = named
                .iter()
                .filter(|name| !known.contains(name.as_str()))
                .collect();
            assert!(
                missing.is_empty(),
                "{lock}/Cargo.lock does not know that {} needs {missing:?}: run cargo metadata there",
                member.name
            );
        }
    }
}

#[test]
fn licences_are_where_the_manifests_say() {
    let first_words = |path: &str| {
        let text = fs::read_to_string(top().join(path)).expect(path);
        text.split_whitespace()
            .take(4)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(first_words("LICENSE"), "Apache License Version 2.0,");
    assert_eq!(
        first_words("xdp/ebpf/LICENSE-MIT"),
        "MIT License Copyright (c)"
    );
    assert_eq!(
        first_words("xdp/ebpf/LICENSE-GPL2"),
        "GNU GENERAL PUBLIC LICENSE"
    );
}

/// The dependencies of each package of a lock file.
fn locked(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let packages = text.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let name = package
                .lines()
                .find_map(|line| line.strip_prefix("name = "))?;
            let (_, list) = package.split_once("dependencies = [").unwrap_or_default();
            let (list, _) = list.split_once(']').unwrap_or_default();
            let quoted = list.split('"').skip(1).step_by(2);
            // A name that is there twice has its version behind it.
            let names = quoted.filter_map(|entry| entry.split(' ').next());
            Some((name.trim_matches('"'), names.collect()))
        })
        .collect()
}

struct Member {
    name: String,
    /// Its first folder below the top: `xdp` for `xdp/abi`.
    folder: String,
}

fn layer_of(member: &Member) -> &'static Layer {
    LAYERS
        .iter()
        .find(|layer| layer.folder == member.folder)
        .expect("every_member_belongs_to_a_layer")
}

/// Whether the crate is the family's own or one of its parts: `aya` and `aya-obj`, not `ayah`.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn members() -> Vec<Member> {
    let members: Vec<_> = tree(&["--workspace", "--depth=0"])
        .lines()
        .filter_map(|line| {
            let (name, place) = line.split_once(" v")?;
            let (_, path) = place.split_once('(')?;
            let below = Path::new(path.trim_end_matches(')'))
                .strip_prefix(top())
                .ok()?
                .to_owned();
            let folder = below.iter().next()?.to_string_lossy().into_owned();
            Some(Member {
                name: name.to_owned(),
                folder,
            })
        })
        .collect();
    assert!(members.len() >= 5, "cargo tree lists the workspace");
    members
}

/// Every crate that is compiled for the package, without what only its tests use.
fn build_of(package: &str) -> BTreeSet<String> {
    names(&tree(&["--package", package]))
}

/// The crates that the package's own manifest names.
fn named_by(package: &str) -> BTreeSet<String> {
    names(&tree(&["--package", package, "--depth=1"]))
}

fn names(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn tree(selection: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(top())
        .args(["tree", "--offline", "--edges=normal,build"])
        .args(["--prefix=none", "--format={p}"])
        .args(selection)
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn top() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ has a parent").to_owned()
}
