//! What clients are written in: found, and given their packages.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::process;

/// What the clients of one language run with.
#[derive(Debug)]
pub(super) struct Kit {
    /// The programs that are clients.
    pub(super) scripts: &'static [&'static str],
    interpreter: PathBuf,
    /// Where the scripts are.
    directory: PathBuf,
}

const PYTHON: &[&str] =
    &["authlib_client.py", "requests_oauthlib_client.py", "mcp_sdk.py", "pyjwt_verifier.py"];
const NODE: &[&str] = &[
    "openid_client.js",
    "oauth4webapi.js",
    "oauth4webapi_sign_up.js",
    "mcp_sdk.js",
    "jose_verifier.js",
];

const OLDEST_NODE: u32 = 20;

/// What was installed, beside it: when that is no longer what is wanted, it is installed anew.
const STAMP: &str = "installed.txt";

/// Python's clients, in an environment of their own.
pub(super) fn python(work: &Path) -> Result<Kit> {
    let version = version_of("python3").context("Python's clients")?;
    let directory = sources("python");
    let environment = work.join("python");
    let interpreter = environment.join("bin/python");
    let packages = directory.join("requirements.txt");
    installed(&environment, &version, &[&packages], || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
        run(pip.arg(&packages))
    })
    .context("Python's clients")?;
    Ok(Kit { scripts: PYTHON, interpreter, directory })
}

/// JavaScript's clients, beside their packages: Node.js looks for these from the script upwards.
pub(super) fn node(work: &Path) -> Result<Kit> {
    let version = version_of("node").context("JavaScript's clients")?;
    if major(&version).is_none_or(|major| major < OLDEST_NODE) {
        bail!("JavaScript's clients: Node.js {version} is older than {OLDEST_NODE}");
    }
    let npm = version_of("npm").context("JavaScript's clients")?;
    let directory = work.join("node");
    copy(&sources("node"), &directory)?;
    let packages = ["package.json", "package-lock.json"].map(|name| directory.join(name));
    installed(&directory, &format!("{version} {npm}"), &packages.each_ref(), || {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(npm.current_dir(&directory))
    })
    .context("JavaScript's clients")?;
    Ok(Kit { scripts: NODE, interpreter: "node".into(), directory })
}

impl Kit {
    /// The command that runs a client. Nothing stands between it and loopback.
    pub(super) fn command(&self, script: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.arg(self.directory.join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command
    }
}

fn sources(language: &str) -> PathBuf {
    process::root().join("tests").join("clients").join(language)
}

fn run(command: &mut Command) -> Result<()> {
    if !process::announced(command)?.success() {
        bail!("what is said above went wrong");
    }
    Ok(())
}

/// The version that a program tells.
fn version_of(program: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("{program} cannot be run"))?;
    if !output.status.success() {
        bail!("`{program} --version` failed");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `v20.1.2` is 20.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Installs, unless the same was installed before: for this version, from these lists.
fn installed(
    directory: &Path,
    version: &str,
    lists: &[&PathBuf],
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut wanted = version.to_owned();
    for list in lists {
        wanted += &fs::read_to_string(list).with_context(|| list.display().to_string())?;
    }
    let stamp = directory.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    // An installation that fails leaves neither the old packages nor the new.
    let _ = fs::remove_file(&stamp);
    install()?;
    fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::BTreeSet, ffi::OsString};

    use super::*;

    #[test]
    fn a_version_has_a_major_part() {
        assert_eq!(major("v20.1.2"), Some(20));
        assert_eq!(major("20.1.2"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn what_was_installed_is_installed_again_only_when_something_changed() {
        let directory = env::temp_dir().join(format!("xtask-kit-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let list = directory.join("list");
        fs::write(&list, "a==1").unwrap();
        let runs = Cell::new(0);
        let install = |version: &str| {
            let count = || {
                runs.set(runs.get() + 1);
                Ok(())
            };
            installed(&directory, version, &[&list], count).unwrap();
            runs.get()
        };
        assert_eq!([install("1"), install("1"), install("2")], [1, 1, 2]);
        fs::write(&list, "a==2").unwrap();
        assert_eq!([install("2"), install("2")], [3, 3]);
        let failing = installed(&directory, "3", &[&list], || bail!("no package"));
        assert!(failing.is_err());
        assert_eq!(install("2"), 4);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn every_client_of_the_folders_is_run() {
        for (language, ending, scripts) in [("python", "py", PYTHON), ("node", "js", NODE)] {
            let entries = fs::read_dir(sources(language)).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            let programs = paths.filter(|path| path.extension().is_some_and(|e| e == ending));
            let clients = programs.filter(|path| path.file_stem().unwrap() != "server");
            let found: BTreeSet<_> = clients.map(|path| path.file_name().unwrap().into()).collect();
            assert_eq!(found, scripts.iter().map(OsString::from).collect());
        }
    }
}
