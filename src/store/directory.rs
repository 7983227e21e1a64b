//! The data directory: who may enter it, and which process has it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::StoreError;
use super::file::FILE_NAME;

const LOCK_NAME: &str = "lock";

/// Makes the data directory where it is missing, for its owner only.
///
/// A directory that was there before is closed to others only where it is ours by the look of it: empty, or with our store
/// in it. `--data /tmp` must not lock everybody out of `/tmp`; the files in it are closed in any case.
///
/// # Errors
/// It cannot be made, or is no directory.
pub fn prepare_directory(path: &Path) -> Result<(), StoreError> {
    let unusable = |error| StoreError::Unusable {
        path: path.to_owned(),
        error,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(unusable)?;
    let metadata = fs::metadata(path).map_err(unusable)?;
    if metadata.mode() & 0o077 != 0 && is_ours(path).map_err(unusable)? {
        // Somebody else's directory that we may write to is a choice of whoever set it up, such as a container's volume.
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
    }
    Ok(())
}

fn is_ours(path: &Path) -> io::Result<bool> {
    Ok(path.join(FILE_NAME).exists() || fs::read_dir(path)?.next().is_none())
}

/// Keeps a second gateway off the directory for as long as the file is open; the system lets go of it when a process dies.
pub(super) fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_NAME);
    let unusable = |error| StoreError::Unusable {
        path: path.clone(),
        error,
    };
    let file = private_file()
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Closes a file to everybody but its owner, where it exists.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            fs::set_permissions(path, Permissions::from_mode(0o600))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens for reading and writing; a new file is its owner's only.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}
