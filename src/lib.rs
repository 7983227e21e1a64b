//! Aqueduct: an RTMP ingest gateway that carries one live stream to many CDNs.
//!
//! The modules stand on floors; a module uses only the floors below its own. `docs/architecture.md` has the map.

pub mod api;
pub mod app;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod control;
pub mod egress;
pub mod flv;
pub mod ingest;
pub mod media;
pub mod mp4;
pub mod net;
pub mod notify;
pub mod relay;
pub mod rtmp;
pub mod rule;
pub mod secret;
pub mod store;
pub mod telemetry;
