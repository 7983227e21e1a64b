//! The rule service.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bounds;
mod changes;
mod kept;

#[path = "../doors/mod.rs"]
mod doors;

use std::sync::Arc;

use aqueduct::control::{AppName, NewRule, Origin, RuleOptions, Rules, StreamPattern, UrlTemplate};
use doors::{Gateway, MemoryStore};

fn wish(stream: &str, url: &str) -> NewRule {
    NewRule {
        app: AppName::parse("live").unwrap(),
        stream: StreamPattern::parse(stream).unwrap(),
        url: UrlTemplate::parse(url).unwrap(),
        options: RuleOptions::default(),
        origin: Origin::Api,
    }
}

fn open(store: &Arc<MemoryStore>) -> Rules {
    Gateway::with(store.clone(), vec![]).rules
}
