use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use lettre::message::Mailbox;
use portcullis_email::{
    Message,
    ports::{SendError, Transport},
};
use portcullis_kernel::{Instant, MailId};
use time::{UtcOffset, macros::format_description};

use crate::{Sender, SetupError, mime};

/// What the name of a file ends with while it is written. It begins with a dot.
const UNFINISHED: &str = ".eml.tmp";

/// Writes every mail to a file of its own, `20261121T184119.123456Z-<id>.eml`, whose names sort by time.
///
/// A file appears whole or not at all, and a mail that is sent again replaces its file.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    from: Mailbox,
    written: AtomicU64,
}

impl Directory {
    /// A transport into this directory, which is made, for its owner alone, if there is none. What a
    /// crash left unfinished in it is removed.
    ///
    /// # Errors
    /// [`SetupError`] when the sender is none or the directory cannot be used.
    pub fn new(path: PathBuf, sender: Sender) -> Result<Self, SetupError> {
        let from = sender.mailbox()?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        match made.and_then(|()| sweep(&path)) {
            Ok(()) => Ok(Self { path, from, written: AtomicU64::new(0) }),
            Err(cause) => Err(SetupError::Directory { path, cause }),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!(".{name}.{}-{number}{UNFINISHED}", process::id());
        let unfinished = self.path.join(unfinished);
        let put = write_new(&unfinished, bytes)
            .and_then(|()| fs::rename(&unfinished, self.path.join(format!("{name}.eml"))))
            .and_then(|()| File::open(&self.path)?.sync_all());
        if put.is_err() {
            // After a rename there is nothing left to remove.
            let _ = fs::remove_file(&unfinished);
        }
        put
    }
}

impl Transport for Directory {
    fn send(&self, id: MailId, at: Instant, message: &Message) -> Result<(), SendError> {
        let mail = mime::write(&self.from, id, at, message)?;
        let form =
            format_description!("[year][month][day]T[hour][minute][second].[subsecond digits:6]Z");
        let name = at
            .to_offset(UtcOffset::UTC)
            .format(&form)
            .map_err(|error| SendError::Refused(format!("its time cannot be written: {error}")))?;
        self.put(&format!("{name}-{id}"), mail.text.as_bytes()).map_err(|error| {
            SendError::Temporary(format!("{} cannot be written to: {error}", self.path.display()))
        })
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes unfinished files: they hold secrets, and nobody will finish them.
fn sweep(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            match fs::remove_file(entry.path()) {
                // Somebody else swept or finished it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}
