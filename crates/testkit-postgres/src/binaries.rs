//! Finds the PostgreSQL server programs of this machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where packages put one `bin` directory per major version.
const VERSIONED_HOMES: [&str; 4] = [
    "/usr/lib/postgresql",
    "/opt/homebrew/opt",
    "/usr/local/opt",
    "/home/linuxbrew/.linuxbrew/opt",
];

/// The directory that holds `initdb` and `postgres`, or `None` where PostgreSQL is not installed.
///
/// Looks at `$PG_BIN_DIR`, then `PATH`, then `pg_config --bindir`, then at the newest version in
/// the places where Debian, Ubuntu and Homebrew put them.
pub fn server_binaries() -> Option<PathBuf> {
    from_variable().or_else(from_path).or_else(from_pg_config).or_else(newest_installed)
}

fn is_complete(directory: &Path) -> bool {
    directory.join("initdb").is_file() && directory.join("postgres").is_file()
}

#[expect(clippy::disallowed_methods, reason = "a test tool: settings do not exist here")]
fn from_variable() -> Option<PathBuf> {
    env::var_os("PG_BIN_DIR").map(PathBuf::from).filter(|d| is_complete(d))
}

#[expect(clippy::disallowed_methods, reason = "a test tool: settings do not exist here")]
fn from_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let entry = env::split_paths(&path).find(|d| is_complete(d))?;
    Some(resolved(&entry).unwrap_or(entry))
}

/// `initdb` looks for its share files beside the real program, so a directory of links is no use.
fn resolved(directory: &Path) -> Option<PathBuf> {
    let program = fs::canonicalize(directory.join("initdb")).ok()?;
    program.parent().filter(|d| is_complete(d)).map(Path::to_path_buf)
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    is_complete(&directory).then_some(directory)
}

fn newest_installed() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = VERSIONED_HOMES
        .iter()
        .filter_map(|home| fs::read_dir(home).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let directory = entry.path().join("bin");
            is_complete(&directory)
                .then(|| (major_version(&entry.file_name().to_string_lossy()), directory))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, directory)| directory)
}

/// `17` and `postgresql@17` are version 17; a name without a number comes last.
fn major_version(name: &str) -> u32 {
    name.trim_start_matches("postgresql@").parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(major_version("postgresql@17") > major_version("9"));
        assert_eq!(major_version("postgresql"), 0);
    }

    #[test]
    fn a_directory_without_the_programs_is_not_taken() {
        assert!(!is_complete(Path::new("/")));
    }
}
