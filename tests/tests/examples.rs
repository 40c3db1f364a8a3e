//! The contract's examples, through the command line: what is built loads as it stands, and what is not is
//! refused in just those words, at the right place.
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic")]

use std::{fs, path::Path};

use floodwall_tests::{Answer, Floodwall, Yaml};

fn check(yaml: &Yaml) -> Answer {
    Floodwall::check(yaml.text().as_bytes())
}

/// Asserts that the command line, and the schema it prints, take a file.
fn assert_loads(yaml: &Yaml) {
    let answer = check(yaml);
    assert_eq!(answer.code, Some(0), "{}{}", answer.stderr, yaml.text());
    assert!(
        answer.stdout.starts_with("floodwall.yaml: ok"),
        "{}",
        answer.stdout
    );
    let refused = schema_says(yaml);
    assert!(refused.is_empty(), "the schema refuses {refused:?}");
}

/// What the schema has against a file.
fn schema_says(yaml: &Yaml) -> Vec<String> {
    let printed = Floodwall::command(&["schema"]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let schema = serde_json::from_str(&printed.stdout).expect("the schema is JSON");
    let valid = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let document: serde_json::Value = serde_yaml::from_str(yaml.text()).expect("the file is YAML");
    valid
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect()
}

#[test]
fn the_copies_are_the_contract_s_own() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/examples");
    let Ok(files) = fs::read_dir(&contract) else {
        eprintln!(
            "SKIPPED: there is no {} to compare with",
            contract.display()
        );
        return;
    };
    let mut compared = 0;
    for file in files.map(|file| file.unwrap().path()) {
        let copy = Yaml::examples().join(file.file_name().unwrap());
        assert_eq!(
            fs::read_to_string(&copy).unwrap(),
            fs::read_to_string(&file).unwrap(),
            "{} has changed",
            file.display()
        );
        compared += 1;
    }
    assert_eq!(
        compared,
        fs::read_dir(Yaml::examples()).unwrap().count(),
        "an example is gone"
    );
}

#[test]
fn four_load_as_they_stand() {
    for name in [
        "minimal.yaml",
        "edge.yaml",
        "sentinel-port.yaml",
        "envoy-sentinel.yaml",
    ] {
        assert_loads(&Yaml::example(name));
    }
}

#[test]
fn the_schema_refuses_what_check_refuses() {
    let yaml = Yaml::example("minimal.yaml").with("rate: 100/s", "rate: fast");
    assert_eq!(check(&yaml).code, Some(2));
    assert_ne!(schema_says(&yaml), [""; 0]);
}

#[test]
fn flash_sale() {
    assert_loads(&Yaml::example("flash-sale.yaml"));
}

#[test]
fn mesh() {
    assert_loads(&Yaml::example("mesh.yaml"));
}

#[test]
fn token() {
    assert_loads(&Yaml::example("token.yaml"));
}

#[test]
fn a_service_does_not_start_on_what_is_not_built() {
    let answer = Floodwall::refuse(&Yaml::example("minimal.yaml").and("cluster: {}\n"));
    assert_eq!(answer.code, Some(2));
    assert!(
        answer
            .stderr
            .contains("cluster: is in the contract but not built yet"),
        "{}",
        answer.stderr
    );
}
