//! From a history that fails to a short one that fails, and what panics say meanwhile.

use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::Once;

use proptest::strategy::ValueTree;

use crate::{Simulation, Tally, attempt, tree};

/// Histories that are tried at most, each of them quick.
const TRIES_MAX: usize = 5_000;

thread_local! {
    static FIRST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static IS_NOTING: Cell<bool> = const { Cell::new(false) };
}

/// The shortest history found that fails, and how it fails; `None` if the seed's does not.
pub(crate) fn shortest<S: Simulation>(seed: u64) -> Option<(S::History, String)> {
    let mut tree = tree::<S>(seed);
    let mut found = None;
    for _ in 0..TRIES_MAX {
        let history = tree.current();
        let goes_on = match attempt::<S>(&history, &mut Tally::default()) {
            Err(message) => {
                found = Some((history, message));
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
        if !goes_on || found.is_none() {
            break;
        }
    }
    found
}

/// Whether from now on the first panic of this thread is kept for [`first_panic`] and none printed: a seed that fails is told once, by what
/// came first.
pub(crate) fn note_panics(is_noting: bool) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if IS_NOTING.get() {
                FIRST_PANIC.with(|first| {
                    first.borrow_mut().get_or_insert_with(|| told(info));
                });
            } else {
                print(info);
            }
        }));
    });
    IS_NOTING.set(is_noting);
    if is_noting {
        FIRST_PANIC.with(|first| first.take());
    }
}

/// What the first panic said since they are noted.
pub(crate) fn first_panic() -> String {
    FIRST_PANIC
        .with(|first| first.borrow().clone())
        .unwrap_or_default()
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let text = info.payload_as_str().unwrap_or("a panic without words");
    format!("{place}: {text}")
}
