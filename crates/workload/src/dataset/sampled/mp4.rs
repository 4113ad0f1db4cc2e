//! Writes films as MP4 (ISO/IEC 14496-12 and -14) whose frames are JPEG pictures, that is Motion JPEG.
//!
//! Compresses nothing over time: noise could not be. One track, no sound, every frame as long as the others, and the index
//! before the pictures, so that a reader needs to see the file once only.

/// Frames a second, and the unit of all times.
pub(super) const FRAMES_PER_S: u32 = 30;
/// What the picture's codec is called in a decoder's settings: JPEG (ISO/IEC 14496-1, table of object types).
const JPEG: u8 = 0x6C;
/// No rotation and no scale, as 16.16 and 2.30 fixed-point numbers.
const UPRIGHT: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// A film of these pictures, all of one width and height.
pub(super) fn film((width, height): (u16, u16), pictures: &[Vec<u8>]) -> Vec<u8> {
    let kind = boxed("ftyp", &[b"isom", &word(0x200), b"isomiso2mp41"]);
    // An offset has the same length whatever it is.
    let before = kind.len() + index((width, height), pictures, 0).len() + HEAD;
    let index = index((width, height), pictures, before as u32);
    let data: usize = pictures.iter().map(Vec::len).sum();
    let mut out = Vec::with_capacity(before + data);
    out.extend(kind);
    out.extend(index);
    out.extend(word((HEAD + data) as u32));
    out.extend(b"mdat");
    for picture in pictures {
        out.extend(picture);
    }
    out
}

/// Bytes before what is in a box.
const HEAD: usize = 8;

fn word(number: u32) -> [u8; 4] {
    number.to_be_bytes()
}

/// A length, a name and the parts.
fn boxed(name: &str, parts: &[&[u8]]) -> Vec<u8> {
    let length = HEAD + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend(word(length as u32));
    out.extend(name.as_bytes());
    for part in parts {
        out.extend(*part);
    }
    out
}

/// The same with a version of 0 and these flags.
fn full(name: &str, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    boxed(name, &[&word(flags), &parts.concat()])
}

fn words(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(word).collect()
}

/// What says how long the film is and where its pictures are: from `offset` on, one behind the other.
fn index(size: (u16, u16), pictures: &[Vec<u8>], offset: u32) -> Vec<u8> {
    let frames = pictures.len() as u32;
    let upright = words(UPRIGHT);
    // Made and changed at no time; speed 1 and volume 1; the next track would be the second.
    let head = full(
        "mvhd",
        0,
        &[
            &words([0, 0, FRAMES_PER_S, frames, 0x1_0000]),
            &[1, 0],
            &[0; 10],
            &upright,
            &[0; 24],
            &word(2),
        ],
    );
    let (width, height) = (u32::from(size.0) << 16, u32::from(size.1) << 16);
    // Switched on, in the film and in its preview; the first track; no layer, group or volume.
    let track_head = full(
        "tkhd",
        7,
        &[
            &words([0, 0, 1, 0, frames]),
            &[0; 16],
            &upright,
            &words([width, height]),
        ],
    );
    let media = media(size, pictures, offset);
    let track = boxed("trak", &[&track_head, &media]);
    boxed("moov", &[&head, &track])
}

fn media(size: (u16, u16), pictures: &[Vec<u8>], offset: u32) -> Vec<u8> {
    let frames = pictures.len() as u32;
    // The language is not told (`und`, five bits a letter).
    let head = full(
        "mdhd",
        0,
        &[&words([0, 0, FRAMES_PER_S, frames, 0x55C4_0000])],
    );
    let handler = full("hdlr", 0, &[&[0; 4], b"vide", &[0; 12], b"noise\0"]);
    let picture = full("vmhd", 1, &[&[0; 8]]);
    // The pictures are in this file.
    let here = full("url ", 1, &[]);
    let places = boxed("dinf", &[&full("dref", 0, &[&word(1), &here])]);
    let table = table(size, pictures, offset);
    let inside = boxed("minf", &[&picture, &places, &table]);
    boxed("mdia", &[&head, &handler, &inside])
}

/// When each picture is shown, how long it is and where the first one begins.
fn table(size: (u16, u16), pictures: &[Vec<u8>], offset: u32) -> Vec<u8> {
    let frames = pictures.len() as u32;
    let lengths = pictures.iter().map(|picture| picture.len() as u32);
    let times = full("stts", 0, &[&words([1, frames, 1])]);
    let chunks = full("stsc", 0, &[&words([1, 1, frames, 1])]);
    let lengths = full("stsz", 0, &[&words([0, frames].into_iter().chain(lengths))]);
    let offsets = full("stco", 0, &[&words([1, offset])]);
    let format = full("stsd", 0, &[&word(1), &format(size)]);
    boxed("stbl", &[&format, &times, &chunks, &lengths, &offsets])
}

/// Which codec, and the size of a picture.
fn format((width, height): (u16, u16)) -> Vec<u8> {
    // A decoder's settings: which codec, that it is video, no buffer and no rate promised.
    let settings = [&[JPEG, 0x11][..], &[0; 11]].concat();
    let settings = [&[4, settings.len() as u8][..], &settings].concat();
    let stream = [&[0, 1, 0][..], &settings, &[6, 1, 2]].concat();
    let stream = [&[3, stream.len() as u8][..], &stream].concat();
    boxed(
        "mp4v",
        &[
            // Described by the first data reference.
            &[0, 0, 0, 0, 0, 0, 0, 1],
            &[0; 16],
            &width.to_be_bytes(),
            &height.to_be_bytes(),
            // 72 pixels an inch both ways, one picture a sample, no name, 24 bits a pixel and no colour table.
            &words([0x48_0000, 0x48_0000, 0]),
            &[0, 1],
            &[0; 32],
            &[0, 24, 0xFF, 0xFF],
            &full("esds", 0, &[&stream]),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in the box at the end of a path of names.
    fn inside<'a>(mut bytes: &'a [u8], path: &[&str]) -> &'a [u8] {
        for name in path {
            bytes = boxes(bytes)
                .into_iter()
                .find_map(|(found, inside)| (found == name.as_bytes()).then_some(inside))
                .unwrap_or_else(|| panic!("there is no box {name}"));
        }
        bytes
    }

    /// All boxes that lie one behind the other, which must fill the bytes.
    fn boxes(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = number(bytes, 0) as usize;
            found.push((&bytes[4..8], &bytes[8..length]));
            bytes = &bytes[length..];
        }
        found
    }

    fn number(bytes: &[u8], at: usize) -> u32 {
        u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    const TABLE: [&str; 5] = ["moov", "trak", "mdia", "minf", "stbl"];

    fn of_table<'a>(film: &'a [u8], name: &'a str) -> &'a [u8] {
        inside(film, &[&TABLE[..], &[name]].concat())
    }

    #[test]
    fn each_picture_is_where_the_index_says() {
        let pictures = [b"one".to_vec(), b"second".to_vec(), b"3".to_vec()];
        let film = film((640, 480), &pictures);
        let lengths = of_table(&film, "stsz");
        assert_eq!((number(lengths, 4), number(lengths, 8)), (0, 3));
        let mut at = number(of_table(&film, "stco"), 8) as usize;
        for (place, picture) in pictures.iter().enumerate() {
            let length = number(lengths, 12 + 4 * place) as usize;
            assert_eq!(&film[at..at + length], picture);
            at += length;
        }
        assert_eq!(at, film.len());
        assert_eq!(inside(&film, &["mdat"]), b"onesecond3");
    }

    #[test]
    fn a_frame_lasts_a_thirtieth_of_a_second() {
        let film = film((8, 8), &vec![vec![0]; 45]);
        let head = inside(&film, &["moov", "trak", "mdia", "mdhd"]);
        assert_eq!((number(head, 12), number(head, 16)), (30, 45));
        let head = inside(&film, &["moov", "mvhd"]);
        assert_eq!((number(head, 12), number(head, 16)), (30, 45));
        let times = of_table(&film, "stts");
        assert_eq!(
            (number(times, 4), number(times, 8), number(times, 12)),
            (1, 45, 1)
        );
    }

    #[test]
    fn the_codec_is_jpeg_and_the_size_that_of_the_pictures() {
        let film = film((640, 480), &[vec![0]]);
        let format = inside(&of_table(&film, "stsd")[8..], &["mp4v"]);
        let side = |at: usize| u16::from_be_bytes([format[at], format[at + 1]]);
        assert_eq!((side(24), side(26)), (640, 480));
        let settings = inside(&format[78..], &["esds"]);
        // Behind the heads of the stream and of its decoder.
        assert_eq!(
            settings[4..],
            *b"\x03\x15\0\x01\0\x04\x0d\x6c\x11\0\0\0\0\0\0\0\0\0\0\0\x06\x01\x02"
        );
        let shown = inside(&film, &["moov", "trak", "tkhd"]);
        let end = shown.len();
        assert_eq!(
            (number(shown, end - 8), number(shown, end - 4)),
            (640 << 16, 480 << 16)
        );
        // The lengths that the format prescribes.
        assert_eq!(
            (shown.len(), inside(&film, &["moov", "mvhd"]).len()),
            (84, 100)
        );
    }
}
