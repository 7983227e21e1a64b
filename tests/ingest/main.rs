//! Ingest, from a publisher's socket to a target's: who gets in, how it ends, and what comes through.

#[path = "../gateway_parts/mod.rs"]
mod gateway_parts;
#[path = "../session_peer/mod.rs"]
mod session_peer;

mod ends;
mod garbage;
mod maladies;
mod owners;
mod passage;
mod patience;
mod returns;
mod starts;
mod tls;
