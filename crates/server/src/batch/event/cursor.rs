//! How far a reader has read.

use std::fmt;
use std::str::FromStr;

/// The event to go on with: the batch that it was committed in, its place there, and the child where it is one of many. Written
/// `BATCH.EVENT.CHILD`; opaque to clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(super) batch: u64,
    pub(super) event: u32,
    pub(super) child: u32,
}

impl Cursor {
    /// The next child's event, or what follows where there is none.
    pub(super) fn following(self) -> Cursor {
        Cursor {
            child: self.child + 1,
            ..self
        }
    }

    /// Behind all of a batch.
    pub(super) fn after_batch(number: u64) -> Cursor {
        Cursor {
            batch: number + 1,
            ..Cursor::default()
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cursor { batch, event, child } = self;
        write!(f, "{batch}.{event}.{child}")
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Cursor, ()> {
        let mut parts = text.splitn(3, '.');
        let mut number = || {
            parts
                .next()
                .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let (batch, event, child) = (number(), number(), number());
        let narrow = |part: Option<&str>| part.and_then(|part| part.parse().ok()).ok_or(());
        Ok(Cursor {
            // What fits neither is no number that was given out.
            batch: batch
                .and_then(|part| part.parse().ok())
                .filter(|batch| i64::try_from(*batch).is_ok())
                .ok_or(())?,
            event: narrow(event)?,
            child: narrow(child)?,
        })
    }
}
