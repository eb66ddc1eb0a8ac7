use anyhow::{Result, bail};
use serde_json::json;

use crate::{
    cli::Doctor,
    doctor::{Client, Finding, Level, examine},
    output,
};

pub(super) fn run(command: Doctor) -> Result<()> {
    let findings = examine(&Client::new(), &command.url, command.protected.as_deref());
    let stumbles = findings.iter().filter(|found| found.level == Level::Stumble).count();
    if command.json {
        let all: Vec<_> = findings.iter().map(to_json).collect();
        output::print_json(&json!({ "url": command.url, "stumbles": stumbles, "findings": all }))?;
    } else {
        for Finding { level, place, text } in &findings {
            output::print(&format!("{:<8} {place}: {text}", level.as_str()))?;
        }
        if stumbles == 0 {
            output::print(&format!("an agent finds its way from {} to a key", command.url))?;
        }
    }
    match stumbles {
        0 => Ok(()),
        1 => bail!("an agent would stumble, where it says STUMBLE"),
        _ => bail!("an agent would stumble in {stumbles} places, where it says STUMBLE"),
    }
}

fn to_json(finding: &Finding) -> serde_json::Value {
    let Finding { level, place, text } = finding;
    json!({ "level": level.as_str().to_ascii_lowercase(), "place": place, "text": text })
}
