//! The private directory of a driver and its browsers.

use std::{
    env, fs,
    fs::DirBuilder,
    io::{ErrorKind, Result},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// A browser makes sockets below it, whose whole path has room for little more than 100 bytes.
const LONGEST_PARENT: usize = 30;

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// A directory that only this account can enter, gone with this value.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn create() -> Result<Self> {
        let parent = env::temp_dir();
        let is_short = parent.as_os_str().len() <= LONGEST_PARENT;
        Self::create_in(if is_short { &parent } else { Path::new("/tmp") })
    }

    fn create_in(parent: &Path) -> Result<Self> {
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("portcullis-browser-{}-{serial}", process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left behind by a process that had our id and was killed with its supervisor.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The supervisor has removed it already, unless it never ran.
        let _ = fs::remove_dir_all(&self.0);
    }
}
