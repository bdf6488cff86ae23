//! The present state of a running server, as it is handed to a simulation: all that the scheduler knows, and nothing of what is run.

use batchyard_core::limits::Limits;
use batchyard_core::resources::Resources;
use batchyard_core::state::{RestoreError, Stored};
use batchyard_core::time::Timestamp;
use batchyard_core::{Core, CoreConfig};
use serde::{Deserialize, Serialize};

/// The form of [`Present`]; another one is not read.
pub const VERSION: u32 = 1;

/// A core at a moment, in a form that can be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Present {
    /// [`VERSION`].
    pub version: u32,
    /// The moment.
    pub at: Timestamp,
    /// What jobs can have of the host.
    pub host: Resources,
    /// The server's limits.
    pub limits: Limits,
    /// Environments, queues, live jobs, histories. Without client tokens, which are others' secrets.
    pub state: Stored,
}

/// The text is no state that a core can go on from.
#[derive(Debug, thiserror::Error)]
pub enum PresentError {
    /// Written by another version of the program.
    #[error("the state has form {0}, and this program reads form {VERSION}")]
    Version(u32),
    /// It contradicts itself.
    #[error("make sense of the state")]
    Restore(#[from] RestoreError),
}

impl Present {
    /// A core as it is at `at`.
    #[must_use]
    pub fn of(core: &Core, at: Timestamp) -> Present {
        let CoreConfig { host, limits } = core.config();
        Present {
            version: VERSION,
            at,
            host,
            limits,
            state: Stored {
                tokens: Vec::new(),
                ..core.state().to_stored()
            },
        }
    }

    /// A core that goes on from it.
    ///
    /// # Errors
    /// When it is of another form, or contradicts itself.
    pub fn into_core(self) -> Result<Core, PresentError> {
        let Present {
            version,
            at: _,
            host,
            limits,
            state,
        } = self;
        if version != VERSION {
            return Err(PresentError::Version(version));
        }
        Ok(Core::restore(CoreConfig { host, limits }, state)?)
    }
}
