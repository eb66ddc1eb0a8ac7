//! `cargo xtask migrate`: begins a migration in every dialect.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use crate::process;

pub(crate) const HELP: &str = "\
Begin a database migration: the next number, in every dialect, with up.sql and down.sql.

Usage: cargo xtask migrate NAME

NAME has lower-case letters, digits and underscores, for example add_user_locale.";

/// The folders under `migrations/`; a new dialect is added here.
pub(crate) const DIALECTS: [&str; 2] = ["postgres", "sqlite"];

pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let [name] = arguments else {
        bail!("one name, please: cargo xtask migrate add_user_locale");
    };
    for path in begin(&process::root().join("migrations"), name)? {
        println!("{}", path.display());
    }
    println!("Write both dialects, then run: cargo xtask test");
    Ok(ExitCode::SUCCESS)
}

/// Gives the files that it made.
fn begin(migrations: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(is_plain) {
        bail!("`{name}` is no name: lower-case letters, digits and underscores, please");
    }
    let directory_name = format!("{:04}_{name}", next_number(migrations)?);
    let mut made = Vec::new();
    for dialect in DIALECTS {
        let directory = migrations.join(dialect).join(&directory_name);
        fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
        for (file, purpose) in [("up.sql", "does"), ("down.sql", "undoes")] {
            let path = directory.join(file);
            let head = format!("-- {directory_name} on {dialect}: {purpose} it.\n");
            fs::write(&path, head).with_context(|| path.display().to_string())?;
            made.push(path);
        }
    }
    Ok(made)
}

/// One above the highest number of any dialect, so that a forgotten one is not reused.
fn next_number(migrations: &Path) -> Result<u32> {
    let mut highest = 0;
    for dialect in DIALECTS {
        let directory = migrations.join(dialect);
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let number = name.split('_').next().and_then(|digits| digits.parse().ok());
            highest = highest.max(number.unwrap_or(0));
        }
    }
    Ok(highest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_is_taken_in_both_dialects() {
        let root = std::env::temp_dir().join(format!("portcullis-migrate-{}", std::process::id()));
        fs::create_dir_all(root.join("sqlite/0007_older")).unwrap();
        let made = begin(&root, "add_it").unwrap();
        assert_eq!(made.len(), 4);
        assert!(root.join("postgres/0008_add_it/down.sql").is_file());
        assert!(root.join("sqlite/0008_add_it/up.sql").is_file());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_name_that_is_no_name_is_refused() {
        for name in ["", "Add", "../up", "a b"] {
            assert!(begin(Path::new("/nowhere"), name).is_err(), "{name}");
        }
    }
}
