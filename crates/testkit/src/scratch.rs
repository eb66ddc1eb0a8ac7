//! Where the files of a test lie.

use std::{env, io::Result, path::Path};

use tempfile::TempDir;

/// Files here are memory, where a system has it: a test that waits for its database then waits for
/// a lock, and never for a disk that is busy with what the compiler wrote.
const IN_MEMORY: &str = "/dev/shm";

/// Far more than all tests that run at once need. Containers often have 64 MiB there.
const ENOUGH: u64 = 1 << 30;

/// An empty directory, gone with this value: in memory if there is enough of it, else, or where
/// `TMPDIR` names a place, where temporary files lie.
pub fn directory() -> Result<TempDir> {
    let is_free = env::temp_dir() == Path::new("/tmp");
    let in_memory = is_free && room_in(IN_MEMORY) >= ENOUGH;
    if in_memory { TempDir::new_in(IN_MEMORY) } else { TempDir::new() }
}

/// Free bytes; 0 where there is no such place.
fn room_in(place: impl AsRef<Path>) -> u64 {
    let found = rustix::fs::statvfs(place.as_ref());
    found.map_or(0, |system| system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_there_has_no_room() {
        assert_eq!(room_in("/no/such/place"), 0);
        assert!(room_in(env::temp_dir()) > 0);
    }

    #[test]
    fn a_directory_is_there_until_its_value_goes() {
        let directory = directory().unwrap();
        let path = directory.path().to_owned();
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
        drop(directory);
        assert!(!path.exists());
    }
}
