//! One clock for all stamps.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time since the program first asked.
pub fn now() -> Duration {
    BEGAN.elapsed()
}
