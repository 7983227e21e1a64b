//! A project's inputs as inputs of its stream: of origin `tencent`, and running while the project works.

use crate::control::inputs::{Inputs, RemoveError};
use crate::rule::project::{Project, ProjectLife};
use crate::rule::{Input, Origin, Role};

/// Brings the inputs of a project's stream to what the project says.
///
/// # Errors
/// Why that could not be done.
pub(super) async fn align(inputs: &Inputs, project: &Project) -> Result<(), String> {
    let stream = project.stream();
    for role in Role::BOTH {
        match project.input(role) {
            Some(input) => {
                let input = Input {
                    stream: stream.clone(),
                    role,
                    source: input.source(),
                    origin: Origin::Tencent,
                };
                inputs.put(input).await.map_err(|why| why.to_string())?;
            }
            None => match inputs.remove(&stream, role, Origin::Tencent).await {
                Ok(()) | Err(RemoveError::NotFound | RemoveError::Owned(_)) => {}
                Err(error) => return Err(error.to_string()),
            },
        }
    }
    match project.life {
        ProjectLife::Idle { .. } => {
            // One that has no inputs has none that run.
            let _ = inputs.stop(&stream, Origin::Tencent).await;
            Ok(())
        }
        ProjectLife::Working { wanted, .. } => {
            let started = inputs.start(&stream, Origin::Tencent).await;
            started.map_err(|why| why.to_string())?;
            match inputs.of(&stream).map(|inputs| inputs.preferred) {
                Some(preferred) if preferred == wanted => Ok(()),
                _ => {
                    let switched = inputs.switch(&stream, wanted).await;
                    switched.map_err(|why| why.to_string())
                }
            }
        }
    }
}
