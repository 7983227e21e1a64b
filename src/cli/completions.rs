//! `aqueduct completions` and `aqueduct man`: made from the same definition that reads the arguments.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Failure;
use super::args::{Arguments, EXIT_CODES, FIRST_RELAY};
use super::output::print;

pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "aqueduct", &mut script);
    print(&String::from_utf8_lossy(&script))
}

pub(super) fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    let written = write_page(&mut page);
    written.map_err(|error| Failure::Failed(error.to_string()))?;
    print(&String::from_utf8_lossy(&page))
}

/// One page for all commands, rather than one for each as packages of larger programs have it.
fn write_page(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Arguments::command();
    // Gives every subcommand its full name and the options that it inherits.
    command.build();
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    writeln!(page, ".PP\n.nf\n{FIRST_RELAY}\n.fi")?;
    write_commands(&command, page)?;
    writeln!(page, ".SH EXIT STATUS\n{EXIT_CODES}")?;
    man.render_version_section(page)
}

/// Each command that does something is a section, and its own sections are below it.
fn write_commands(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    for sub in command.get_subcommands() {
        if sub.has_subcommands() {
            write_commands(sub, page)?;
            continue;
        }
        let name = sub.get_bin_name().unwrap_or_else(|| sub.get_name());
        writeln!(page, ".SH {}", name.to_uppercase())?;
        let man = Man::new(sub.clone());
        let mut sections = Vec::new();
        man.render_synopsis_section(&mut sections)?;
        man.render_description_section(&mut sections)?;
        man.render_options_section(&mut sections)?;
        page.write_all(
            String::from_utf8_lossy(&sections)
                .replace(".SH ", ".SS ")
                .as_bytes(),
        )?;
    }
    Ok(())
}
