//! Drawings: a list of shapes, each with a class that says what it is.
//!
//! Written as SVG by [`super::svg`] and as pixels by [`super::png`]; what a class looks like is [`super::theme`]'s. Knows
//! nothing of what is shown.
//!
//! What a reader of a page may enlarge is marked by [`super::plots`]; files have nothing of it.

use super::plots::Marks;

/// A place; y grows downwards. The unit is a 96th of an inch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// Which part of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Which way a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// From the left.
    Across,
    /// From below, around its middle.
    Upright,
}

/// A place.
pub(super) const fn point(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// A thing that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// What it is; may be empty for a text.
    pub(super) class: String,
    pub(super) form: Form,
    /// What becomes of it when the plot it is in is enlarged.
    pub(super) follows: Follows,
}

/// How a shape follows when the plot it is in is enlarged. Discs and texts always keep their size.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) enum Follows {
    /// Every place of it for itself.
    #[default]
    Places,
    /// Its middle, with the size that it has.
    Middle,
    /// This place, with the size and the distance that it has.
    Place(Point),
    /// The same from left to right alone.
    Across(f64),
    /// The same up and down alone.
    Up(f64),
}

/// Forms of shapes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Rect(Frame),
    /// Open, through all places.
    Line(Vec<Point>),
    /// Closed, around all places.
    Area(Vec<Point>),
    Disc {
        middle: Point,
        radius: f64,
    },
    Text {
        place: Point,
        anchor: Anchor,
        reading: Reading,
        text: String,
    },
}

/// A drawing of a fixed size, in which later things lie above earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawing {
    pub(super) size: Point,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) shapes: Vec<Shape>,
    /// What a page makes of it.
    pub(super) marks: Marks,
}

impl Frame {
    pub(super) fn width(self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(self) -> f64 {
        self.bottom - self.top
    }

    /// Whether two cover a place together.
    pub(super) fn meets(self, other: Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }
}

impl Drawing {
    /// An empty one; title and description are for those who cannot see it.
    pub(super) fn new(size: Point, title: &str, description: &str) -> Self {
        let mut drawing = Self {
            size,
            title: title.to_owned(),
            description: description.to_owned(),
            shapes: Vec::new(),
            marks: Marks::default(),
        };
        let whole = Frame {
            left: 0.0,
            top: 0.0,
            right: size.x,
            bottom: size.y,
        };
        drawing.rect("ground", whole);
        drawing
    }

    fn add(&mut self, class: &str, form: Form) {
        self.shapes.push(Shape {
            class: class.to_owned(),
            form,
            follows: Follows::Places,
        });
    }

    /// Says how the shape that was drawn last follows.
    pub(super) fn last_follows(&mut self, follows: Follows) {
        if let Some(shape) = self.shapes.last_mut() {
            shape.follows = follows;
        }
    }

    pub(super) fn rect(&mut self, class: &str, frame: Frame) {
        self.add(class, Form::Rect(frame));
    }

    /// A line through all places.
    pub(super) fn line(&mut self, class: &str, points: &[Point]) {
        self.add(class, Form::Line(points.to_vec()));
    }

    /// What lies within all places.
    pub(super) fn area(&mut self, class: &str, points: Vec<Point>) {
        self.add(class, Form::Area(points));
    }

    pub(super) fn disc(&mut self, class: &str, middle: Point, radius: f64) {
        self.add(class, Form::Disc { middle, radius });
    }

    /// Two crossing strokes.
    pub(super) fn cross(&mut self, class: &str, middle: Point, radius: f64) {
        let Point { x, y } = middle;
        for side in [-radius, radius] {
            self.line(
                class,
                &[point(x - side, y - radius), point(x + side, y + radius)],
            );
            self.last_follows(Follows::Middle);
        }
    }

    pub(super) fn text(&mut self, class: &str, place: Point, anchor: Anchor, text: &str) {
        let form = Form::Text {
            place,
            anchor,
            reading: Reading::Across,
            text: text.to_owned(),
        };
        self.add(class, form);
    }

    /// Text that is read from below, around its middle.
    pub(super) fn upright_text(&mut self, class: &str, middle: Point, text: &str) {
        let form = Form::Text {
            place: middle,
            anchor: Anchor::Middle,
            reading: Reading::Upright,
            text: text.to_owned(),
        };
        self.add(class, form);
    }
}
