//! The configuration: the file, the environment and the command line.

#![allow(clippy::unwrap_used, clippy::panic)]

mod environment;
mod mistakes;
mod shipped;
mod together;

use std::fs;
use std::path::PathBuf;

use aqueduct::config::{Config, ConfigError};
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, text: &str) -> Result<Config, ConfigError> {
        Config::load(Some(&self.write("a.toml", text)), [])
    }

    /// The one line about a mistake, without the file's directory.
    fn complaint(&self, text: &str) -> String {
        match self.load(text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => error
                .to_string()
                .replace(&format!("{}/", self.0.path().display()), ""),
        }
    }
}

fn certificate(files: &Files, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = files.write(&format!("{name}.crt"), &made.cert.pem());
    (
        certificate,
        files.write(&format!("{name}.key"), &made.signing_key.serialize_pem()),
    )
}
