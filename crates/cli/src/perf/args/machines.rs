//! Flags of load from several machines. They are crestline's own.

use clap::Args;

/// From where the load is sent.
#[derive(Debug, Clone, Args)]
pub(crate) struct MachinesArgs {
    /// Send from the nodes of a Ray cluster: `HOST:PORT`, `ray://HOST:PORT`, or `auto` for the one that this machine is a part
    /// of or `RAY_ADDRESS` names. The results are those of one run.
    #[arg(long, value_name = "ADDRESS|auto")]
    pub(crate) ray: Option<String>,
    /// Workers on the cluster, each on a node of its own [default: one on every node that has a CPU for it].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) workers: Option<i64>,
}
