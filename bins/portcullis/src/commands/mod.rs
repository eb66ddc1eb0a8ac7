//! One file a command.

mod config;
mod invitations;
mod keys;
mod mail;
mod migrate;
mod serve;
mod users;

use anyhow::Result;
use portcullis_flows::Engine;

use crate::{
    cli::{self, Command},
    logs, output,
    settings::{Loaded, Problems},
    wiring::{self, Pending},
};

/// Runs one command.
pub(crate) fn run(command: Command) -> Result<()> {
    if !matches!(command, Command::Serve(_)) {
        logs::start_for_command()?;
    }
    match command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Migrate(arguments) => migrate::run(&arguments),
        Command::Keys(command) => keys::run(command),
        Command::Users(command) => users::run(command),
        Command::Mail(command) => mail::run(command),
        Command::Config(command) => config::run(command),
        Command::Openapi => output::print(&portcullis_http::openapi()),
    }
}

/// Which keys a command needs.
enum Needs {
    /// None: it only reads and writes rows.
    Rows,
    /// The master key.
    MasterKey,
}

/// An engine over the database of the settings, whose schema must be up to date.
fn engine(settings: &cli::Settings, needs: &Needs) -> Result<Engine> {
    engine_of(&Loaded::read(&settings.place())?, needs)
}

fn engine_of(loaded: &Loaded, needs: &Needs) -> Result<Engine> {
    let target = loaded.database().map_err(Problems::one)?;
    let database = wiring::open_database(loaded, target, Pending::Refuse)?;
    match needs {
        Needs::Rows => wiring::engine_without_keys(loaded, database),
        Needs::MasterKey => {
            let master_key = wiring::find_master_key(loaded)?;
            wiring::engine_with_keys(loaded, database, master_key)
        }
    }
}
