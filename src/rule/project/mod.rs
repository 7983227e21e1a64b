//! A project: a stream with its inputs and its outputs, which somebody starts and stops as one.
//!
//! Pure values: what a project is, and what may be done with it in which state. Time is an argument.

mod life;
mod parts;

pub use life::{
    DEFAULT_RUN, OUTPUTS_MAX, Project, ProjectDraft, ProjectError, ProjectLife, RUN_MAX,
    SYSTEM_OPERATOR,
};
pub use parts::{
    OUTPUT_ID_CHARS_MAX, OUTPUT_NAME_CHARS_MAX, Output, OutputChange, OutputDraft,
    PROJECT_ID_BYTES_MAX, ProjectId, ProjectInput,
};
