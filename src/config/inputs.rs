//! From what is configured to inputs.

use std::collections::HashSet;

use super::Config;
use super::check::{Wrong, wrong};
use super::sections::InputConfig;
use super::tree::{entry_key, item_key};
use crate::rule::{FilePlace, FileUrl, Files, Input, Loops, Origin, Source, StreamKey};

/// Inputs of one file.
const INPUTS_MAX: usize = 2_000;

impl Config {
    /// The inputs of the file.
    pub fn stream_inputs(&self) -> Vec<Input> {
        // All of them were checked.
        let inputs = self.inputs.iter().map(InputConfig::to_input);
        inputs.filter_map(Result::ok).collect()
    }
}

impl InputConfig {
    /// The input; or the key that is wrong, and why.
    fn to_input(&self) -> Result<Input, (&'static str, String)> {
        let source = match (&self.url, self.files.as_slice()) {
            (Some(_), [_, ..]) => {
                return Err((
                    "files",
                    "an input has url or files, and not both".to_owned(),
                ));
            }
            (None, []) => return Err(("stream", "the input needs url or files".to_owned())),
            (Some(_), []) if self.loops.is_some() => {
                return Err(("loops", "only files are played again".to_owned()));
            }
            (Some(url), []) => Source::Pull(url.clone()),
            (None, files) => {
                let loops = Loops::from_number(self.loops.unwrap_or(0))
                    .map_err(|error| ("loops", error.to_string()))?;
                let files = Files::new(files.to_vec(), loops);
                Source::Files(files.map_err(|error| ("files", error.to_string()))?)
            }
        };
        Ok(Input {
            stream: StreamKey::new(self.app.clone(), self.stream.clone()),
            role: self.role,
            source,
            origin: Origin::Config,
        })
    }
}

pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    for (index, directory) in config.ingest.file_directories.iter().enumerate() {
        if !directory.is_absolute() {
            let key = item_key("ingest.file_directories", index);
            return wrong(key, "expected an absolute path");
        }
    }
    if config.inputs.len() > INPUTS_MAX {
        return wrong("inputs", format!("there are more than {INPUTS_MAX} inputs"));
    }
    let mut places = HashSet::new();
    for (index, input) in config.inputs.iter().enumerate() {
        let here = item_key("inputs", index);
        if config.app(&input.app).is_none() {
            return wrong(
                entry_key(&here, "app"),
                format!("there is no app {}", input.app),
            );
        }
        if let Err((key, reason)) = input.to_input() {
            return wrong(entry_key(&here, key), reason);
        }
        if !places.insert((&input.app, &input.stream, input.role)) {
            let role = input.role.as_str();
            return wrong(here, format!("an earlier input is the stream's {role} one"));
        }
        let outside = (input.files.iter()).position(|file| !is_permitted(config, file));
        if let Some(file) = outside {
            let key = item_key(&entry_key(&here, "files"), file);
            return wrong(
                key,
                "the file is in none of the directories of ingest.file_directories",
            );
        }
    }
    Ok(())
}

fn is_permitted(config: &Config, file: &FileUrl) -> bool {
    match file.place() {
        FilePlace::Http(_) => true,
        FilePlace::Disk(path) => {
            let mut directories = config.ingest.file_directories.iter();
            directories.any(|directory| path.starts_with(directory))
        }
    }
}
