//! Panics: each is a fault of ours. It ends its task and no other, and is logged and counted.

use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;

use super::events::Panicked;
use super::metrics::Metrics;

/// From here on, every panic of this process is logged as one line and counted in `metrics`, instead of printed. The log has
/// to be set up before.
pub fn watch(metrics: Arc<Metrics>) {
    panic::set_hook(Box::new(move |info| tell(info, &metrics)));
}

fn tell(info: &PanicHookInfo<'_>, metrics: &Metrics) {
    Panicked {
        place: info.location(),
        // A message that was put together may quote what it is about, and that may be a key: only one that stands in the source is
        // shown.
        message: info.payload().downcast_ref::<&'static str>().copied(),
        thread: thread::current().name(),
    }
    .emit(metrics);
}
