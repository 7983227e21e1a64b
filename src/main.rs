//! The program `aqueduct`: see [`aqueduct::cli`].

fn main() {}
