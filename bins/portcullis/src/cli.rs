//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use portcullis_identity::{Role, UserStatus};
use portcullis_kernel::{Cursor, InvitationId, PageRequest};

use crate::settings::Place;

/// Portcullis, an auth server for people and AI agents.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  portcullis serve --dev                     try it out: SQLite, nothing else needed
  portcullis keys new-master --file master.key
  portcullis serve --config /etc/portcullis.toml
  portcullis config check --config /etc/portcullis.toml

Settings come from built-in defaults, then a file (./portcullis.toml or --config), then the
environment (PORTCULLIS__HTTP__BIND for bind in [http]). docs/configuration.md lists them all.

Exit codes: 0 done, 1 failed, 2 the command line is wrong."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    #[command(after_help = "\
Examples:
  portcullis serve --dev
      Listens on http://127.0.0.1:8080 and keeps everything in ./portcullis-data.
  portcullis serve --config /etc/portcullis.toml
      Wants a database, a master key, an https public_url and a mail transport, and says what lacks.

SIGTERM and SIGINT stop it: running requests end, new ones are refused. Mails that wait are sent
after the next start.")]
    Serve(Serve),
    /// Bring the database's schema up to date, which `serve` does by itself
    Migrate(Migrate),
    /// Make the master key; list, rotate and retire signing keys
    #[command(subcommand)]
    Keys(Keys),
    /// Make, find and change accounts; invite people
    #[command(subcommand)]
    Users(Users),
    /// Try the mail settings; show the texts of the mails
    #[command(subcommand)]
    Mail(Mail),
    /// Check and show the settings
    #[command(subcommand)]
    Config(Config),
    /// Print the OpenAPI document
    Openapi,
}

/// Where the settings are.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The settings file; without it ./portcullis.toml, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Development mode: loopback only; what is not set is made in ./portcullis-data
    #[arg(long)]
    dev: bool,
}

impl Settings {
    pub(crate) fn place(&self) -> Place {
        Place { file: self.config.clone(), dev: self.dev }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Allow an http `public_url`: passwords and tokens may then travel in the clear
    #[arg(long)]
    pub(crate) insecure_http: bool,
    /// Refuse to start when migrations are pending, instead of applying them
    #[arg(long)]
    pub(crate) no_migrate: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Change nothing; exit with 1 when migrations are pending
    #[arg(long)]
    pub(crate) check: bool,
}

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
    /// Make the next signing key
    #[command(after_help = "\
The new key is published at once and signs after keys.lead (6m), when every verifier has had the
time to read it; the keys before it then retire.")]
    Rotate {
        #[command(flatten)]
        settings: Settings,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Make an account
    #[command(after_help = "\
Example:
  printf %s \"$PASSWORD\" | portcullis users create jane@example.com --role admin --verified --password-stdin")]
    Create {
        #[command(flatten)]
        settings: Settings,
        /// The e-mail address
        email: String,
        /// The name shown to others
        #[arg(long)]
        name: Option<String>,
        /// `user`, `verified_user`, `host` or `admin`
        #[arg(long)]
        role: Option<Role>,
        /// The address is known to be its owner's
        #[arg(long)]
        verified: bool,
        /// Read the password from standard input; without it the account has none
        #[arg(long)]
        password_stdin: bool,
    },
    /// Show accounts, oldest first
    List {
        #[command(flatten)]
        settings: Settings,
        /// Only those with this role
        #[arg(long)]
        role: Option<Role>,
        /// Only those in this state: `active` or `suspended`
        #[arg(long, value_parser = status)]
        status: Option<UserStatus>,
        /// Only those whose address contains this text
        #[arg(long, value_name = "TEXT")]
        email: Option<String>,
        #[command(flatten)]
        paging: Paging,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one account
    Show {
        #[command(flatten)]
        settings: Settings,
        /// Its id or e-mail address
        #[arg(value_name = "ID|EMAIL")]
        user: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a role; tokens show it from the next refresh or sign-in
    SetRole {
        #[command(flatten)]
        settings: Settings,
        /// Its id or e-mail address
        #[arg(value_name = "ID|EMAIL")]
        user: String,
        /// `user`, `verified_user`, `host` or `admin`
        role: Role,
    },
    /// Shut an account: its sessions end, and nothing of it works until it is resumed
    Suspend(OneUser),
    /// Open a suspended account again
    Resume(OneUser),
    /// End every session of an account, here at once; its owner signs in anew
    SignOut(OneUser),
    /// Erase an account with everything that belongs to it
    Delete {
        #[command(flatten)]
        one: OneUser,
        /// Yes, erase it
        #[arg(long, required = true)]
        yes: bool,
    },
    /// Invite somebody to register, once
    #[command(after_help = "\
Prints the invitation and its link; they are shown once. With an address the invitation is good for
that address alone, and a running server mails it there. An invitation lets its holder in where
people.registration is `invite`, and whatever people.allowed_domains says.

Examples:
  portcullis users invite --email jane@example.com
  portcullis users invite --json")]
    Invite {
        #[command(flatten)]
        settings: Settings,
        /// The only address it is for, and to which it is mailed; without it whoever has the link
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the invitations that can still be used
    Invitations {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        paging: Paging,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Withdraw an invitation; its mail is not sent if it still waits
    Withdraw {
        #[command(flatten)]
        settings: Settings,
        /// Which, as `users invitations` shows it
        id: InvitationId,
    },
}

/// Which part of a list.
#[derive(Args, Clone, Debug)]
pub(crate) struct Paging {
    /// At most so many, up to 200
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Go on where the list before ended
    #[arg(long, value_name = "CURSOR", value_parser = Cursor::decode)]
    after: Option<Cursor>,
}

impl From<Paging> for PageRequest {
    fn from(Paging { limit, after }: Paging) -> Self {
        Self { after, limit }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Mail {
    /// Send a mail now, past the queue, and say what the mail server said
    #[command(after_help = "\
Exits with 1 and the reason when the mail is not taken. One that is taken may still be lost on its
way: look whether it arrives, and in which folder.

Example:
  portcullis mail test jane@example.com --config /etc/portcullis.toml")]
    Test {
        #[command(flatten)]
        settings: Settings,
        /// Where to send it
        address: String,
    },
    /// Show the names of the built-in templates, or the text of one
    #[command(after_help = "\
A file of the same name in the directory of the setting `mail.templates` takes the place of a
built-in template. `portcullis config check` says whether it can.

Example:
  portcullis mail templates verify_email.txt > templates/verify_email.txt")]
    Templates {
        /// Which one, such as `verify_email.txt`
        name: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct OneUser {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Its id or e-mail address
    #[arg(value_name = "ID|EMAIL")]
    pub(crate) user: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Say what would keep `serve` from starting with these settings; show them when nothing would
    Check {
        #[command(flatten)]
        settings: Settings,
        /// Allow an http `public_url`, as with `serve`
        #[arg(long)]
        insecure_http: bool,
    },
    /// Show the settings in effect and where each comes from; secrets stay hidden
    Show {
        #[command(flatten)]
        settings: Settings,
    },
}

fn status(raw: &str) -> Result<UserStatus, &'static str> {
    UserStatus::from_name(raw).ok_or("must be active or suspended")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_account_is_not_erased_without_saying_yes() {
        let parse = |line: &[&str]| {
            Cli::try_parse_from([&["portcullis", "users", "delete"], line].concat())
        };
        let error = parse(&["jane@example.com"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(parse(&["jane@example.com", "--yes"]).is_ok());
    }
}
