//! Watching jobs until they end, and showing what they write meanwhile.
//!
//! Looks again and again, as every client of AWS Batch has to; the pauses grow while nothing happens. An array's children are
//! looked at a window at a time, so that the work and the memory do not grow with the array.
//!
//! Where to start reading: [`follow`].

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::Duration;

use batchyard_wire::batch::JobDetail;
use batchyard_wire::logs::OutputLogEvent;

use crate::client::Client;
use crate::duration::moment;
use crate::job::{self, JobId};
use crate::tail::{LogStream, Tail};

/// The pause after something happened (own choice: short jobs show at once).
const PAUSE_FIRST: Duration = Duration::from_millis(20);

/// The longest pause (own choice).
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Children that are looked at at once: with their array job as many as one call describes.
const WINDOW: usize = job::DESCRIBED_MAX - 1;

/// How lines are shown.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LineStyle {
    /// Whether each begins with its time.
    pub(crate) has_timestamps: bool,
}

/// The pauses between looks.
pub(crate) struct Pace(Duration);

/// How far a job's output has been shown.
#[derive(Default)]
struct Shown {
    /// Ended attempts that were shown to their end.
    attempts: usize,
    /// The streams of the attempt after them.
    tails: Vec<(LogStream, Tail)>,
}

/// Shows what the job and, if it is an array, its children write, until it has ended. The answer is the job at its end.
///
/// # Errors
/// When the job is not there, the server cannot be asked, or standard output is closed.
pub(crate) async fn follow(client: &Client, id: &JobId, style: LineStyle) -> anyhow::Result<JobDetail> {
    let job = job::describe_one(client, id).await?;
    let size = job.array_properties.as_ref().and_then(|array| array.size);
    match size.and_then(|size| u32::try_from(size).ok()) {
        Some(size) => follow_array(client, id, size, style).await,
        None => follow_one(client, id, style).await,
    }
}

async fn follow_one(client: &Client, id: &JobId, style: LineStyle) -> anyhow::Result<JobDetail> {
    let (mut pace, mut shown) = (Pace::new(), Shown::default());
    loop {
        let job = job::describe_one(client, id).await?;
        let has_news = shown.show(client, &job, "", style).await?;
        if job::is_terminal(&job.status) {
            return Ok(job);
        }
        pace.pause(has_news).await;
    }
}

async fn follow_array(client: &Client, id: &JobId, size: u32, style: LineStyle) -> anyhow::Result<JobDetail> {
    let mut pace = Pace::new();
    let mut window: BTreeMap<u32, Shown> = BTreeMap::new();
    let mut rest = 0..size;
    loop {
        while window.len() < WINDOW
            && let Some(index) = rest.next()
        {
            window.insert(index, Shown::default());
        }
        let mut ids = vec![id.clone()];
        ids.extend(window.keys().map(|index| id.child(*index)));
        let (parents, children): (Vec<JobDetail>, Vec<JobDetail>) = job::describe(client, &ids)
            .await?
            .into_iter()
            .partition(|job| job.job_id == id.as_str());
        // It was there a moment ago: only an end long past makes a job go.
        let Some(parent) = parents.into_iter().next() else {
            return job::describe_one(client, id).await;
        };
        let has_ended = job::is_terminal(&parent.status);
        let mut has_news = false;
        let mut seen = Vec::with_capacity(children.len());
        for child in &children {
            let Some(index) = index_of(child) else { continue };
            let Some(shown) = window.get_mut(&index) else {
                continue;
            };
            has_news |= shown.show(client, child, &format!("[{index}] "), style).await?;
            seen.push(index);
            if job::is_terminal(&child.status) {
                window.remove(&index);
                has_news = true;
            }
        }
        if has_ended {
            // Children that never came to be, because the array failed before.
            window.retain(|index, _| seen.contains(index));
            if window.is_empty() && rest.is_empty() {
                return Ok(parent);
            }
        }
        pace.pause(has_news).await;
    }
}

fn index_of(child: &JobDetail) -> Option<u32> {
    let index = child.array_properties.as_ref()?.index?;
    u32::try_from(index).ok()
}

/// Shows the output of one attempt (the first is 1), or of the latest, as far as there is any.
///
/// # Errors
/// When the server cannot be asked, or standard output is closed.
pub(crate) async fn show_attempt(
    client: &Client,
    job: &JobDetail,
    attempt: Option<usize>,
    style: LineStyle,
) -> anyhow::Result<()> {
    let mut streams = job::streams(job);
    let count = streams.len();
    let position = match attempt {
        None => count.checked_sub(1),
        Some(attempt) => attempt.checked_sub(1).filter(|position| *position < count),
    };
    let Some(position) = position else {
        match attempt {
            Some(attempt) => anyhow::bail!(
                "job {} has no output of attempt {attempt}, it has {count} with output",
                job.job_id
            ),
            None => return Ok(()),
        }
    };
    for stream in streams.swap_remove(position) {
        let mut tail = Tail::new(stream);
        while show_page(&tail.next(client).await?, "", style)? {}
    }
    Ok(())
}

impl Shown {
    /// Shows what is new, of all attempts there have been. What an ended job wrote is complete when its end is told, so after
    /// a call with an ended job nothing is missing.
    async fn show(
        &mut self,
        client: &Client,
        job: &JobDetail,
        prefix: &str,
        style: LineStyle,
    ) -> anyhow::Result<bool> {
        let mut has_news = false;
        let attempts = job::streams(job);
        while let Some(streams) = attempts.get(self.attempts) {
            for stream in streams {
                if self.tails.iter().all(|(known, _)| known != stream) {
                    self.tails.push((stream.clone(), Tail::new(stream.clone())));
                }
            }
            for (_, tail) in &mut self.tails {
                while show_page(&tail.next(client).await?, prefix, style)? {
                    has_news = true;
                }
            }
            if self.attempts + 1 == attempts.len() {
                break;
            }
            self.attempts += 1;
            self.tails.clear();
        }
        Ok(has_news)
    }
}

/// Writes the events, one line each. Whether there were any.
fn show_page(events: &[OutputLogEvent], prefix: &str, style: LineStyle) -> io::Result<bool> {
    if events.is_empty() {
        return Ok(false);
    }
    // Not through `anstream`: what jobs write is shown as they wrote it.
    let mut out = io::stdout().lock();
    out.write_all(lines(events, prefix, style).as_bytes())?;
    out.flush()?;
    Ok(true)
}

fn lines(events: &[OutputLogEvent], prefix: &str, style: LineStyle) -> String {
    let mut text = String::new();
    for event in events {
        let message = event.message.as_deref().unwrap_or_default();
        text.push_str(prefix);
        if style.has_timestamps {
            text.push_str(&moment(event.timestamp.unwrap_or_default()));
            text.push(' ');
        }
        text.push_str(message.strip_suffix('\n').unwrap_or(message));
        text.push('\n');
    }
    text
}

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace(PAUSE_FIRST)
    }

    /// Waits until it is time for the next look.
    pub(crate) async fn pause(&mut self, has_news: bool) {
        self.0 = match has_news {
            true => PAUSE_FIRST,
            false => (self.0 * 3 / 2).min(PAUSE_MAX),
        };
        tokio::time::sleep(self.0).await;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn each_event_is_a_line() {
        let event = |timestamp: i64, message: &str| OutputLogEvent {
            timestamp: Some(timestamp),
            message: Some(message.to_owned()),
            ..OutputLogEvent::default()
        };
        let events = [event(0, "first"), event(1_500, "second\n"), event(2_000, "")];
        let timed = LineStyle { has_timestamps: true };
        expect![[r#"
            first
            second

            [3] 1970-01-01T00:00:00.000Z first
            [3] 1970-01-01T00:00:01.500Z second
            [3] 1970-01-01T00:00:02.000Z 
        "#]]
        .assert_eq(&(lines(&events, "", LineStyle::default()) + &lines(&events, "[3] ", timed)));
    }
}
