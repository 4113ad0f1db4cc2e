//! Drawings as pixels, in the embedded font.
//!
//! Draws the same shapes that [`super::svg`] writes, so that no SVG is read back. A letter that the font does not have is
//! drawn as the sign of an unknown one.

use tiny_skia::{
    Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform,
};
use ttf_parser::OutlineBuilder;

use super::drawing::{Anchor, Drawing, Form, Point, Reading};
use super::font::Letters;
use super::theme::{IsText, Looks, Painted, Theme};

/// Units of a drawing in an inch.
const UNITS: f64 = 96.0;
/// Pixels an inch that are too few or too many to be meant.
const DPI: [f64; 2] = [10.0, 2400.0];
/// Most pixels of a side.
const SIDE: f64 = 30_000.0;

/// The whole file, at so many pixels an inch. Beyond 10 to 2400, and beyond 30,000 pixels a side, the nearest that can be.
pub(super) fn write(drawing: &Drawing, dpi: f64, theme: Theme) -> Vec<u8> {
    let longest = drawing.size.x.max(drawing.size.y).max(1.0);
    let dpi = dpi.clamp(DPI[0], DPI[1]).min(SIDE * UNITS / longest);
    let scale = dpi / UNITS;
    let [width, height] =
        [drawing.size.x, drawing.size.y].map(|length| (length * scale).round().max(1.0) as u32);
    let mut canvas = Canvas {
        pixels: Pixmap::new(width, height).expect("sides are not zero and not huge"),
        scale: scale as f32,
        looks: Looks::of(theme),
    };
    // A size that is no whole number of pixels leaves none at the edges without a ground.
    if let Some((colour, _)) = canvas.looks.painted("ground", IsText::No).fill {
        canvas.pixels.fill(opaque(colour));
    }
    for shape in &drawing.shapes {
        canvas.draw(&shape.class, &shape.form);
    }
    encoded(&canvas.pixels, dpi)
}

/// A figure has no holes, so its pixels need no opacity.
fn encoded(pixels: &Pixmap, dpi: f64) -> Vec<u8> {
    let opaque: Vec<u8> = pixels
        .data()
        .chunks_exact(4)
        .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect();
    let per_metre = (dpi / 0.0254).round() as u32;
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&opaque))
        .expect("memory takes all that is written");
    out
}

struct Canvas {
    pixels: Pixmap,
    scale: f32,
    looks: Looks,
}

impl Canvas {
    fn draw(&mut self, class: &str, form: &Form) {
        let is_text = match form {
            Form::Text { .. } => IsText::Yes,
            _ => IsText::No,
        };
        let look = self.looks.painted(class, is_text);
        let whole = Transform::from_scale(self.scale, self.scale);
        match form {
            Form::Text {
                place,
                anchor,
                reading,
                text,
            } => {
                let turned = match reading {
                    Reading::Across => whole,
                    Reading::Upright => whole.pre_concat(Transform::from_rotate_at(
                        -90.0,
                        place.x as f32,
                        place.y as f32,
                    )),
                };
                let width = look.letters.width(text);
                let left = match anchor {
                    Anchor::Start => place.x,
                    Anchor::Middle => place.x - width / 2.0,
                    Anchor::End => place.x - width,
                };
                let path = written(text, look.letters, Point { x: left, ..*place });
                self.paint(path, &look, turned);
            }
            Form::Rect(frame) => {
                let [left, top, right, bottom] =
                    [frame.left, frame.top, frame.right, frame.bottom].map(|edge| edge as f32);
                let rect = Rect::from_ltrb(left, top, right, bottom);
                self.paint(rect.map(PathBuilder::from_rect), &look, whole);
            }
            Form::Line(points) => self.paint(through(points, End::Open), &look, whole),
            Form::Area(points) => self.paint(through(points, End::Closed), &look, whole),
            Form::Disc { middle, radius } => {
                let [x, y, radius] = [middle.x, middle.y, *radius].map(|length| length as f32);
                self.paint(PathBuilder::from_circle(x, y, radius), &look, whole);
            }
        }
    }

    /// What cannot be drawn, such as a rectangle without an area, is left out, as viewers of SVG do.
    fn paint(&mut self, path: Option<Path>, look: &Painted, placed: Transform) {
        let Some(path) = path else {
            return;
        };
        if let Some((colour, opacity)) = look.fill {
            let paint = paint(colour, opacity);
            self.pixels
                .fill_path(&path, &paint, FillRule::Winding, placed, None);
        }
        if let Some((colour, width)) = look.stroke {
            let [on, off] = look.dashes;
            let stroke = Stroke {
                width: width as f32,
                dash: StrokeDash::new(vec![on as f32, off as f32], 0.0),
                ..Stroke::default()
            };
            self.pixels
                .stroke_path(&path, &paint(colour, 1.0), &stroke, placed, None);
        }
    }
}

fn opaque(colour: u32) -> Color {
    let [_, red, green, blue] = colour.to_be_bytes();
    Color::from_rgba8(red, green, blue, 255)
}

fn paint(colour: u32, opacity: f64) -> Paint<'static> {
    let mut paint = Paint::default();
    let mut colour = opaque(colour);
    colour.set_alpha(opacity as f32);
    paint.set_color(colour);
    paint
}

/// Whether a line goes back to where it began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
}

fn through(points: &[Point], end: End) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let mut places = points
        .iter()
        .filter(|place| place.x.is_finite() && place.y.is_finite())
        .map(|place| (place.x as f32, place.y as f32));
    let (x, y) = places.next()?;
    builder.move_to(x, y);
    places.for_each(|(x, y)| builder.line_to(x, y));
    if end == End::Closed {
        builder.close();
    }
    builder.finish()
}

/// The outlines of a text whose first letter stands at a place.
fn written(text: &str, letters: Letters, place: Point) -> Option<Path> {
    let mut pen = Pen {
        builder: PathBuilder::new(),
        unit: letters.unit() as f32,
        at: (place.x as f32, place.y as f32),
    };
    let mut x = place.x;
    for letter in text.chars() {
        pen.at.0 = x as f32;
        letters.outline(letter, &mut pen);
        x += letters.advance(letter);
    }
    pen.builder.finish()
}

/// Takes outlines in units of the font.
struct Pen {
    builder: PathBuilder,
    unit: f32,
    at: (f32, f32),
}

impl Pen {
    fn place(&self, x: f32, y: f32) -> (f32, f32) {
        (self.at.0 + x * self.unit, self.at.1 - y * self.unit)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.builder.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.place(x, y);
        self.builder.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.place(x1, y1), self.place(x, y));
        self.builder.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2)) = (self.place(x1, y1), self.place(x2, y2));
        let (x, y) = self.place(x, y);
        self.builder.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::drawing::{Frame, point};

    /// Width, height, pixels an inch, and the pixels themselves.
    fn read(file: &[u8]) -> (u32, u32, f64, Vec<[u8; 3]>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let dims = reader.info().pixel_dims.unwrap();
        let pixels = pixels.chunks(3).map(|it| [it[0], it[1], it[2]]).collect();
        (
            info.width,
            info.height,
            f64::from(dims.xppu) * 0.0254,
            pixels,
        )
    }

    fn drawing() -> Drawing {
        Drawing::new(point(96.0, 48.0), "", "")
    }

    #[test]
    fn a_file_has_the_size_in_inches_that_is_asked_for() {
        let (width, height, dpi, pixels) = read(&write(&drawing(), 150.0, Theme::Light));
        assert_eq!((width, height), (150, 75));
        assert!((dpi - 150.0).abs() < 0.1, "{dpi}");
        assert!(pixels.iter().all(|pixel| *pixel == [255; 3]));
    }

    #[test]
    fn the_ground_reaches_the_edges_of_any_size() {
        let drawing = Drawing::new(point(100.3, 50.4), "", "");
        for dpi in [72.0, 110.0, 133.0] {
            let (_, _, _, pixels) = read(&write(&drawing, dpi, Theme::Light));
            assert!(pixels.iter().all(|pixel| *pixel == [255; 3]), "{dpi}");
        }
    }

    #[test]
    fn shapes_are_where_they_are_drawn_in_the_colours_of_the_theme() {
        let mut drawing = drawing();
        let frame = Frame {
            left: 24.0,
            top: 12.0,
            right: 48.0,
            bottom: 24.0,
        };
        drawing.rect("fill-0", frame);
        for (theme, colour, ground) in [
            (Theme::Light, [0x00, 0x72, 0xb2], [255, 255, 255]),
            (Theme::Dark, [0x4a, 0xa3, 0xe0], [0x0d, 0x11, 0x17]),
        ] {
            let (width, _, _, pixels) = read(&write(&drawing, 192.0, theme));
            let at = |x: u32, y: u32| pixels[(y * width + x) as usize];
            assert_eq!(at(50, 26), colour);
            assert_eq!(at(94, 46), colour);
            assert_eq!([at(46, 26), at(98, 26), at(50, 50)], [ground; 3]);
        }
    }

    #[test]
    fn a_text_stands_where_its_width_was_measured() {
        let mut drawing = drawing();
        drawing.text("", point(48.0, 30.0), Anchor::End, "HHHH");
        let (width, _, _, pixels) = read(&write(&drawing, 192.0, Theme::Light));
        let dark = |pixel: &[u8; 3]| pixel.iter().all(|part| *part < 128);
        let columns: Vec<usize> = (0..pixels.len())
            .filter(|place| dark(&pixels[*place]))
            .map(|place| place % width as usize)
            .collect();
        let (first, last) = (columns.iter().min().unwrap(), columns.iter().max().unwrap());
        let expected = 2.0 * (48.0 - crate::figures::theme::TEXT.width("HHHH"));
        assert!((*first as f64 - expected).abs() < 4.0, "{first} {expected}");
        assert!((90..=96).contains(last), "{last}");
    }

    #[test]
    fn odd_shapes_and_sizes_do_no_harm() {
        let mut drawing = drawing();
        drawing.text(
            "",
            point(f64::NAN, 3.0),
            Anchor::Middle,
            "文字\u{0}\u{200b}é",
        );
        drawing.line("grid", &[]);
        drawing.area("band", vec![point(f64::INFINITY, 0.0), point(1.0, 1.0)]);
        drawing.disc("dot-1", point(3.0, 3.0), -1.0);
        let (width, height, _, _) = read(&write(&drawing, 1e9, Theme::Light));
        assert_eq!((width, height), (2400, 1200));
    }
}
