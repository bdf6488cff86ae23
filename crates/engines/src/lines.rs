//! From what a job writes to log events. Pure.
//!
//! Two halves, which may live in two processes: [`LineBuffer`] takes output as it was read, cut anywhere, and gives it on in *chunks* that
//! end where a line ends; [`events`] turns a chunk into events and needs no memory of earlier ones. So who stores chunks
//! can continue behind any of them.
//!
//! Only two things make a chunk end inside a line: the line is longer than an event may be, or nothing came for a while and who
//! watches the job shall see what there is ([`LineBuffer::flush`]). Neither cuts a character.
//!
//! It must not read or write anything. Start with [`LineBuffer::take`].

use batchyard_core::time::Timestamp;
use batchyard_runtime::log::{LogEvent, MESSAGE_BYTES_MAX};

/// Keeps the beginning of a line until its end is read. At most [`MESSAGE_BYTES_MAX`] bytes.
#[derive(Debug, Default)]
pub struct LineBuffer {
    partial: Vec<u8>,
}

impl LineBuffer {
    /// Takes output as it was read, and passes on what is complete by it, in at most two chunks for each
    /// [`MESSAGE_BYTES_MAX`] bytes.
    pub fn take(&mut self, mut read: &[u8], mut chunk: impl FnMut(&[u8])) {
        // What ends the line begun before.
        if !self.partial.is_empty()
            && let Some(end) = read.iter().position(|byte| *byte == b'\n')
        {
            let (first, rest) = read.split_at(end + 1);
            self.append(first, &mut chunk);
            chunk(&self.partial);
            self.partial.clear();
            read = rest;
        }
        // Whole lines go on without being copied.
        if self.partial.is_empty()
            && let Some(end) = read.iter().rposition(|byte| *byte == b'\n')
        {
            let (lines, rest) = read.split_at(end + 1);
            chunk(lines);
            read = rest;
        }
        self.append(read, &mut chunk);
    }

    /// Passes on a line that has no end yet, but for the beginning of a character whose rest may follow.
    pub fn flush(&mut self, mut chunk: impl FnMut(&[u8])) {
        let cut = self.partial.len() - unfinished_character(&self.partial);
        if cut > 0 {
            chunk(&self.partial[..cut]);
            self.partial.drain(..cut);
        }
    }

    /// Passes on all that is left: nothing will follow.
    pub fn finish(&mut self, mut chunk: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            chunk(&self.partial);
        }
        self.partial = Vec::new();
    }

    /// Whether a line has begun and not ended.
    #[must_use]
    pub fn is_inside_line(&self) -> bool {
        !self.partial.is_empty()
    }

    fn append(&mut self, bytes: &[u8], chunk: &mut impl FnMut(&[u8])) {
        self.partial.extend_from_slice(bytes);
        let mut begin = 0;
        // The end of a line is not part of its message.
        while self.partial.len() - begin > MESSAGE_BYTES_MAX + "\r\n".len() {
            let full = &self.partial[begin..begin + MESSAGE_BYTES_MAX];
            let length = full.len() - unfinished_character(full);
            chunk(&full[..length]);
            begin += length;
        }
        self.partial.drain(..begin);
    }
}

/// The events of a chunk, each with the time the chunk was read at. Empty lines are none, as with CloudWatch Logs. Bytes that are not
/// UTF-8 become replacement characters; what is then longer than [`MESSAGE_BYTES_MAX`] becomes several events.
pub fn events(at: Timestamp, chunk: &[u8], mut event: impl FnMut(LogEvent)) {
    for line in chunk.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = String::from_utf8_lossy(line);
        let mut rest = text.as_ref();
        while !rest.is_empty() {
            let (message, next) = rest.split_at(rest.floor_char_boundary(MESSAGE_BYTES_MAX));
            event(LogEvent {
                timestamp: at,
                message: message.to_owned(),
            });
            rest = next;
        }
    }
}

/// How many bytes at the end are the valid beginning of a character: 0..=3.
fn unfinished_character(bytes: &[u8]) -> usize {
    for length in 1..=bytes.len().min(3) {
        let tail = &bytes[bytes.len() - length..];
        let needed = match tail[0] {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if needed > length { length } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    /// Feeds the pieces and shows the messages, one a line; `|` in the input is a silence.
    fn messages(pieces: &[&[u8]]) -> Vec<String> {
        let mut buffer = LineBuffer::default();
        let mut chunks = Vec::new();
        for piece in pieces {
            match *piece {
                b"|" => buffer.flush(|chunk| chunks.push(chunk.to_vec())),
                piece => buffer.take(piece, |chunk| chunks.push(chunk.to_vec())),
            }
        }
        buffer.finish(|chunk| chunks.push(chunk.to_vec()));
        let mut messages = Vec::new();
        for chunk in chunks {
            events(Timestamp::from_millis(0), &chunk, |event| {
                messages.push(event.message)
            });
        }
        messages
    }

    fn check(pieces: &[&[u8]], expect: Expect) {
        expect.assert_eq(&format!("{:?}", messages(pieces)));
    }

    #[test]
    fn lines_come_out_whole_however_they_were_cut() {
        check(&[b"a\nb\n"], expect![[r#"["a", "b"]"#]]);
        check(&[b"a", b"b", b"c\nd"], expect![[r#"["abc", "d"]"#]]);
        check(
            &[b"a\r", b"\nb\r\n\r\n\n c \n"],
            expect![[r#"["a", "b", " c "]"#]],
        );
        check(&[b"no end"], expect![[r#"["no end"]"#]]);
        check(
            &[b"progress 1", b"|", b" 2\n"],
            expect![[r#"["progress 1", " 2"]"#]],
        );
        check(&[], expect!["[]"]);
    }

    #[test]
    fn characters_survive_any_cut_and_what_is_none_is_replaced() {
        check(&[b"\xe2", b"\x82", b"\xac\n"], expect![[r#"["€"]"#]]);
        check(
            &[b"1 \xf0\x9f\x98", b"|", b"\x80\n"],
            expect![[r#"["1 ", "😀"]"#]],
        );
        check(&[b"\xff\xfe\n\xe2\x82\n"], expect![[r#"["��", "�"]"#]]);
        check(&[b"\xe2\x82"], expect![[r#"["�"]"#]]);
    }

    #[test]
    fn a_line_longer_than_an_event_becomes_several() {
        let lengths = |line: &[u8]| messages(&[line]).iter().map(String::len).collect::<Vec<_>>();
        let max = MESSAGE_BYTES_MAX;
        assert_eq!(lengths(&[&vec![b'x'; max][..], b"\r\n"].concat()), [max]);
        assert_eq!(
            lengths(&[&vec![b'x'; max + 1][..], b"\ny\n"].concat()),
            [max, 1, 1]
        );
        assert_eq!(
            lengths("é".repeat(max / 2 + 2).as_bytes()),
            [max - max % 2, 4 - max % 2 * 2]
        );
        assert!(lengths(&vec![0xff; max]).iter().all(|length| *length <= max));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(text in "([a-zé€😀]|\r\n|\n){0,60}", cuts in prop::collection::vec(0..80_usize, 0..8)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let expected: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
            prop_assert_eq!(messages(&pieces), expected);
        }
    }
}
