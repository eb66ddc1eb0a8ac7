//! The cluster's directory: private, short enough for a socket, removed with its owner.

use std::{
    env,
    fs::{self, DirBuilder, OpenOptions},
    io::{Error, ErrorKind, Result, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::account::Account;

/// A Unix socket's path has at most 104 bytes on some systems, of which the name takes 15.
const LONGEST_PATH: usize = 85;

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A private directory, and the account that owns it when that is not our own.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    account: Option<Account>,
}

impl Directory {
    /// Makes a directory with mode 0700; as root, hands it to an unprivileged account.
    pub(crate) fn create() -> Result<Self> {
        let directory = Self::create_in(&env::temp_dir())?;
        let is_short = directory.path.as_os_str().len() <= LONGEST_PATH;
        // What a process creates belongs to its effective user.
        if fs::metadata(&directory.path)?.uid() != 0 {
            return if is_short { Ok(directory) } else { Self::create_in(Path::new("/tmp")) };
        }
        // Root's own TMPDIR may be closed to everybody else.
        drop(directory);
        Self::create_in(Path::new("/tmp"))?.handed_to_unprivileged()
    }

    fn create_in(parent: &Path) -> Result<Self> {
        loop {
            let path = parent.join(Self::name(SERIAL.fetch_add(1, Ordering::Relaxed)));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path, account: None }),
                // Left behind by a process that had our id and was killed with its supervisor.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn name(serial: u32) -> String {
        format!("portcullis-pg-{}-{serial}", process::id())
    }

    fn handed_to_unprivileged(mut self) -> Result<Self> {
        let account = Account::unprivileged().ok_or_else(|| {
            Error::other("PostgreSQL refuses to run as root: add a user postgres or nobody")
        })?;
        chown(&self.path, Some(account.uid), Some(account.gid))?;
        self.account = Some(account);
        Ok(self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The account to run programs under, when it is not our own.
    pub(crate) fn account(&self) -> Option<Account> {
        self.account
    }

    /// Writes a file that only the directory's owner can read.
    pub(crate) fn write_private(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(content.as_bytes())?;
        if let Some(account) = self.account {
            chown(&path, Some(account.uid), Some(account.gid))?;
        }
        Ok(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The supervisor has removed it already, unless it never ran.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_was_left_behind_is_passed_over() {
        let parent = env::temp_dir();
        let next = SERIAL.load(Ordering::Relaxed);
        let left: Vec<_> = (next..next + 3).map(|n| parent.join(Directory::name(n))).collect();
        for path in &left {
            fs::create_dir(path).unwrap();
        }
        let made = Directory::create_in(&parent).unwrap();
        assert!(!left.iter().any(|path| path == made.path()));
        drop(made);
        for path in &left {
            fs::remove_dir(path).unwrap();
        }
    }
}
