//! A resolver that answers as the test says, and counts.

use aqueduct::net::resolve::Resolver;
use futures::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

#[derive(Default)]
pub struct Names {
    /// The answers for each name, in turn; the last one stays.
    known: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: Mutex<Vec<(String, Instant)>>,
}

impl Names {
    /// Nothing resolves.
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    pub fn of(known: &[(&str, &str)]) -> Arc<Self> {
        let names = Self::none();
        for (name, address) in known {
            names.put(name, address);
        }
        names
    }

    pub fn put(&self, name: &str, address: &str) {
        self.put_in_turn(name, &[&[address]]);
    }

    /// A name whose addresses change from answer to answer.
    pub fn put_in_turn(&self, name: &str, answers: &[&[&str]]) {
        let parsed = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        let answers = answers.iter().map(parsed).collect();
        let mut known = self.known.lock().unwrap();
        known.insert(name.to_owned(), answers);
    }

    /// When this name was asked for.
    pub fn asked(&self, name: &str) -> Vec<Instant> {
        let asked = self.asked.lock().unwrap();
        let of_name = asked.iter().filter(|(asked, _)| asked == name);
        of_name.map(|&(_, at)| at).collect()
    }
}

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push((host.to_owned(), Instant::now()));
        let mut known = self.known.lock().unwrap();
        let answer = known.get_mut(host).and_then(|answers| match answers.len() {
            0 | 1 => answers.front().cloned(),
            _ => answers.pop_front(),
        });
        let answer = answer.ok_or_else(|| io::Error::other("no such name"));
        Box::pin(std::future::ready(answer))
    }
}
