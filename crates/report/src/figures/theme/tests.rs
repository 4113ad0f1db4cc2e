//! The looks of classes, and whether colours can be told apart by eyes that lack one of three kinds of cones.

use super::*;

/// Linear light of an sRGB colour.
fn linear(colour: u32) -> [f64; 3] {
    [16, 8, 0].map(|shift| {
        let part = f64::from((colour >> shift) & 0xff) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    })
}

fn times(matrix: &[[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
}

/// All colours seen, and without the long, the middle or the short cones (Machado, Oliveira and Fernandes, 2009, severity 1).
const EYES: [[[f64; 3]; 3]; 4] = [
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    [
        [0.152_286, 1.052_583, -0.204_868],
        [0.114_503, 0.786_281, 0.099_216],
        [-0.003_882, -0.048_116, 1.051_998],
    ],
    [
        [0.367_322, 0.860_646, -0.227_968],
        [0.280_085, 0.672_501, 0.047_413],
        [-0.011_820, 0.042_940, 0.968_881],
    ],
    [
        [1.255_528, -0.076_749, -0.178_779],
        [-0.078_411, 0.930_809, 0.147_602],
        [0.004_733, 0.691_367, 0.303_900],
    ],
];

/// CIE 1976 L*a*b* under D65.
fn lab(linear: [f64; 3]) -> [f64; 3] {
    const TO_XYZ: [[f64; 3]; 3] = [
        [0.412_456, 0.357_576, 0.180_437],
        [0.212_673, 0.715_152, 0.072_175],
        [0.019_334, 0.119_192, 0.950_304],
    ];
    let xyz = times(&TO_XYZ, linear.map(|part| part.clamp(0.0, 1.0)));
    let white = [0.950_47, 1.0, 1.088_83];
    let [x, y, z] = [0, 1, 2].map(|place| {
        let share: f64 = xyz[place] / white[place];
        if share > 0.008_856 {
            share.cbrt()
        } else {
            7.787 * share + 16.0 / 116.0
        }
    });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// How far two colours are apart for the eyes that tell them apart the least (CIE76; about 2 can just be seen).
fn apart(a: u32, b: u32) -> f64 {
    EYES.iter()
        .map(|eyes| {
            let [a, b] = [a, b].map(|colour| lab(times(eyes, linear(colour))));
            let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
            squares.sum::<f64>().sqrt()
        })
        .fold(f64::INFINITY, f64::min)
}

fn check(name: &str, colours: &[Shades], least: f64) {
    for theme in 0..2 {
        for (place, a) in colours.iter().enumerate() {
            for b in &colours[place + 1..] {
                let (a, b) = (a[theme], b[theme]);
                assert!(
                    apart(a, b) >= least,
                    "{name}: {} and {} are {:.1} apart",
                    hex(a),
                    hex(b),
                    apart(a, b)
                );
            }
        }
    }
}

#[test]
fn the_distance_is_the_one_of_the_literature() {
    // Black and white are 100 apart for all eyes; red and green are far apart only for those that see both.
    assert!((apart(0, 0xff_ffff) - 100.0).abs() < 0.5);
    assert!(apart(0xb0_5000, 0x6f_7000) < 15.0);
}

#[test]
fn colours_of_series_can_be_told_apart_by_all() {
    check("series", &SERIES, 11.0);
}

#[test]
fn the_parts_of_a_course_can_be_told_apart_by_all() {
    check("course", &COURSE.map(|(_, shades)| shades), 11.0);
}

#[test]
fn what_is_filled_or_stroked_is_so_on_both_screens() {
    let sheet = style(|_| true);
    let (light, dark) = sheet.split_once("@media").unwrap();
    for (class, look) in rules() {
        let has_colour = look.fill.is_some() || look.stroke.is_some();
        let rule = format!(".{ROOT} {class}{{");
        assert!(light.contains(&rule), "{class}");
        assert_eq!(dark.contains(&rule), has_colour, "{class}");
    }
}

#[test]
fn rules_that_are_not_needed_are_left_out() {
    let sheet = style(|class| class == "quiet");
    assert_eq!(sheet.matches(ROOT).count(), 4, "{sheet}");
    assert!(sheet.contains("text{") && sheet.contains(".quiet{") && !sheet.contains(".title{"));
}

#[test]
fn every_stage_has_a_colour() {
    for stage in 0..STAGES {
        assert!(
            style(|_| true).contains(&format!(".stage-{stage}{{")),
            "{stage}"
        );
    }
}

#[test]
fn a_drawn_shape_looks_as_the_style_sheet_says() {
    let looks = Looks::of(Theme::Dark);
    let likely = looks.painted("likely", IsText::No);
    assert_eq!(likely.stroke, Some((0x79_c0ff, 1.5)));
    assert_eq!((likely.fill, likely.dashes), (None, [5.0, 4.0]));
    let plain = looks.painted("", IsText::Yes);
    assert_eq!((plain.fill, plain.letters), (Some((0xe6_edf3, 1.0)), TEXT));
    let heavy = looks.painted("line-1 dashed-2 weight-1", IsText::No);
    assert_eq!(heavy.stroke, Some((0xf0_b429, 3.6)));
    assert!(style(|class| class == "dashed-2").contains(".dashed-2{stroke-dasharray:2 3}"));
    assert!(heavy.dashes[0] < 3.0 && heavy.dashes[1] > 2.0);
    assert_eq!(looks.painted("title", IsText::Yes).letters, TITLE);
    assert_eq!(looks.painted("unheard-of", IsText::No).fill, None);
    assert!(style(|_| true).contains(
        ".crestline-figure .likely{fill:none;stroke-width:1.5;stroke-dasharray:5 4;stroke:#0550ae}"
    ));
}
