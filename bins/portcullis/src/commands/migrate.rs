use anyhow::Result;

use crate::{
    cli::Migrate,
    output,
    settings::{DatabaseTarget, Loaded, Problems},
    wiring::{self, Pending},
};

pub(super) fn run(arguments: &Migrate) -> Result<()> {
    let loaded = Loaded::read(&arguments.settings.place())?;
    let target = loaded.database().map_err(Problems::one)?;
    if arguments.check {
        return check(&loaded, target);
    }
    let database = wiring::connect(&loaded, target)?;
    let applied = wiring::migrate(database.as_ref())?;
    if applied.is_empty() {
        return output::print("the schema is up to date");
    }
    applied.iter().try_for_each(|name| output::print(&format!("applied {name}")))
}

fn check(loaded: &Loaded, target: DatabaseTarget) -> Result<()> {
    wiring::open_database(loaded, target, Pending::Refuse)?;
    output::print("the schema is up to date")
}
