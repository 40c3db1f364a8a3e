//! What shells and readers of manuals get: completions, pages, and words for what was mistyped.

use std::{fs, process::Command};

use assert_cmd::prelude::OutputAssertExt;
use tempfile::TempDir;

use crate::site::{floodwall, stderr, stdout};

/// Asks a real bash what the last of these words may become.
fn completed(words: &[&str]) -> Vec<String> {
    const ASK: &str = r#"
        . "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _floodwall floodwall "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("floodwall.bash");
    let assert = floodwall(&["completions", "bash"]).assert().success();
    fs::write(&script, stdout(&assert)).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-euc", ASK, "bash"])
        .arg(&script)
        .args(words);
    let said = stdout(&bash.assert().success().stderr(""));
    said.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(completed(&["floodwall", "blo"]), ["blocks"]);
    let below = completed(&["floodwall", "blocks", ""]);
    for command in ["list", "add", "remove", "clear"] {
        assert!(below.iter().any(|word| word == command), "{below:?}");
    }
    assert_eq!(completed(&["floodwall", "status", "--j"]), ["--json"]);
    assert_eq!(
        completed(&["floodwall", "blocks", "add", "192.0.2.1", "--scope", ""]),
        ["listeners", "host"]
    );
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&floodwall(&["completions", shell]).assert().success());
        for word in ["blocks", "prefilter", "json"] {
            assert!(script.contains(word), "{shell} knows no {word}");
        }
    }
    floodwall(&["completions", "tcsh"]).assert().code(2);
}

#[test]
fn the_manual_is_written_into_a_folder() {
    let folder = TempDir::new().unwrap();
    let name = folder.path().to_str().unwrap();
    floodwall(&["man", name]).assert().success().stdout("");
    let page = fs::read_to_string(folder.path().join("floodwall.1")).unwrap();
    assert_eq!(page, stdout(&floodwall(&["man"]).assert().success()));
    assert!(folder.path().join("floodwall-blocks-add.1").exists());
    let missing = format!("{name}/nowhere");
    let said = stderr(&floodwall(&["man", &missing]).assert().code(1));
    assert!(said.contains(&missing), "{said}");
}

#[test]
fn a_slip_of_the_pen_is_named() {
    for (slip, meant) in [
        (&["staus"] as &[_], "status"),
        (&["blocks", "lst"], "list"),
        (&["status", "--jsn"], "--json"),
    ] {
        let said = stderr(&floodwall(slip).assert().code(2));
        assert!(said.contains(&format!("'{meant}'")), "{said}");
    }
}
