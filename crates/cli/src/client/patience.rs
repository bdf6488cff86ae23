//! How long to go on trying, and how often: pauses that double up to a limit, with chance in them so that many clients do not
//! come back at the same moment.

use std::time::{Duration, Instant};

/// The first pause.
const PAUSE_FIRST: Duration = Duration::from_millis(50);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long one call has been tried.
pub(super) struct Patience {
    since: Instant,
    pause: Duration,
}

impl Patience {
    /// For a server that nobody has heard of yet (own choice): it may be starting at this moment, but more likely there is none.
    pub(super) const START: Duration = Duration::from_millis(500);

    /// For a server that was there before (own choice): time for a restart or an upgrade.
    pub(super) const RESTART: Duration = Duration::from_secs(60);

    /// For a server that asks to come back later (own choice).
    pub(super) const BUSY: Duration = Duration::from_secs(60);

    pub(super) fn new() -> Patience {
        Patience {
            since: Instant::now(),
            pause: PAUSE_FIRST,
        }
    }

    /// Whether to try again, if `limit` is how long to try in all.
    pub(super) fn is_left(&self, limit: Duration) -> bool {
        self.since.elapsed() < limit
    }

    /// Waits before the next try.
    pub(super) async fn pause(&mut self) {
        tokio::time::sleep(jittered(self.pause, chance())).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// From half of the pause, for `chance` 0, to the whole.
fn jittered(pause: Duration, chance: u8) -> Duration {
    pause / 2 + pause / 2 * u32::from(chance) / u32::from(u8::MAX)
}

fn chance() -> u8 {
    let mut byte = [u8::MAX];
    // Without random numbers the pause is the longest: nothing worse happens.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_between_half_and_whole() {
        let pause = Duration::from_millis(100);
        let tried = [0, 128, 255].map(|chance| jittered(pause, chance).as_millis());
        assert_eq!(tried, [50, 75, 100]);
    }
}
