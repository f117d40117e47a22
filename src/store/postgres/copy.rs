//! PostgreSQL's binary COPY format, both ways. Imports only the error type.
//!
//! A stream is a header, rows (a count of fields, then each with its length),
//! and the count -1. Lengths are 32 bits, big-endian; -1 is NULL.

use uuid::Uuid;

use crate::error::Error;

const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// The first byte of a `jsonb`, before its text.
const JSONB: u8 = 1;

/// Rows being written.
#[derive(Debug)]
pub(super) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new() -> Writer {
        Writer {
            bytes: HEADER.to_vec(),
        }
    }

    /// Begins a row of so many fields.
    pub(super) fn row(&mut self, fields: i16) {
        self.bytes.extend(fields.to_be_bytes());
    }

    pub(super) fn end(&mut self) {
        self.bytes.extend((-1i16).to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        let length = i32::try_from(length).unwrap_or(i32::MAX);
        self.bytes.extend(length.to_be_bytes());
    }

    pub(super) fn null(&mut self) {
        self.bytes.extend((-1i32).to_be_bytes());
    }

    pub(super) fn uuid(&mut self, value: Uuid) {
        self.length(16);
        self.bytes.extend(value.as_bytes());
    }

    pub(super) fn int4(&mut self, value: i32) {
        self.length(4);
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn int8(&mut self, value: i64) {
        self.length(8);
        self.bytes.extend(value.to_be_bytes());
    }

    pub(super) fn flag(&mut self, value: bool) {
        self.length(1);
        self.bytes.push(u8::from(value));
    }

    pub(super) fn text(&mut self, value: &str) {
        self.length(value.len());
        self.bytes.extend(value.as_bytes());
    }

    pub(super) fn jsonb(&mut self, text: &str) {
        self.length(text.len() + 1);
        self.bytes.push(JSONB);
        self.bytes.extend(text.as_bytes());
    }

    pub(super) fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Writer, T)) {
        match value {
            Some(value) => put(self, value),
            None => self.null(),
        }
    }
}

/// The stream is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's COPY stream can't be read")]
pub(in crate::store) struct BadStream;

impl From<BadStream> for Error {
    fn from(bad: BadStream) -> Error {
        Error::new(bad.to_string())
    }
}

/// Takes a stream of rows of `N` fields apart, in whatever pieces it comes.
#[derive(Debug, Default)]
pub(in crate::store) struct CopyReader<const N: usize> {
    started: bool,
    ended: bool,
    /// The beginning of a row whose end has not come yet.
    rest: Vec<u8>,
}

impl<const N: usize> CopyReader<N> {
    /// Hands each whole row in `piece` to `each`.
    pub(crate) fn read(
        &mut self,
        piece: &[u8],
        mut each: impl FnMut(CopiedRow<'_, N>) -> Result<(), BadStream>,
    ) -> Result<(), BadStream> {
        if self.rest.is_empty() {
            let used = self.consume(piece, &mut each)?;
            self.rest.extend_from_slice(&piece[used..]);
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(piece);
        let used = self.consume(&all, &mut each)?;
        // A long field comes in thousands of pieces: nothing of it is moved.
        all.drain(..used);
        self.rest = all;
        Ok(())
    }

    /// Whether the stream ended as it should.
    pub(crate) fn finish(&self) -> Result<(), BadStream> {
        if self.ended && self.rest.is_empty() {
            Ok(())
        } else {
            Err(BadStream)
        }
    }

    fn consume(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(CopiedRow<'_, N>) -> Result<(), BadStream>,
    ) -> Result<usize, BadStream> {
        let mut used = 0;
        if !self.started {
            if bytes.len() < HEADER.len() {
                return Ok(0);
            }
            if !bytes.starts_with(&HEADER[..11]) {
                return Err(BadStream);
            }
            self.started = true;
            used = HEADER.len();
        }
        while !self.ended {
            let Some((count, mut at)) = take::<2>(bytes, used) else {
                break;
            };
            match i16::from_be_bytes(count) {
                -1 => self.ended = true,
                count if usize::try_from(count) == Ok(N) => {
                    let Some(row) = fields(bytes, &mut at)? else {
                        break;
                    };
                    each(row)?;
                }
                _ => return Err(BadStream),
            }
            used = at;
        }
        Ok(used)
    }
}

fn take<const K: usize>(bytes: &[u8], at: usize) -> Option<([u8; K], usize)> {
    let taken = bytes.get(at..at + K)?.try_into().ok()?;
    Some((taken, at + K))
}

/// The fields of a row from `at` on; `None` where its end has not come yet.
fn fields<'a, const N: usize>(
    bytes: &'a [u8],
    at: &mut usize,
) -> Result<Option<CopiedRow<'a, N>>, BadStream> {
    let mut row = CopiedRow([None; N]);
    for field in &mut row.0 {
        let Some((length, next)) = take::<4>(bytes, *at) else {
            return Ok(None);
        };
        *at = next;
        let length = i32::from_be_bytes(length);
        if length == -1 {
            continue;
        }
        let length = usize::try_from(length).map_err(|_| BadStream)?;
        let Some(value) = bytes.get(*at..*at + length) else {
            return Ok(None);
        };
        *field = Some(value);
        *at += length;
    }
    Ok(Some(row))
}

/// For tests: the rows of a stream that comes in pieces of this length, as
/// text; `None` where it is no stream.
pub fn copied_rows(bytes: &[u8], piece: usize) -> Option<Vec<String>> {
    let (mut reader, mut rows) = (CopyReader::<7>::default(), Vec::new());
    for piece in bytes.chunks(piece.max(1)) {
        let read = reader.read(piece, |row| {
            let numbers = (
                row.uuid(0),
                row.int8(3),
                row.text(2),
                row.text(4),
                row.bytes(6),
            );
            rows.push(format!("{numbers:?}"));
            Ok(())
        });
        read.ok()?;
    }
    reader.finish().ok()?;
    Some(rows)
}

/// The fields of one row, borrowed from the stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct CopiedRow<'a, const N: usize>([Option<&'a [u8]>; N]);

impl<'a, const N: usize> CopiedRow<'a, N> {
    fn array<const K: usize>(&self, ix: usize) -> Result<Option<[u8; K]>, BadStream> {
        let bytes = self.0[ix].map(|bytes| bytes.try_into().map_err(|_| BadStream));
        bytes.transpose()
    }

    pub(crate) fn uuid(&self, ix: usize) -> Result<Uuid, BadStream> {
        self.array(ix)?.map(Uuid::from_bytes).ok_or(BadStream)
    }

    pub(crate) fn any_uuid(&self, ix: usize) -> Result<Option<Uuid>, BadStream> {
        Ok(self.array(ix)?.map(Uuid::from_bytes))
    }

    pub(crate) fn int8(&self, ix: usize) -> Result<Option<i64>, BadStream> {
        Ok(self.array(ix)?.map(i64::from_be_bytes))
    }

    pub(crate) fn int4(&self, ix: usize) -> Result<Option<i32>, BadStream> {
        Ok(self.array(ix)?.map(i32::from_be_bytes))
    }

    pub(crate) fn flag(&self, ix: usize) -> Result<bool, BadStream> {
        Ok(self.array::<1>(ix)?.ok_or(BadStream)? != [0])
    }

    pub(crate) fn text(&self, ix: usize) -> Result<Option<&'a str>, BadStream> {
        let text = self.0[ix].map(|bytes| std::str::from_utf8(bytes).map_err(|_| BadStream));
        text.transpose()
    }

    /// The bytes of a field, whatever they are.
    pub(crate) fn bytes(&self, ix: usize) -> Option<&'a [u8]> {
        self.0[ix]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let mut writer = Writer::new();
        for number in [7i64, -8] {
            writer.row(3);
            writer.int8(number);
            writer.option(Some("é").filter(|_| number > 0), Writer::text);
            writer.text("{}");
        }
        writer.end();
        writer.bytes
    }

    fn read(pieces: impl Iterator<Item = Vec<u8>>) -> Result<Vec<String>, BadStream> {
        let mut reader = CopyReader::<3>::default();
        let mut rows = Vec::new();
        for piece in pieces {
            reader.read(&piece, |row| {
                rows.push(format!(
                    "{:?} {:?} {:?}",
                    row.int8(0)?,
                    row.text(1)?,
                    row.bytes(2).map(<[u8]>::len)
                ));
                Ok(())
            })?;
        }
        reader.finish().map(|()| rows)
    }

    /// Each piece was copied with all that came before it: minutes for a field
    /// of some hundred megabytes.
    #[test]
    fn a_long_field_in_many_pieces_is_read_in_linear_time() {
        let mut writer = Writer::new();
        writer.row(3);
        writer.int8(1);
        writer.null();
        writer.text(&format!("\"{}\"", "x".repeat(64 << 20)));
        writer.end();
        let start = std::time::Instant::now();
        let rows = read(writer.bytes.chunks(8 << 10).map(<[u8]>::to_vec)).unwrap();
        assert_eq!(rows, [format!("Some(1) None Some({})", (64 << 20) + 2)]);
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn rows_read_back_in_pieces_of_any_size() {
        let bytes = stream();
        for size in 1..=bytes.len() {
            let rows = read(bytes.chunks(size).map(<[u8]>::to_vec)).unwrap();
            assert_eq!(
                rows,
                ["Some(7) Some(\"é\") Some(2)", "Some(-8) None Some(2)"]
            );
        }
    }

    #[test]
    fn a_cut_or_foreign_stream_is_an_error() {
        let bytes = stream();
        for end in 0..bytes.len() {
            assert!(read(std::iter::once(bytes[..end].to_vec())).is_err());
        }
        assert!(read(std::iter::once(b"not a copy stream at all".to_vec())).is_err());
    }
}
