//! The file of the master key: made once, for its owner's eyes only, and never overwritten.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use portcullis_kernel::Entropy;
use portcullis_tokens::MasterKey;
use zeroize::Zeroizing;

/// Far more than a key takes, so that a wrong path does not read a disk.
const MOST_BYTES: u64 = 4096;

/// Reads the key; `None` when there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<MasterKey>> {
    let shown = path.display();
    // To open a pipe would be to wait for whoever writes into it.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        bail!("the master key file {shown} is not a regular file");
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    let cannot = || format!("cannot read the master key file {shown}");
    let metadata = file.metadata().with_context(cannot)?;
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        bail!(
            "the master key file {shown} is open to others (mode {:03o}); run `chmod 600 {shown}`",
            mode & 0o777
        );
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MOST_BYTES).read_to_string(&mut text).with_context(cannot)?;
    let key = MasterKey::parse(&text)
        .with_context(|| format!("the file {shown} does not hold a master key"))?;
    Ok(Some(key))
}

/// Makes a key and writes it to a file that must not exist. The file appears complete or not at all.
pub(crate) fn create(path: &Path, entropy: &dyn Entropy) -> Result<MasterKey> {
    let shown = path.display();
    let key = MasterKey::generate(entropy)?;
    let cannot = || format!("cannot write the master key file {shown}");
    let temporary = temporary_name(path, entropy)?;
    write_new(&temporary, &key).with_context(cannot)?;
    let placed = place(&temporary, path, &key);
    // What is left is a copy of the key, so it must go; a failure to do so is worth telling.
    let removed = fs::remove_file(&temporary);
    match placed {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("the file {shown} exists already; it is left as it is")
        }
        placed => placed.with_context(cannot)?,
    }
    removed.with_context(|| format!("cannot remove {}", temporary.display()))?;
    sync_directory(path).with_context(cannot)?;
    Ok(key)
}

/// Makes the directory of a file, for its owner's eyes only, if it is not there. What is above it
/// must be there: a mistyped path makes no tree.
pub(crate) fn create_directory_of(path: &Path) -> Result<()> {
    let directory = directory_of(path);
    if directory.is_dir() {
        return Ok(());
    }
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        made => made.with_context(|| format!("cannot make the directory of {}", path.display())),
    }
}

fn write_new(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key.to_text().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// A hard link never replaces a file. Where there are none, the file is written in its place, and is
/// not complete for a moment.
fn place(temporary: &Path, path: &Path, key: &MasterKey) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Err(error)
            if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) =>
        {
            write_new(path, key)
        }
        linked => linked,
    }
}

fn temporary_name(path: &Path, entropy: &dyn Entropy) -> Result<PathBuf> {
    let mut random = [0; 8];
    entropy.fill(&mut random)?;
    let name = path.file_name().context("the path of the master key names no file")?;
    let name = format!(".{}.{:016x}", name.to_string_lossy(), u64::from_ne_bytes(random));
    Ok(path.with_file_name(name))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_system::SystemEntropy;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn c2_a_new_file_is_for_its_owner_only_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data/master.key");
        assert!(read(&path).unwrap().is_none());
        create_directory_of(&path).unwrap();
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let key = create(&path, &SystemEntropy).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read(&path).unwrap().unwrap().id(), key.id());
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "no temporary file stays");
    }

    #[test]
    fn c2_a_file_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        for content in ["", "something else", "AAAA"] {
            fs::write(&path, content).unwrap();
            let error = create(&path, &SystemEntropy).unwrap_err().to_string();
            assert!(error.ends_with("exists already; it is left as it is"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_many_that_make_the_file_at_once_one_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| create(&path, &SystemEntropy).ok())).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(made.len(), 1);
        assert_eq!(read(&path).unwrap().unwrap().id(), made[0].id());
    }

    #[test]
    fn a_file_open_to_others_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        create(&path, &SystemEntropy).unwrap();
        for loose in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(loose)).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("open to others") && error.contains("chmod 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).unwrap().is_some());
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("master.key");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [pipe.as_path(), directory.path()] {
            let refused = read(path).unwrap_err().to_string();
            assert!(refused.contains("not a regular file"), "{refused}");
        }
    }

    #[test]
    fn a_file_with_something_else_in_it_is_refused_without_being_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master.key");
        fs::write(&path, "s3cret but no key").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(
            error.contains("does not hold a master key") && !error.contains("s3cret"),
            "{error}"
        );
    }
}
