//! An allocator that counts. A test program that has this module runs on it.
#![allow(dead_code, reason = "each program uses a part of it")]
#![allow(
    unsafe_code,
    reason = "a global allocator that counts cannot be written without"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with counts for each thread, so that tests that run beside each other do not meet.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count(freed: usize, allocated: usize) {
    // A thread that ends has no counts any more, and nobody who reads them.
    let _ = LIVE.try_with(|live| {
        // What another thread allocated may be freed here: no count below nothing.
        live.set(live.get().saturating_sub(freed) + allocated);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
    if allocated > 0 {
        let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    }
}

// SAFETY: every call is passed on to the system's allocator as it came; the counts are cells of this thread that neither
// allocate nor have a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), size);
        // SAFETY: the caller keeps the contract of `realloc`, and the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What this thread holds now, in bytes.
pub fn live_bytes() -> usize {
    LIVE.get()
}

/// The most that `work` holds beyond what was held before, in bytes; it must give all of it back.
pub fn peak_of(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    assert_eq!(LIVE.get(), before, "all memory is given back");
    PEAK.get() - before
}

/// How often `work` allocates; growing what is allocated counts too.
pub fn allocations_of(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}
