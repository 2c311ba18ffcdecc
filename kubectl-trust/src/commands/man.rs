//! `kubectl trust man`: the help as manual pages, one for the program and one for each verb.

use std::{fs, io};

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::{ManArgs, command};
use crate::exit::ExitStatus;
use crate::io_error::problem;
use crate::output::Printer;
use crate::staging;

/// Writes the pages. They name no date but that of the build, so that the same program always gives the same bytes.
///
/// # Errors
/// A folder that cannot be made or written to.
pub(crate) fn run(args: &ManArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .map_err(|error| anyhow::anyhow!("{}: cannot be made: {}", folder.display(), problem(&error)))?;
    let mut program = command("kubectl trust").disable_help_subcommand(true);
    program.build();
    let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
    for page in verbs.chain([&program]) {
        let (name, content) = render(page).with_context(|| page.get_name().to_owned())?;
        let path = folder.join(name);
        staging::replace(&path, &content)?;
        printer.line(path.display());
    }
    Ok(ExitStatus::Trusted)
}

/// The file name and the content of a page.
fn render(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let source = concat!("kubectl-trust ", env!("CARGO_PKG_VERSION"));
    // Left out, what stands behind it would be taken for the date.
    let date = super::version::built()
        .map_or_else(|| " ".to_owned(), |built| built.strftime("%Y-%m-%d").to_string());
    // What `Man` makes of help behind the flags is a section with the title EXTRA, whose lines are filled.
    let command_alone = command.clone().after_help(None::<&str>);
    let page = Man::new(command_alone).date(date).source(source).manual("kubectl trust");
    let mut content = Vec::new();
    page.render(&mut content)?;
    if let Some(examples) = command.get_after_help() {
        content.extend(section(&examples.to_string()).into_bytes());
    }
    Ok((page.get_filename(), content))
}

/// A title with a colon, and lines that stay as they are.
fn section(text: &str) -> String {
    let (title, lines) = text.split_once(":\n").unwrap_or(("EXAMPLES", text));
    let mut section = Roff::new();
    section.control("SH", [title.to_uppercase().as_str()]).control("nf", []);
    lines.lines().for_each(|line| {
        section.text([roman(line)]);
    });
    section.control("fi", []).to_roff()
}
