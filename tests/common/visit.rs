//! What a target noted of one connection.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::flv::Tag;

/// One tag, and when its last byte was read.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub at: Instant,
    pub tag: Tag,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The client finished its half: an orderly end.
    Closed,
    /// A reset, or anything else that may have thrown away what was on its way.
    Broken(String),
}

/// One connection to a target, as far as it has come.
#[derive(Clone, Debug, Default)]
pub struct Visit {
    pub app: String,
    pub tc_url: String,
    pub name: String,
    /// The names of all commands, in order.
    pub commands: Vec<String>,
    pub arrivals: Vec<Arrival>,
    pub end: Option<End>,
}

impl Visit {
    /// # Panics
    /// Where the gateway went without FCUnpublish and deleteStream, or the connection broke.
    pub fn assert_goodbye(&self) {
        assert_eq!(self.end, Some(End::Closed), "in order, not with a reset");
        let goodbye = ["FCUnpublish".to_owned(), "deleteStream".to_owned()];
        assert!(self.commands.ends_with(&goodbye), "{:?}", self.commands);
    }

    /// The tags without their times of arrival.
    pub fn tags(&self) -> Vec<Tag> {
        self.arrivals
            .iter()
            .map(|arrival| arrival.tag.clone())
            .collect()
    }
}

/// A connection's page in its target's book.
pub struct Notes {
    pub visits: Arc<Mutex<Vec<Visit>>>,
    pub place: usize,
}

impl Notes {
    /// Writes to the page, or reads it.
    pub fn note<T>(&self, note: impl FnOnce(&mut Visit) -> T) -> T {
        note(&mut self.visits.lock().unwrap()[self.place])
    }
}
