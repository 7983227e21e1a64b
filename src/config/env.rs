//! What the environment and the command line change in the tree that the file made.
//!
//! `AQUEDUCT_RELAY__GRACE_MS` is `relay.grace_ms`; `AQUEDUCT_APPS__0__PUBLISH_KEYS__1` is a list's second item; with `_FILE` behind
//! it, the variable names a file that holds the value. Every key stands in a section, so a variable without `__` is none of
//! them: that leaves room for `AQUEDUCT_RELAY_URLS`, and for what Kubernetes sets for a service of this name.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;

use super::report::Source;
use super::tree::{Entry, Node, Value, entry_key, item_key};
use super::typed::Fault;

/// What every variable of ours begins with.
pub const PREFIX: &str = "AQUEDUCT_";

/// A secret's file is small; more than this is the wrong file.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The process's own variables that may concern the configuration. Text that is no UTF-8 is taken with replacements.
pub fn environment() -> Vec<(String, String)> {
    let ours = |name: &str| name.starts_with(PREFIX);
    std::env::vars_os()
        .map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        })
        .filter(|(name, _)| ours(name))
        .collect()
}

/// Sets one key by its path, as a command line option does.
pub(super) fn set_argument(
    root: &mut Node,
    section: &str,
    key: &str,
    option: &'static str,
    text: &str,
) -> Result<(), Fault> {
    let path = [Step::Key(section.to_owned()), Step::Key(key.to_owned())];
    set(root, &path, &Source::Argument(option), text.to_owned())
}

/// Sets every key that a variable names.
///
/// # Errors
/// A variable names a place that cannot be, or a file that cannot be read, or a value and its `_FILE` are both set.
pub(super) fn overlay(
    root: &mut Node,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Fault> {
    let mut variables: Vec<Variable> = environment
        .into_iter()
        .filter_map(|(name, text)| Variable::parse(name, text))
        .collect();
    // Items of a list are added in their order; nothing depends on the order in which the system lists variables.
    variables.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.name.cmp(&b.name)));
    for pair in variables.windows(2) {
        if let [a, b] = pair
            && a.path == b.path
        {
            return Err(fault(
                &b.name,
                &b.key(),
                format!("{} is set too; one of the two has to go", a.name),
            ));
        }
    }
    for variable in variables {
        let text = if variable.is_file {
            variable.read()?
        } else {
            variable.text.clone()
        };
        set(
            root,
            &variable.path,
            &Source::Variable(variable.name.clone()),
            text,
        )?;
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Item(usize),
    Key(String),
}

#[derive(Debug)]
struct Variable {
    name: String,
    path: Vec<Step>,
    is_file: bool,
    text: String,
}

impl Variable {
    /// `None` where the name is none of a key.
    fn parse(name: String, text: String) -> Option<Self> {
        let lower = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
        let (key, is_file) = match lower.strip_suffix("_file") {
            Some(key) => (key, true),
            None => (lower.as_str(), false),
        };
        if !key.contains("__") {
            return None;
        }
        let step = |part: &str| match part.parse() {
            Ok(index) => Step::Item(index),
            Err(_) => Step::Key(part.to_owned()),
        };
        let path = key.split("__").map(step).collect();
        Some(Self {
            name,
            path,
            is_file,
            text,
        })
    }

    fn key(&self) -> String {
        self.path
            .iter()
            .fold(String::new(), |key, step| match step {
                Step::Item(index) => item_key(&key, *index),
                Step::Key(name) => entry_key(&key, name),
            })
    }

    fn read(&self) -> Result<String, Fault> {
        let mut text = String::new();
        let read = File::open(&self.text).and_then(|file| {
            file.take(SECRET_FILE_BYTES_MAX + 1)
                .read_to_string(&mut text)
        });
        match read {
            Err(error) => Err(fault(
                &self.name,
                &self.key(),
                format!("cannot read {}: {error}", self.text),
            )),
            Ok(bytes) if bytes as u64 > SECRET_FILE_BYTES_MAX => {
                let reason = format!("{} has more than {SECRET_FILE_BYTES_MAX} bytes", self.text);
                Err(fault(&self.name, &self.key(), reason))
            }
            // An editor ends a file with a newline that nobody meant.
            Ok(_) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }
}

fn fault(name: &str, key: &str, reason: String) -> Fault {
    Fault {
        place: Some((key.to_owned(), Source::Variable(name.to_owned()))),
        reason,
    }
}

fn set(node: &mut Node, path: &[Step], source: &Source, text: String) -> Result<(), Fault> {
    let Some((step, rest)) = path.split_first() else {
        node.source = source.clone();
        node.value = Value::Untyped(text);
        return Ok(());
    };
    let child = match (step, &mut node.value) {
        (Step::Item(index), Value::List(items)) => item(&node.key, items, *index, source)?,
        (Step::Key(name), Value::Table(entries)) => entry(&node.key, entries, name, source),
        (Step::Item(_), _) => return Err(misplaced(node, source, "is not a list")),
        (Step::Key(_), _) => return Err(misplaced(node, source, "has no keys of its own")),
    };
    if let (Value::Table(entries), Some(Step::Item(_))) = (&child.value, rest.first())
        && entries.is_empty()
    {
        child.value = Value::List(Vec::new());
    }
    set(child, rest, source, text)
}

fn misplaced(node: &Node, source: &Source, what: &str) -> Fault {
    Fault {
        place: Some((node.key.clone(), source.clone())),
        reason: format!("this {what}"),
    }
}

fn item<'a>(
    list: &str,
    items: &'a mut Vec<Node>,
    index: usize,
    source: &Source,
) -> Result<&'a mut Node, Fault> {
    let key = item_key(list, index);
    if index.cmp(&items.len()) == Ordering::Equal {
        items.push(Node {
            key: key.clone(),
            source: source.clone(),
            value: Value::Table(Vec::new()),
        });
    }
    let count = items.len();
    items.get_mut(index).ok_or_else(|| Fault {
        place: Some((key, source.clone())),
        reason: format!(
            "the list has {count} so far; items are counted from 0 and none is left out"
        ),
    })
}

fn entry<'a>(
    table: &str,
    entries: &'a mut Vec<Entry>,
    name: &str,
    source: &Source,
) -> &'a mut Node {
    let at = entries
        .iter()
        .position(|entry| entry.name == name)
        .unwrap_or_else(|| {
            let node = Node {
                key: entry_key(table, name),
                source: source.clone(),
                value: Value::Table(Vec::new()),
            };
            entries.push(Entry {
                name: name.to_owned(),
                source: source.clone(),
                node,
            });
            entries.len() - 1
        });
    &mut entries[at].node
}
