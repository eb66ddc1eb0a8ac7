//! The cluster's directory: private, short enough for a socket, removed with its owner.

use std::{
    env,
    fs::{self, DirBuilder, OpenOptions},
    io::{Error, Result, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::account::Account;

/// A Unix socket's path has at most 104 bytes on some systems, of which the name takes 15.
const LONGEST_PATH: usize = 85;

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
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("portcullis-pg-{}-{serial}", process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, account: None })
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
