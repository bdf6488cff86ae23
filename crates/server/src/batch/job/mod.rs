//! Jobs: submitted, described, listed, stopped, explained.
//!
//! The way of a submission: [`Template`] (a definition, read once) → `overrides` → `substitute` → `work` (with `launch`, `task` and
//! `pod`) and `document`, together `Prepared`; `submit` puts it into a command.

mod consumable;
pub(in crate::batch) mod describe;
mod document;
mod early_failure;
pub(crate) mod explain;
mod launch;
pub(in crate::batch) mod list;
mod node;
mod overrides;
mod pod;
mod quantity;
mod reason;
mod resources;
mod secret;
pub(in crate::batch) mod stop;
pub(in crate::batch) mod submit;
mod substitute;
mod task;
mod template;
mod volume;
mod work;

pub(super) use template::Template;
