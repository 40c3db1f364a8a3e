//! Lists in files: read beside the configuration, refused with their own places, and compared by their entries.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

use std::fs;
use std::path::PathBuf;

use floodwall_config::Config;

/// A folder for one test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("floodwall-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn read(&self, lists: &str) -> Result<Config, String> {
        let text = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:8080' }} }}\nroutes: [{{ name: all, respond: {{ }} }}]\n\
             prefilter: {{ interfaces: [lo], {lists} }}\n"
        );
        let file = self.0.join("f.yaml");
        let found = Config::from_text(&text, file).map_err(|problems| problems.to_string());
        found.map_err(|problems| problems.replace(&format!("{}/", self.0.display()), ""))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn networks_and_files_stand_beside_each_other() {
    let folder = Folder::new("beside");
    folder.write(
        "bad.txt",
        "# bad\n192.0.2.0/25\n\n192.0.2.128-192.0.2.129 # worse\n",
    );
    folder.write(
        "set",
        "create s hash:net family inet6\nadd s 2001:db8::/32 timeout 0\n",
    );
    let config = folder
        .read("allow: [{ file: bad.txt }], deny: [203.0.113.9, { file: set }, { file: bad.txt }]")
        .unwrap();
    let prefilter = config.prefilter.unwrap();
    let words = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(words(&prefilter.allow), ["192.0.2.0/25", "192.0.2.128/31"]);
    assert_eq!(
        words(&prefilter.deny),
        [
            "203.0.113.9/32",
            "2001:db8::/32",
            "192.0.2.0/25",
            "192.0.2.128/31"
        ]
    );
}

#[test]
fn all_that_is_wrong_in_a_file_is_told_at_its_place() {
    let folder = Folder::new("wrong");
    folder.write("bad.txt", "192.0.2.1/24\n192.0.2.1\n  example.org\n");
    let problems = folder
        .read("mode: of, deny: [{ file: bad.txt }, { file: gone.txt }, { file: bad.txt }, { fil: x }]")
        .unwrap_err();
    let lines: Vec<_> = problems.lines().collect();
    let expected = [
        "f.yaml:3:38: prefilter.mode: found `of`; allowed: ",
        "f.yaml:3:68: prefilter.deny[1]: found gone.txt, which cannot be read: No such file",
        "f.yaml:3:107: prefilter.deny[3].file: is missing; allowed: a file of networks",
        "f.yaml:3:109: prefilter.deny[3].fil: unknown key, did you mean `file`?; allowed: file",
        "bad.txt:1:1: prefilter.deny[0]: found `192.0.2.1/24` with host bits set; allowed: 192.0.2.0/24",
        "bad.txt:1:1: prefilter.deny[2]: found `192.0.2.1/24` with host bits set; allowed: 192.0.2.0/24",
        "bad.txt:3:3: prefilter.deny[0]: found `example.org`; allowed: an address, a network, a range",
        "bad.txt:3:3: prefilter.deny[2]: found `example.org`; allowed: an address, a network, a range",
    ];
    assert_eq!(lines.len(), expected.len(), "{problems}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\nis not\n{expected}");
    }
}

#[test]
fn the_same_entry_twice_in_a_list_is_refused() {
    let folder = Folder::new("twice");
    folder.write("bad.txt", "192.0.2.1\n");
    let problems = folder
        .read("deny: [{ file: bad.txt }, { file: bad.txt }]")
        .unwrap_err();
    assert!(
        problems.contains("the same entry as in item 0"),
        "{problems}"
    );
}

#[test]
fn a_folder_and_bytes_that_are_no_text_are_refused() {
    let folder = Folder::new("bytes");
    fs::write(folder.0.join("raw"), b"192.0.2.1\n\xff\n").unwrap();
    let problems = folder
        .read("deny: [{ file: raw }, { file: . }]")
        .unwrap_err();
    assert!(problems.contains("offset 10 is not UTF-8"), "{problems}");
    assert!(problems.contains("no regular file"), "{problems}");
}

#[test]
fn a_million_wrong_lines_are_not_all_kept() {
    let folder = Folder::new("many");
    folder.write("bad.txt", &"x\n".repeat(1_000_000));
    let problems = folder.read("deny: [{ file: bad.txt }]").unwrap_err();
    assert!(
        problems.ends_with("\nand 999900 more"),
        "{}",
        &problems[problems.len() - 100..]
    );
}

#[test]
fn a_reload_tells_by_how_many_entries_a_list_changed() {
    let folder = Folder::new("diff");
    let read = || {
        folder
            .read("allow: [10.0.0.0/8], deny: [{ file: bad.txt }]")
            .unwrap()
    };
    folder.write("bad.txt", "192.0.2.1\n192.0.2.2\n192.0.2.3\n");
    let old = read();
    folder.write("bad.txt", "192.0.2.3\n192.0.2.1\n192.0.2.2\n");
    assert_eq!(old.changes(&read()), vec![]);
    folder.write("bad.txt", "192.0.2.9\n192.0.2.1\n192.0.2.8\n192.0.2.7\n");
    let changes: Vec<_> = old
        .changes(&read())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(changes, ["prefilter.deny: 3 entries added, 2 removed"]);
}
