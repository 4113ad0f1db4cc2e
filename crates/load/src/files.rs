//! Room for open connections: each one is an open file of the process.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that a process opens besides its connections: databases, threads' timers, standard streams.
const OTHERS: u64 = 64;

/// Fewer connections than a load needs may be open at once.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The hard limit is too low.
    #[error(
        "{wanted} connections at once need more open files than this system allows a process ({limit})"
    )]
    TooMany {
        /// Connections.
        wanted: u64,
        /// Open files at most.
        limit: u64,
    },
    /// The limit cannot be read or raised.
    #[error("the limit on open files cannot be raised")]
    System(#[from] io::Error),
}

/// Raises the process's limit on open files, as far as it goes without privileges, and checks that `connections` fit.
pub fn make_room_for(connections: u64) -> Result<(), FilesError> {
    let hard = raise()?;
    if connections.saturating_add(OTHERS) > hard {
        return Err(FilesError::TooMany {
            wanted: connections,
            limit: hard,
        });
    }
    Ok(())
}

/// Raises the process's limit on open files likewise, and gives the number of connections that it has room for.
pub fn most_connections() -> Result<u64, FilesError> {
    Ok(raise()?.saturating_sub(OTHERS))
}

/// Gives the limit that holds then.
fn raise() -> Result<u64, FilesError> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(io::Error::from)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(io::Error::from)?;
    }
    Ok(hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_connections_than_files_are_refused_with_both_numbers() {
        make_room_for(1).unwrap();
        let error = make_room_for(u64::MAX - OTHERS).unwrap_err().to_string();
        assert!(error.contains(&(u64::MAX - OTHERS).to_string()), "{error}");
    }

    #[test]
    fn as_many_connections_fit_as_are_told_and_no_more() {
        let most = most_connections().unwrap();
        make_room_for(most).unwrap();
        make_room_for(most + 1).unwrap_err();
    }
}
