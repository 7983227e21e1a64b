//! Secrets that the gateway makes at its first start and keeps in the data directory: the native door's token, and the salt of
//! rule ids.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// The file's name within the data directory.
pub const TOKEN_FILE: &str = "http.token";

/// The salt's file.
const SALT_FILE: &str = "rule-ids.salt";

/// Random bytes in a token; it is written as twice as many hex digits.
const TOKEN_BYTES: usize = 32;

/// The longest token file that is read, in bytes. Ours has 65.
const MAX_TOKEN_FILE_BYTES: u64 = 4096;

/// Why there is no token. The sentence names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the secret in {}: cannot be read: {source}", path.display())]
    Read {
        /// Where it lies.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("the secret in {}: cannot be written: {source}", path.display())]
    Write {
        /// Where it should lie.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner can read or write it, so it is no secret.
    #[error("the secret in {}: other users may read it (mode {mode:03o}); run: chmod 600 {}", path.display(), path.display())]
    Open {
        /// Where it lies.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is nothing in it.
    #[error("the secret in {}: is empty; remove the file, and a new one is made at the next start", path.display())]
    Empty {
        /// Where it lies.
        path: PathBuf,
    },
    /// The system has no random numbers.
    #[error("no secret can be made: the system gives no random numbers: {0}")]
    NoRandom(String),
}

/// Where the token of this data directory lies.
pub fn token_path(data: &Path) -> PathBuf {
    data.join(TOKEN_FILE)
}

/// Reads the token of this data directory.
///
/// # Errors
/// When the file is missing, unreadable, empty, or readable for other users.
pub fn read_token(data: &Path) -> Result<Secret, TokenError> {
    read_secret(token_path(data))
}

fn read_secret(path: PathBuf) -> Result<Secret, TokenError> {
    let read = |source| TokenError::Read {
        path: path.clone(),
        source,
    };
    let file = fs::File::open(&path).map_err(read)?;
    let mode = file.metadata().map_err(read)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenError::Open { path, mode });
    }
    let mut text = String::new();
    file.take(MAX_TOKEN_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(read)?;
    match text.trim() {
        "" => Err(TokenError::Empty { path }),
        token => Ok(Secret::new(token)),
    }
}

/// Reads the token of this data directory, and makes one of 32 random bytes, mode 0600, where there is none yet.
///
/// The new file appears under its name only when it is whole, so that a crash leaves no empty token behind. The directory
/// has to be there.
///
/// # Errors
/// As [`read_token`], and when the file cannot be made.
pub fn ensure_token(data: &Path) -> Result<Secret, TokenError> {
    ensure_secret(token_path(data))
}

/// The salt that hides what the ids of configured rules are derived from, made like the token.
///
/// # Errors
/// As [`ensure_token`].
pub fn ensure_salt(data: &Path) -> Result<Secret, TokenError> {
    ensure_secret(data.join(SALT_FILE))
}

fn ensure_secret(path: PathBuf) -> Result<Secret, TokenError> {
    match read_secret(path.clone()) {
        Err(TokenError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let mut random = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(|error| TokenError::NoRandom(error.to_string()))?;
    let token = hex::encode(random);
    match write_new(&path, &token) {
        Ok(()) => Ok(Secret::new(token)),
        // Another process of this gateway was quicker; its token counts.
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => read_secret(path),
        Err(source) => Err(TokenError::Write { path, source }),
    }
}

fn write_new(path: &Path, token: &str) -> io::Result<()> {
    let unfinished = path.with_extension(format!("token.{}", std::process::id()));
    // What a crashed process of the same id left behind is of no use to anybody.
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    let written = writeln!(file, "{token}")
        .and_then(|()| file.sync_all())
        .and_then(|()| place(&unfinished, path));
    let _ = fs::remove_file(&unfinished);
    written
}

/// Gives the whole file its name. A link, unlike a rename, never replaces a token that is already there; some file systems
/// of containers have no links.
fn place(unfinished: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(unfinished, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(unfinished, path),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_start_makes_a_token_and_the_next_one_finds_it() {
        let data = tempfile::tempdir().unwrap();
        let token = ensure_token(data.path()).unwrap();
        assert_eq!(token.expose().len(), 2 * TOKEN_BYTES);
        assert_eq!(ensure_token(data.path()).unwrap(), token);
        assert_eq!(read_token(data.path()).unwrap(), token);
        let mode = fs::metadata(token_path(data.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let names: Vec<_> = fs::read_dir(data.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, [TOKEN_FILE]);
    }

    #[test]
    fn a_token_that_is_no_secret_is_refused() {
        let data = tempfile::tempdir().unwrap();
        ensure_token(data.path()).unwrap();
        let path = token_path(data.path());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = ensure_token(data.path()).unwrap_err();
        assert!(
            matches!(error, TokenError::Open { mode: 0o644, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_empty_or_missing_token_is_named() {
        let data = tempfile::tempdir().unwrap();
        assert!(matches!(
            read_token(data.path()),
            Err(TokenError::Read { .. })
        ));
        fs::write(token_path(data.path()), "\n").unwrap();
        fs::set_permissions(token_path(data.path()), fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(
            ensure_token(data.path()),
            Err(TokenError::Empty { .. })
        ));
        assert!(matches!(
            ensure_token(&data.path().join("none")),
            Err(TokenError::Write { .. })
        ));
    }
}
