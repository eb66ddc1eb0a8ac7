//! The command line.

mod agents;
mod credits;
mod keys;
mod resources;

use std::{fmt::Display, path::PathBuf, str::FromStr};

use clap::{Args, Parser, Subcommand};
use portcullis_identity::{Role, UserStatus};
use portcullis_kernel::{Cursor, InvalidCursor, InvitationId, PageRequest, Place, Slice};

pub(crate) use self::{
    agents::{Agents, NewKey, OneAgent},
    credits::Credits,
    keys::Keys,
    resources::Resources,
};
use crate::settings::{self, Problem, Problems};

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
    /// Make, find and change accounts of agents, and their API keys
    #[command(subcommand)]
    Agents(Agents),
    /// Add and remove the APIs that may ask about keys and tokens
    #[command(subcommand)]
    Resources(Resources),
    /// Give credits to users and agents; show what they have
    #[command(subcommand)]
    Credits(Credits),
    /// Try the mail settings; show the texts of the mails
    #[command(subcommand)]
    Mail(Mail),
    /// Read what a server publishes, and say over what an agent would stumble
    #[command(after_help = "\
Examples:
  portcullis doctor https://auth.example.com
  portcullis doctor http://127.0.0.1:8080 --protected /v1/balance

Reads /.well-known/oauth-protected-resource, the authorization servers that it names, their keys and
/auth.md, and tries their endpoints with requests that change nothing. Follows no redirects.
Exits with 1 when an agent would stumble.")]
    Doctor(Doctor),
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
    pub(crate) fn place(&self) -> settings::Place {
        settings::Place { file: self.config.clone(), dev: self.dev }
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

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The address that agents know
    pub(crate) url: String,
    /// A path that needs a credential: its 401 should lead to the documents
    #[arg(long, value_name = "PATH")]
    pub(crate) protected: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
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
    /// Shut an account: its sessions end, and nothing of it or of its agents works until it is resumed
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

impl Paging {
    /// The same for a list in the order of time.
    pub(crate) fn slice<Id: Display + FromStr>(&self) -> Result<Slice<Id>, Problems> {
        let after = self.after.as_ref().map(Place::of).transpose();
        let foreign = |error: InvalidCursor| Problem::of("--after", error.to_string());
        let after = after.map_err(|error| Problems::one(foreign(error)))?;
        Ok(Slice { after, limit: self.limit })
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
    fn an_algorithm_is_chosen_for_one_purpose_only() {
        let parse = |line: &[&str]| {
            Cli::try_parse_from([&["portcullis", "keys", "rotate"], line].concat()).is_ok()
        };
        assert!(parse(&[]) && parse(&["--purpose", "people"]) && parse(&["--purpose", "agents"]));
        assert!(parse(&["--purpose", "agents", "--alg", "EdDSA", "--now"]));
        assert!(!parse(&["--alg", "EdDSA"]) && !parse(&["--purpose", "robots"]));
        assert!(!parse(&["--purpose", "agents", "--alg", "HS256"]));
    }

    #[test]
    fn an_account_is_not_erased_without_saying_yes() {
        let agent = format!("agt_{}", "0".repeat(32));
        for line in [["users", "delete", "jane@example.com"], ["agents", "delete", &agent]] {
            let parse =
                |more: &[&str]| Cli::try_parse_from([&["portcullis"], &line[..], more].concat());
            assert_eq!(parse(&[]).unwrap_err().exit_code(), 2);
            assert!(parse(&["--yes"]).is_ok());
        }
    }
}
