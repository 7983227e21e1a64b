//! The pump over a wire that is played by hand, with a clock that moves by itself.

mod ends;
mod flow;
mod looks;
mod past;
mod scene;
mod slow;
mod wire;
