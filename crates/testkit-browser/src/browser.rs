//! The browser of a test.

use std::{
    env,
    io::{Error, ErrorKind, Result},
    path::Path,
    sync::Arc,
};

use serde_json::json;

use crate::{
    driver::Driver,
    page::Page,
    programs::{BROWSER_VARIABLE, DRIVER_VARIABLE, Programs},
    settings::Settings,
    wire,
};

/// Nothing leaves this machine, nothing is asked of a desktop, and memory that a container may be
/// short of is not used. Root, and a container, cannot have the sandbox; pages are our own.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

/// For a page to load, or a script to keep its promise.
const LONGEST_WAIT_MS: u32 = 30_000;

/// A chromedriver. Dropping it, and the pages that it has opened, ends it.
#[derive(Debug, Clone)]
pub struct Browser(Arc<Driver>);

impl Browser {
    /// The browser of this machine; `None`, after one loud line, where there is none: the test then
    /// returns early.
    ///
    /// # Panics
    ///
    /// When there is none and `CI=true` or `PORTCULLIS_REQUIRE_BROWSER=1` asks for one, and when it
    /// does not start.
    #[track_caller]
    pub fn for_tests() -> Option<Self> {
        match Self::find() {
            Ok(browser) => Some(browser),
            Err(error) if error.kind() == ErrorKind::NotFound && !is_required() => {
                eprintln!("SKIPPED, a test in a browser: {error}");
                None
            }
            Err(error) => panic!("no browser to test in: {error}"),
        }
    }

    /// Starts the driver that [`Programs::find`] finds.
    ///
    /// The error is of kind [`ErrorKind::NotFound`] where it or the browser is not installed.
    pub fn find() -> Result<Self> {
        let programs = Programs::find().ok_or_else(|| {
            let text = format!(
                "no Chromium with its chromedriver: install them, or set {BROWSER_VARIABLE} and \
                 {DRIVER_VARIABLE}"
            );
            Error::new(ErrorKind::NotFound, text)
        })?;
        Self::start(&programs)
    }

    /// Starts a driver.
    pub fn start(programs: &Programs) -> Result<Self> {
        Driver::start(&programs.driver, &programs.browser).map(|driver| Self(Arc::new(driver)))
    }

    /// Opens an empty page in a browser process and a profile of its own.
    ///
    /// # Panics
    ///
    /// When the browser does not start, for instance because it is not of the driver's version.
    #[track_caller]
    pub fn open(&self, settings: Settings) -> Page {
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": self.0.browser, "args": FLAGS},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"pageLoad": LONGEST_WAIT_MS, "script": LONGEST_WAIT_MS},
        }}});
        match wire::call(self.0.port, "POST", "/session", Some(&capabilities)) {
            Ok(session) => Page::new(Arc::clone(&self.0), &session, settings),
            Err(refusal) => panic!("{} does not start: {refusal}", self.0.browser.display()),
        }
    }

    /// The process group of the driver and its browsers.
    pub fn process_group(&self) -> u32 {
        self.0.process_group()
    }

    /// Where the driver and its browsers keep their files.
    pub fn directory(&self) -> &Path {
        self.0.directory()
    }
}

fn is_required() -> bool {
    let is_set = |name, wanted| env::var(name).is_ok_and(|value| value == wanted);
    is_set("CI", "true") || is_set("PORTCULLIS_REQUIRE_BROWSER", "1")
}
