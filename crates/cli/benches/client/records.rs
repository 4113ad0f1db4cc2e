//! What `crestline perf` wrote into its database, and what it thought of itself.

use anyhow::Context as _;
use serde_json::Value;

use crate::client::Finished;
use crate::raw::Seen;

/// The verdict on a run whose client kept up.
pub(crate) const SOUND: &str = "sound";

/// When one request of an open loop was due and sent, in seconds from the run's epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departure {
    /// The scheduled arrival.
    pub(crate) due: f64,
    /// The first byte was written.
    pub(crate) sent: f64,
    /// Time for a new connection.
    pub(crate) connect: f64,
}

impl Departure {
    /// How late the client was by its own fault.
    pub(crate) fn lag(&self) -> f64 {
        self.sent - self.due - self.connect
    }
}

/// What was seen of each request, with times from the run's epoch.
pub(crate) fn seen(finished: &Finished) -> anyhow::Result<Vec<Seen>> {
    let database = finished.database()?;
    let mut query = database.prepare(
        "SELECT request_id, sent_ns, first_token_ns, end_ns, inter_token_latencies FROM result",
    )?;
    let rows = query.query_map([], |row| {
        let gaps: String = row.get(4)?;
        let time = |column| row.get(column).map(i64::cast_unsigned);
        let seen = Seen {
            request_id: row.get(0)?,
            sent: time(1)?,
            first: time(2)?,
            end: time(3)?,
            gaps: Vec::new(),
        };
        Ok((seen, gaps))
    })?;
    rows.map(|row| {
        let (mut seen, gaps) = row?;
        let seconds: Vec<f64> = serde_json::from_str(&gaps)?;
        seen.gaps = seconds
            .iter()
            .map(|gap| (gap * 1e9).round() as u32)
            .collect();
        Ok(seen)
    })
    .collect()
}

/// When each request was due and sent, in the order of sending.
pub(crate) fn departures(finished: &Finished) -> anyhow::Result<Vec<Departure>> {
    let database = finished.database()?;
    let mut query =
        database.prepare("SELECT due_ns, sent_ns, connect_ns FROM result ORDER BY sent_ns")?;
    let rows = query.query_map([], |row| {
        let seconds = |column| -> rusqlite::Result<f64> {
            Ok(row.get::<_, Option<i64>>(column)?.unwrap_or_default() as f64 / 1e9)
        };
        Ok(Departure {
            due: seconds(0)?,
            sent: seconds(1)?,
            connect: seconds(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Most requests that were in flight at once, and failed requests.
pub(crate) fn open_at_once(finished: &Finished) -> anyhow::Result<(u64, u64)> {
    let database = finished.database()?;
    let mut query = database.prepare("SELECT sent_ns, end_ns, success FROM result")?;
    let rows = query.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, bool>(2)?,
        ))
    })?;
    let mut changes = Vec::new();
    let mut failed = 0;
    for row in rows {
        let (sent, end, success) = row?;
        failed += u64::from(!success);
        changes.extend([(sent, 1), (end, -1)]);
    }
    changes.sort_unstable();
    let mut open = 0i64;
    let mut most = 0;
    for (_, change) in changes {
        open += change;
        most = most.max(open);
    }
    Ok((most.cast_unsigned(), failed))
}

/// Events received by one read of a socket, on average.
pub(crate) fn events_per_read(finished: &Finished) -> anyhow::Result<f64> {
    let events = own_figures(finished)?["events_per_read"].as_f64();
    events.context("the summary says how many events a read brought")
}

/// What the client says of itself: [`SOUND`], or why the run is void.
pub(crate) fn health(finished: &Finished) -> anyhow::Result<String> {
    let client = own_figures(finished)?;
    let void = client["void"]
        .as_bool()
        .context("the summary judges the client")?;
    if !void {
        return Ok(SOUND.to_owned());
    }
    let reasons: Vec<String> = client["reasons"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|reason| reason.as_str().map(str::to_owned))
        .collect();
    Ok(format!("void: {}", reasons.join("; ")))
}

/// What the client observed of itself.
fn own_figures(finished: &Finished) -> anyhow::Result<Value> {
    let mut summary: Value = serde_json::from_slice(&finished.read("benchmark_summary.json")?)?;
    Ok(summary["crestline_client"].take())
}
