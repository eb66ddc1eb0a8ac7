//! The pages in headless Chromium, where there is one, used as people use them.

mod account;
mod agents;
mod claim;
mod foreign;
mod looks;
mod person;
mod pictures;
mod registration;
mod reset;
mod sessions;
mod stranger;
mod tour;

use person::Person;
