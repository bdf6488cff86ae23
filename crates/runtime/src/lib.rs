//! The ports through which the core meets the world, and the driver that owns a core.
//!
//! The ports are [`Store`](store::Store) (durable state), [`Engine`](engine::Engine) (what runs jobs),
//! [`LogStore`](log::LogStore) (what they wrote) and [`Clock`](clock::Clock). Each is documented as a contract: when it
//! is called, how often, and what holds after a crash; one conformance suite runs against every adapter of a port.
//!
//! Nothing here knows a wire format, a database or a container runtime. Start reading at [`driver`].

pub mod cause;
pub mod clock;
pub mod driver;
pub mod engine;
pub mod event;
pub mod launch;
pub mod log;
pub mod store;
