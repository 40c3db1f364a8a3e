//! The command line: one file a command, and nothing here that a test could not call in process.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

mod blocks;
mod check;
mod completions;
mod doctor;
mod explain;
mod gate;
mod man;
mod prefilter;
mod printable;
mod reload;
mod run;
mod schema;
mod status;
mod table;
mod target;
mod top;

/// The front door of an edge host: reverse proxy, flow limiter and packet filter around one table.
#[derive(Debug, Parser)]
#[command(
    name = "floodwall",
    version,
    propagate_version = true,
    after_help = "\
Exit codes: 0 done, 1 failed, 2 wrong configuration or usage.
With --json standard output is one JSON document, or nothing when the command could not do its
work: why not is said on standard error, and by the exit code."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Reload(reload::Reload),
    Status(status::Status),
    Top(top::Top),
    Doctor(doctor::Doctor),
    Explain(explain::Explain),
    #[command(subcommand)]
    Blocks(blocks::Blocks),
    #[command(subcommand)]
    Gate(gate::Gate),
    #[command(subcommand)]
    Prefilter(prefilter::Prefilter),
    Schema(schema::Schema),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Why a command ends with another code than 0, and the words for standard error.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1.
    Failed(String),
    /// Wrong configuration or usage: exit code 2.
    Wrong(String),
    /// The document on standard output says it all: this exit code, without words.
    Printed(u8),
    /// Nobody reads the output any more, which is the reader's right: exit code 0, without words.
    Unread,
}

/// Reads the command line and does what it says. Wrong usage ends the process with exit code 2.
pub fn main() -> ExitCode {
    let outcome = Cli::parse().execute(&mut io::stdout());
    match outcome {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(failure @ Failure::Failed(_)) => complain(&failure, 1),
        Err(failure @ Failure::Wrong(_)) => complain(&failure, 2),
        Err(Failure::Printed(code)) => ExitCode::from(code),
    }
}

impl Cli {
    fn execute(self, out: &mut impl Write) -> Result<(), Failure> {
        match self.command {
            Command::Run(run) => run.execute(),
            Command::Check(check) => check.execute(out),
            Command::Reload(reload) => reload.execute(out),
            Command::Status(status) => status.execute(out),
            Command::Top(top) => top.execute(out),
            Command::Doctor(doctor) => doctor.execute(out),
            Command::Explain(explain) => explain.execute(out),
            Command::Blocks(blocks) => blocks.execute(out),
            Command::Gate(gate) => gate.execute(out),
            Command::Prefilter(prefilter) => prefilter.execute(out),
            Command::Schema(schema::Schema) => schema::Schema::execute(out),
            Command::Completions(completions) => completions.execute(out),
            Command::Man(man) => man.execute(out),
        }
    }
}

fn complain(failure: &Failure, code: u8) -> ExitCode {
    // A standard error that is gone leaves the exit code to speak.
    let _ = writeln!(io::stderr(), "{failure}");
    ExitCode::from(code)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(words) | Self::Wrong(words) => f.write_str(words),
            Self::Printed(_) | Self::Unread => Ok(()),
        }
    }
}

impl From<io::Error> for Failure {
    /// Only writing to standard output is an I/O error here.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Failed(format!("cannot write to standard output: {error}")),
        }
    }
}

/// Prints one JSON document.
fn print_json(out: &mut impl Write, document: &impl serde::Serialize) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, document).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Prints how many were concerned as one JSON document.
fn print_count(out: &mut impl Write, count: usize) -> Result<(), Failure> {
    print_json(out, &serde_json::json!({ "count": count }))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_a_terminal_of_100_columns() {
        let mut command = Cli::command();
        let names: Vec<String> = command
            .get_subcommands()
            .map(|each| each.get_name().to_owned())
            .collect();
        assert_eq!(
            names,
            [
                "run",
                "check",
                "reload",
                "status",
                "top",
                "doctor",
                "explain",
                "blocks",
                "gate",
                "prefilter",
                "schema",
                "completions",
                "man"
            ]
        );
        for line in command.render_long_help().to_string().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    /// Commands that print no information, or nothing but a format of its own.
    const WITHOUT_JSON: [&str; 4] = ["run", "schema", "completions", "man"];

    /// The commands that do something, by their names.
    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        for each in command.get_subcommands() {
            let path = format!("{path} {}", each.get_name());
            if each.has_subcommands() {
                leaves(each, &path, found);
            } else {
                found.push((path.trim_start().to_owned(), each.clone()));
            }
        }
    }

    #[test]
    fn whatever_prints_information_prints_json_as_well() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "", &mut found);
        assert!(found.len() > 10, "{found:?}");
        for (path, command) in found {
            let json = command
                .get_arguments()
                .any(|argument| argument.get_long() == Some("json"));
            assert_eq!(json, !WITHOUT_JSON.contains(&&*path), "floodwall {path}");
        }
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(matches!(Failure::from(broken), Failure::Unread));
        assert!(matches!(
            Failure::from(io::Error::from(io::ErrorKind::StorageFull)),
            Failure::Failed(_)
        ));
    }
}
