//! Removes the bytes of what was deleted. Their keys are gone already, so nothing waits for this but disk space and the
//! promise that deleted bytes do not stay.

use crate::http::State;
use crate::service::chat;

/// Sweeps every resource of this node once. A resource whose store fails is left for the next time.
pub(super) async fn run(state: &State) -> usize {
    let mut completed = 0;
    for resource in state.directory.resources() {
        if !resource.is_within_reach().await {
            continue;
        }
        match chat::erasure::sweep(resource.cell(), resource.id()).await {
            Ok(0) => {}
            Ok(count) => {
                completed += count;
                tracing::info!(resource = resource.name(), count, "removed what was deleted");
            }
            Err(error) => {
                tracing::warn!(resource = resource.name(), %error, "what was deleted could not be removed yet");
            }
        }
    }
    completed
}
