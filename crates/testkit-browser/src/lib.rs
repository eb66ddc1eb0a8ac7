//! Pages in headless Chromium, for tests: a small blocking WebDriver client, and axe-core.
//!
//! A [`Browser`] is one chromedriver of this machine, and each [`Page`] that it opens is a
//! Chromium with a profile of its own, as the browser of one person is. Names are resolved for
//! this machine only, so that no page can reach another. However the owning process ends,
//! `kill -9` included, the programs end and their files go.
//!
//! What a test asks of a page panics with what went wrong, at the line that asked.
//!
//! ```no_run
//! use portcullis_testkit_browser::{Browser, Scheme, Settings, Window};
//!
//! let Some(browser) = Browser::for_tests() else { return };
//! let page = browser.open(Settings { scripts: false, window: Window::PHONE, scheme: Scheme::Dark });
//! page.goto("http://127.0.0.1:8080/login");
//! page.find("input[name=email]").fill("ada@example.com");
//! page.find("button").follow();
//! assert_eq!(page.text("h1"), "Welcome");
//! assert_eq!(page.axe(), [""; 0]);
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::print_stderr,
    reason = "test support: it reads the test run's environment, and a failure is the test's"
)]

mod axe;
mod browser;
mod cookie;
mod directory;
mod driver;
mod element;
pub mod keys;
mod page;
mod programs;
mod settings;
mod wire;

pub use browser::Browser;
pub use cookie::Cookie;
pub use element::Element;
pub use page::Page;
pub use programs::{BROWSER_VARIABLE, DRIVER_VARIABLE, Programs};
pub use settings::{Scheme, Settings, Window};
