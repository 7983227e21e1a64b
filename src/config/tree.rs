//! The configuration as a tree in which every value knows where it stands.
//!
//! The file makes the tree, arguments and environment change it, and serde reads the sections out of it.

use serde::de::Error as _;
use toml::de::{DeTable, DeValue};

use super::report::Source;
use super::typed::Fault;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The key from the root, such as `apps[0].name`; empty at the root.
    pub key: String,
    pub source: Source,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// From an argument or a variable: text, number or truth value, whatever is asked for.
    Untyped(String),
}

/// A key of a table, the place of the key itself, and what it holds.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub name: String,
    pub source: Source,
    pub node: Node,
}

impl Node {
    /// An empty table, which no file stands behind.
    pub fn empty() -> Self {
        Self {
            key: String::new(),
            source: Source::Default,
            value: Value::Table(Vec::new()),
        }
    }

    /// Reads a TOML document.
    ///
    /// # Errors
    /// Its syntax is wrong, a key stands twice, or an integer has more than 64 bits.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let document = DeTable::parse(text).map_err(|error| {
            let source = place(text, error.span().map_or(text.len(), |span| span.start));
            Fault {
                place: Some((String::new(), source)),
                reason: error.message().to_owned(),
            }
        })?;
        let root = DeValue::Table(document.into_inner());
        Self::from_toml(text, String::new(), Source::Default, root)
    }

    fn from_toml(
        text: &str,
        key: String,
        source: Source,
        value: DeValue<'_>,
    ) -> Result<Self, Fault> {
        let value = match value {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Integer(number),
                    Err(_) => {
                        return Err(Fault::custom("the number is out of range").at(&key, &source));
                    }
                }
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(truth) => Value::Boolean(truth),
            DeValue::Datetime(time) => Value::Text(time.to_string()),
            DeValue::Array(items) => {
                let items = items.into_iter().enumerate().map(|(index, item)| {
                    let source = place(text, item.span().start);
                    Self::from_toml(text, item_key(&key, index), source, item.into_inner())
                });
                Value::List(items.collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => {
                let entries = table.into_iter().map(|(name, value)| {
                    let source = place(text, name.span().start);
                    let at_value = place(text, value.span().start);
                    let name = name.into_inner().into_owned();
                    let node = Self::from_toml(
                        text,
                        entry_key(&key, &name),
                        at_value,
                        value.into_inner(),
                    )?;
                    Ok(Entry { name, source, node })
                });
                Value::Table(entries.collect::<Result<_, Fault>>()?)
            }
        };
        Ok(Self { key, source, value })
    }

    /// The entry of this name, where the node is a table that has one.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.name == name),
            _ => None,
        }
    }

    /// The place of this key, or of the nearest one around it that was set.
    pub fn source_of(&self, key: &str) -> &Source {
        let around = |node: &&Node| {
            key.strip_prefix(&node.key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let inner = match &self.value {
            Value::List(items) => items.iter().find(around),
            Value::Table(entries) => entries.iter().map(|entry| &entry.node).find(around),
            _ => None,
        };
        inner.map_or(&self.source, |node| match node.source_of(key) {
            Source::Default => &self.source,
            source => source,
        })
    }
}

/// The key of a list's item.
pub(super) fn item_key(list: &str, index: usize) -> String {
    format!("{list}[{index}]")
}

/// The key of a table's entry.
pub(super) fn entry_key(table: &str, name: &str) -> String {
    if table.is_empty() {
        name.to_owned()
    } else {
        format!("{table}.{name}")
    }
}

fn place(text: &str, offset: usize) -> Source {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    Source::File {
        line: before.matches('\n').count() + 1,
        column,
    }
}
