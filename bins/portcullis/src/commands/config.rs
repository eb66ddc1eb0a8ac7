use anyhow::Result;

use crate::{
    cli::Config,
    output,
    settings::{Loaded, StartMode},
    wiring,
};

pub(super) fn run(command: Config) -> Result<()> {
    let (settings, start) = match command {
        Config::Check { settings, insecure_http } => (settings, Some(StartMode { insecure_http })),
        Config::Show { settings } => (settings, None),
    };
    let loaded = Loaded::read(&settings.place())?;
    if let Some(mode) = start {
        loaded.check_start(mode)?;
        wiring::find_master_key(&loaded)?;
    }
    output::print(&loaded.show())?;
    if start.is_some() {
        output::print("# Nothing in these settings keeps `serve` from starting.")?;
    }
    Ok(())
}
