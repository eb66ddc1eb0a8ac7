//! `portcullis doctor`: reads what a server publishes as an agent would that knows nothing but its address,
//! and says over what such an agent would stumble.

mod authorization_server;
mod endpoints;
mod fetch;
mod finding;
mod protected_resource;
#[cfg(test)]
mod tests;

pub(crate) use fetch::{Client, Fetch};
pub(crate) use finding::{Finding, Level};

use fetch::origin_of;
use finding::Notes;

/// Reads the documents of the server at this address, and tries its endpoints with requests that change
/// nothing. `protected` is a path that needs a credential.
pub(crate) fn examine(fetch: &dyn Fetch, url: &str, protected: Option<&str>) -> Vec<Finding> {
    let mut notes = Notes::default();
    let url = url.trim_end_matches('/');
    match origin_of(url) {
        Err(why) => notes.stumble("address", why),
        Ok(origin) => {
            if !origin.is_safe {
                notes.stumble("address", "is plain http: an agent that sends a key there shows it to everybody on the way; serve it over https");
            }
            let servers = protected_resource::examine(fetch, url, &mut notes);
            for server in servers {
                authorization_server::examine(fetch, &server, &mut notes);
            }
            if let Some(path) = protected {
                protected_resource::challenge(fetch, url, path, &mut notes);
            }
        }
    }
    notes.into_findings()
}
