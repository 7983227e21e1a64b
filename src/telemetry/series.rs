//! Handles that are made once and counted on without a look-up.

use std::marker::PhantomData;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label as KeyLabel, Level, Metadata, Recorder,
};

use super::labels::Label;

/// One counter for each value of a label set.
#[derive(Debug)]
pub struct Counters<L> {
    each: Box<[Counter]>,
    labels: PhantomData<L>,
}

impl<L: Label> Counters<L> {
    /// Adds `count` to the label's counter.
    pub fn add(&self, label: L, count: u64) {
        if let Some(counter) = self.each.get(label.place()) {
            counter.increment(count);
        }
    }
}

/// Describes metrics and makes their handles, in one step, so that none is without a description.
pub(super) struct Register<'a>(pub(super) &'a dyn Recorder);

const METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

impl Register<'_> {
    pub(super) fn counter(&self, name: &'static str, description: &'static str) -> Counter {
        self.0
            .describe_counter(KeyName::from_const_str(name), None, description.into());
        zero(
            self.0
                .register_counter(&Key::from_static_name(name), &METADATA),
        )
    }

    pub(super) fn counters<L: Label>(
        &self,
        name: &'static str,
        label: &'static str,
        description: &'static str,
    ) -> Counters<L> {
        self.0
            .describe_counter(KeyName::from_const_str(name), None, description.into());
        let each = L::ALL
            .iter()
            .map(|value| {
                let labels = vec![KeyLabel::from_static_parts(label, value.as_str())];
                zero(
                    self.0
                        .register_counter(&Key::from_parts(name, labels), &METADATA),
                )
            })
            .collect();
        Counters {
            each,
            labels: PhantomData,
        }
    }

    pub(super) fn gauge(
        &self,
        name: &'static str,
        labels: Vec<KeyLabel>,
        description: &'static str,
    ) -> Gauge {
        self.0
            .describe_gauge(KeyName::from_const_str(name), None, description.into());
        self.0
            .register_gauge(&Key::from_parts(name, labels), &METADATA)
    }

    pub(super) fn histogram(&self, name: &'static str, description: &'static str) -> Histogram {
        self.0
            .describe_histogram(KeyName::from_const_str(name), None, description.into());
        self.0
            .register_histogram(&Key::from_static_name(name), &METADATA)
    }
}

/// A counter that nobody has touched yet is not shown; zero is a value.
fn zero(counter: Counter) -> Counter {
    counter.absolute(0);
    counter
}
