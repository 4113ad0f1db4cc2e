//! Figures of a run in which each segment counts as often as it was drawn.
//!
//! Columns are the segments of all runs, one run behind the other. Draws nothing.

use std::collections::BTreeMap;

use super::cut::Cut;
use super::statistic::Statistic;
use crate::metrics::{Metric, Over};
use crate::stats::interpolate;

/// Weight of each column.
pub(super) type Weights = [u32];

/// What it takes to compute some statistics over and over.
#[derive(Debug)]
pub(super) struct Table {
    statistics: Vec<Statistic>,
    values: BTreeMap<Metric, Values>,
    runs: Vec<Run>,
    requests: Vec<(u64, u64)>,
}

/// Values of one metric, in rows of about equal values.
#[derive(Debug, Default)]
struct Values {
    /// Number and sum of each column.
    columns: Vec<(u64, f64)>,
    rows: Vec<f64>,
    /// Where the cells of each row end.
    ends: Vec<usize>,
    /// Column and count.
    cells: Vec<(u32, u64)>,
}

#[derive(Debug)]
struct Run {
    duration_s: f64,
    inner: std::ops::Range<usize>,
    /// Successes, answer tokens and all tokens, in each segment.
    work: Vec<[f64; 3]>,
    totals: [f64; 3],
}

impl Table {
    pub(super) fn new(cuts: &[Cut], statistics: &[Statistic]) -> Self {
        let metrics = statistics.iter().map(|one| one.metric());
        let values = metrics
            .filter(|metric| metric.over() != Over::Run)
            .map(|metric| (metric, Values::new(cuts, metric)))
            .collect();
        let columns = cuts.iter().flat_map(|cut| &cut.segments);
        let mut start = 0;
        let mut runs = Vec::new();
        for cut in cuts {
            runs.push(Run::new(cut, start));
            start += cut.count();
        }
        Self {
            statistics: statistics.to_vec(),
            values,
            runs,
            requests: columns.map(|one| (one.requests, one.succeeded)).collect(),
        }
    }

    /// The statistics in their units with every column counted `weights` times; `None` where nothing was measured.
    pub(super) fn figures(&self, weights: &Weights) -> Vec<Option<f64>> {
        let mut sums = BTreeMap::new();
        for (metric, values) in &self.values {
            sums.insert(*metric, values.cumulated(weights));
        }
        let figure = |statistic: &Statistic| match *statistic {
            Statistic::Mean(metric) if metric.over() == Over::Run => self.of_run(metric, weights),
            Statistic::Mean(metric) => {
                Some(self.values[&metric].mean(weights)? / metric.unit().ticks())
            }
            Statistic::Quantile(metric, q) => {
                let value = self.values.get(&metric)?.quantile(&sums[&metric], q)?;
                Some(value / metric.unit().ticks())
            }
        };
        self.statistics.iter().map(figure).collect()
    }

    fn of_run(&self, metric: Metric, weights: &Weights) -> Option<f64> {
        if metric == Metric::SuccessRate {
            return self.success_rate(weights);
        }
        let which = match metric {
            Metric::RequestThroughput => 0,
            Metric::OutputThroughput => 1,
            _ => 2,
        };
        let seconds: f64 = self.runs.iter().map(|run| run.duration_s).sum();
        let work: f64 = self.runs.iter().map(|run| run.work(which, weights)).sum();
        (seconds > 0.0).then(|| work / seconds)
    }

    fn success_rate(&self, weights: &Weights) -> Option<f64> {
        let weighted = weights.iter().zip(&self.requests);
        let (all, good) = weighted.fold((0, 0), |(all, good), (&weight, &(requests, fine))| {
            let weight = u64::from(weight);
            (all + weight * requests, good + weight * fine)
        });
        (all > 0).then(|| good as f64 / all as f64)
    }

    /// Values that a statistic is computed from.
    pub(super) fn count(&self, statistic: Statistic) -> u64 {
        match self.values.get(&statistic.metric()) {
            Some(values) => values.columns.iter().map(|column| column.0).sum(),
            None => self.requests.iter().map(|column| column.0).sum(),
        }
    }

    /// Columns in which a metric has values.
    pub(super) fn occupied(&self, metric: Metric) -> usize {
        match self.values.get(&metric) {
            Some(values) => values.columns.iter().filter(|column| column.0 > 0).count(),
            None => self.requests.iter().filter(|column| column.0 > 0).count(),
        }
    }
}

impl Run {
    fn new(cut: &Cut, start: usize) -> Self {
        let part = |count: u128| count as f64 / super::segment::PARTS as f64;
        let work: Vec<[f64; 3]> = cut
            .segments
            .iter()
            .map(|one| {
                [
                    part(one.work.requests),
                    part(one.work.output_tokens),
                    part(one.work.tokens),
                ]
            })
            .collect();
        let total = |which: usize| work.iter().map(|one| one[which]).sum();
        Self {
            duration_s: cut.duration.as_secs_f64(),
            inner: start + cut.inner.start..start + cut.inner.end,
            totals: [total(0), total(1), total(2)],
            work: work[cut.inner.clone()].to_vec(),
        }
    }

    /// Work of the whole run, which is known exactly, times what the drawn inner segments have more than all inner ones:
    /// at the ends of a run load comes up and goes down.
    fn work(&self, which: usize, weights: &Weights) -> f64 {
        let drawn = self.work.iter().zip(&weights[self.inner.clone()]);
        let (number, sum) = drawn.fold((0.0, 0.0), |(number, sum), (work, &weight)| {
            let weight = f64::from(weight);
            (number + weight, sum + weight * work[which])
        });
        let mean = self.work.iter().map(|work| work[which]).sum::<f64>() / self.work.len() as f64;
        if number > 0.0 && mean > 0.0 {
            self.totals[which] * sum / number / mean
        } else {
            self.totals[which]
        }
    }
}

impl Values {
    fn new(cuts: &[Cut], metric: Metric) -> Self {
        let mut out = Self::default();
        let mut cells: Vec<(u64, u64, u32, u64)> = Vec::new();
        let segments = cuts.iter().flat_map(|cut| &cut.segments);
        let histograms: Vec<_> = segments.filter_map(|one| one.values(metric)).collect();
        let min = histograms.iter().filter_map(|one| one.min()).min();
        let max = histograms.iter().filter_map(|one| one.max()).max();
        let (Some(min), Some(max)) = (min, max) else {
            return out;
        };
        for (column, histogram) in (0..).zip(&histograms) {
            out.columns
                .push((histogram.count(), histogram.sum() as f64));
            let spans = histogram.spans();
            cells.extend(spans.map(|(low, high, count)| (low, high, column, count)));
        }
        cells.sort_unstable();
        for row in cells.chunk_by(|one, other| one.0 == other.0) {
            let (low, high) = (row[0].0 as f64, row[0].1 as f64);
            let middle = f64::midpoint(low, high);
            out.rows.push(middle.clamp(min as f64, max as f64));
            out.cells.extend(row.iter().map(|cell| (cell.2, cell.3)));
            out.ends.push(out.cells.len());
        }
        out
    }

    fn mean(&self, weights: &Weights) -> Option<f64> {
        let weighted = weights.iter().zip(&self.columns);
        let (count, sum) = weighted.fold((0.0, 0.0), |(count, sum), (&weight, column)| {
            let weight = f64::from(weight);
            (count + weight * column.0 as f64, sum + weight * column.1)
        });
        (count > 0.0).then(|| sum / count)
    }

    /// Values up to the end of each row.
    fn cumulated(&self, weights: &Weights) -> Vec<u64> {
        let mut start = 0;
        let mut count = 0;
        let row = |&end: &usize| {
            let cells = &self.cells[start..end];
            start = end;
            count += cells
                .iter()
                .map(|&(column, count)| u64::from(weights[column as usize]) * count)
                .sum::<u64>();
            count
        };
        self.ends.iter().map(row).collect()
    }

    fn quantile(&self, cumulated: &[u64], q: f64) -> Option<f64> {
        let count = *cumulated.last()?;
        interpolate(count, q, |k| {
            self.rows[cumulated.partition_point(|&below| below <= k)]
        })
    }
}
