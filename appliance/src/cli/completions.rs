//! `floodwall completions`

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Failure};

/// Print what makes a shell complete this program's commands and options
#[derive(Debug, Args)]
#[command(after_long_help = "\
bash, for every user:  floodwall completions bash > /usr/share/bash-completion/completions/floodwall
bash, for this shell:  . <(floodwall completions bash)
zsh:                   floodwall completions zsh > \"${fpath[1]}/_floodwall\"
fish:                  floodwall completions fish > ~/.config/fish/completions/floodwall.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        Ok(out.write_all(&script(self.shell))?)
    }
}

/// The generator panics where it cannot write, so it writes where it can.
fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "floodwall", &mut script);
    script
}
