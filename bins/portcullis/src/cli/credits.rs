use clap::Subcommand;
use portcullis_kernel::ResourceServerId;

use super::Settings;

#[derive(Debug, Subcommand)]
pub(crate) enum Credits {
    /// Give credits to a user or agent
    #[command(after_help = "\
A user's agents spend the user's credits, so what is given to one of them is the user's. An agent that
belongs to nobody has credits of its own, which go to whoever claims it.

Examples:
  portcullis credits grant jane@example.com 1000 --note \"Welcome\"
  portcullis credits grant agt_0123456789abcdef0123456789abcdef 50")]
    Grant {
        #[command(flatten)]
        settings: Settings,
        /// A user's id or e-mail address, or an agent's id
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// How many; 1 to 1,000,000,000,000
        amount: i64,
        /// What the ledger says about it; 1 to 200 characters
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a balance and its newest entries
    Show {
        #[command(flatten)]
        settings: Settings,
        /// A user's id or e-mail address, or an agent's id
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a charge back, once
    #[command(after_help = "\
The credits go to whoever has the charge in their ledger now. The resource server can charge the same
operation no second time.")]
    Refund {
        #[command(flatten)]
        settings: Settings,
        /// The resource server that charged, as `resources list` shows it
        #[arg(value_name = "ID")]
        server: ResourceServerId,
        /// What it called the charge, as `credits show` tells it
        #[arg(value_name = "OPERATION")]
        operation: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
