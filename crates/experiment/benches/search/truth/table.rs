//! The table of truths as a file.

use std::path::PathBuf;

use anyhow::{Context, bail};
use crestline_core::sla::Criterion;

use super::solve::{Best, Crossing, Truth};
use crate::scenario::{Family, Scenario, named};

/// The columns of the file.
const COLUMNS: [&str; 12] = [
    "scenario",
    "group",
    "half",
    "draw",
    "limits_s",
    "kind",
    "load",
    "relative_error",
    "beta",
    "best_tokens_per_s",
    "binding",
    "fingerprint",
];

/// One group of one scenario.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its scenario's name.
    pub(crate) scenario: String,
    /// Position in the scenario's groups.
    pub(crate) group: usize,
    /// Of a random scenario: its number in the family's sequence, and the limits that were measured.
    pub(crate) drawn: Option<(u64, Vec<f64>)>,
    /// The answer.
    pub(crate) truth: Truth,
    /// Of the scenario for which it was found.
    pub(crate) fingerprint: u64,
    /// For readers of the file.
    pub(crate) half: String,
}

/// All truths that are known.
#[derive(Debug, Default)]
pub(crate) struct TruthTable {
    rows: Vec<Row>,
}

impl Row {
    /// A truth that was just found.
    pub(crate) fn new(scenario: &Scenario, group: usize, truth: Truth) -> Self {
        Self {
            scenario: scenario.name.clone(),
            group,
            drawn: None,
            truth,
            fingerprint: scenario.fingerprint(),
            half: scenario.half().name().to_owned(),
        }
    }

    fn cells(&self) -> [String; 12] {
        let limits = |limits: &[f64]| {
            let texts: Vec<String> = limits.iter().map(ToString::to_string).collect();
            texts.join(" ")
        };
        let (draw, limits) = match &self.drawn {
            Some((draw, values)) => (draw.to_string(), limits(values)),
            None => Default::default(),
        };
        let empty = String::new;
        let (kind, load, error, beta, best, binding) = match &self.truth {
            Truth::Infeasible => ("infeasible", empty(), empty(), empty(), empty(), empty()),
            Truth::NotReached => ("not_reached", empty(), empty(), empty(), empty(), empty()),
            Truth::Crossing(crossing) => (
                "crossing",
                format!("{:.4}", crossing.load),
                format!("{:.5}", crossing.error),
                format!("{:.2}", crossing.beta),
                empty(),
                serde_json::to_string(&crossing.binding).expect("a criterion is plain data"),
            ),
            Truth::Best(best) => (
                "best",
                format!("{:.3}", best.load),
                empty(),
                empty(),
                format!("{:.2}", best.tokens_per_s),
                empty(),
            ),
        };
        [
            self.scenario.clone(),
            self.group.to_string(),
            self.half.clone(),
            draw,
            limits,
            kind.to_owned(),
            load,
            error,
            beta,
            best,
            binding,
            self.fingerprint.to_string(),
        ]
    }

    fn read(cells: &csv::StringRecord) -> anyhow::Result<Self> {
        let [
            scenario,
            group,
            half,
            draw,
            limits,
            kind,
            load,
            error,
            beta,
            best,
            binding,
            fingerprint,
        ] = cells.iter().collect::<Vec<_>>()[..]
        else {
            bail!("a row has {} cells", COLUMNS.len());
        };
        let truth = match kind {
            "infeasible" => Truth::Infeasible,
            "not_reached" => Truth::NotReached,
            "crossing" => Truth::Crossing(Crossing {
                load: load.parse()?,
                error: error.parse()?,
                beta: beta.parse()?,
                binding: serde_json::from_str::<Criterion>(binding)?,
            }),
            "best" => Truth::Best(Best {
                load: load.parse()?,
                tokens_per_s: best.parse()?,
            }),
            other => bail!("no kind of truth `{other}`"),
        };
        let values: Result<Vec<f64>, _> = limits.split_whitespace().map(str::parse).collect();
        let drawn = if draw.is_empty() {
            None
        } else {
            Some((draw.parse()?, values?))
        };
        Ok(Self {
            scenario: scenario.to_owned(),
            group: group.parse()?,
            drawn,
            truth,
            fingerprint: fingerprint.parse()?,
            half: half.to_owned(),
        })
    }
}

impl TruthTable {
    /// Reads the file; empty where there is none.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let path = path();
        if !path.exists() {
            return Ok(Self::default());
        }
        let mut reader = csv::Reader::from_path(&path)?;
        let rows: anyhow::Result<Vec<Row>> =
            reader.records().map(|cells| Row::read(&cells?)).collect();
        let rows = rows.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { rows })
    }

    /// Writes the file, in the order of tables.
    pub(crate) fn save(&mut self) -> anyhow::Result<()> {
        let order: Vec<String> = named().into_iter().map(|scenario| scenario.name).collect();
        let place = |row: &Row| {
            let place = order.iter().position(|name| *name == row.scenario);
            (place.unwrap_or(usize::MAX), row.scenario.clone(), row.group)
        };
        self.rows.sort_by_key(place);
        let mut writer = csv::Writer::from_path(path())?;
        writer.write_record(COLUMNS)?;
        for row in &self.rows {
            writer.write_record(row.cells())?;
        }
        Ok(writer.flush()?)
    }

    /// Adds rows, in place of those with the same scenario and group.
    pub(crate) fn put(&mut self, rows: Vec<Row>) {
        for row in rows {
            self.rows
                .retain(|known| (&known.scenario, known.group) != (&row.scenario, row.group));
            self.rows.push(row);
        }
    }

    /// The rows of a scenario, one a group; empty where any is missing or of an earlier form of the scenario.
    pub(crate) fn of(&self, scenario: &Scenario) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| {
                row.scenario == scenario.name && row.fingerprint == scenario.fingerprint()
            })
            .collect();
        rows.sort_by_key(|row| row.group);
        if rows.len() == scenario.groups.len() {
            rows
        } else {
            Vec::new()
        }
    }

    /// The number of the draw that became the random scenario of this name.
    pub(crate) fn draw_of(&self, scenario: &str) -> Option<u64> {
        let row = self.rows.iter().find(|row| row.scenario == scenario)?;
        row.drawn.as_ref().map(|(draw, _)| *draw)
    }

    /// Named scenarios, then those of the random family whose draws are in the table.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let drawn = self.rows.iter().filter_map(|row| {
            let (draw, limits) = row.drawn.as_ref()?;
            let family = Family::of_name(&row.scenario)?;
            Some(family.draw(*draw).with_limits(&row.scenario, limits))
        });
        named().into_iter().chain(drawn).collect()
    }
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "benches/search/truths.csv"]
        .iter()
        .collect()
}
