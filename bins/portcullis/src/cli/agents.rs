use clap::{Args, Subcommand};
use portcullis_identity::AgentStatus;
use portcullis_kernel::{AgentId, ApiKeyId};

use super::{Paging, Settings};

#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// Make an account for an agent
    #[command(after_help = "\
Prints the agent's id and its recovery key, which is shown once: whoever has it makes and revokes the
agent's API keys. An address that is not said to be verified is mailed a link by a running server.

Examples:
  portcullis agents create weather-bot --owner jane@example.com
  portcullis agents create weather-bot --email bot@example.com --json")]
    Create {
        #[command(flatten)]
        settings: Settings,
        /// 3 to 50 letters, digits or hyphens; another agent may have the same
        name: String,
        /// The e-mail address; recovery codes go there once it is verified
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// The address is known to be its owner's
        #[arg(long, requires = "email")]
        verified: bool,
        /// The user it belongs to
        #[arg(long, value_name = "ID|EMAIL")]
        owner: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show agents, newest first
    List {
        #[command(flatten)]
        settings: Settings,
        /// Only those whose name contains this text
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Only those whose address contains this text
        #[arg(long, value_name = "TEXT")]
        email: Option<String>,
        /// Only those in this state: `active` or `suspended`
        #[arg(long, value_parser = status)]
        status: Option<AgentStatus>,
        /// Only those of this user
        #[arg(long, value_name = "ID|EMAIL")]
        owner: Option<String>,
        #[command(flatten)]
        paging: Paging,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one agent and its newest API keys
    Show {
        #[command(flatten)]
        one: OneAgent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Shut an agent: none of its keys and tokens works here until it is resumed
    Suspend(OneAgent),
    /// Open a suspended agent again; its keys and tokens work as before
    Resume(OneAgent),
    /// Erase an agent with its keys; its verified address is told
    Delete {
        #[command(flatten)]
        one: OneAgent,
        /// Yes, erase it
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Show the API keys of an agent, newest first
    Keys {
        #[command(flatten)]
        one: OneAgent,
        #[command(flatten)]
        paging: Paging,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make an API key for an agent
    #[command(after_help = "\
Prints the key, which is shown once. Its scopes are among those of agents.scopes; without any named
it has those of agents.default_scopes.

Example:
  portcullis agents create-key agt_0123456789abcdef0123456789abcdef --name ci --scope messages:read \\
      --expires-in-days 90 --allow-from 192.0.2.0/24")]
    CreateKey {
        #[command(flatten)]
        one: OneAgent,
        #[command(flatten)]
        key: NewKey,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke an API key; it is dead at once, and every token issued for it
    RevokeKey {
        #[command(flatten)]
        one: OneAgent,
        /// Which, as `agents keys` shows it
        #[arg(value_name = "KEY")]
        key: ApiKeyId,
    },
    /// Give an agent a new recovery key; the one before is dead at once
    #[command(after_help = "\
For an agent that lost its recovery key and has no verified address, or that lost it to others. API
keys and tokens live on; revoke those that others may have.")]
    ResetRecoveryKey {
        #[command(flatten)]
        one: OneAgent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct OneAgent {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Its id, `agt_…`
    #[arg(value_name = "ID")]
    pub(crate) agent: AgentId,
}

/// What a key shall be good for.
#[derive(Args, Debug)]
pub(crate) struct NewKey {
    /// What it is called; 1 to 100 characters
    #[arg(long)]
    pub(crate) name: String,
    /// A scope it has; to be repeated for each
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// It dies after so many days, up to 3650; without it never
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires_in_days: Option<i64>,
    /// A network or address it works from, such as 192.0.2.0/24; to be repeated for each, up to 20;
    /// without it any
    #[arg(long = "allow-from", value_name = "CIDR")]
    pub(crate) networks: Vec<String>,
    /// Requests a minute at most; without it any number
    #[arg(long, value_name = "NUMBER")]
    pub(crate) rate_limit: Option<i64>,
}

fn status(raw: &str) -> Result<AgentStatus, &'static str> {
    AgentStatus::from_name(raw).ok_or("must be active or suspended")
}
