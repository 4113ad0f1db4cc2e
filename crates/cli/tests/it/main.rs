//! The real binary against the simulated engine on loopback, and the tidiness of the repository.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench_conversations;
mod bench_pictures;
mod bench_requests;
mod bench_runs;
mod bench_serve;
mod bench_telemetry;
mod bench_truth;
mod compare;
mod encrypted;
mod faults;
mod harness;
mod interruption;
mod machines;
mod perf_live;
mod perf_virtual;
mod report;
mod report_sources;
mod scripted;
mod server_life;
mod server_metrics;
mod sim;
mod sim_life;
mod sla_live;
mod sla_resume;
mod sla_virtual;
mod sweep_kills;
mod sweep_plot;
mod sweep_prune;
mod sweep_serve;
mod sweep_servers;
mod sweep_sla;
mod sweep_startup;
mod sweep_workload;
mod tidy;
mod track;
mod track_mlflow;
mod wrong_use;
