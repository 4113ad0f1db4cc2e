//! Recordings: how long a file is, and a file of samples.
//!
//! Reads heads only (WAV, FLAC, and those of each frame of MP3); sound is never decoded.

use crestline_core::units::Nanos;

/// Length of a recording; the error says what is wrong with the file.
pub(super) fn length(bytes: &[u8]) -> Result<Nanos, String> {
    let seconds = if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE") {
        wav_seconds(bytes).ok_or("its WAV head is broken")?
    } else if bytes.starts_with(b"fLaC") {
        flac_seconds(bytes).ok_or("its FLAC head is broken or does not tell the length")?
    } else {
        mp3_seconds(bytes).ok_or("it is no WAV, FLAC or MP3 file, whose lengths can be told")?
    };
    Ok(Nanos::from_secs_f64(seconds))
}

/// Bytes of sound by bytes a second: chunks `data` and `fmt `.
fn wav_seconds(bytes: &[u8]) -> Option<f64> {
    let word = |at: usize| {
        let word = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(word.try_into().ok()?))
    };
    let (mut at, mut rate) = (12, None);
    loop {
        let kind = bytes.get(at..at + 4)?;
        let size = word(at + 4)? as usize;
        if kind == b"fmt " {
            rate = Some(word(at + 16)?).filter(|rate| *rate > 0);
        } else if kind == b"data" {
            // A file that was streamed does not know its size: what is there counts.
            let sound = size.min(bytes.len() - (at + 8));
            return Some(sound as f64 / f64::from(rate?));
        }
        at = at.checked_add(8 + size + size % 2)?;
    }
}

/// Samples by samples a second: 36 and 20 bits of the stream's information (RFC 9639, 8.2).
fn flac_seconds(bytes: &[u8]) -> Option<f64> {
    // Behind the mark, the head of the first block and four block and frame sizes.
    let information = bytes.get(18..26)?;
    let bits = u64::from_be_bytes(information.try_into().ok()?);
    let (rate, samples) = (bits >> 44, bits & 0xF_FFFF_FFFF);
    (rate > 0 && samples > 0).then(|| samples as f64 / rate as f64)
}

/// Frames of layer III one by one (ISO 11172-3 and 13818-3), behind a tag if there is one.
fn mp3_seconds(bytes: &[u8]) -> Option<f64> {
    let mut at = 0;
    if bytes.starts_with(b"ID3") {
        // Four bytes of seven bits each.
        let size = bytes.get(6..10)?.iter();
        at = 10 + size.fold(0, |size, byte| size << 7 | usize::from(byte & 0x7F));
    }
    let mut seconds = 0.0;
    while let Some(frame) = bytes.get(at..at + 4).and_then(Frame::read) {
        seconds += frame.seconds;
        at += frame.length;
    }
    (seconds > 0.0).then_some(seconds)
}

/// A frame of MP3.
struct Frame {
    length: usize,
    seconds: f64,
}

impl Frame {
    fn read(head: &[u8]) -> Option<Self> {
        const FIRST: [u32; 15] = [
            0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
        ];
        const SECOND: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
        // Eleven bits of ones, then two of the version and two of the layer.
        if head[0] != 0xFF || head[1] & 0xE6 != 0xE2 {
            return None;
        }
        let (rates, samples, divisor) = match head[1] >> 3 & 3 {
            3 => (FIRST, 1152, 1),
            2 => (SECOND, 576, 2),
            0 => (SECOND, 576, 4),
            _ => return None,
        };
        let bits = 1000 * rates.get(usize::from(head[2] >> 4))?;
        let rate = [44_100, 48_000, 32_000].get(usize::from(head[2] >> 2 & 3))? / divisor;
        let padding = u32::from(head[2] >> 1 & 1);
        let length = samples / 8 * bits / rate + padding;
        (bits > 0).then(|| Self {
            length: length as usize,
            seconds: f64::from(samples) / f64::from(rate),
        })
    }
}

/// A WAV file of one channel of 16 bits, from samples from -1 to 1.
pub(super) fn wav(samples: &[f64], rate: u32) -> Vec<u8> {
    let sound = 2 * samples.len() as u32;
    let mut file = Vec::with_capacity(44 + sound as usize);
    file.extend(b"RIFF");
    file.extend((36 + sound).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(rate.to_le_bytes());
    file.extend((2 * rate).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(sound.to_le_bytes());
    for sample in samples {
        let level = (sample.clamp(-1.0, 1.0) * f64::from(i16::MAX)).round() as i16;
        file.extend(level.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_wav_is_told_by_its_head_even_if_its_size_is_not_known() {
        let mut file = wav(&vec![0.0; 8000], 16_000);
        assert_eq!(length(&file).unwrap(), Nanos(500_000_000));
        file[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(length(&file).unwrap(), Nanos(500_000_000));
        assert_eq!(length(&file[..30]).unwrap_err(), "its WAV head is broken");
    }

    #[test]
    fn the_length_of_flac_is_told_by_its_stream_information() {
        let mut file = b"fLaC\x00\x00\x00\x22".to_vec();
        file.extend([0; 10]);
        // 16000 a second, one channel, 16 bits, 24000 samples.
        let bits: u64 = (16_000 << 44) + (15 << 36) + 24_000;
        file.extend(bits.to_be_bytes());
        file.extend([0; 16]);
        assert_eq!(length(&file).unwrap(), Nanos(1_500_000_000));
        assert!(
            length(b"OggS and more")
                .unwrap_err()
                .starts_with("it is no WAV")
        );
    }

    #[test]
    fn the_length_of_mp3_is_the_sum_of_its_frames() {
        // 24000 a second, 64 kbit a second: frames of 192 bytes and 24 ms. Then 44100, 128 kbit, padded: 418 bytes.
        let frames = [(0xF3, 0x84, 192), (0xF3, 0x84, 192), (0xFB, 0x92, 418)];
        let mut file = b"ID3\x04\0\0\0\0\0\x05tag..".to_vec();
        for (version, rates, size) in frames {
            let start = file.len();
            file.extend([0xFF, version, rates, 0]);
            file.resize(start + size, 0);
        }
        file.extend(b"TAG at the end");
        let expected = 2.0 * 576.0 / 24_000.0 + 1152.0 / 44_100.0;
        assert_eq!(length(&file).unwrap(), Nanos::from_secs_f64(expected));
        assert!(length(&file[..15]).is_err());
    }

    #[test]
    fn samples_are_written_from_the_lowest_to_the_highest_level() {
        let file = wav(&[-2.0, 0.0, 1.0], 8000);
        assert_eq!(file[44..], [0x01, 0x80, 0, 0, 0xFF, 0x7F]);
    }
}
