use clap::Subcommand;
use portcullis_kernel::ResourceServerId;

use super::Settings;

#[derive(Debug, Subcommand)]
pub(crate) enum Resources {
    /// Add an API that may ask about the keys and tokens it is sent
    #[command(after_help = "\
Prints the id and the secret with which the API authenticates at /oauth2/introspect and
/oauth2/revoke; the secret is shown once. Of keys and of tokens for everybody the API sees those that
have one of its scopes, and of these scopes only its own; with --audience also the tokens that were
asked for it alone.

Examples:
  portcullis resources add chat --scope messages:read --scope messages:write
  portcullis resources add archive --scope messages:read --audience https://archive.example.com")]
    Add {
        #[command(flatten)]
        settings: Settings,
        /// What it is called; 1 to 100 characters
        name: String,
        /// A scope it knows; to be repeated for each
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// The `aud` of tokens that are for it alone: an absolute URI
        #[arg(long, value_name = "URI")]
        audience: Option<String>,
        /// It may also ask about access tokens of people
        #[arg(long)]
        people: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the APIs that may ask, oldest first
    List {
        #[command(flatten)]
        settings: Settings,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an API; its secret is dead at once
    Remove {
        #[command(flatten)]
        settings: Settings,
        /// Which, as `resources list` shows it
        #[arg(value_name = "ID")]
        id: ResourceServerId,
    },
}
