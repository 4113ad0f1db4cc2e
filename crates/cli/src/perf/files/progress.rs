//! `progress.json`: how far a command is, for programs that wait for it.

use std::path::PathBuf;

use serde_json::json;

use super::{WriteError, write_json};

/// Writes the file; the caller decides how often.
#[derive(Debug)]
pub(crate) struct Progress {
    path: PathBuf,
    total: u64,
}

impl Progress {
    /// In the output folder of a command that sends so many counted requests.
    pub(crate) fn new(folder: &std::path::Path, total: u64) -> Self {
        Self {
            path: folder.join("progress.json"),
            total,
        }
    }

    /// Puts down that so many requests have ended by `updated_at`, an ISO time; `status` is `running`, `completed` or
    /// `error`.
    pub(crate) fn write(
        &self,
        status: &str,
        processed: u64,
        updated_at: &str,
    ) -> Result<(), WriteError> {
        let percent = if self.total == 0 {
            100.0
        } else {
            processed as f64 * 100.0 / self.total as f64
        };
        write_json(
            &self.path,
            &json!({
                "status": status,
                "pipeline": "perf",
                "total_count": self.total,
                "processed_count": processed,
                "percent": super::rounded(percent, 2),
                "updated_at": updated_at,
            }),
        )
    }
}
