//! Lengths of prompts and answers: distributions that are drawn from by seed and index.

use std::path::{Path, PathBuf};

use rand::distr::weighted::WeightedIndex;
use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, LogNormal, Normal};

use crate::plan::{Lengths, MixturePart};

/// Lengths that cannot be drawn from.
#[derive(Debug, thiserror::Error)]
pub enum LengthsError {
    /// The ends of a range are the wrong way round.
    #[error("lengths from {min} to {max}: the least is above the most")]
    Reversed {
        /// Least.
        min: u32,
        /// Most.
        max: u32,
    },
    /// A parameter is not a number that the distribution can have.
    #[error(
        "{parameter} of a {distribution} distribution of lengths must be {wanted}, not {value}"
    )]
    Parameter {
        /// Name of the distribution.
        distribution: &'static str,
        /// Name of the parameter.
        parameter: &'static str,
        /// What it has to be.
        wanted: &'static str,
        /// What it is.
        value: f64,
    },
    /// A mixture without parts.
    #[error("a mixture of lengths needs at least one part")]
    NoParts,
    /// A file of pairs that cannot be read.
    #[error("cannot read pairs of lengths from {}: {reason}", .path.display())]
    Pairs {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where it is.
        reason: String,
    },
}

/// A distribution whose parameters have been checked.
#[derive(Debug, Clone)]
pub(crate) enum LengthDraw {
    Uniform {
        min: u32,
        max: u32,
    },
    Normal {
        shape: Normal<f64>,
        min: u32,
        max: u32,
    },
    LogNormal {
        shape: LogNormal<f64>,
        min: u32,
        max: u32,
    },
    Mixture {
        weights: WeightedIndex<f64>,
        parts: Vec<LengthDraw>,
    },
}

impl LengthDraw {
    /// All lengths of an inclusive range alike.
    pub(crate) fn uniform(min: u32, max: u32) -> Result<Self, LengthsError> {
        check_range(min, max)?;
        Ok(Self::Uniform { min, max })
    }

    /// Checks a distribution.
    pub(crate) fn new(lengths: &Lengths) -> Result<Self, LengthsError> {
        match *lengths {
            Lengths::Fixed { value } => Self::uniform(value, value),
            Lengths::Uniform { min, max } => Self::uniform(min, max),
            Lengths::Normal { mean, sd, min, max } => {
                check_range(min, max)?;
                check("normal", "mean", mean, Wanted::Finite)?;
                check("normal", "sd", sd, Wanted::NotNegative)?;
                let shape =
                    Normal::new(mean, sd).expect("a finite mean and deviation make a distribution");
                Ok(Self::Normal { shape, min, max })
            }
            Lengths::LogNormal {
                median,
                sigma,
                min,
                max,
            } => {
                check_range(min, max)?;
                check("log-normal", "median", median, Wanted::Positive)?;
                check("log-normal", "sigma", sigma, Wanted::NotNegative)?;
                let shape = LogNormal::new(median.ln(), sigma)
                    .expect("a finite location and deviation make a distribution");
                Ok(Self::LogNormal { shape, min, max })
            }
            Lengths::Mixture { ref parts } => Self::mixture(parts),
        }
    }

    fn mixture(parts: &[MixturePart]) -> Result<Self, LengthsError> {
        for part in parts {
            check("mixture", "weight", part.weight, Wanted::Positive)?;
        }
        let weights = WeightedIndex::new(parts.iter().map(|part| part.weight))
            .map_err(|_| LengthsError::NoParts)?;
        let parts = parts
            .iter()
            .map(|part| Self::new(&part.lengths))
            .collect::<Result<_, _>>()?;
        Ok(Self::Mixture { weights, parts })
    }

    /// The next length.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> u32 {
        match self {
            Self::Uniform { min, max } => random.random_range(*min..=*max),
            Self::Normal { shape, min, max } => within(shape.sample(random), *min, *max),
            Self::LogNormal { shape, min, max } => within(shape.sample(random), *min, *max),
            Self::Mixture { weights, parts } => parts[weights.sample(random)].draw(random),
        }
    }

    /// Longest that can be drawn.
    pub(crate) fn longest(&self) -> u32 {
        match self {
            Self::Uniform { max, .. } | Self::Normal { max, .. } | Self::LogNormal { max, .. } => {
                *max
            }
            Self::Mixture { parts, .. } => parts.iter().map(Self::longest).max().unwrap_or(0),
        }
    }

    /// Shortest that can be drawn.
    pub(crate) fn shortest(&self) -> u32 {
        match self {
            Self::Uniform { min, .. } | Self::Normal { min, .. } | Self::LogNormal { min, .. } => {
                *min
            }
            Self::Mixture { parts, .. } => parts.iter().map(Self::shortest).min().unwrap_or(0),
        }
    }
}

fn within(value: f64, min: u32, max: u32) -> u32 {
    (value.round() as u32).clamp(min, max)
}

fn check_range(min: u32, max: u32) -> Result<(), LengthsError> {
    if min > max {
        return Err(LengthsError::Reversed { min, max });
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Wanted {
    Finite,
    NotNegative,
    Positive,
}

fn check(
    distribution: &'static str,
    parameter: &'static str,
    value: f64,
    wanted: Wanted,
) -> Result<(), LengthsError> {
    let (holds, wanted) = match wanted {
        Wanted::Finite => (true, "a finite number"),
        Wanted::NotNegative => (value >= 0.0, "a finite number of at least 0"),
        Wanted::Positive => (value > 0.0, "a finite number above 0"),
    };
    if value.is_finite() && holds {
        return Ok(());
    }
    Err(LengthsError::Parameter {
        distribution,
        parameter,
        wanted,
        value,
    })
}

/// Reads the columns `input` and `output` of a CSV file; other columns are passed over.
pub(crate) fn read_pairs(path: &Path) -> Result<Vec<(u32, u32)>, LengthsError> {
    let wrong = |reason: String| LengthsError::Pairs {
        path: path.to_owned(),
        reason,
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| wrong(error.to_string()))?;
    let header = reader
        .headers()
        .map_err(|error| wrong(error.to_string()))?
        .clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|title| title == name)
            .ok_or_else(|| {
                wrong(format!(
                    "there is no column `{name}`; the first line must be `input,output`"
                ))
            })
    };
    let (input, output) = (column("input")?, column("output")?);
    let mut pairs = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let field = |column: usize| {
            let text = row.get(column).unwrap_or_default();
            let number: Option<u32> = text.parse().ok().filter(|number| *number > 0);
            number.ok_or_else(|| {
                wrong(format!(
                    "line {line}: `{text}` is not a number of tokens above 0"
                ))
            })
        };
        pairs.push((field(input)?, field(output)?));
    }
    if pairs.is_empty() {
        return Err(wrong("it has no rows".to_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::draw::{Purpose, stream};

    fn draws(lengths: &Lengths) -> Vec<f64> {
        let draw = LengthDraw::new(lengths).unwrap();
        (0..4000)
            .map(|index| f64::from(draw.draw(&mut stream(7, index, Purpose::InputLength))))
            .collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn draws_have_the_asked_mean() {
        let uniform = draws(&Lengths::Uniform { min: 100, max: 300 });
        assert!((mean(&uniform) - 200.0).abs() < 5.0, "{}", mean(&uniform));
        let normal = draws(&Lengths::Normal {
            mean: 500.0,
            sd: 50.0,
            min: 1,
            max: 1000,
        });
        assert!((mean(&normal) - 500.0).abs() < 5.0, "{}", mean(&normal));
        let mut log_normal = draws(&Lengths::LogNormal {
            median: 200.0,
            sigma: 0.5,
            min: 1,
            max: 100_000,
        });
        log_normal.sort_by(f64::total_cmp);
        assert!(
            (log_normal[2000] - 200.0).abs() < 10.0,
            "{}",
            log_normal[2000]
        );
        // The mean of a log-normal is `median * exp(sigma^2 / 2)`.
        let expected = 200.0 * (0.125_f64).exp();
        assert!(
            (mean(&log_normal) - expected).abs() < 10.0,
            "{}",
            mean(&log_normal)
        );
    }

    #[test]
    fn a_mixture_draws_its_parts_by_their_weights() {
        let part = |weight, value| MixturePart {
            weight,
            lengths: Lengths::Fixed { value },
        };
        let values = draws(&Lengths::Mixture {
            parts: vec![part(3.0, 10), part(1.0, 50)],
        });
        let [mut short, mut long] = [0, 0];
        for value in values {
            match value as u32 {
                10 => short += 1,
                50 => long += 1,
                other => panic!("{other} is in no part"),
            }
        }
        assert!((2850..3150).contains(&short), "{short} to {long}");
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let values = draws(&Lengths::Normal {
            mean: 10.0,
            sd: 100.0,
            min: 5,
            max: 20,
        });
        assert!(values.iter().all(|value| (5.0..=20.0).contains(value)));
        assert!(values.contains(&5.0) && values.contains(&20.0));
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let check = |lengths: Lengths, expected: &str| {
            assert_eq!(LengthDraw::new(&lengths).unwrap_err().to_string(), expected);
        };
        check(
            Lengths::Uniform { min: 9, max: 3 },
            "lengths from 9 to 3: the least is above the most",
        );
        check(
            Lengths::Normal {
                mean: 10.0,
                sd: -1.0,
                min: 1,
                max: 2,
            },
            "sd of a normal distribution of lengths must be a finite number of at least 0, not -1",
        );
        check(
            Lengths::LogNormal {
                median: 0.0,
                sigma: 1.0,
                min: 1,
                max: 2,
            },
            "median of a log-normal distribution of lengths must be a finite number above 0, not 0",
        );
        check(
            Lengths::Mixture { parts: vec![] },
            "a mixture of lengths needs at least one part",
        );
    }

    fn pairs_of(text: &str) -> Result<Vec<(u32, u32)>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        read_pairs(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn pairs_are_read_by_the_names_of_their_columns() {
        assert_eq!(
            pairs_of("output, input,note\n5,7,x\n1,2,y\n").unwrap(),
            [(7, 5), (2, 1)]
        );
    }

    #[test]
    fn wrong_pairs_are_named_with_their_line() {
        for (text, reason) in [
            (
                "input,output\n1,2\n3,none\n",
                "line 3: `none` is not a number of tokens above 0",
            ),
            (
                "in,out\n1,2\n",
                "there is no column `input`; the first line must be `input,output`",
            ),
            ("input,output\n", "it has no rows"),
        ] {
            assert!(pairs_of(text).unwrap_err().ends_with(reason), "{text}");
        }
    }
}
