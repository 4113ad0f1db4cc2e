//! What an engine runs on: devices, their memory, and how the work is laid out on them.
//!
//! Only derives one profile from another; the engine knows no device. A simple model: docs/guide/simulator.md says what it
//! leaves out.

use serde::{Deserialize, Serialize};

use super::{MILLIS, Overrides, Profile, ProfileError, SHARE, at_least_one, within};

/// The devices of an engine. A profile's speeds and cache are those of the layout that is given here; another layout is derived.
///
/// With `t` devices that share each layer, a cost `c` becomes `c·((1 − divisible) + divisible/t)` (Amdahl), and each
/// iteration and each token pays for two all-reduces a layer: `2·(t − 1)/t` times [`link_ms`](Self::link_ms) and
/// [`link_us_per_token`](Self::link_us_per_token) (Megatron-LM, Shoeybi et al. 2019; a ring's traffic: Patarasuk and Yuan 2009).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Memory of one device.
    pub memory_gib: f64,
    /// The model's weights, on all devices of an engine together.
    pub weights_gib: f64,
    /// Of each device for activations and programs: neither weights nor cache.
    #[serde(default = "two")]
    pub reserved_gib: f64,
    /// Share of a device's memory that the engine may use, above 0 and at most 1.
    #[serde(default = "nine_tenths")]
    pub gpu_memory_utilization: f64,
    /// Devices that share each layer, at least 1.
    #[serde(default = "one")]
    pub tensor_parallel_size: u32,
    /// Groups of devices that have layers of their own, at least 1.
    #[serde(default = "one")]
    pub pipeline_parallel_size: u32,
    /// Engines with all of the weights each, at least 1.
    #[serde(default = "one")]
    pub data_parallel_size: u32,
    /// Share of an iteration's cost that is divided among the devices that share a layer, 0 to 1.
    #[serde(default = "nine_tenths")]
    pub divisible: f64,
    /// An iteration's all-reduces between two devices, for their latency.
    #[serde(default = "default_link")]
    pub link_ms: f64,
    /// The same for each token or decoding sequence, for what they carry.
    #[serde(default = "default_link_per_token")]
    pub link_us_per_token: f64,
    /// From a pipeline's stage to the next, in each iteration.
    #[serde(default = "default_hop")]
    pub hop_ms: f64,
}

fn one() -> u32 {
    1
}

fn two() -> f64 {
    2.0
}

fn nine_tenths() -> f64 {
    0.9
}

fn default_link() -> f64 {
    0.6
}

fn default_link_per_token() -> f64 {
    1.5
}

fn default_hop() -> f64 {
    0.2
}

impl Devices {
    /// The layout that is asked for, on the same devices.
    fn with(&self, overrides: &Overrides) -> Self {
        let or = |asked: Option<u32>, own: u32| asked.unwrap_or(own);
        Self {
            gpu_memory_utilization: overrides
                .gpu_memory_utilization
                .unwrap_or(self.gpu_memory_utilization),
            tensor_parallel_size: or(overrides.tensor_parallel_size, self.tensor_parallel_size),
            pipeline_parallel_size: or(
                overrides.pipeline_parallel_size,
                self.pipeline_parallel_size,
            ),
            data_parallel_size: or(overrides.data_parallel_size, self.data_parallel_size),
            ..self.clone()
        }
    }

    /// Batches under way side by side: pipeline stages times engines.
    fn batches(&self) -> u32 {
        self.pipeline_parallel_size
            .saturating_mul(self.data_parallel_size)
    }

    /// Memory for keys and values, in all engines together: `data·(devices·(utilization·memory − reserved) − weights)`.
    ///
    /// Weights are shared out among an engine's devices, so that twice the devices give more than twice the room (as vLLM
    /// counts its blocks: Kwon et al. 2023).
    fn room_gib(&self) -> Result<f64, ProfileError> {
        let devices = self
            .tensor_parallel_size
            .saturating_mul(self.pipeline_parallel_size);
        let usable_gib = self.gpu_memory_utilization * self.memory_gib;
        let room = f64::from(devices) * (usable_gib - self.reserved_gib) - self.weights_gib;
        if room <= 0.0 {
            return Err(ProfileError::NoRoom {
                devices,
                usable_gib,
                weights_gib: self.weights_gib,
                reserved_gib: self.reserved_gib,
            });
        }
        Ok(room * f64::from(self.data_parallel_size))
    }

    /// What is left of a divisible cost on the devices that share a layer.
    fn share(&self) -> f64 {
        1.0 - self.divisible + self.divisible / f64::from(self.tensor_parallel_size)
    }

    /// How often two devices' traffic is paid.
    fn traffic(&self) -> f64 {
        let devices = f64::from(self.tensor_parallel_size);
        2.0 * (devices - 1.0) / devices
    }

    /// What an iteration pays for the devices' talk.
    fn talk_ms(&self) -> f64 {
        self.link_ms * self.traffic() + self.hop_ms * f64::from(self.pipeline_parallel_size - 1)
    }

    /// What a token pays for it.
    fn talk_us_per_token(&self) -> f64 {
        self.link_us_per_token * self.traffic()
    }

    /// Whether the numbers make devices, and devices of such an engine.
    pub(super) fn check(&self, profile: &Profile) -> Result<(), ProfileError> {
        let memory = (1e-3, 1e6, "0.001 to 1000000 GiB");
        within("devices.memory_gib", self.memory_gib, memory)?;
        within("devices.weights_gib", self.weights_gib, memory)?;
        let reserved = (0.0, 1e6, "0 to 1000000 GiB");
        within("devices.reserved_gib", self.reserved_gib, reserved)?;
        within("devices.divisible", self.divisible, SHARE)?;
        within("devices.link_ms", self.link_ms, MILLIS)?;
        within("devices.hop_ms", self.hop_ms, MILLIS)?;
        let talk = (0.0, 1e9, "0 to 1e9");
        within("devices.link_us_per_token", self.link_us_per_token, talk)?;
        self.check_layout()?;
        self.room_gib()?;
        if profile.kv_cache.tokens.is_none() {
            return Err(ProfileError::OutOfRange {
                field: "kv_cache.tokens",
                rule: "given where there are devices",
            });
        }
        let iteration = &profile.iteration;
        let per_token = iteration
            .prefill_us_per_token
            .min(iteration.decode_us_per_sequence);
        let slack = 1e-9;
        if iteration.base_ms + slack < self.talk_ms()
            || per_token + slack < self.talk_us_per_token()
        {
            return Err(ProfileError::OutOfRange {
                field: "devices.link_ms and link_us_per_token",
                rule: "part of the costs of an iteration and of a token",
            });
        }
        Ok(())
    }

    fn check_layout(&self) -> Result<(), ProfileError> {
        for (field, size) in [
            ("tensor_parallel_size", self.tensor_parallel_size),
            ("pipeline_parallel_size", self.pipeline_parallel_size),
            ("data_parallel_size", self.data_parallel_size),
        ] {
            at_least_one(field, size)?;
            within(field, f64::from(size), (1.0, 1024.0, "1 to 1024"))?;
        }
        let share = (1e-3, 1.0, "0.001 to 1");
        within("gpu_memory_utilization", self.gpu_memory_utilization, share)
    }
}

impl Profile {
    /// This engine with other limits, on another number of devices, or with another share of their memory.
    pub(super) fn rearrange(&mut self, overrides: &Overrides) -> Result<(), ProfileError> {
        let Some(old) = self.devices.take() else {
            refuse_layout(overrides)?;
            self.max_num_seqs = overrides.max_num_seqs.unwrap_or(self.max_num_seqs);
            self.max_num_batched_tokens = overrides
                .max_num_batched_tokens
                .unwrap_or(self.max_num_batched_tokens);
            return Ok(());
        };
        let new = old.with(overrides);
        new.check_layout()?;
        let engines = (old.data_parallel_size, new.data_parallel_size);
        self.max_num_seqs = scaled(self.max_num_seqs, overrides.max_num_seqs, engines);
        self.max_num_batched_tokens = scaled(
            self.max_num_batched_tokens,
            overrides.max_num_batched_tokens,
            (old.batches(), new.batches()),
        );
        if new != old {
            let room = new.room_gib()? / old.room_gib()?;
            let tokens = self.kv_cache.tokens;
            self.kv_cache.tokens = tokens.map(|tokens| (tokens as f64 * room) as u64);
            self.redivide(&old, &new);
        }
        self.devices = Some(new);
        Ok(())
    }

    /// Takes the talk of the old layout out of the costs, divides what is left anew, and adds the talk of the new one.
    fn redivide(&mut self, old: &Devices, new: &Devices) {
        let cost = &mut self.iteration;
        let share = new.share() / old.share();
        cost.base_ms = (cost.base_ms - old.talk_ms()) * share + new.talk_ms();
        for per_token in [
            &mut cost.prefill_us_per_token,
            &mut cost.decode_us_per_sequence,
        ] {
            *per_token = (*per_token - old.talk_us_per_token()) * share + new.talk_us_per_token();
        }
        cost.kv_ns_per_token *= share;
        cost.decode_ns_per_sequence_squared *= share;
        cost.parallel_batches = new.batches();
    }
}

/// A profile's own limit grows with the parts; one that is asked for is that of each part.
fn scaled(own: u32, asked: Option<u32>, (old, new): (u32, u32)) -> u32 {
    match asked {
        Some(asked) => asked.saturating_mul(new),
        None => u32::try_from(u64::from(own) * u64::from(new) / u64::from(old)).unwrap_or(u32::MAX),
    }
}

/// One device is what every profile stands for.
fn refuse_layout(overrides: &Overrides) -> Result<(), ProfileError> {
    for (field, size) in [
        ("tensor_parallel_size", overrides.tensor_parallel_size),
        ("pipeline_parallel_size", overrides.pipeline_parallel_size),
        ("data_parallel_size", overrides.data_parallel_size),
    ] {
        if let Some(size) = size {
            at_least_one(field, size)?;
            if size > 1 {
                return Err(ProfileError::NoDevices { field });
            }
        }
    }
    match overrides.gpu_memory_utilization {
        Some(_) => Err(ProfileError::NoDevices {
            field: "gpu_memory_utilization",
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu_small(overrides: &Overrides) -> Profile {
        Profile::load("gpu-small").unwrap().with(overrides).unwrap()
    }

    fn tensor(size: u32) -> Overrides {
        Overrides {
            tensor_parallel_size: Some(size),
            ..Overrides::default()
        }
    }

    #[test]
    fn the_own_layout_changes_nothing() {
        for name in Profile::names() {
            let own = Profile::load(name).unwrap();
            let sizes = own.devices.as_ref().map_or((1, 1, 1), |devices| {
                let Devices {
                    tensor_parallel_size,
                    pipeline_parallel_size,
                    data_parallel_size,
                    ..
                } = devices;
                (
                    *tensor_parallel_size,
                    *pipeline_parallel_size,
                    *data_parallel_size,
                )
            });
            let same = Overrides {
                tensor_parallel_size: Some(sizes.0),
                pipeline_parallel_size: Some(sizes.1),
                data_parallel_size: Some(sizes.2),
                ..Overrides::default()
            };
            assert_eq!(own.clone().with(&same).unwrap(), own, "{name}");
        }
    }

    #[test]
    fn devices_that_share_layers_are_faster_but_less_than_in_proportion() {
        let [one, two, eight] = [1, 2, 8].map(|size| gpu_small(&tensor(size)).iteration);
        // 7 ms · (0.1 + 0.9/2) + 0.6 ms.
        assert!((two.base_ms - 4.45).abs() < 1e-9, "{two:?}");
        // 30 µs · 0.55 + 1.5 µs.
        assert!((two.prefill_us_per_token - 18.0).abs() < 1e-9, "{two:?}");
        assert!((two.kv_ns_per_token - 25.0 * 0.55).abs() < 1e-9);
        assert!(one.base_ms / two.base_ms < 2.0 && two.base_ms / eight.base_ms < 4.0);
        assert!(eight.base_ms < two.base_ms);
    }

    #[test]
    fn the_cache_grows_more_than_the_devices_because_the_weights_are_shared_out() {
        let tokens = |profile: Profile| profile.kv_cache.tokens.unwrap();
        // 0.9 · 48 - 2 - 15 = 26.2 GiB hold 260000 tokens; two hold 67.4 GiB.
        assert_eq!(tokens(gpu_small(&tensor(2))), 668_854);
        let less = Overrides {
            gpu_memory_utilization: Some(0.5),
            ..Overrides::default()
        };
        // 0.5 · 48 - 17 = 7 GiB.
        assert_eq!(tokens(gpu_small(&less)), 69_465);
        let fixed = Overrides {
            kv_cache_tokens: Some(1000),
            ..tensor(2)
        };
        assert_eq!(tokens(gpu_small(&fixed)), 1000);
    }

    #[test]
    fn a_layout_and_back_is_where_it_was() {
        let back = gpu_small(&tensor(4)).with(&tensor(1)).unwrap();
        let own = gpu_small(&Overrides::default());
        assert!((back.iteration.base_ms - own.iteration.base_ms).abs() < 1e-9);
        assert!(back.kv_cache.tokens.unwrap().abs_diff(260_000) <= 1);
        assert_eq!(back.devices, own.devices);
    }

    #[test]
    fn engines_and_stages_take_their_batches_side_by_side() {
        let data = gpu_small(&Overrides {
            data_parallel_size: Some(2),
            max_num_seqs: Some(50),
            ..Overrides::default()
        });
        assert_eq!(
            (data.max_num_seqs, data.max_num_batched_tokens),
            (100, 4096)
        );
        assert_eq!(data.kv_cache.tokens, Some(520_000));
        assert_eq!(data.iteration.parallel_batches, 2);
        let pipeline = gpu_small(&Overrides {
            pipeline_parallel_size: Some(2),
            ..Overrides::default()
        });
        assert_eq!(pipeline.max_num_seqs, 128);
        assert_eq!(pipeline.max_num_batched_tokens, 4096);
        assert_eq!(pipeline.kv_cache.tokens, Some(668_854));
        assert!((pipeline.iteration.base_ms - 7.2).abs() < 1e-9);
    }

    #[test]
    fn what_does_not_fit_or_is_not_told_is_refused_by_name() {
        let refused = |name: &str, overrides: Overrides| {
            let profile = Profile::load(name).unwrap();
            profile.with(&overrides).unwrap_err().to_string()
        };
        let share = |share| Overrides {
            gpu_memory_utilization: Some(share),
            ..Overrides::default()
        };
        let none = refused("gpu-small", share(0.3));
        assert!(
            none.contains("of 14.4 GiB on each device (there are 1)"),
            "{none}"
        );
        assert!(refused("gpu-small", share(1.2)).starts_with("gpu_memory_utilization"));
        assert!(refused("gpu-small", tensor(0)).starts_with("tensor_parallel_size"));
        let unknown = refused("cpu", tensor(2));
        assert!(unknown.contains("no [devices]"), "{unknown}");
        assert!(refused("cpu", share(0.9)).contains("gpu_memory_utilization"));
    }
}
