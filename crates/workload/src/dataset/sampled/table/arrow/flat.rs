//! Flat buffers: the encoding of Arrow's messages. Every access is checked, so that no file can make it panic.

/// A table: fields by their number, each perhaps absent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where its list of field offsets begins, and its length.
    offsets: (usize, usize),
}

/// A list of elements of one size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vector<'a> {
    bytes: &'a [u8],
    start: usize,
    length: usize,
}

impl<'a> Table<'a> {
    /// The table that a buffer is about.
    pub(super) fn root(bytes: &'a [u8]) -> Option<Self> {
        Self::behind(bytes, 0)
    }

    /// The table that the offset at a place points to.
    fn behind(bytes: &'a [u8], place: usize) -> Option<Self> {
        let at = place.checked_add(read_u32(bytes, place)? as usize)?;
        let back = i32::from_le_bytes(array(bytes, at)?);
        let list = usize::try_from(i64::try_from(at).ok()? - i64::from(back)).ok()?;
        let length = usize::from(u16::from_le_bytes(array(bytes, list)?));
        Some(Self {
            bytes,
            at,
            offsets: (list + 4, length.checked_sub(4)? / 2),
        })
    }

    /// The place of a field's value.
    fn place(&self, field: usize) -> Option<usize> {
        let (start, count) = self.offsets;
        if field >= count {
            return None;
        }
        match u16::from_le_bytes(array(self.bytes, start + 2 * field)?) {
            0 => None,
            offset => self.at.checked_add(usize::from(offset)),
        }
    }

    pub(super) fn u8(&self, field: usize) -> Option<u8> {
        self.bytes.get(self.place(field)?).copied()
    }

    pub(super) fn i16(&self, field: usize) -> Option<i16> {
        Some(i16::from_le_bytes(array(self.bytes, self.place(field)?)?))
    }

    pub(super) fn i32(&self, field: usize) -> Option<i32> {
        Some(i32::from_le_bytes(array(self.bytes, self.place(field)?)?))
    }

    pub(super) fn i64(&self, field: usize) -> Option<i64> {
        Some(i64::from_le_bytes(array(self.bytes, self.place(field)?)?))
    }

    pub(super) fn table(&self, field: usize) -> Option<Self> {
        Self::behind(self.bytes, self.place(field)?)
    }

    pub(super) fn vector(&self, field: usize) -> Option<Vector<'a>> {
        let place = self.place(field)?;
        let start = place.checked_add(read_u32(self.bytes, place)? as usize)?;
        let length = read_u32(self.bytes, start)? as usize;
        Some(Vector {
            bytes: self.bytes,
            start: start + 4,
            length,
        })
    }

    pub(super) fn text(&self, field: usize) -> Option<&'a str> {
        let Vector {
            bytes,
            start,
            length,
        } = self.vector(field)?;
        std::str::from_utf8(bytes.get(start..start.checked_add(length)?)?).ok()
    }
}

impl<'a> Vector<'a> {
    pub(super) fn tables(self) -> impl Iterator<Item = Option<Table<'a>>> {
        (0..self.length).map(move |place| Table::behind(self.bytes, self.start + 4 * place))
    }

    /// Elements that are two whole numbers each.
    pub(super) fn pairs(self) -> impl Iterator<Item = Option<(i64, i64)>> {
        (0..self.length).map(move |place| {
            let at = self.start + 16 * place;
            let first = i64::from_le_bytes(array(self.bytes, at)?);
            Some((first, i64::from_le_bytes(array(self.bytes, at + 8)?)))
        })
    }
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(array(bytes, at)?))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
