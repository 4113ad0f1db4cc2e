//! Scales: from a quantity to a place in a drawing, and round values to mark on it.
//!
//! Knows nothing of what is drawn.

/// Values farther from 0 than this are not told apart.
const FARTHEST: f64 = 1e15;
/// The least value of a logarithmic scale.
const LEAST: f64 = 1e-15;
/// The highest percentile that is told apart.
const MOST_PERCENT: f64 = 99.999_99;
/// Percentiles that people speak of.
const PERCENTILES: [f64; 10] = [
    0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999, 99.9999,
];

/// How values are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Equal differences are equally far apart.
    #[default]
    Linear,
    /// Equal ratios are equally far apart. Values of 0 and less lie at the lower end.
    Log,
    /// The same, marked at powers of two.
    Log2,
    /// Equal differences of the square root are equally far apart; below 0 as above.
    Sqrt,
    /// Seconds, linear; marked at whole seconds, minutes and hours.
    Time,
    /// Percent, 0 to below 100: 90, 99 and 99.9 are equally far apart. Higher ones than 99.99999 lie there.
    Percentile,
}

impl Kind {
    /// Whether only values above 0 have a place of their own.
    pub(super) fn is_of_ratios(self) -> bool {
        matches!(self, Self::Log | Self::Log2)
    }
}

/// From values to places. Values beyond its ends lie on them, so that nothing leaves the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    kind: Kind,
    values: [f64; 2],
    places: [f64; 2],
}

impl Scale {
    /// Values from the first to the second, at these places. Ends that are not numbers, or no range, are widened.
    pub(super) fn new(values: [f64; 2], places: [f64; 2]) -> Self {
        Self::of(Kind::Linear, values, places)
    }

    /// The same of any kind.
    pub(super) fn of(kind: Kind, values: [f64; 2], places: [f64; 2]) -> Self {
        let [low, high] = values.map(|value| known(value, 0.0));
        let [low, high] = match kind {
            Kind::Log | Kind::Log2 => [low.max(LEAST), high.max(LEAST)],
            Kind::Percentile => [low, high].map(|value| value.clamp(0.0, MOST_PERCENT)),
            Kind::Linear | Kind::Time | Kind::Sqrt => [low, high],
        };
        let least = (low.abs() * 1e-9).max(if kind.is_of_ratios() { 0.0 } else { 1e-9 });
        let [low, high] = match kind {
            Kind::Percentile => [low.min(MOST_PERCENT - 1e-3), high.max(low + 1e-3)],
            _ => [low, high.max(low + least)],
        };
        Self {
            kind,
            values: [low, high],
            places,
        }
    }

    /// Where a value lies; at the lower end where it is not a number.
    pub(super) fn at(&self, value: f64) -> f64 {
        let ([low, high], [first, last]) = (self.values, self.places);
        let value = known(value, low);
        let share = match self.kind {
            Kind::Linear | Kind::Time => (value - low) / (high - low),
            Kind::Log | Kind::Log2 => (value.max(LEAST) / low).ln() / (high / low).ln(),
            Kind::Sqrt => (root(value) - root(low)) / (root(high) - root(low)),
            Kind::Percentile => (nines(value) - nines(low)) / (nines(high) - nines(low)),
        };
        first + share.clamp(0.0, 1.0) * (last - first)
    }

    /// How values are laid out.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The values at both ends.
    pub(super) fn ends(&self) -> [f64; 2] {
        self.values
    }

    /// Whether a value lies between the ends.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.values[0]..=self.values[1]).contains(&value)
    }

    /// Values that are round, at least `least` apart, and no more than `most`.
    pub(super) fn ticks(&self, most: u32, least: f64) -> Vec<Tick> {
        match self.kind {
            Kind::Linear => self.even_ticks(most, least),
            Kind::Time => self.time_ticks(most),
            Kind::Log => self.log_ticks(most, least),
            Kind::Log2 => self.doubled_ticks(most, least),
            Kind::Sqrt => self.root_ticks(most),
            Kind::Percentile => self.percentile_ticks(most),
        }
    }

    /// How the text of ticks is to be read, where it is not a plain number.
    pub(super) fn form(&self) -> &'static str {
        match self.kind {
            Kind::Linear | Kind::Log | Kind::Log2 | Kind::Sqrt | Kind::Percentile => "",
            Kind::Time => self.clock().form(),
        }
    }

    fn even_ticks(&self, most: u32, least: f64) -> Vec<Tick> {
        let [low, high] = self.values;
        let most = most.max(2);
        let count = |step: f64| (high / step + 1e-9).floor() - (low / step - 1e-9).ceil() + 1.0;
        let fine = round_step(((high - low) / f64::from(most)).max(least));
        let step = if count(fine) <= f64::from(most) {
            fine
        } else {
            round_step(((high - low) / f64::from(most - 1)).max(least))
        };
        let digits = (0..9)
            .find(|digits| step * 10f64.powi(*digits) >= 0.999)
            .unwrap_or(9);
        self.multiples(step, most)
            .map(|value| Tick {
                value,
                text: format!("{:.*}", usize::try_from(digits).unwrap_or(0), value + 0.0),
            })
            .collect()
    }

    /// All multiples of a step between the ends, the first `most` of them.
    fn multiples(&self, step: f64, most: u32) -> impl Iterator<Item = f64> {
        let [low, high] = self.values;
        let first = (low / step - 1e-9).ceil();
        (0..most)
            .map(move |place| (first + f64::from(place)) * step)
            .take_while(move |value| *value <= high + step * 1e-9)
    }

    fn clock(&self) -> Clock {
        let longest = self.values[1].abs().max(self.values[0].abs());
        match longest {
            longest if longest >= 7200.0 => Clock::Hours,
            longest if longest >= 120.0 => Clock::Minutes,
            _ => Clock::Seconds,
        }
    }

    fn time_ticks(&self, most: u32) -> Vec<Tick> {
        let clock = self.clock();
        if clock == Clock::Seconds {
            return self.even_ticks(most, 0.0);
        }
        let [low, high] = self.values;
        let wanted = (high - low) / f64::from(most.max(2) - 1);
        let step = STEPS_S
            .into_iter()
            .find(|step| *step >= wanted)
            .unwrap_or_else(|| round_step(wanted / 86400.0) * 86400.0);
        self.multiples(step, most)
            .map(|value| Tick {
                value,
                text: clock.text(value),
            })
            .collect()
    }

    /// Percentiles that people speak of, as many of them as there may be.
    fn percentile_ticks(&self, most: u32) -> Vec<Tick> {
        let is_main = |value: f64| ![75.0, 95.0].contains(&value);
        let held = || PERCENTILES.into_iter().filter(|value| self.holds(*value));
        let tick = |value: f64| Tick {
            value,
            text: format!("{value}"),
        };
        let all: Vec<Tick> = held().map(tick).collect();
        if all.len() <= most as usize {
            return all;
        }
        held()
            .filter(|value| is_main(*value))
            .take(most as usize)
            .map(tick)
            .collect()
    }

    /// Powers of ten and their double and fivefold, or their threefold, or powers of ten alone, or every so many of them; where there are hardly
    /// any of these, even ticks.
    fn log_ticks(&self, most: u32, least: f64) -> Vec<Tick> {
        let [low, high] = self.values.map(f64::log10);
        let powers = |every: i32| exponents([low, high], every);
        let marks = |factors: &[f64], every: i32| -> Vec<Tick> {
            let values = powers(every).flat_map(|power| {
                let of_power = move |factor: &f64| factor * 10f64.powi(power);
                factors.iter().map(of_power).collect::<Vec<_>>()
            });
            values
                .filter(|value| self.holds(*value))
                .map(|value| Tick {
                    value,
                    text: short(value),
                })
                .collect()
        };
        let fine = marks(&[1.0, 2.0, 5.0], 1);
        if fine.len() < 3 {
            return self.even_ticks(most, least);
        }
        if fine.len() <= most as usize {
            return fine;
        }
        let middle = marks(&[1.0, 3.0], 1);
        if middle.len() <= most as usize && middle.len() > 2 {
            return middle;
        }
        (1..40)
            .map(|every| marks(&[1.0], every))
            .find(|ticks| ticks.len() <= most as usize)
            .unwrap_or_default()
    }
}

impl Scale {
    /// Powers of two, or every so many of them; other marks where there are hardly any.
    fn doubled_ticks(&self, most: u32, least: f64) -> Vec<Tick> {
        let [low, high] = self.values.map(f64::log2);
        let every = |every: i32| -> Vec<Tick> {
            let values = exponents([low, high], every).map(|power| 2f64.powi(power));
            values
                .filter(|value| self.holds(*value))
                .map(|value| Tick {
                    value,
                    text: crate::number::significant(value, 4),
                })
                .collect()
        };
        let is_held = |value: f64| (value + 1e-9).floor().max(0.0) as usize;
        if is_held(high - low.ceil() + 1.0) < 3 || high > 50.0 || low < -13.0 {
            return self.log_ticks(most, least);
        }
        (1..120)
            .map(every)
            .find(|ticks| ticks.len() <= most as usize)
            .unwrap_or_default()
    }

    /// Round values that are far enough apart, the roundest first: 0, powers of ten, their fivefold and double.
    fn root_ticks(&self, most: u32) -> Vec<Tick> {
        let [low, high] = self.values;
        if low > 0.0 && high < 2.0 * low || high < 0.0 && low > 2.0 * high {
            return self.even_ticks(most, 0.0);
        }
        let top = low.abs().max(high.abs()).log10().ceil().max(-8.0) as i32;
        let round = [1.0, 5.0, 2.0].into_iter().flat_map(|factor| {
            let of_power = move |power: i32| factor * 10f64.powi(top - power);
            (0..8).map(of_power).flat_map(|value| [value, -value])
        });
        let even = self.even_ticks(most, 0.0).into_iter().map(|it| it.value);
        let room = (self.places[1] - self.places[0]).abs() / f64::from(most.max(2));
        let mut kept: Vec<f64> = Vec::new();
        for value in std::iter::once(0.0).chain(round).chain(even) {
            let is_apart = |other: &f64| (self.at(*other) - self.at(value)).abs() >= room;
            if self.holds(value) && kept.iter().all(is_apart) && kept.len() < most as usize {
                kept.push(value);
            }
        }
        kept.sort_by(f64::total_cmp);
        let tick = |value: f64| Tick {
            value,
            text: if value < 0.0 {
                format!("-{}", short(-value))
            } else {
                short(value)
            },
        };
        kept.into_iter().map(tick).collect()
    }
}

/// Whole numbers around two ends that are multiples of one.
fn exponents([low, high]: [f64; 2], every: i32) -> impl Iterator<Item = i32> {
    let all = low.floor() as i32..=high.ceil() as i32;
    all.filter(move |exponent| exponent.rem_euclid(every) == 0)
}

/// With the sign of the value.
fn root(value: f64) -> f64 {
    value.abs().sqrt().copysign(value)
}

/// Round steps of minutes and hours, in seconds.
const STEPS_S: [f64; 18] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    10800.0, 21600.0, 43200.0, 86400.0,
];

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Seconds,
    Minutes,
    Hours,
}

impl Clock {
    fn form(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Minutes => "min:s",
            Self::Hours => "h:min",
        }
    }

    fn text(self, seconds: f64) -> String {
        let sign = if seconds <= -0.5 { "-" } else { "" };
        let whole = seconds.abs().round() as u64;
        match self {
            Self::Seconds => format!("{sign}{whole}"),
            Self::Minutes => format!("{sign}{}:{:02}", whole / 60, whole % 60),
            Self::Hours => format!("{sign}{}:{:02}", whole / 3600, whole / 60 % 60),
        }
    }
}

/// A value that is marked on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Where.
    pub(super) value: f64,
    /// As it is written.
    pub(super) text: String,
}

/// A round value in few letters: `0.02`, `500`, `20k`, `1M`.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let (scaled, unit) = match value {
        value if value >= 0.999e9 => (value / 1e9, "G"),
        value if value >= 0.999e6 => (value / 1e6, "M"),
        value if value >= 0.999e4 => (value / 1e3, "k"),
        value => (value, ""),
    };
    if scaled < 1e-6 {
        return format!("{scaled:.0e}");
    }
    format!("{}{unit}", crate::number::significant(scaled, 3))
}

/// The value within what can be told apart; `otherwise` where it is not a number.
fn known(value: f64, otherwise: f64) -> f64 {
    if value.is_nan() {
        otherwise
    } else {
        value.clamp(-FARTHEST, FARTHEST)
    }
}

/// How many nines a percentile has: 1 of 90, 2 of 99.
fn nines(percent: f64) -> f64 {
    -(1.0 - percent.clamp(0.0, MOST_PERCENT) / 100.0).log10()
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|round| *round >= step * 0.999_999)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Kind, Scale};

    fn texts(values: [f64; 2], most: u32, least: f64) -> Vec<String> {
        texts_of(Kind::Linear, values, most, least)
    }

    fn texts_of(kind: Kind, values: [f64; 2], most: u32, least: f64) -> Vec<String> {
        let ticks = Scale::of(kind, values, [0.0, 1.0]).ticks(most, least);
        ticks.into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn marks_are_round() {
        assert_eq!(texts([0.0, 96.0], 6, 1.0), ["0", "20", "40", "60", "80"]);
        assert_eq!(texts([99.6, 119.4], 5, 1.0), ["100", "105", "110", "115"]);
        assert_eq!(texts([0.5, 0.75], 4, 0.0), ["0.5", "0.6", "0.7"]);
    }

    #[test]
    fn marks_are_no_closer_than_is_asked() {
        assert_eq!(texts([3.0, 6.0], 9, 1.0), ["3", "4", "5", "6"]);
    }

    #[test]
    fn marks_of_ratios_are_powers_of_ten_and_what_has_room_between_them() {
        let log = |values, most| texts_of(Kind::Log, values, most, 0.0);
        assert_eq!(log([0.9, 60.0], 9), ["1", "2", "5", "10", "20", "50"]);
        assert_eq!(
            log([0.01, 20_000.0], 8),
            ["0.01", "0.1", "1", "10", "100", "1000", "10k"]
        );
        assert_eq!(log([1.0, 1e12], 5), ["1", "1000", "1M", "1G", "1000G"]);
        assert_eq!(
            texts_of(Kind::Log, [0.9, 4.3], 8, 1.0),
            ["1", "2", "3", "4"]
        );
        // Within one power of ten there are other round numbers.
        assert_eq!(log([110.0, 190.0], 6), ["120", "140", "160", "180"]);
    }

    #[test]
    fn marks_of_doubled_values_are_powers_of_two() {
        let doubled = |values, most| texts_of(Kind::Log2, values, most, 0.0);
        assert_eq!(
            doubled([0.9, 70.0], 9),
            ["1", "2", "4", "8", "16", "32", "64"]
        );
        assert_eq!(doubled([0.25, 4096.0], 6), ["1", "8", "64", "512", "4096"]);
        assert_eq!(doubled([110.0, 190.0], 6), ["120", "140", "160", "180"]);
    }

    #[test]
    fn marks_of_roots_are_round_and_apart() {
        let root = |values, most| texts_of(Kind::Sqrt, values, most, 0.0);
        assert_eq!(
            root([0.0, 1000.0], 8),
            ["0", "20", "100", "200", "500", "1000"]
        );
        assert_eq!(root([0.0, 9.0], 5), ["0", "1", "5"]);
        let scale = Scale::of(Kind::Sqrt, [0.0, 100.0], [0.0, 200.0]);
        let found = [0.0, 1.0, 25.0, 100.0].map(|value| scale.at(value).round() as i64);
        assert_eq!(found, [0, 20, 100, 200]);
    }

    #[test]
    fn marks_of_times_are_whole_seconds_minutes_and_hours() {
        let time = |values, most| texts_of(Kind::Time, values, most, 0.0);
        assert_eq!(time([0.0, 60.0], 5), ["0", "20", "40", "60"]);
        assert_eq!(
            time([0.0, 300.0], 6),
            ["0:00", "1:00", "2:00", "3:00", "4:00", "5:00"]
        );
        assert_eq!(
            time([0.0, 150.0], 6),
            ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30"]
        );
        assert_eq!(time([0.0, 10_800.0], 4), ["0:00", "1:00", "2:00", "3:00"]);
        let form = |end| Scale::of(Kind::Time, [0.0, end], [0.0, 1.0]).form();
        assert_eq!(
            [form(9.0), form(200.0), form(9000.0)],
            ["s", "min:s", "h:min"]
        );
    }

    #[test]
    fn equal_ratios_are_equally_far_apart() {
        let scale = Scale::of(Kind::Log, [1.0, 100.0], [0.0, 200.0]);
        let found = [0.0, 1.0, 10.0, 100.0].map(|value| scale.at(value).round());
        assert_eq!(found.map(|at| at as i64), [0, 0, 100, 200]);
    }

    #[test]
    fn percentiles_are_as_far_apart_as_their_nines() {
        let scale = Scale::of(Kind::Percentile, [0.0, 99.9], [0.0, 300.0]);
        let found = [0.0, 90.0, 99.0, 99.9, 100.0].map(|value| scale.at(value).round() as i64);
        assert_eq!(found, [0, 100, 200, 300, 300]);
        let texts = |most| texts_of(Kind::Percentile, [0.0, 99.9], most, 0.0);
        assert_eq!(texts(9), ["0", "50", "75", "90", "95", "99", "99.9"]);
        assert_eq!(texts(6), ["0", "50", "90", "99", "99.9"]);
    }

    #[test]
    fn a_scale_may_be_upside_down() {
        let scale = Scale::new([0.0, 10.0], [300.0, 100.0]);
        assert_eq!(
            [-1.0, 0.0, 5.0, 20.0].map(|value| scale.at(value).to_string()),
            ["300", "300", "200", "100"]
        );
    }

    fn any_kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Linear),
            Just(Kind::Log),
            Just(Kind::Log2),
            Just(Kind::Sqrt),
            Just(Kind::Time),
            Just(Kind::Percentile)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_value_has_a_place(kind in any_kind(), low in any::<f64>(), high in any::<f64>(), value in any::<f64>()) {
            let scale = Scale::of(kind, [low, high], [20.0, 90.0]);
            prop_assert!((20.0..=90.0).contains(&scale.at(value)), "{}", scale.at(value));
            prop_assert!(scale.ticks(6, 0.0).len() <= 6);
        }

        #[test]
        fn marks_lie_between_the_ends_and_rise(kind in any_kind(), low in 0.001..1e4_f64, more in 0.01..1e6_f64, most in 3..12_u32) {
            let scale = Scale::of(kind, [low, low + more], [0.0, 1.0]);
            let ticks = scale.ticks(most, 0.0);
            prop_assert!(ticks.len() <= most as usize);
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].value < pair[1].value && pair[0].text != pair[1].text, "{pair:?}");
            }
            for tick in &ticks {
                prop_assert!(kind == Kind::Percentile || tick.value >= low * 0.999 && tick.value <= (low + more) * 1.001, "{tick:?}");
            }
        }
    }
}
