//! Installs what tests need from Debian's packages, where that is allowed.

use std::{fs, process::Command};

use anyhow::{Result, bail};

use crate::process;

/// Root on a system with `apt-get`.
pub(crate) fn may_install() -> bool {
    is_root() && has_apt()
}

/// Debian, Ubuntu or one of their kin.
pub(crate) fn has_apt() -> bool {
    descends_from("debian") || descends_from("ubuntu")
}

/// Installs packages and what they need, and nothing that they only recommend.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    apt_get(&["update"])?;
    apt_get(&[&INSTALL, packages].concat())
}

/// The command that installs packages, for a person who may become root.
pub(crate) fn command_line(packages: &[&str]) -> String {
    format!("sudo apt-get {} {}", INSTALL.join(" ").replace("--yes ", ""), packages.join(" "))
}

/// Whether this system is the named one (as its `os-release` has it) or built from it.
pub(crate) fn descends_from(system: &str) -> bool {
    names_system(&fs::read_to_string("/etc/os-release").unwrap_or_default(), system)
}

const INSTALL: [&str; 3] = ["install", "--yes", "--no-install-recommends"];

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn names_system(os_release: &str, system: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .any(|name| name == system)
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    // Nobody is there to be asked whether settings stay as they are.
    command.env("UCF_FORCE_CONFFOLD", "1");
    if !process::announced(&mut command)?.success() {
        bail!("apt-get {} failed", arguments.join(" "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_and_its_kin_are_known() {
        let debian = "NAME=x\nID=debian\n";
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert!(names_system(debian, "debian") && !names_system(debian, "ubuntu"));
        assert!(names_system(mint, "debian") && names_system(mint, "ubuntu"));
        assert!(!names_system("ID=fedora\nID_LIKE=\"rhel\"\n", "debian"));
        assert!(!names_system("PRETTY_NAME=\"debian\"\n", "debian"));
    }

    #[test]
    fn a_person_is_asked_before_anything_is_installed() {
        let line = "sudo apt-get install --no-install-recommends a b";
        assert_eq!(command_line(&["a", "b"]), line);
    }
}
