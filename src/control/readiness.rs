//! Whether this gateway wants new work: what `/readyz` answers.

use std::sync::Arc;

use tokio::sync::watch;

/// The three phases of a running gateway. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Listeners are being bound, rules are being read.
    Starting,
    /// Everything listens.
    Ready,
    /// It was told to stop: running pushes end in order, and nothing new is taken.
    Draining,
}

/// The phase, shared between the application (which sets it) and the doors (which show it). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<Phase>>);

impl Readiness {
    /// In phase [`Phase::Starting`].
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Starting)))
    }

    /// The phase at this moment.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Moves forward to `phase`; a step back is ignored, so that a late "ready" cannot undo a drain.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let forward = phase > *now;
            if forward {
                *now = phase;
            }
            forward
        });
    }

    /// Sees every later phase.
    pub fn subscribe(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_never_goes_back() {
        let readiness = Readiness::new();
        assert_eq!(readiness.phase(), Phase::Starting);
        readiness.advance(Phase::Ready);
        readiness.advance(Phase::Draining);
        readiness.advance(Phase::Ready);
        assert_eq!(readiness.phase(), Phase::Draining);
    }
}
