use std::path::PathBuf;

use clap::Subcommand;
use portcullis_tokens::KeyPurpose;

use super::Settings;
use crate::settings::AgentAlgorithm;

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Write a new master key to a file that must not exist
    #[command(after_help = "\
The file is for its owner's eyes only (mode 0600). Keep a copy in a safe place: without it the
signing keys in the database cannot be opened.

Examples:
  portcullis keys new-master --file /etc/portcullis/master.key
  PORTCULLIS__MASTER_KEY_FILE=/etc/portcullis/master.key portcullis keys new-master")]
    NewMaster {
        #[command(flatten)]
        settings: Settings,
        /// The file; without it that of the setting `master_key_file`
        #[arg(long, value_name = "PATH")]
        file: Option<PathBuf>,
    },
    /// Show the signing keys
    List {
        #[command(flatten)]
        settings: Settings,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the next signing keys
    #[command(after_help = "\
Without --purpose there is one for each purpose: for people's access tokens, and for those of agents
the one that signs them, by agents.algorithm. Each is published at once and signs after keys.lead
(6m), when every verifier has had the time to read it; the keys before it then retire.

Examples:
  portcullis keys rotate
  portcullis keys rotate --purpose agents --now
  portcullis keys rotate --purpose agents --alg EdDSA     one that waits for agents.algorithm")]
    Rotate {
        #[command(flatten)]
        settings: Settings,
        /// Only for this: `people` or `agents`
        #[arg(long, value_parser = purpose)]
        purpose: Option<KeyPurpose>,
        /// For agents: the key of this algorithm, `ES256`, `EdDSA` or `RS256`, in the place of the one
        /// that signs
        #[arg(long, requires = "purpose")]
        alg: Option<AgentAlgorithm>,
        /// Sign with it at once; verifiers that cache the key set refuse its tokens for some minutes
        #[arg(long)]
        now: bool,
    },
    /// Retire a signing key before its time
    Retire {
        #[command(flatten)]
        settings: Settings,
        /// Which, as `keys list` shows it
        kid: String,
        /// Others know the key: refuse its tokens, on running servers within 30 seconds
        #[arg(long)]
        compromised: bool,
    },
    /// Seal the signing keys, and the mails that wait, under another master key
    #[command(after_help = "\
Stop the servers first, or start them anew with the new key right after: a running one cannot read
what is sealed under another master key, so it signs on with the keys that it has opened and sends
only the mails that it queues itself. Codes and pages that are open right now become invalid.

Example:
  portcullis keys new-master --file new.key
  portcullis keys rewrap --new-master-key-file new.key")]
    Rewrap {
        #[command(flatten)]
        settings: Settings,
        /// The file of the new master key; `keys new-master` makes it
        #[arg(long, value_name = "FILE")]
        new_master_key_file: PathBuf,
    },
}

fn purpose(raw: &str) -> Result<KeyPurpose, &'static str> {
    KeyPurpose::from_name(raw).ok_or("must be people or agents")
}
