use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, bail};
use portcullis_flows::{
    Engine,
    keys::{KeyError, RetireKey},
};
use portcullis_kernel::Instant;
use portcullis_system::SystemEntropy;
use portcullis_tokens::{KeyPurpose, SigningKey};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::Needs;
use crate::{
    cli::{self, Keys},
    master_key, output,
    settings::{AgentAlgorithm, Loaded, MasterKeySource, Problem, Problems},
    wiring,
};

pub(super) fn run(command: Keys) -> Result<()> {
    match command {
        Keys::NewMaster { settings, file } => new_master(&settings, file),
        Keys::List { settings, json } => list(&settings, json),
        Keys::Rotate { settings, purpose, alg, now } => rotate(&settings, purpose, alg, now),
        Keys::Retire { settings, kid, compromised } => {
            let how = if compromised { RetireKey::Compromised } else { RetireKey::Gently };
            let engine = super::engine(&settings, &Needs::Rows)?;
            let key = match engine.retire_key(&kid, how) {
                Err(KeyError::LastActive) => return Err(last_active(&engine, &kid)?),
                retired => retired?,
            };
            let until = key.removed_at.map(when).unwrap_or_default();
            output::print(&format!(
                "{kid} signs no more; its tokens are refused from {until} on; running servers know \
                 of it within 30 seconds"
            ))
        }
        Keys::Rewrap { settings, new_master_key_file } => rewrap(&settings, &new_master_key_file),
    }
}

fn new_master(settings: &cli::Settings, file: Option<PathBuf>) -> Result<()> {
    let path = match file {
        Some(path) => path,
        None => configured_file(settings)?,
    };
    if settings.place().dev {
        master_key::create_directory_of(&path)?;
    }
    let key = master_key::create(&path, &SystemEntropy)?;
    let shown = path.display();
    output::print(&format!("wrote the master key {} to {shown}; keep a copy of it", key.id()))
}

fn configured_file(settings: &cli::Settings) -> Result<PathBuf> {
    let loaded = Loaded::read(&settings.place())?;
    match loaded.master_key() {
        Ok(MasterKeySource::File(path)) => Ok(path),
        Ok(MasterKeySource::Text(_)) => {
            let text = "is set, so there is no file to write; say which with --file PATH";
            Err(Problems::one(Problem::of("master_key", text)).into())
        }
        Err(_) => {
            let text = "is not set, so there is no file to write; say which with --file PATH";
            Err(Problems::one(Problem::of("master_key_file", text)).into())
        }
    }
}

fn list(settings: &cli::Settings, as_json: bool) -> Result<()> {
    let engine = super::engine(settings, &Needs::Rows)?;
    let (keys, now) = (engine.list_keys()?, engine.now());
    if as_json {
        let keys: Vec<_> = keys.iter().map(|key| to_json(key, now)).collect();
        return output::print(&serde_json::to_string_pretty(&keys)?);
    }
    if keys.is_empty() {
        return output::print("no signing keys yet; `portcullis serve` makes the first");
    }
    let rows: Vec<_> = keys.iter().map(|key| to_row(key, now)).collect();
    let headings = [
        "KID",
        "PURPOSE",
        "ALG",
        "STATE",
        "SIGNS FROM",
        "SIGNS UNTIL",
        "ACCEPTED UNTIL",
        "SEALED BY",
    ];
    output::table(headings, &rows)
}

fn rotate(
    settings: &cli::Settings,
    purpose: Option<KeyPurpose>,
    algorithm: Option<AgentAlgorithm>,
    at_once: bool,
) -> Result<()> {
    let mut loaded = Loaded::read(&settings.place())?;
    if let Some(algorithm) = algorithm {
        if purpose != Some(KeyPurpose::Agents) {
            bail!("--alg is for --purpose agents: the other keys have one algorithm only");
        }
        loaded.settings.agents.algorithm = algorithm;
    }
    let engine = super::engine_of(&loaded, &Needs::MasterKey)?;
    for purpose in KeyPurpose::ALL.into_iter().filter(|one| purpose.is_none_or(|it| it == *one)) {
        let key = engine.rotate_key(purpose, at_once).map_err(explain)?;
        let (kid, from) = (&key.kid, when(key.active_from));
        let (purpose, algorithm) = (purpose.as_str(), key.algorithm.as_str());
        output::print(&format!("made {kid} for {purpose} ({algorithm}); it signs from {from} on"))?;
    }
    Ok(())
}

/// The way to put another key in the place of one that cannot go yet.
fn last_active(engine: &Engine, kid: &str) -> Result<anyhow::Error> {
    let key = engine.list_keys()?.into_iter().find(|key| key.kid == kid);
    let Some(SigningKey { purpose, algorithm, .. }) = key else {
        return Ok(KeyError::NotFound.into());
    };
    let only = match purpose {
        KeyPurpose::Agents => format!(" --purpose agents --alg {}", algorithm.as_str()),
        purpose => format!(" --purpose {}", purpose.as_str()),
    };
    Ok(anyhow!(
        "this is the only key that signs; `portcullis keys rotate{only} --now` puts another in its \
         place first"
    ))
}

fn rewrap(settings: &cli::Settings, file: &std::path::Path) -> Result<()> {
    let missing =
        || format!("there is no file {}; `portcullis keys new-master` makes it", file.display());
    let new = master_key::read(file)?.with_context(missing)?;
    let sealed = super::engine(settings, &Needs::MasterKey)?.rewrap_keys(&new).map_err(explain)?;
    let shown = file.display();
    output::print(&format!(
        "sealed {sealed} signing key(s) and every mail that waits under the master key {}; set \
         master_key_file to {shown} and start the servers anew: one that runs on with the old key \
         sends only the mails that it queues itself",
        new.id()
    ))
}

fn explain(error: KeyError) -> anyhow::Error {
    match error {
        KeyError::Open(error) => wiring::explain_keys(error),
        error => error.into(),
    }
}

fn to_row(key: &SigningKey, now: Instant) -> [String; 8] {
    let or_dash = |at: Option<Instant>| at.map_or_else(|| "-".to_owned(), when);
    [
        key.kid.clone(),
        key.purpose.as_str().to_owned(),
        key.algorithm.as_str().to_owned(),
        key.state(now).as_str().to_owned(),
        when(key.active_from),
        or_dash(key.retired_at),
        or_dash(key.removed_at),
        key.sealed_by.clone(),
    ]
}

fn to_json(key: &SigningKey, now: Instant) -> serde_json::Value {
    json!({
        "kid": key.kid,
        "purpose": key.purpose.as_str(),
        "alg": key.algorithm.as_str(),
        "state": key.state(now).as_str(),
        "created_at": when(key.created_at),
        "active_from": when(key.active_from),
        "retired_at": key.retired_at.map(when),
        "removed_at": key.removed_at.map(when),
        "sealed_by": key.sealed_by,
    })
}

/// RFC 3339, whole seconds.
pub(super) fn when(at: Instant) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}
