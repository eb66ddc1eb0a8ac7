//! The browser of a test run: found, or installed where that is allowed.

use std::process::Command;

use anyhow::{Result, bail};
use portcullis_testkit_browser::{BROWSER_VARIABLE, DRIVER_VARIABLE, Programs};

use crate::{install, process};

/// The driver brings the whole browser along; the shell starts faster and needs no more.
const DEBIAN_PACKAGES: [&str; 2] = ["chromium-headless-shell", "chromium-driver"];

/// A browser for the tests of this run.
#[derive(Debug)]
pub(crate) enum Browser {
    /// The programs are here.
    Found(Programs),
    /// They are not and could not be installed; the text says what to type.
    Missing(String),
}

impl Browser {
    /// Finds the browser; installs it first where it is missing and we may.
    pub(crate) fn for_tests() -> Result<Self> {
        if Programs::find().is_none() && install::may_install() {
            eprintln!("xtask: Chromium is not installed; installing it with apt-get");
            if let Err(error) = install::install(&DEBIAN_PACKAGES) {
                eprintln!("xtask: {error:#}");
            }
        }
        match Programs::find() {
            Some(programs) => {
                eprintln!("xtask: pages are shown by {}", programs.browser.display());
                Ok(Self::Found(programs))
            }
            None if is_required() => bail!(how_to_install()),
            None => Ok(Self::Missing(how_to_install())),
        }
    }

    /// Tells a program's tests where the browser is.
    pub(crate) fn tell(&self, command: &mut Command) {
        if let Self::Found(programs) = self {
            command.env(DRIVER_VARIABLE, &programs.driver);
            command.env(BROWSER_VARIABLE, &programs.browser);
        }
    }
}

/// In continuous integration a test that did not run is a test that failed.
fn is_required() -> bool {
    process::is_set("CI", "true") || process::is_set("PORTCULLIS_REQUIRE_BROWSER", "1")
}

fn how_to_install() -> String {
    let line = if cfg!(target_os = "macos") {
        "brew install --cask google-chrome chromedriver".to_owned()
    } else if install::has_apt() && !install::descends_from("ubuntu") {
        install::command_line(&DEBIAN_PACKAGES)
    } else {
        // Ubuntu has no such packages, only a snap.
        return format!(
            "Chromium and its driver are not installed: install chromium or google-chrome and the \
             chromedriver of its version, or set {BROWSER_VARIABLE} and {DRIVER_VARIABLE}"
        );
    };
    format!("Chromium and its driver are not installed; type: {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_of_both_programs_or_of_none() {
        let variables = |browser: &Browser| {
            let mut command = Command::new("true");
            browser.tell(&mut command);
            command.get_envs().count()
        };
        let programs = Programs { driver: "/a".into(), browser: "/b".into() };
        assert_eq!(variables(&Browser::Found(programs)), 2);
        assert_eq!(variables(&Browser::Missing("type this".to_owned())), 0);
    }
}
