//! Every page in every state that a person can bring it into.

mod agents;
mod claims;
mod doors;
mod letters;
mod rooms;
mod rules;

use std::ops::Deref;

use portcullis_testkit_browser::{Browser, Page};

use super::Person;
use crate::harness::{Account, Server};

pub(super) use agents::agents;
pub(super) use claims::claims;
pub(super) use doors::doors;
pub(super) use letters::{letters, mailed_deletion};
pub(super) use rooms::{addresses, rooms};
pub(super) use rules::rules;

/// Names and addresses that are as long as some people's.
const LONG_NAME: &str =
    "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh-Cholmondeley-Marjoribanks";
const LONG_ADDRESS: &str =
    "wolfeschlegelsteinhausenbergerdorff.cholmondeley@mail.engineering.subsidiary.example.com";
const PASSWORD: &str = "three words together";

/// What is done at every stop: it is given the name of the state and the page in it.
pub(super) type Look<'l> = &'l mut dyn FnMut(&str, &mut Page);

/// Somebody who goes from state to state.
pub(super) struct Tour<'l> {
    person: Person,
    look: Look<'l>,
}

impl<'l> Tour<'l> {
    fn start(browser: &Browser, server: &Server, look: Look<'l>) -> Self {
        Self { person: Person::new(browser, server), look }
    }

    /// Looks at the page as it is now, which must have this heading.
    #[track_caller]
    fn stop(&mut self, name: &str, heading: &str) {
        assert_eq!(self.person.heading(), heading, "{name}: {}", self.person.reads());
        (self.look)(name, &mut self.person.page);
    }

    /// Opens a page and looks at it.
    #[track_caller]
    fn stop_at(&mut self, name: &str, path: &str, heading: &str) {
        self.person.open(path);
        self.stop(name, heading);
    }

    /// Fills a form in and sends it.
    #[track_caller]
    fn send(&mut self, fields: &[(&str, &str)], button: &str) {
        self.person.fill(fields);
        self.person.press(button);
    }
}

impl Deref for Tour<'_> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.person
    }
}

/// Jane, who registered elsewhere.
fn jane(server: &Server) -> Account {
    let jane = Account { email: "jane@example.com".into(), password: PASSWORD.into() };
    jane.register(&mut server.client());
    jane
}
