//! Finds the browser of this machine and its driver.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The variable that names the driver.
pub const DRIVER_VARIABLE: &str = "PORTCULLIS_TEST_CHROMEDRIVER";

/// The variable that names the browser.
pub const BROWSER_VARIABLE: &str = "PORTCULLIS_TEST_CHROMIUM";

const DRIVERS: [&str; 2] = ["chromedriver", "chromium.chromedriver"];

/// The shells, which draw pages and no windows, start faster than whole browsers.
const BROWSERS: [&str; 6] = [
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
];

/// Where packages put programs besides `PATH`.
const PLACES: [&str; 7] = [
    "/usr/bin",
    "/usr/local/bin",
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/snap/bin",
    "/opt/homebrew/bin",
    "/opt/google/chrome",
];

const APPLICATIONS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// A chromedriver and the browser that it is to drive; their versions have to agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The driver.
    pub driver: PathBuf,
    /// The browser.
    pub browser: PathBuf,
}

impl Programs {
    /// Takes each from its variable ([`DRIVER_VARIABLE`], [`BROWSER_VARIABLE`]), else looks for it
    /// in `PATH` and the usual places. `None` where one of them is not installed.
    pub fn find() -> Option<Self> {
        let driver = named(DRIVER_VARIABLE).or_else(|| first(&DRIVERS, &places()))?;
        let browser = named(BROWSER_VARIABLE)
            .or_else(|| first(&BROWSERS, &places()))
            .or_else(|| APPLICATIONS.iter().map(PathBuf::from).find(|path| path.is_file()))?;
        Some(Self { driver, browser })
    }
}

/// Taken as it is: a name that leads nowhere is an error when the program is started, not a gap.
fn named(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn places() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // GitHub's machines keep their driver in a place of its own.
    let given = env::var_os("CHROMEWEBDRIVER").map(PathBuf::from);
    env::split_paths(&path).chain(given).chain(PLACES.map(PathBuf::from)).collect()
}

/// A better name in a later place goes before another name in an earlier one.
fn first(names: &[&str], places: &[impl AsRef<Path>]) -> Option<PathBuf> {
    names
        .iter()
        .flat_map(|name| places.iter().map(move |place| place.as_ref().join(name)))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_better_name_wins_wherever_it_is() {
        let root = env::temp_dir().join(format!("portcullis-programs-{}", std::process::id()));
        let places = [root.join("a"), root.join("b")];
        for (place, name) in [("a", "second"), ("b", "second"), ("b", "first")] {
            fs::create_dir_all(root.join(place)).unwrap();
            fs::write(root.join(place).join(name), "").unwrap();
        }
        assert_eq!(first(&["first", "second"], &places), Some(root.join("b/first")));
        assert_eq!(first(&["third", "second"], &places), Some(root.join("a/second")));
        assert_eq!(first(&["third"], &places), None);
        fs::remove_dir_all(root).unwrap();
    }
}
