//! Whole numbers in as few bytes as they need, and texts: written to the end of a buffer, read from the front of a slice.
//!
//! A reader believes no length before it has seen that so many bytes are there.

use super::FrameError;

/// Writes.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// Seven bits a byte, the lowest first; the eighth says that more follow (LEB128).
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// What `value` has more than `base`, or less: near numbers are short. Wraps, so that any two numbers can be told.
    pub(super) fn step(&mut self, base: u64, value: u64) {
        let step = value.wrapping_sub(base).cast_signed();
        self.number(((step << 1) ^ (step >> 63)) as u64);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Reads.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) left: &'a [u8],
    /// What is being read, for the error.
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { left: bytes, what }
    }

    pub(super) fn damaged(&self) -> FrameError {
        FrameError::Damaged(self.what)
    }

    pub(super) fn number(&mut self) -> Result<u64, FrameError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.left.split_first().ok_or_else(|| self.damaged())?;
            self.left = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged())
    }

    pub(super) fn small(&mut self) -> Result<u32, FrameError> {
        u32::try_from(self.number()?).map_err(|_| self.damaged())
    }

    pub(super) fn step(&mut self, base: u64) -> Result<u64, FrameError> {
        let folded = self.number()?;
        let step = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        Ok(base.wrapping_add(step as u64))
    }

    /// A number of things of which each has at least one byte.
    pub(super) fn count(&mut self) -> Result<usize, FrameError> {
        let count = usize::try_from(self.number()?).map_err(|_| self.damaged())?;
        if count > self.left.len() {
            return Err(self.damaged());
        }
        Ok(count)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], FrameError> {
        let (bytes, rest) = self
            .left
            .split_at_checked(count)
            .ok_or_else(|| self.damaged())?;
        self.left = rest;
        Ok(bytes)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, FrameError> {
        let count = self.count()?;
        std::str::from_utf8(self.bytes(count)?).map_err(|_| self.damaged())
    }

    /// Nothing is left over.
    pub(super) fn end(self) -> Result<(), FrameError> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(self.damaged())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn numbers_steps_and_texts_come_back(base: u64, value: u64, text: String) {
            let mut writer = Writer::default();
            writer.number(value);
            writer.step(base, value);
            writer.text(&text);
            let mut reader = Reader::new(&writer.0, "test");
            prop_assert_eq!(reader.number().unwrap(), value);
            prop_assert_eq!(reader.step(base).unwrap(), value);
            prop_assert_eq!(reader.text().unwrap(), text);
            reader.end().unwrap();
        }
    }

    #[test]
    fn numbers_that_are_too_long_or_cut_are_damage() {
        for bytes in [&[0x80][..], &[0xff; 10], &[0x80; 11], &[]] {
            assert!(Reader::new(bytes, "test").number().is_err(), "{bytes:?}");
        }
    }
}
