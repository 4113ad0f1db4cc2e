//! The real binary against the simulated engine on loopback, and the tidiness of the repository.

mod tidy;
