//! `floodwall schema`

use std::io::Write;

use clap::Args;

use super::{Failure, print_json};

/// Print the JSON Schema of the configuration file, for editors and checks
#[derive(Debug, Args)]
pub(super) struct Schema;

impl Schema {
    pub(super) fn execute(out: &mut impl Write) -> Result<(), Failure> {
        print_json(out, &floodwall_config::schema())
    }
}
