//! One file a command.

mod agent_keys;
mod agents;
mod config;
mod credits;
mod doctor;
mod invitations;
mod keys;
mod mail;
mod migrate;
mod resources;
mod serve;
mod users;

use anyhow::Result;
use portcullis_flows::{Engine, agents::InvalidInput};
use portcullis_kernel::{Classify, Field, FieldErrors};

use crate::{
    cli::{self, Command},
    logs, output,
    settings::{Loaded, Problem, Problems},
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
        Command::Agents(command) => agents::run(command),
        Command::Resources(command) => resources::run(command),
        Command::Credits(command) => credits::run(command),
        Command::Mail(command) => mail::run(command),
        Command::Doctor(command) => doctor::run(command),
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

/// An option of the command line, as a use case takes it.
fn given<T>(option: Option<T>) -> Field<T> {
    option.map_or(Field::Absent, Field::Given)
}

/// What is wrong with what was typed, by the argument that says it.
fn mistyped(invalid: &InvalidInput) -> Problems {
    let argument = |field| match field {
        "agent_name" => "name",
        "email" => "--email",
        "scopes" => "--scope",
        "expires_in_days" => "--expires-in-days",
        "allowed_cidrs" => "--allow-from",
        "rate_limit_per_minute" => "--rate-limit",
        "audience" => "--audience",
        "note" => "--note",
        other => other,
    };
    let fields = invalid.fields().into_iter().flat_map(FieldErrors::iter);
    Problems(fields.map(|(field, text)| Problem::of(argument(field), text)).collect())
}
