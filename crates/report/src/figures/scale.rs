//! Linear scales: from a quantity to a place in a drawing, and round values to mark on it.
//!
//! Knows nothing of what is drawn.

/// Values farther from 0 than this are not told apart.
const FARTHEST: f64 = 1e15;

/// From values to places. Values beyond its ends lie on them, so that nothing leaves the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    values: [f64; 2],
    places: [f64; 2],
}

impl Scale {
    /// Values from the first to the second, at these places. Ends that are not numbers, or no range, are widened.
    pub(super) fn new(values: [f64; 2], places: [f64; 2]) -> Self {
        let [low, high] = values.map(|value| known(value, 0.0));
        let least = (low.abs() * 1e-9).max(1e-9);
        Self {
            values: [low, high.max(low + least)],
            places,
        }
    }

    /// Where a value lies; at the lower end where it is not a number.
    pub(super) fn at(&self, value: f64) -> f64 {
        let ([low, high], [first, last]) = (self.values, self.places);
        let value = known(value, low);
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
        first + share * (last - first)
    }

    /// Whether a value lies between the ends.
    pub(super) fn holds(&self, value: f64) -> bool {
        (self.values[0]..=self.values[1]).contains(&value)
    }

    /// Values that are round, at least `least` apart, and no more than `most`.
    pub(super) fn ticks(&self, most: u32, least: f64) -> Vec<Tick> {
        let [low, high] = self.values;
        let step = round_step(((high - low) / f64::from(most.max(2) - 1)).max(least));
        let digits = (0..9)
            .find(|digits| step * 10f64.powi(*digits) >= 0.999)
            .unwrap_or(9);
        let first = (low / step - 1e-9).ceil();
        (0..most)
            .map(|place| (first + f64::from(place)) * step)
            .take_while(|value| *value <= high + step * 1e-9)
            .map(|value| Tick {
                value,
                text: format!("{:.*}", usize::try_from(digits).unwrap_or(0), value + 0.0),
            })
            .collect()
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

/// The value within what can be told apart; `otherwise` where it is not a number.
fn known(value: f64, otherwise: f64) -> f64 {
    if value.is_nan() {
        otherwise
    } else {
        value.clamp(-FARTHEST, FARTHEST)
    }
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

    use super::Scale;

    fn texts(values: [f64; 2], most: u32, least: f64) -> Vec<String> {
        let ticks = Scale::new(values, [0.0, 1.0]).ticks(most, least);
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
    fn a_scale_may_be_upside_down() {
        let scale = Scale::new([0.0, 10.0], [300.0, 100.0]);
        assert_eq!(
            [-1.0, 0.0, 5.0, 20.0].map(|value| scale.at(value).to_string()),
            ["300", "300", "200", "100"]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_value_has_a_place(low in any::<f64>(), high in any::<f64>(), value in any::<f64>()) {
            let scale = Scale::new([low, high], [20.0, 90.0]);
            prop_assert!((20.0..=90.0).contains(&scale.at(value)), "{}", scale.at(value));
            prop_assert!(scale.ticks(6, 0.0).len() <= 6);
        }
    }
}
