//! The connection to the server: frames in, frames out, never waiting for either.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::Supervisor;
use crate::process::protocol::{Answer, Request, VERSION, read_frame, write_frame};

/// Bytes read from the socket at once.
const READ_BYTES: usize = 256 * 1024;

/// Reads from the socket before jobs have their turn.
const READS_PER_TURN: usize = 8;

/// A server that is connected.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    incoming: Vec<u8>,
    /// What the socket is read into.
    buffer: Box<[u8]>,
    outgoing: Vec<u8>,
    answers: Vec<Answer>,
    /// Whether the socket tells when it takes more.
    awaits_room: bool,
    is_gone: bool,
}

impl Supervisor {
    /// A server connects: it takes the place of one that was there before, which must be dead or about to be.
    pub(super) fn accept(&mut self) {
        while let Some(stream) = self.events.accept() {
            if stream.set_nonblocking(true).is_err() || self.events.watch_connection(&stream).is_err() {
                continue;
            }
            // What that one ordered comes before what this one does.
            self.serve_connection();
            self.connection = Some(Connection {
                stream,
                incoming: Vec::new(),
                buffer: vec![0; READ_BYTES].into_boxed_slice(),
                outgoing: Vec::new(),
                answers: vec![Answer::Hello {
                    version: VERSION,
                    capabilities: self.groups.capabilities(),
                }],
                awaits_room: false,
                is_gone: false,
            });
            self.is_told_to_end = false;
            self.tell_written();
            self.serve_connection();
        }
    }

    /// Takes what the server sent.
    pub(super) fn serve_connection(&mut self) {
        for _ in 0..READS_PER_TURN {
            let Some(connection) = &mut self.connection else {
                return;
            };
            let is_more = connection.receive();
            loop {
                let Some(connection) = &mut self.connection else {
                    return;
                };
                match read_frame::<Request>(&mut connection.incoming) {
                    Ok(None) => break,
                    Ok(Some(requests)) => requests.into_iter().for_each(|request| self.request(request)),
                    Err(error) => {
                        tracing::warn!(%error, "the server does not speak our protocol");
                        self.disconnect();
                        return;
                    }
                }
            }
            if !is_more {
                break;
            }
        }
        if self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.is_gone)
        {
            self.disconnect();
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
        // Without a server jobs may write more, as nobody waits for what they write.
        self.resume_paused();
    }

    /// Keeps an answer for the next [`send`](Supervisor::send).
    pub(super) fn answer(&mut self, answer: Answer) {
        if let Some(connection) = &mut self.connection {
            connection.answers.push(answer);
        }
    }

    pub(super) fn tell_written(&mut self) {
        let position = self.spool.position();
        let Some(connection) = &mut self.connection else {
            return;
        };
        // To a server that does not read only the last one matters.
        match connection.answers.last_mut() {
            Some(Answer::Written { position: last }) => *last = position,
            Some(Answer::Hello { .. } | Answer::Known { .. }) | None => {
                connection.answers.push(Answer::Written { position });
            }
        }
    }

    /// Sends what the socket takes.
    pub(super) fn send(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        connection.send();
        let is_behind = !connection.outgoing.is_empty() || !connection.answers.is_empty();
        if is_behind != connection.awaits_room {
            connection.awaits_room = is_behind;
            self.events.await_room(&connection.stream, is_behind);
        }
    }
}

impl Connection {
    /// Reads once. Whether there may be more; if nobody asks again, the socket tells.
    fn receive(&mut self) -> bool {
        match self.stream.read(&mut self.buffer) {
            Ok(0) => self.is_gone = true,
            Ok(count) => {
                self.incoming.extend_from_slice(&self.buffer[..count]);
                return count == self.buffer.len();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.is_gone = true,
        }
        false
    }

    fn send(&mut self) {
        // What a server that does not read leaves there grows no further.
        if self.outgoing.is_empty() && !self.answers.is_empty() {
            write_frame(&self.answers, &mut self.outgoing);
            self.answers.clear();
        }
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(count) => {
                    self.outgoing.drain(..count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The socket tells when it takes more.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    // It listens no more. What it sent before that is still to be read, up to the end that `receive` finds.
                    self.outgoing.clear();
                }
            }
        }
    }
}
