//! Notify: the one way by which the gateway tells other services something - callbacks, events, webhooks: signed, in order, retried.
//!
//! # The seam
//!
//! Whoever has something to tell asks the gateway's [`Courier`] for a [`Delivery`] to a [`Destination`], and gives it messages. For
//! changes of state that is a task of the caller's own, which reads the feed ([`crate::telemetry::feed`]), shapes what it wants to
//! tell, and runs by [`Courier::run`], so that a drain waits for it:
//!
//! ```ignore
//! let delivery = courier.deliver_to(Destination { url, retries: Retries::Steps(VENDOR_STEPS), .. });
//! let mut changes = metrics.feed().reader();
//! courier.run(async move {
//!     while let Read::Change(change) = changes.next().await {
//!         if let Some(message) = shape(&change) {
//!             delivery.send(message).await;
//!         }
//!     }
//! });
//! ```
//!
//! What is promised:
//!
//! - **Order.** Messages of one delivery arrive in the order in which they were given; one is in flight at a time, and the next one
//!   waits until it was taken or given up. Two deliveries know nothing of each other.
//! - **Once or more.** A message whose answer was lost is sent again. Receivers tell by what the message says.
//! - **Bounds.** [`QUEUE_MAX`](limits::QUEUE_MAX) messages wait. [`Delivery::send`] waits for room, which holds up nobody but its task;
//!   [`Delivery::offer`] never waits, and a message that finds no room is dropped and counted.
//! - **A try** is a POST of what [`Message::shape`] says at that moment, so that a signature can carry the time and a nonce of its own. Any
//!   2xx within [`TRY_TIMEOUT`](limits::TRY_TIMEOUT) is success; of the answer nothing but the status is looked at. Redirects are not
//!   followed: they are a failure that says so.
//! - **Retries** follow the destination's [`Retries`]; then the message is given up, and the next one has its turn.
//! - **Whom it may call.** Every try resolves the name anew and judges each address, by the dialer and policy that targets are called
//!   with; only a judged address is connected to.
//! - **Secrets.** Path and query of a URL, bodies and headers are never printed. Logs have the URL masked, and the message's name.
//! - **The end.** When the last handle of a delivery is dropped, or the gateway drains, pauses between tries are cut short: what is left
//!   is sent, one try each, until one fails; the rest is dropped and counted. [`Courier::drain`] has a deadline.
//!
//! Each message ends in one of the results of `aqueduct_notifications_total`.

mod courier;
pub mod limits;
mod post;
mod retries;

pub use courier::{Courier, Delivery, Destination, Message, Shaped};
pub use post::{HttpPost, Post, PostError};
pub use retries::{Retries, VENDOR_STEPS};
