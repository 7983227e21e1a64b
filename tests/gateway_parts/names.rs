//! A resolver that answers as the test says, and counts.

use aqueduct::net::resolve::Resolver;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

#[derive(Default)]
pub struct Names {
    known: Mutex<HashMap<String, Vec<IpAddr>>>,
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
        let address = address.parse().unwrap();
        let mut known = self.known.lock().unwrap();
        known.insert(name.to_owned(), vec![address]);
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
        let known = self.known.lock().unwrap().get(host).cloned();
        let answer = known.ok_or_else(|| io::Error::other("no such name"));
        Box::pin(std::future::ready(answer))
    }
}
