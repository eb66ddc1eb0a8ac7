//! The Portcullis server: settings, wiring and commands.

mod background;
mod cli;
mod commands;
mod doctor;
mod health;
mod logs;
mod mail;
mod master_key;
mod output;
mod settings;
mod stop;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}
