use anyhow::{Result, anyhow};
use portcullis_audit::Actor;
use portcullis_credits::{Entry, Note, OperationId};
use portcullis_flows::{
    Engine,
    credits::{CreditAccount, Given, GrantInput},
};
use portcullis_kernel::{Origin, ResourceServerId, words::counted};
use serde_json::{Value, json};

use super::{Needs, given, keys::when, mistyped};
use crate::{
    cli::{self, Credits},
    output,
};

pub(super) fn run(command: Credits) -> Result<()> {
    match command {
        Credits::Grant { settings, account, amount, note, json } => {
            let input = GrantInput { amount: amount.into(), note: given(note) };
            grant(&engine(&settings)?, &account, input, json)
        }
        Credits::Show { settings, account, json } => {
            let shown = engine(&settings)?.show_credits(&account)?;
            if json { output::print_json(&to_json(&shown)) } else { print(&shown) }
        }
        Credits::Refund { settings, server, operation, json } => {
            refund(&engine(&settings)?, server, &operation, json)
        }
    }
}

fn engine(settings: &cli::Settings) -> Result<Engine> {
    super::engine(settings, &Needs::Rows)
}

fn grant(engine: &Engine, account: &str, input: GrantInput, json: bool) -> Result<()> {
    let grant = input.check().map_err(|error| mistyped(&error))?;
    let account = engine.find_account(account)?;
    let done = engine.grant_credits(account, &grant, Actor::Operator, &Origin::local())?;
    tell(&done, json)
}

fn refund(engine: &Engine, server: ResourceServerId, operation: &str, json: bool) -> Result<()> {
    let operation = OperationId::parse(operation).map_err(|error| anyhow!("OPERATION {error}"))?;
    let done = engine.refund_credits(server, &operation, Actor::Operator, &Origin::local())?;
    tell(&done, json)
}

fn tell(Given { account, credits, balance }: &Given, json: bool) -> Result<()> {
    if json {
        let account = account.to_string();
        return output::print_json(
            &json!({ "account": account, "credited": credits, "balance": balance }),
        );
    }
    let given = counted(*credits, "credit");
    output::print(&format!("{account} got {given} and has {balance} now"))
}

fn print(shown: &CreditAccount) -> Result<()> {
    for (name, value) in
        [("account", shown.id.to_string()), ("balance", shown.ledger.balance.to_string())]
    {
        output::print(&format!("{name:<10}{value}"))?;
    }
    if shown.ledger.entries.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = shown.ledger.entries.iter().map(to_row).collect();
    output::print("\n")?;
    output::table(["WHEN", "CREDITS", "REASON", "OPERATION", "RESOURCE SERVER", "NOTE"], &rows)
}

fn to_row(Entry { posting, .. }: &Entry) -> [String; 6] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        when(posting.at),
        format!("{:+}", posting.delta),
        posting.reason.as_str().to_owned(),
        or_dash(posting.operation.as_ref().map(|operation| operation.as_str().to_owned())),
        or_dash(posting.server.map(|server| server.to_string())),
        or_dash(posting.note.as_ref().map(|note| note.as_str().to_owned())),
    ]
}

fn to_json(shown: &CreditAccount) -> Value {
    let ledger: Vec<_> = shown.ledger.entries.iter().map(entry_json).collect();
    json!({
        "account": shown.id.to_string(),
        "balance": shown.ledger.balance,
        "ledger": ledger,
    })
}

fn entry_json(Entry { posting, balance }: &Entry) -> Value {
    json!({
        "id": posting.id.to_string(),
        "delta": posting.delta,
        "balance": balance,
        "reason": posting.reason.as_str(),
        "operation_id": posting.operation.as_ref().map(OperationId::as_str),
        "resource_server": posting.server.map(|server| server.to_string()),
        "note": posting.note.as_ref().map(Note::as_str),
        "created_at": when(posting.at),
    })
}
