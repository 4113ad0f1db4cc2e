//! Writes pictures as JPEG (ITU-T T.81, baseline), for noise that no server has seen before.
//!
//! As most tools do it unless told otherwise: quality 75 of 100 by the usual scale, colours at half the resolution. The codes are
//! made for noise; for other pictures they are poor.

/// Pixels of a block's side.
const SIDE: usize = 8;
/// Order in which a block's 64 frequencies are written (figure A.6).
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];
/// Steps of brightness (table K.1), by frequency, row by row.
const BRIGHTNESS_STEPS: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
/// Steps of colour (table K.2): all but the first frequencies are [`COARSEST`].
const COLOUR_STEPS: [(usize, u8); 14] = [
    (0, 17),
    (1, 18),
    (2, 24),
    (3, 47),
    (8, 18),
    (9, 21),
    (10, 26),
    (11, 66),
    (16, 24),
    (17, 26),
    (18, 56),
    (24, 47),
    (25, 66),
    (26, 99),
];
const COARSEST: u8 = 99;
/// Number of codes of each length from 1 to 16, and what they stand for: sizes of the first coefficient (table K.3).
const FIRST_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const FIRST_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/// A code of so many bits.
#[derive(Debug, Clone, Copy, Default)]
struct Code {
    bits: u32,
    length: u32,
}

/// Runs of zeros with the size of what follows that are frequent in noise, in high and low half a byte: with codes of 3, 4 and 6
/// bits. The 147 others have 10 bits, so that the code of ones alone, which may not be used, is free.
const FREQUENT: [u8; 15] = [
    0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x05, 0x00, 0x13, 0x14, 0x21, 0x22, 0x23, 0x31, 0x06,
];
const OTHER_LENGTHS: [u8; 16] = [0, 0, 3, 4, 0, 8, 0, 0, 0, 147, 0, 0, 0, 0, 0, 0];

/// A picture of red, green and blue bytes, row by row.
pub(super) fn encode(width: u16, height: u16, pixels: &[u8]) -> Vec<u8> {
    let mut colour_steps = [COARSEST; 64];
    for (place, step) in COLOUR_STEPS {
        colour_steps[place] = step;
    }
    let steps = [BRIGHTNESS_STEPS, colour_steps].map(|steps| steps.map(|step| step.div_ceil(2)));
    let values = other_values();
    let first = codes(&FIRST_LENGTHS, &FIRST_VALUES);
    let others = codes(&OTHER_LENGTHS, &values);
    let mut out = Vec::with_capacity(pixels.len() / 2);
    write_head(&mut out, (width, height), (&steps, &values));
    let mut bits = Bits {
        out,
        held: 0,
        count: 0,
    };
    let (waves, mut before) = (waves(), [0; 3]);
    for (left, top) in tiles(width, height) {
        for (channel, (right, down)) in TILE {
            let scale = if channel == 0 { 1 } else { 2 };
            let start = (left + SIDE * right, top + SIDE * down);
            let samples = block(pixels, (width, height), start, (channel, scale));
            let levels = levels(&samples, &waves, &steps[usize::from(channel > 0)]);
            bits.write_block(&levels, &mut before[channel], (&first, &others));
        }
    }
    bits.finish()
}

/// What is written of a square of 16 pixels: four blocks of brightness, one of each colour.
const TILE: [(usize, (usize, usize)); 6] = [
    (0, (0, 0)),
    (0, (1, 0)),
    (0, (0, 1)),
    (0, (1, 1)),
    (1, (0, 0)),
    (2, (0, 0)),
];

/// Left and top of each square.
fn tiles(width: u16, height: u16) -> impl Iterator<Item = (usize, usize)> {
    let lefts = move || (0..usize::from(width)).step_by(2 * SIDE);
    (0..usize::from(height))
        .step_by(2 * SIDE)
        .flat_map(move |top| lefts().map(move |left| (left, top)))
}

/// All runs of up to 15 zeros before a coefficient of up to 10 bits, the end of a block and 16 zeros; frequent ones first.
fn other_values() -> Vec<u8> {
    let all = (1..=10).flat_map(|size| (0..16).map(move |run: u8| run << 4 | size));
    let rare = [0x00, 0xF0]
        .into_iter()
        .chain(all)
        .filter(|value| !FREQUENT.contains(value));
    FREQUENT.into_iter().chain(rare).collect()
}

/// Codes by value, counted up length by length (annex C).
fn codes(lengths: &[u8; 16], values: &[u8]) -> [Code; 256] {
    let mut codes = [Code::default(); 256];
    let (mut bits, mut values) = (0, values.iter());
    for (length, count) in (1..).zip(lengths) {
        for value in values.by_ref().take(usize::from(*count)) {
            codes[usize::from(*value)] = Code { bits, length };
            bits += 1;
        }
        bits <<= 1;
    }
    codes
}

fn write_head(
    out: &mut Vec<u8>,
    (width, height): (u16, u16),
    (steps, values): (&[[u8; 64]; 2], &[u8]),
) {
    out.extend(b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00");
    for (number, steps) in (0..).zip(steps) {
        out.extend([0xFF, 0xDB, 0, 67, number]);
        out.extend(ZIGZAG.map(|place| steps[usize::from(place)]));
    }
    out.extend([0xFF, 0xC0, 0, 17, 8]);
    out.extend(height.to_be_bytes());
    out.extend(width.to_be_bytes());
    // Three components: how many blocks of each a square has, and the number of its steps.
    out.extend([3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
    for (class, lengths, values) in [
        (0x00, FIRST_LENGTHS, FIRST_VALUES.as_slice()),
        (0x10, OTHER_LENGTHS, values),
    ] {
        out.extend([0xFF, 0xC4, 0, 19 + values.len() as u8, class]);
        out.extend(lengths);
        out.extend(values);
    }
    out.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
}

/// One of brightness, blueness and redness (JFIF, from -128) of a block whose places are so many pixels wide; beyond the edge
/// the last pixels go on.
fn block(
    pixels: &[u8],
    (width, height): (u16, u16),
    (left, top): (usize, usize),
    (channel, scale): (usize, usize),
) -> [f32; 64] {
    const WEIGHTS: [[f32; 3]; 3] = [
        [0.299, 0.587, 0.114],
        [-0.168_736, -0.331_264, 0.5],
        [0.5, -0.418_688, -0.081_312],
    ];
    let (width, height) = (usize::from(width), usize::from(height));
    let [red, green, blue] = WEIGHTS[channel];
    let value = |x: usize, y: usize| {
        let pixel = &pixels[(y.min(height - 1) * width + x.min(width - 1)) * 3..][..3];
        red * f32::from(pixel[0]) + green * f32::from(pixel[1]) + blue * f32::from(pixel[2])
    };
    let mut samples = [0.0; 64];
    for (place, sample) in samples.iter_mut().enumerate() {
        let (x, y) = (left + place % SIDE * scale, top + place / SIDE * scale);
        *sample = if scale == 1 {
            value(x, y) - 128.0
        } else {
            (value(x, y) + value(x + 1, y) + value(x, y + 1) + value(x + 1, y + 1)) / 4.0
        };
    }
    samples
}

/// The cosine of so many sixteenths of half a turn, as written-out numbers: libraries differ in the last bit.
const COSINES: [f32; 9] = [
    1.0,
    0.980_785_25,
    0.923_879_5,
    0.831_469_6,
    0.707_106_77,
    0.555_570_24,
    0.382_683_43,
    0.195_090_32,
    0.0,
];

fn cosine(sixteenths: usize) -> f32 {
    match sixteenths % 32 {
        angle @ 0..=8 => COSINES[angle],
        angle @ 9..=16 => -COSINES[16 - angle],
        angle @ 17..=24 => -COSINES[angle - 16],
        angle => COSINES[32 - angle],
    }
}

/// Waves of each frequency at each place, with their norm (equation A.3.3).
fn waves() -> [[f32; SIDE]; SIDE] {
    let mut waves = [[0.0; SIDE]; SIDE];
    for (frequency, wave) in waves.iter_mut().enumerate() {
        let norm = if frequency == 0 {
            COSINES[4] / 2.0
        } else {
            0.5
        };
        for (place, value) in wave.iter_mut().enumerate() {
            *value = norm * cosine((2 * place + 1) * frequency);
        }
    }
    waves
}

/// The 64 frequencies of a block in steps, in the order of writing.
fn levels(samples: &[f32; 64], waves: &[[f32; SIDE]; SIDE], steps: &[u8; 64]) -> [i32; 64] {
    let mut rows = [0.0; 64];
    for (place, value) in rows.iter_mut().enumerate() {
        let (row, frequency) = (place / SIDE, place % SIDE);
        let line = samples[row * SIDE..].iter().zip(waves[frequency]);
        *value = line.map(|(sample, wave)| sample * wave).sum();
    }
    let mut levels = [0; 64];
    for (level, place) in levels.iter_mut().zip(ZIGZAG) {
        let place = usize::from(place);
        let (frequency, column) = (place / SIDE, place % SIDE);
        let line = rows.iter().skip(column).step_by(SIDE).zip(waves[frequency]);
        let value: f32 = line.map(|(row, wave)| row * wave).sum();
        *level = (value / f32::from(steps[place])).round() as i32;
    }
    levels
}

/// Bits on their way out; a byte of ones is followed by a byte of zeros.
struct Bits {
    out: Vec<u8>,
    held: u32,
    count: u32,
}

impl Bits {
    fn write(&mut self, code: Code) {
        self.held = self.held << code.length | code.bits;
        self.count += code.length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
        self.held &= (1 << self.count) - 1;
    }

    /// A number in as few bits as it has; one below zero is written one lower (annex F.1.2.1).
    fn write_number(&mut self, number: i32, length: u32) {
        let shifted = if number < 0 { number - 1 } else { number };
        let bits = shifted.cast_unsigned() & ((1 << length) - 1);
        self.write(Code { bits, length });
    }

    fn write_block(
        &mut self,
        levels: &[i32; 64],
        before: &mut i32,
        (first, others): (&[Code; 256], &[Code; 256]),
    ) {
        let change = levels[0] - *before;
        *before = levels[0];
        let size = size_of(change);
        self.write(first[size as usize]);
        self.write_number(change, size);
        let mut zeros = 0;
        for level in &levels[1..] {
            if *level == 0 {
                zeros += 1;
                continue;
            }
            while zeros > 15 {
                self.write(others[0xF0]);
                zeros -= 16;
            }
            let size = size_of(*level);
            self.write(others[zeros << 4 | size as usize]);
            self.write_number(*level, size);
            zeros = 0;
        }
        if zeros > 0 {
            self.write(others[0x00]);
        }
    }

    /// Fills the last byte with ones and ends the picture.
    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.count % 8) % 8;
        self.write(Code {
            bits: (1 << missing) - 1,
            length: missing,
        });
        self.out.extend([0xFF, 0xD9]);
        self.out
    }
}

fn size_of(number: i32) -> u32 {
    32 - number.unsigned_abs().leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_marks_and_its_size() {
        let picture = encode(20, 9, &[7; 20 * 9 * 3]);
        assert_eq!(picture[..4], [0xFF, 0xD8, 0xFF, 0xE0]);
        assert_eq!(picture[picture.len() - 2..], [0xFF, 0xD9]);
        let frame = picture
            .windows(2)
            .position(|mark| mark == [0xFF, 0xC0])
            .unwrap();
        assert_eq!(picture[frame + 5..frame + 9], [0, 9, 0, 20]);
    }

    /// The scan is as it was when another program's decoder gave back the pixels within 8 of 256.
    #[test]
    fn the_scan_of_a_small_picture_stays_as_it_was() {
        let pixels: Vec<u8> = (0..18_u8)
            .flat_map(|y| (0..17).flat_map(move |x| [x * 12, y * 11, (x + y) * 6]))
            .collect();
        let picture = encode(17, 18, &pixels);
        let start = picture
            .windows(2)
            .position(|mark| mark == [0xFF, 0xDA])
            .unwrap();
        let scan: Vec<String> = picture[start + 14..]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        expect_test::expect!["f276294dcb1a3a26294dcb1a35d8a5372c68e898a5372c687267a1f299adcaf47339aa710683354e20d1dce6a9c41a0cd538834588e8ea735ae07a2831142b560a3a3622856ac1473ac580a8e8d8b0151493a3cae5380a8d284302050421810285a0a27a3aaa3fffd9"].assert_eq(&scan.concat());
    }
}
