//! From where to where a number may go.

use super::Config;
use super::check::{Wrong, wrong};
use crate::rule::CHUNK_SIZES;

/// Above this a tick is no longer "at once" for anybody.
const FLUSH_INTERVAL_MS_MAX: u64 = 500;

/// Below this the pauses of a healthy network are stalls.
const STALL_MS_MIN: u64 = 200;

/// Above this the connection of an input that stalls is given up anyway.
const STALL_MS_MAX: u64 = 15_000;

/// A publisher that is gone for an hour is gone.
const GRACE_MS_MAX: u64 = 3_600_000;

/// Longer than any supervisor of services waits for a stop.
const DRAIN_MS_MAX: u64 = 600_000;

/// More connections a second than one machine can shake hands for.
const STARTS_PER_SECOND_MAX: u32 = 10_000;

/// More connections than a process may have files open.
const CONNECTIONS_PER_ADDRESS_MAX: u32 = 1_000_000;

/// More new connections a second than one machine can shake hands for.
const CONNECTIONS_PER_SECOND_PER_ADDRESS_MAX: u32 = 10_000;

/// A day. Who shall stay away for longer is forbidden, or loses its key.
const KICK_BAR_MS_MAX: u64 = 86_400_000;

/// Each is an upload of its own, and a line in every list.
const RULES_PER_STREAM_MAX: u64 = 1_000;

/// A year.
const SECONDS_MAX: u64 = 31_536_000;

/// More wrong keys a minute than a limit is good for.
const FAILED_AUTH_PER_MINUTE_MAX: u32 = 10_000;

pub(super) fn check(config: &Config) -> Result<(), Wrong> {
    let (rtmp, relay) = (&config.rtmp, &config.relay);
    let egress = &config.egress;
    within(
        "rtmp.connections_per_address",
        rtmp.connections_per_address.into(),
        0,
        CONNECTIONS_PER_ADDRESS_MAX.into(),
    )?;
    within(
        "rtmp.connections_per_second_per_address",
        rtmp.connections_per_second_per_address.into(),
        0,
        CONNECTIONS_PER_SECOND_PER_ADDRESS_MAX.into(),
    )?;
    within(
        "relay.flush_interval_ms",
        relay.flush_interval_ms,
        0,
        FLUSH_INTERVAL_MS_MAX,
    )?;
    let ingest = &config.ingest;
    within(
        "ingest.stall_ms",
        ingest.stall_ms,
        STALL_MS_MIN,
        STALL_MS_MAX,
    )?;
    within(
        "ingest.return_after_ms",
        ingest.return_after_ms,
        0,
        GRACE_MS_MAX,
    )?;
    within("relay.grace_ms", relay.grace_ms, 0, GRACE_MS_MAX)?;
    within("relay.kick_bar_ms", relay.kick_bar_ms, 0, KICK_BAR_MS_MAX)?;
    for (key, number) in [
        ("rtmp.failed_auth_per_minute", rtmp.failed_auth_per_minute),
        (
            "http.failed_auth_per_minute",
            config.http.failed_auth_per_minute,
        ),
    ] {
        within(key, number.into(), 0, FAILED_AUTH_PER_MINUTE_MAX.into())?;
    }
    within(
        "http.rules_per_stream",
        config.http.rules_per_stream.into(),
        1,
        RULES_PER_STREAM_MAX,
    )?;
    let zego = &config.zego;
    for (key, seconds) in [
        ("zego.closed_stream_seconds", zego.closed_stream_seconds),
        ("zego.unused_rule_seconds", zego.unused_rule_seconds),
    ] {
        within(key, seconds, 0, SECONDS_MAX)?;
    }
    within("relay.drain_ms", relay.drain_ms, 0, DRAIN_MS_MAX)?;
    chunk_size("egress.chunk_size", egress.chunk_size)?;
    within(
        "egress.starts_per_second",
        egress.starts_per_second.into(),
        1,
        STARTS_PER_SECOND_MAX.into(),
    )
}

pub(super) fn within(key: &str, number: u64, min: u64, max: u64) -> Result<(), Wrong> {
    if (min..=max).contains(&number) {
        return Ok(());
    }
    wrong(key, format!("the number must be from {min} to {max}"))
}

pub(super) fn chunk_size(key: &str, bytes: u32) -> Result<(), Wrong> {
    within(
        key,
        bytes.into(),
        (*CHUNK_SIZES.start()).into(),
        (*CHUNK_SIZES.end()).into(),
    )
}
