//! `floodwall man`: a page for each command, from the definitions that `floodwall help` prints.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Command, CommandFactory};
use clap_mangen::roff::{Roff, bold, roman};

use super::{Cli, Failure};

/// Print the manual page, or write the pages of all commands into a folder
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The folder, such as /usr/share/man/man1; without it the page floodwall(1) is printed
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// A manual page: the name of its file, and roff.
struct Page {
    file: String,
    text: Vec<u8>,
}

impl Man {
    pub(super) fn execute(&self, out: &mut impl Write) -> Result<(), Failure> {
        let pages = pages()?;
        match &self.folder {
            Some(folder) => pages.iter().try_for_each(|page| page.write(folder)),
            // The program itself is the first command.
            None => Ok(out.write_all(pages.first().map_or(&[], |page| &page.text))?),
        }
    }
}

impl Page {
    fn write(&self, folder: &Path) -> Result<(), Failure> {
        let file = folder.join(&self.file);
        fs::write(&file, &self.text).map_err(|error| {
            let make = if folder.exists() {
                String::new()
            } else {
                format!("; make the folder first: mkdir -p {}", folder.display())
            };
            Failure::Failed(format!(
                "{} cannot be written: {error}{make}",
                file.display()
            ))
        })
    }
}

/// The pages of the program and of all its commands.
fn pages() -> io::Result<Vec<Page>> {
    // `floodwall help` shows these pages; it has none of its own.
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    collect(&program, None, &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, parent: Option<&str>, pages: &mut Vec<Page>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.push(Page {
        file: format!("{name}.1"),
        text: page(command, name, parent)?,
    });
    let commands = command.get_subcommands();
    commands
        .filter(|each| !each.is_hide_set())
        .try_for_each(|each| collect(each, Some(name), pages))
}

fn page(command: &Command, name: &str, parent: Option<&str>) -> io::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let man = clap_mangen::Man::new(command.clone())
        .title(name.to_uppercase())
        // A page is the same whenever it is made. The space is what has the empty field written.
        .date(" ")
        .source(format!("floodwall {version}"))
        .manual("Floodwall");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    section(&mut page, |text| man.render_name_section(text))?;
    section(&mut page, |text| man.render_synopsis_section(text))?;
    section(&mut page, |text| man.render_description_section(text))?;
    if command.has_subcommands() {
        section(&mut page, |text| man.render_subcommands_section(text))?;
    }
    section(&mut page, |text| man.render_options_section(text))?;
    section(&mut page, |text| notes(command, text))?;
    section(&mut page, |text| see_also(parent, text))?;
    Ok(page)
}

/// Adds a section, without the preamble of which a page needs one only.
fn section(
    page: &mut Vec<u8>,
    render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut text = Vec::new();
    render(&mut text)?;
    let heading = text.windows(4).position(|bytes| bytes == b".SH ");
    page.extend_from_slice(&text[heading.unwrap_or(0)..]);
    Ok(())
}

/// What the help says below its options, line by line as it stands there.
fn notes(command: &Command, text: &mut dyn Write) -> io::Result<()> {
    let long = command.get_after_long_help();
    let Some(notes) = long.or(command.get_after_help()) else {
        return Ok(());
    };
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]).control("nf", []);
    for line in notes.to_string().lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).to_writer(text)
}

fn see_also(parent: Option<&str>, text: &mut dyn Write) -> io::Result<()> {
    let Some(parent) = parent else {
        return Ok(());
    };
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"])
        .text([bold(parent), roman("(1)")]);
    roff.to_writer(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a page as a reader sees it: no requests, no fonts, no escapes, and one space between words.
    fn readable(page: &Page) -> String {
        let text = String::from_utf8(page.text.clone()).unwrap();
        let lines = text.lines().map(|line| match line.split_once(' ') {
            Some((".ie" | ".el", _)) => "",
            Some((request, rest)) if request.starts_with('.') => rest,
            None if line.starts_with('.') => "",
            _ => line,
        });
        let text = lines.collect::<Vec<_>>().join(" ");
        let text = ["\\fB", "\\fI", "\\fR", "\\&"]
            .iter()
            .fold(text, |text, font| text.replace(font, ""));
        words(
            &text
                .replace("\\-", "-")
                .replace("\\*(Aq", "'")
                .replace("\\\\", "\\"),
        )
    }

    fn words(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Every command, with its page.
    fn commands(command: &Command, path: &[&str], all: &mut Vec<(Vec<String>, Command)>) {
        let path = [path, &[command.get_name()]].concat();
        all.push((
            path.iter().map(ToString::to_string).collect(),
            command.clone(),
        ));
        for each in command.get_subcommands() {
            commands(each, &path, all);
        }
    }

    #[test]
    fn a_page_says_what_the_help_of_its_command_says() {
        let mut program = Cli::command().disable_help_subcommand(true);
        program.build();
        let mut all = Vec::new();
        commands(&program, &[], &mut all);
        let pages = pages().unwrap();
        assert_eq!(pages.len(), all.len());
        for ((path, mut command), page) in all.into_iter().zip(&pages) {
            assert_eq!(page.file, format!("{}.1", path.join("-")));
            let help = words(&command.render_long_help().to_string());
            let text = readable(page);
            let about = command.get_long_about().or(command.get_about());
            let notes = command.get_after_long_help().or(command.get_after_help());
            let mut said = vec![about.unwrap().to_string()];
            said.extend(notes.map(ToString::to_string));
            for argument in command.get_arguments().filter(|each| !each.is_hide_set()) {
                let words = argument.get_long_help().or(argument.get_help());
                said.push(
                    words
                        .unwrap_or_else(|| panic!("{path:?}: no help for {argument}"))
                        .to_string(),
                );
                said.extend(argument.get_long().map(|long| format!("--{long}")));
                for value in argument.get_possible_values() {
                    said.push(value.get_name().to_owned());
                }
            }
            for below in command.get_subcommands() {
                said.push(below.get_about().unwrap().to_string());
            }
            for piece in said {
                let piece = words(&piece);
                assert!(
                    help.contains(&piece),
                    "{path:?}: no {piece:?} in the help\n{help}"
                );
                assert!(
                    text.contains(&piece),
                    "{path:?}: no {piece:?} on the page\n{text}"
                );
            }
        }
    }

    #[test]
    fn pages_name_each_other() {
        let pages = pages().unwrap();
        let first = readable(&pages[0]);
        assert!(first.starts_with("FLOODWALL 1"), "{first}");
        assert!(first.contains("floodwall-blocks(1)"), "{first}");
        let add = pages
            .iter()
            .find(|page| page.file == "floodwall-blocks-add.1");
        let add = readable(add.unwrap());
        assert!(add.ends_with("floodwall-blocks(1)"), "{add}");
    }
}
